package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// tree looks at an image's root file system as a process confined to it would:
// absolute links and ".." lead nowhere else. It never changes anything.
//
// Its descriptors are bare numbers: os.File would ask the kernel three more
// questions for each, and this is on the way of every start.
type tree struct {
	root int
	name string
}

func openTree(rootfs string) (*tree, error) {
	fd, err := unix.Open(rootfs, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: rootfs, Err: err}
	}
	return &tree{fd, rootfs}, nil
}

func (t *tree) close() { unix.Close(t.root) }

// open follows links, but none out of the tree and none of /proc's magic ones.
func (t *tree) open(name string, flags uint64) (int, error) {
	return t.openat2(name, flags, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
}

func (t *tree) openat2(name string, flags, resolve uint64) (int, error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: resolve}
	for {
		fd, err := unix.Openat2(t.root, name, &how)
		switch {
		case err == nil:
			return fd, nil
		case err != unix.EINTR && err != unix.EAGAIN: // EAGAIN: a rename elsewhere raced with ".."
			return -1, &os.PathError{Op: "open", Path: name + " in the image", Err: err}
		}
	}
}

// readFile returns at most limit bytes of a regular file; anything else, such as
// a pipe that would block, is an error. Longer files are refused, not cut.
func (t *tree) readFile(name string, limit int64) ([]byte, error) {
	fd, err := t.open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > limit {
		return nil, fmt.Errorf("%s in the image is no regular file of at most %d bytes", name, limit)
	}
	data := make([]byte, st.Size)
	for read := 0; read < len(data); {
		n, err := unix.Read(fd, data[read:])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, &os.PathError{Op: "read", Path: name + " in the image", Err: err}
		case n == 0:
			return data[:read], nil
		default:
			read += n
		}
	}
	return data, nil
}

// directory tells the mode bits of a directory (07777) and whether anything is in
// it. No such directory is ok == false.
func (t *tree) directory(name string) (d scratch, ok bool) {
	fd, err := t.open(name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return d, false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return d, false
	}
	buffer := make([]byte, 1024) // holds "." and ".." and one more of any length
	n, _ := unix.Getdents(fd, buffer)
	_, _, names := unix.ParseDirent(buffer[:max(n, 0)], 1, nil)
	return scratch{Mode: st.Mode & 0o7777, UID: st.Uid, GID: st.Gid, Full: len(names) > 0}, true
}

// lstat looks at a path that has no links on its way; with one there it fails.
func (t *tree) lstat(name string) (st unix.Stat_t, link string, err error) {
	relative := strings.TrimPrefix(name, "/")
	if relative == "" {
		relative = "."
	}
	fd, err := t.openat2(relative, unix.O_PATH|unix.O_NOFOLLOW, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return st, "", err
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, &st); err != nil {
		return st, "", err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		buffer := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(fd, "", buffer)
		if err != nil {
			return st, "", err
		}
		link = string(buffer[:n])
	}
	return st, link, nil
}

// place is where a path leads.
type place struct {
	path    string // clean, absolute, without links
	exists  bool
	dir     bool   // if it exists
	covered bool   // path is a mount: what is there and below is not the image's business
	rest    string // the way from path on, if it is covered; it may have links
}

// resolve follows name as runtimes do before they mount something on it: links
// stay inside, what is missing is taken as text. It stops at the first mount of
// covers (resolved paths) on its way.
func (t *tree) resolve(name string, covers map[string]bool) (place, error) {
	// Mostly it is just there, or just below a mount.
	name = path.Join("/", name)
	for end := len(name); end > 0; end = strings.LastIndexByte(name[:end], '/') {
		if covers[name[:end]] {
			return place{path: name[:end], covered: true, rest: strings.TrimPrefix(name[end:], "/")}, nil
		}
	}
	if st, link, err := t.lstat(name); err == nil && link == "" {
		return place{path: name, exists: true, dir: st.Mode&unix.S_IFMT == unix.S_IFDIR}, nil
	}

	const maxLinks = 255
	at := place{path: "/", exists: true, dir: true}
	todo := strings.Split(name, "/")
	for links := 0; len(todo) > 0; {
		next := todo[0]
		todo = todo[1:]
		switch next {
		case "", ".":
			continue
		case "..":
			at = place{path: path.Dir(at.path), exists: true, dir: true}
			// Up from something missing may still be missing.
			if _, _, err := t.lstat(at.path); errors.Is(err, os.ErrNotExist) {
				at.exists, at.dir = false, false
			} else if err != nil {
				return at, err
			}
			continue
		}
		if at.exists && !at.dir {
			return at, fmt.Errorf("%s in the image is no directory, but %s leads through it", at.path, name)
		}
		at.path = path.Join(at.path, next)
		if covers[at.path] {
			at.covered, at.rest = true, path.Join(todo...)
			return at, nil
		}
		if !at.exists {
			continue
		}
		st, link, err := t.lstat(at.path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			at.exists, at.dir = false, false
		case err != nil:
			return at, err
		case st.Mode&unix.S_IFMT == unix.S_IFLNK:
			if links++; links > maxLinks {
				return at, fmt.Errorf("%s: too many links in the image", name)
			}
			todo = append(strings.Split(link, "/"), todo...)
			parent := path.Dir(at.path)
			if strings.HasPrefix(link, "/") {
				parent = "/"
			}
			at = place{path: parent, exists: true, dir: true}
		default:
			at.dir = st.Mode&unix.S_IFMT == unix.S_IFDIR
		}
	}
	return at, nil
}
