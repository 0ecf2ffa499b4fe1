package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// bundle is /run/syscontainer/NAME, only root's to look into:
//
//	config.json   for the runtime
//	root.json     how start puts the root together
//	launch.json   the runtime, the container's ID, RuntimeArgs=
//	image         link to the image's directory: it is in use; not with Rootfs=
//	rootfs        where it is mounted
//	targets       what the image lacks to mount on
//	volatile      where memory for Volatile=yes and Rootfs=…:O is mounted
//	machine-id, journald.conf   for a systemd in the container
//	shm, mqueue   where these directories of another container's /dev are mounted
//	mapped        where mounts with other owners are made first
//	hosts, resolv.conf, credentials   what the container sees of these
//	bridge.json, network.json, netavark   of Network=bridge: what is wanted, what was made
//	stop-signal   the image's, as a number; none: SIGTERM, or the unit's
//	pid           of the payload, written by the runtime
//
// It is made anew at every start and never precious.
type bundle string

func bundleOf(root, name string) bundle {
	return bundle(filepath.Join("/", root, "run/syscontainer", name))
}

func (b bundle) file(name string) string { return filepath.Join(string(b), name) }
func (b bundle) rootfs() string          { return b.file("rootfs") }
func (b bundle) volatile() string        { return b.file("volatile") }

// create makes the empty bundle; there must be none.
func (b bundle) create() error {
	if err := os.MkdirAll(filepath.Dir(string(b)), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(string(b), 0o700); err != nil {
		return err
	}
	return os.Mkdir(b.rootfs(), 0o755)
}

// write puts the documents there, config.json last.
func (b bundle) write(plan rootPlan, config []byte) error {
	planData, err := json.Marshal(plan)
	if err != nil {
		return fmt.Errorf("write %s: %w", b.file("root.json"), err)
	}
	for _, document := range []struct {
		name string
		data []byte
	}{{"root.json", planData}, {"config.json", config}} {
		temporary := b.file("." + document.name)
		if err := os.WriteFile(temporary, append(document.data, '\n'), 0o600); err != nil {
			return err
		}
		if err := os.Rename(temporary, b.file(document.name)); err != nil {
			return err
		}
	}
	return nil
}

func (b bundle) plan() (plan rootPlan, err error) {
	data, err := os.ReadFile(b.file("root.json"))
	if err == nil {
		err = json.Unmarshal(data, &plan)
	}
	return plan, err
}

// remove takes the bundle away, whatever an unclean stop left in it; none is no
// error. It empties no directory that something may still be mounted on: with a
// writable root that would be the container's data.
func (b bundle) remove() error {
	if _, err := os.Lstat(string(b)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	mounted := []string{b.rootfs(), b.volatile(), b.file("shm"), b.file("mqueue")}
	entries, err := os.ReadDir(b.file("mapped"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		mounted = append(mounted, filepath.Join(b.file("mapped"), e.Name()))
	}
	for _, at := range mounted {
		if err := unmount(at); err != nil {
			return err
		}
		if err := os.Remove(at); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return os.RemoveAll(string(b))
}

// unmount takes away all that is mounted at a path.
func unmount(at string) error {
	for {
		err := unix.Unmount(at, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err == unix.EINVAL || err == unix.ENOENT {
			return nil
		}
		if err != nil {
			return fmt.Errorf("unmount %s: %w", at, err)
		}
	}
}
