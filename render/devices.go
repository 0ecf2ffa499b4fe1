package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"syscontainer/units"
)

// node is a device node of the machine and where the container gets it.
type node struct {
	Source, Target string // Source without links
	Kind           string // "c" or "b"
	Major, Minor   int64
	Mode           uint32 // permission bits
	UID, GID       uint32
	Access         string // letters of "rwm"

	// Bound nodes are the machine's own, shown at the target, for one that the runtime
	// made would have no effect: outside of /dev the root is mounted nodev, and in a
	// user namespace nobody may make one.
	Bound bool
}

// devices are linux.devices and the permissions for all of h.Devices.
func devices(list []node) (made []rspec.LinuxDevice, allowed []rspec.LinuxDeviceCgroup) {
	for _, n := range list {
		if !n.Bound {
			mode := os.FileMode(n.Mode)
			made = append(made, rspec.LinuxDevice{Path: n.Target, Type: n.Kind, Major: n.Major, Minor: n.Minor,
				FileMode: &mode, UID: &n.UID, GID: &n.GID})
		}
		allowed = append(allowed, rspec.LinuxDeviceCgroup{Allow: true, Type: n.Kind, Major: &n.Major, Minor: &n.Minor, Access: n.Access})
	}
	return made, allowed
}

func deviceMounts(list []node) (mounts []rspec.Mount) {
	for _, n := range list {
		if n.Bound {
			mounts = append(mounts, rspec.Mount{Destination: n.Target, Type: "bind", Source: n.Source,
				Options: []string{"bind", "rprivate", "nosuid", "noexec"}})
		}
	}
	return mounts
}

// runtimesOwn are what every container has of its own in /dev.
var runtimesOwn = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/console", "/dev/ptmx",
	"/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/hugepages"}

// lookDevices finds the nodes of AddDevice=, of a directory all below it. Of two for
// one target the last counts.
func lookDevices(c *units.Container, h *host) error {
	all := units.Device{Source: "/dev", Target: "/dev", Access: "rwm", Optional: true}
	list := c.Devices
	if c.Privileged {
		list = append([]units.Device{all}, list...)
	}
	for _, d := range list {
		label := "AddDevice=" + d.Source
		real, err := filepath.EvalSymlinks(d.Source)
		if errors.Is(err, os.ErrNotExist) {
			if d.Optional {
				continue
			}
			return withHint(fmt.Errorf("%s: there is no such device", label), "AddDevice=-%s accepts that it is not there", d.Source)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", label, err)
		}
		before := len(h.Devices)
		err = filepath.WalkDir(real, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d == all && slices.Contains(runtimesOwn, name) {
				if entry.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			if kind := entry.Type(); name != real && kind&fs.ModeDevice == 0 {
				return nil // directories are entered; links, sockets and files are no devices
			}
			var st unix.Stat_t
			if err := unix.Lstat(name, &st); err != nil {
				return &os.PathError{Op: "stat", Path: name, Err: err}
			}
			s := sourceOf(&st)
			switch {
			case s.Dir:
				return nil
			case s.Device == "":
				return errors.New("no device node")
			}
			n := node{Source: name, Target: filepath.Join(d.Target, strings.TrimPrefix(name, real)), Kind: s.Device,
				Major: s.Major, Minor: s.Minor, Mode: st.Mode & 0o777, UID: st.Uid, GID: st.Gid, Access: d.Access}
			n.Bound = mapsIDs(c) || !strings.HasPrefix(n.Target, "/dev/")
			h.Devices = slices.DeleteFunc(h.Devices, func(other node) bool { return other.Target == n.Target })
			h.Devices = append(h.Devices, n)
			return nil
		})
		if err == nil && len(h.Devices) == before && !d.Optional {
			if info, _ := os.Stat(real); info != nil && info.IsDir() {
				err = errors.New("there is no device below it")
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", label, err)
		}
	}
	return nil
}
