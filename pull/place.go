package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"syscontainer/pull/atomic"
)

// commandPath is this program's, for wrapper scripts of images; replaced by -ldflags.
var commandPath = "/usr/bin/syscontainer"

// placeOf is what templates of an image are expanded for: the container of a service, name without ".service", on the
// machine below root.
func placeOf(root, name, reference, digest, runtime string) atomic.Place {
	machineID, _ := os.ReadFile(filepath.Join(root, "etc/machine-id"))
	return atomic.Place{
		Name: name, Directory: atomic.Bundle(name), Image: strings.TrimPrefix(reference, "oci:"), ImageID: digest,
		UUID: atomic.UUID(string(machineID), name), Runtime: runtimeFile(root, runtime), Command: commandPath,
		Capabilities: machineOf(root).Capabilities,
	}
}

// machineOf is what configurations of images have to fit; of another machine nothing is known.
func machineOf(root string) atomic.Machine {
	if root == "/" || root == "" {
		return atomic.ThisMachine()
	}
	return atomic.Machine{Capabilities: atomic.Capabilities(atomic.AnyCapability)}
}

// runtimeFile is the path of a runtime, which scripts of images want absolute.
func runtimeFile(root, runtime string) string {
	if runtime == "" {
		runtime = "runc"
	}
	if filepath.IsAbs(runtime) {
		return runtime
	}
	for _, dir := range runtimePath {
		if _, err := os.Stat(filepath.Join(root, dir, runtime)); err == nil {
			return filepath.Join(dir, runtime)
		}
	}
	return "/usr/bin/" + runtime
}

// exportsOf reads what an image, or a directory that is the root of one, has below /exports; nil if it has nothing.
func exportsOf(rootfs string) (*atomic.Exports, error) {
	dir, err := os.OpenRoot(rootfs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // damaged; verify says so
	} else if err != nil {
		return nil, err
	}
	defer dir.Close()
	return atomic.Read(dir)
}
