package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// writtenDir is where a container with ReadOnly=no keeps what it writes into its root.
func writtenDir(o options) string {
	return filepath.Join("/", o.root, store.Dir, "containers", o.name)
}

// asSeen is the tree as the container will see it when it starts.
func (t *tree) asSeen(o options, c *units.Container) (*tree, error) {
	if c.ReadOnly || volatileRoot(c) || c.Rootfs != "" {
		return t, nil
	}
	return t.under(filepath.Join(writtenDir(o), "upper"))
}

// under is the tree with what an earlier run wrote laid over it, as the container will
// see it: the payload may have made links where something is mounted, or users. With
// nothing written it is the tree itself. It is mounted nowhere and cannot be written to.
func (t *tree) under(upper string) (*tree, error) {
	if _, err := os.Lstat(upper); errors.Is(err, os.ErrNotExist) {
		return t, nil
	} else if err != nil {
		return nil, err
	}
	context, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, overlayError(err, "fsopen")
	}
	defer unix.Close(context)
	// No upper directory: a mount with one would flush its whole file system at its end.
	lower := overlayPath(upper) + ":" + overlayPath(t.name)
	if err := unix.FsconfigSetString(context, "lowerdir", lower); err != nil {
		return nil, overlayError(err, lower)
	}
	if err := unix.FsconfigCreate(context); err != nil {
		return nil, overlayError(err, lower)
	}
	root, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, overlayError(err, lower)
	}
	return &tree{root, t.name}, nil
}

func overlayError(err error, what string) error {
	if errors.Is(err, unix.ENODEV) {
		return errNoOverlay()
	}
	return fmt.Errorf("look at what the container wrote (overlay, %s): %w", what, err)
}
