package main

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// sizes of a checkout, in bytes.
type sizes struct {
	files  int64 // of all regular files, each name counted
	own    int64 // on disk, of what nothing else links to
	shared int64 // on disk, of the rest
}

// measure walks checkouts. An inode whose links are the names in them and one
// object of the repository is their own; any link more is another image's, or
// the operating system's.
func measure(ctx context.Context, rootfs ...string) (sizes, error) {
	m := measurement{ctx: ctx, linked: map[uint64]inode{}}
	for _, path := range rootfs {
		dir, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		if err != nil {
			return m.sizes, err
		}
		err = m.dir(dir)
		dir.Close()
		if err != nil {
			return m.sizes, fmt.Errorf("measure %s: %w", path, err)
		}
	}
	for _, i := range m.linked {
		if i.links > i.names+1 {
			m.shared += i.disk
		} else {
			m.own += i.disk
		}
	}
	return m.sizes, nil
}

type measurement struct {
	sizes
	ctx    context.Context
	linked map[uint64]inode
}

type inode struct{ names, links, disk int64 }

func (m *measurement) dir(dir *os.File) error {
	if err := context.Cause(m.ctx); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return err
	}
	m.own += st.Blocks * 512
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			err = m.below(dir, e.Name())
		} else {
			err = m.file(dir, e.Name())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *measurement) below(dir *os.File, name string) error {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	child := os.NewFile(uintptr(fd), name)
	defer child.Close()
	return m.dir(child)
}

func (m *measurement) file(dir *os.File, name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		m.files += st.Size
	}
	i := m.linked[st.Ino]
	m.linked[st.Ino] = inode{i.names + 1, int64(st.Nlink), st.Blocks * 512}
	return nil
}
