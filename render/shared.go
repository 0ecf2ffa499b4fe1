package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"syscontainer/units"
)

// POSIX shared memory and semaphores are files in /dev/shm (shm_overview(7)): a container
// that joins another's IPC namespace gets that directory too, as with podman. With a user
// namespace it also gets /dev/mqueue that way: it may mount only that of a namespace of its
// own.

// peerMount is a mount of a directory that another service's container has.
type peerMount struct {
	Service string `json:"service"` // without ".service"
	From    string `json:"from"`    // there
	At      string `json:"at"`      // a directory here
}

// planShared notes what the container gets of the one whose IPC namespace it joins.
func (b bundle) planShared(c *units.Container, p *rootPlan, h *host) error {
	service, joins := strings.CutPrefix(c.IPC, "container:")
	if !joins {
		return nil
	}
	from := []string{"/dev/shm", "/dev/mqueue"}
	if !mapsIDs(c) {
		from = from[:1]
	}
	h.Shared = make(map[string]string, len(from))
	for _, name := range from {
		at := b.file(path.Base(name))
		if err := os.Mkdir(at, 0o755); err != nil {
			return err
		}
		p.Shared = append(p.Shared, peerMount{service, name, at})
		h.Shared[name] = at
	}
	return nil
}

// sharePeers puts what is shared into a list of mounts.
func sharePeers(list []rspec.Mount, h host) []rspec.Mount {
	for i, m := range list {
		if at := h.Shared[m.Destination]; at != "" {
			list[i] = mountOf(m.Destination, "bind", at, "bind", "rprivate", "nosuid", "noexec", "nodev")
		}
	}
	return list
}

// mount makes it. Only a process in the other's mount namespace may take a copy of a
// mount there, so this thread goes there and back; links of the other could lead nowhere
// but into itself, and are not followed even there. The caller's goroutine must be bound to
// its thread.
func (m peerMount) mount() error {
	wrap := func(err error) error {
		return fmt.Errorf("share %s with %s.service: %w", m.From, m.Service, err)
	}
	pid, err := peer(m.Service)
	if err != nil {
		return wrap(err)
	}
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return wrap(err)
	}
	defer unix.Close(process)
	if again, err := peer(m.Service); err != nil || again != pid { // the number may be another's since
		return wrap(errors.Join(errors.New("it has ended"), err))
	}
	home, err := unix.Open("/proc/thread-self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return wrap(err)
	}
	defer unix.Close(home)
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // threads that share a root cannot change their namespace
		return wrap(err)
	}
	if err := unix.Setns(process, unix.CLONE_NEWNS); err != nil {
		return wrap(err)
	}
	mount, err := copyMount(m.From)
	if back := unix.Setns(home, unix.CLONE_NEWNS); back != nil {
		return wrap(fmt.Errorf("come back: %w", back))
	}
	if err != nil {
		return wrap(err)
	}
	defer unix.Close(mount)
	if err := unix.MoveMount(mount, "", unix.AT_FDCWD, m.At, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return wrap(err)
	}
	return nil
}

// copyMount returns a mount of a directory that is nowhere mounted yet.
func copyMount(name string) (int, error) {
	dir, err := unix.Openat2(unix.AT_FDCWD, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return -1, err
	}
	defer unix.Close(dir)
	return unix.OpenTree(dir, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
}
