package units

import (
	"os"
	"path"
	"strings"
	"syscall"
	"unsafe"
)

// openat2 has the same number on every architecture Go and systemd share but Alpha.
const (
	sysOpenat2    = 437
	resolveInRoot = 0x10
)

// open opens a file below root for reading, without becoming its terminal. Links in
// a root lead nowhere else (openat2(2), RESOLVE_IN_ROOT). The descriptor is the
// caller's to close.
func open(root, name string, flags int) (fd int, err error) {
	flags |= syscall.O_RDONLY | syscall.O_CLOEXEC | syscall.O_NOCTTY
	if root != "" {
		return openInRoot(root, strings.TrimPrefix(path.Clean(name), "/"), flags)
	}
	for {
		fd, err = syscall.Open(name, flags, 0)
		if err != syscall.EINTR {
			return fd, err
		}
	}
}

func openInRoot(root, name string, flags int) (int, error) {
	dir, err := open("", root, syscall.O_DIRECTORY)
	if err != nil {
		return -1, err
	}
	defer syscall.Close(dir)
	if name == "" {
		name = "."
	}
	p, err := syscall.BytePtrFromString(name)
	if err != nil {
		return -1, err
	}
	how := struct{ flags, mode, resolve uint64 }{uint64(flags), 0, resolveInRoot}
	for {
		fd, _, errno := syscall.Syscall6(sysOpenat2, uintptr(dir), uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
		switch errno {
		case 0:
			return int(fd), nil
		case syscall.EINTR, syscall.EAGAIN:
		default:
			return -1, errno
		}
	}
}

// linksTo tells whether name is a link with exactly that target.
func linksTo(root, name, target string) bool {
	const oPath = 0x200000
	const flags = oPath | syscall.O_NOFOLLOW | syscall.O_CLOEXEC // openat2 takes no other beside O_PATH
	var fd int
	var err error
	if root == "" {
		fd, err = syscall.Open(name, flags, 0)
	} else {
		fd, err = openInRoot(root, strings.TrimPrefix(path.Clean(name), "/"), flags)
	}
	if err != nil {
		return false
	}
	defer syscall.Close(fd)
	buf := make([]byte, len(target)+1)
	empty := [1]byte{}
	n, _, errno := syscall.Syscall6(syscall.SYS_READLINKAT, uintptr(fd), uintptr(unsafe.Pointer(&empty[0])),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
	return errno == 0 && string(buf[:n]) == target
}

// readFull fills data as far as there is something to read.
func readFull(fd int, data []byte) (n int, err error) {
	for n < len(data) {
		m, err := syscall.Read(fd, data[n:])
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return n, err
		case m == 0:
			return n, nil
		default:
			n += m
		}
	}
	return n, nil
}

// readDirectory lists a directory in byte order and tells which one it is.
func readDirectory(root, name string) ([]os.DirEntry, [2]uint64, error) {
	fd, err := open(root, name, syscall.O_DIRECTORY)
	if err != nil {
		return nil, [2]uint64{}, err
	}
	d := os.NewFile(uintptr(fd), name)
	defer d.Close()
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return nil, [2]uint64{}, err
	}
	entries, err := d.ReadDir(-1)
	sortEntries(entries)
	if p, ok := err.(*os.PathError); ok {
		err = p.Err
	}
	return entries, [2]uint64{uint64(st.Dev), st.Ino}, err
}

// isDirectory follows links.
func isDirectory(root, name string) bool {
	if root == "" {
		var st syscall.Stat_t
		return syscall.Stat(name, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFDIR
	}
	fd, err := open(root, name, syscall.O_DIRECTORY)
	if err == nil {
		syscall.Close(fd)
	}
	return err == nil
}
