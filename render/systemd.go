package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/units"
)

// innerSystemd is what a systemd in the container needs from the machine, as
// https://systemd.io/CONTAINER_INTERFACE says; empty without Systemd=yes.
type innerSystemd struct {
	MachineID string // for $container_uuid: 32 digits
	IDFile    string // has the same, where the image brings none; "": it does
	Syslog    string // the machine's socket for syslog(3); "": none
	Journald  string // lets the journal in there hand on to it
}

// Where systemd looks, inside.
const (
	machineIDPath = "/etc/machine-id"
	syslogPath    = "/run/systemd/journal/syslog"
	journaldPath  = "/run/systemd/journald.conf.d/50-syscontainer.conf"
)

// systemdStopSignal asks a systemd to halt (systemd(1)). SIGTERM would make it execute
// itself anew, and images rarely know better.
const systemdStopSignal = "SIGRTMIN+3"

// syslogSocket is the journal's (systemd-journald.service(8)).
const syslogSocket = "/run/systemd/journal/dev-log"

// journaldConf sends what the journal in the container gets to that of the machine,
// where it is the unit's. Process 1 itself has no terminal to write to, and ignores what
// its standard output is.
const journaldConf = "[Journal]\nForwardToSyslog=yes\n"

// systemdDirectories are memory to systemd, on a root of every kind.
var systemdDirectories = []struct {
	path    string
	options []string
	mode    uint32
}{{"/run", nil, 0o755}, {"/run/lock", []string{"noexec"}, 0o755}, {"/tmp", nil, 0o1777}}

// journalPath keeps a journal where it is there and can be written.
const journalPath = "/var/log/journal"

// lookSystemd sees to what Systemd=yes needs.
func lookSystemd(b bundle, o options, c *units.Container, t *tree, h *host) error {
	if !c.Systemd {
		return nil
	}
	if h.User.UID != 0 {
		return withHint(fmt.Errorf("Systemd=yes: the payload runs as user %d, and systemd must be root", h.User.UID), "write User=root")
	}
	h.Systemd.MachineID = innerMachineID(o)
	if !hasMachineID(t) {
		// Into a read-only root systemd could not write the number, nor at a first boot into
		// another, where it wants to mount something on the file.
		h.Systemd.IDFile = b.file("machine-id")
		if err := writeShown(h.Systemd.IDFile, h.Systemd.MachineID+"\n"); err != nil {
			return err
		}
	}
	if info, err := os.Stat(syslogSocket); err == nil && info.Mode().Type() == fs.ModeSocket {
		h.Systemd.Syslog, h.Systemd.Journald = realFile(syslogSocket), b.file("journald.conf")
		if err := writeShown(h.Systemd.Journald, journaldConf); err != nil {
			return err
		}
	}
	for _, d := range systemdDirectories {
		if in, ok := t.directory(d.path); ok {
			h.Scratch[d.path] = in
		}
	}
	if in, ok := t.directory(journalPath); ok {
		h.Scratch[journalPath] = in
	}
	return nil
}

// innerMachineID stays the same for a container of a machine, and tells nothing of the
// machine's own number, which machine-id(5) wants kept secret.
func innerMachineID(o options) string {
	own, _ := os.ReadFile(machineIDPath)
	sum := sha256.Sum256([]byte("syscontainer\x00" + string(bytes.TrimSpace(own)) + "\x00" + o.root + "\x00" + o.name))
	id := sum[:16]
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // a UUID of version 4
	return hex.EncodeToString(id)
}

// hasMachineID tells whether the image brings a number, which would be the same in all
// its containers, but is its author's choice. Empty or "uninitialized" is none
// (machine-id(5)).
func hasMachineID(t *tree) bool {
	data, err := t.readFile(machineIDPath, 64)
	if err != nil {
		return false
	}
	id, err := hex.DecodeString(string(bytes.TrimSpace(data)))
	return err == nil && len(id) == 16
}

// writeShown makes a file of the bundle that the payload reads.
func writeShown(name, text string) error {
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Chmod(name, 0o644) // whatever the umask
}

// environment of process 1, see systemd.
func (s innerSystemd) environment() []string {
	if s.MachineID == "" {
		return nil
	}
	return []string{"container_uuid=" + s.MachineID}
}

// systemdMounts are for a systemd in the container, beside its cgroup.
func systemdMounts(c *units.Container, h host) (list []rspec.Mount) {
	if !c.Systemd {
		return nil
	}
	memory := func(path string, mode uint32, options ...string) {
		in := h.Scratch[path]
		options = in.options(append([]string{"nosuid", "nodev"}, options...), mode)
		if in.Full {
			options = append(options, "tmpcopyup")
		}
		list = append(list, mountOf(path, "tmpfs", "tmpfs", options...))
	}
	for _, d := range systemdDirectories {
		memory(d.path, d.mode, d.options...)
	}
	if _, there := h.Scratch[journalPath]; there && readOnlyRoot(c) {
		memory(journalPath, 0o755, "noexec")
	}
	// Read-only, the socket can be sent to, but its mode and owner stay the machine's.
	for _, f := range []struct{ target, source string }{{machineIDPath, h.Systemd.IDFile}, {journaldPath, h.Systemd.Journald}, {syslogPath, h.Systemd.Syslog}} {
		if f.source != "" {
			list = append(list, mountOf(f.target, "bind", f.source, "bind", "rprivate", "ro", "nosuid", "nodev", "noexec"))
		}
	}
	return list
}
