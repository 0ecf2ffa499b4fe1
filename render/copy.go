package main

import (
	"io"
	"os"
	"path"
	"syscall"

	"golang.org/x/sys/unix"
)

// copyImage copies what the image has in a directory, and its owner, mode and the like,
// into an empty one. The image's author may be hostile: no link is followed, on either
// side, and the copy has no device nodes and no sockets. Hard links become files of their
// own: a checkout links files that just have the same content.
func copyImage(t *tree, dir string, to *os.Root) error {
	root, err := os.OpenRoot(t.name)
	if err != nil {
		return err
	}
	defer root.Close()
	from, err := root.OpenRoot("." + dir) // dir is without links
	if err != nil {
		return err
	}
	defer from.Close()
	return copyDirectory(from, to, ".")
}

func copyDirectory(from, to *os.Root, name string) error {
	entries, err := readNames(from, name)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		entry = path.Join(name, entry)
		info, err := from.Lstat(entry)
		if err != nil {
			return err
		}
		switch info.Mode().Type() {
		case os.ModeDir:
			if err = to.Mkdir(entry, 0o700); err == nil {
				err = copyDirectory(from, to, entry)
			}
		case 0:
			err = copyFile(from, to, entry)
		case os.ModeSymlink:
			err = copyLink(from, to, entry, info)
		case os.ModeNamedPipe:
			err = copyPipe(to, entry, info)
		}
		if err != nil {
			return err
		}
	}
	d, err := from.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	copied, err := to.Open(name)
	if err != nil {
		return err
	}
	defer copied.Close()
	return copyMeta(int(d.Fd()), copied, nil) // last: what was made in it changed its time
}

// readNames lists a directory; names need not be UTF-8.
func readNames(in *os.Root, dir string) ([]string, error) {
	d, err := in.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

func copyFile(from, to *os.Root, name string) error {
	f, err := from.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	copied, err := to.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(copied, f); err == nil {
		err = copyMeta(int(f.Fd()), copied, nil)
	}
	if closed := copied.Close(); err == nil {
		err = closed
	}
	return err
}

func copyLink(from, to *os.Root, name string, info os.FileInfo) error {
	target, err := from.Readlink(name)
	if err == nil {
		err = to.Symlink(target, name)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && err == nil {
		err = to.Lchown(name, int(st.Uid), int(st.Gid))
	}
	return err
}

func copyPipe(to *os.Root, name string, info os.FileInfo) error {
	dir, err := to.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.Mknodat(int(dir.Fd()), path.Base(name), unix.S_IFIFO|0o600, 0); err != nil {
		return &os.PathError{Op: "mknod", Path: name, Err: err}
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := to.Lchown(name, int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
		return to.Chmod(name, info.Mode().Perm())
	}
	return nil
}

// copyMeta gives a copy the owner, as seen through ids, the mode, the attributes and the
// times of the original.
func copyMeta(from int, to *os.File, ids *idMaps) error {
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return err
	}
	uid, gid := ids.owner(st.Uid, st.Gid)
	if err := to.Chown(uid, gid); err != nil {
		return err
	}
	if err := unix.Fchmod(int(to.Fd()), st.Mode&0o7777); err != nil { // after its owner, who takes set-user-ID away
		return &os.PathError{Op: "chmod", Path: to.Name(), Err: err}
	}
	copyAttributes(from, to)
	unix.Futimes(int(to.Fd()), []unix.Timeval{unix.NsecToTimeval(unix.TimespecToNsec(st.Atim)),
		unix.NsecToTimeval(unix.TimespecToNsec(st.Mtim))})
	return nil
}
