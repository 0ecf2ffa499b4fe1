package main

import (
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"syscontainer/pull/layer"
)

// OSTree has no objects for fifos: they are made in each checkout, where the
// image's commit says. Devices are left to the unit.

// makeFifos makes the fifos of an image in its fresh checkout.
func makeFifos(rootfs *os.File, special []layer.SpecialFile) error {
	return eachFifo(special, func(s layer.SpecialFile) error {
		parent, err := openParent(rootfs, s.Path)
		if err != nil {
			return err
		}
		defer unix.Close(parent)
		var before unix.Stat_t
		if err := unix.Fstat(parent, &before); err != nil {
			return err
		}
		name := path.Base(s.Path)
		if err := unix.Mknodat(parent, name, unix.S_IFIFO|0o600, 0); err != nil {
			return err
		}
		if err := unix.Fchownat(parent, name, int(s.Meta.UID), int(s.Meta.GID), unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		if err := unix.Fchmodat(parent, name, s.Meta.Mode, 0); err != nil { // no link: we have just made it
			return err
		}
		// The directory's time stays what the checkout gave it.
		return unix.UtimesNanoAt(parent, "", []unix.Timespec{before.Atim, before.Mtim}, unix.AT_EMPTY_PATH)
	})
}

// examineFifos looks whether they are still there.
func examineFifos(rootfs *os.File, special []layer.SpecialFile, tell teller) {
	eachFifo(special, func(s layer.SpecialFile) error {
		var st unix.Stat_t
		parent, err := openParent(rootfs, s.Path)
		if err == nil {
			err = unix.Fstatat(parent, path.Base(s.Path), &st, unix.AT_SYMLINK_NOFOLLOW)
			unix.Close(parent)
		}
		switch {
		case errors.Is(err, unix.ENOENT):
			tell("/"+s.Path, "is missing")
		case err != nil:
			tell("/"+s.Path, "%v", err)
		case st.Mode != unix.S_IFIFO|s.Meta.Mode || st.Uid != s.Meta.UID || st.Gid != s.Meta.GID:
			tell("/"+s.Path, "is not the fifo of the image: mode %#o, owner %d:%d", st.Mode, st.Uid, st.Gid)
		}
		return nil
	})
}

func eachFifo(special []layer.SpecialFile, do func(layer.SpecialFile) error) error {
	for _, s := range special {
		if s.Type != "fifo" {
			continue
		}
		if err := do(s); err != nil {
			return fmt.Errorf("make fifo %q: %w", s.Path, err)
		}
	}
	return nil
}

// openParent opens the directory of a path that an image names, which leads
// through no link and not out of rootfs.
func openParent(rootfs *os.File, name string) (fd int, err error) {
	return unix.Openat2(int(rootfs.Fd()), path.Dir(name), &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
}
