package main

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"

	"syscontainer/units"
)

func lookInit(c *units.Container, h *host) error {
	if !c.RunInit {
		return nil
	}
	for _, name := range units.Inits {
		if file, err := exec.LookPath(name); err == nil && isStatic(file) {
			h.Init = realFile(file)
			return nil
		}
	}
	return withHint(errors.New("RunInit=yes: this machine has no catatonit, tini-static or dumb-init that runs without libraries"),
		"apt install catatonit, or dnf install catatonit")
}

// isStatic tells whether a program needs no libraries of the machine it is on: the
// container's root has others, or none. That is, whether it is ELF (elf(5)) and none
// of its program headers names an interpreter.
func isStatic(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 64)
	if _, err := f.ReadAt(head, 0); err != nil || string(head[:4]) != "\x7fELF" {
		return false
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[5] == 2 {
		order = binary.BigEndian
	}
	offset, size, count := int64(order.Uint32(head[28:])), int(order.Uint16(head[42:])), int(order.Uint16(head[44:]))
	if head[4] == 2 { // 64 bits
		offset, size, count = int64(order.Uint64(head[32:])), int(order.Uint16(head[54:])), int(order.Uint16(head[56:]))
	}
	const interpreter = 3
	kind := make([]byte, 4)
	for i := range count {
		if _, err := f.ReadAt(kind, offset+int64(i*size)); err != nil || order.Uint32(kind) == interpreter {
			return false
		}
	}
	return count > 0
}
