package ostree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// System calls below directory descriptors, with EINTR retried.

func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

func openAt(dir int, name string, flags int, mode uint32) (fd int, err error) {
	err = retry(func() error {
		fd, err = unix.Openat(dir, name, flags|unix.O_CLOEXEC, mode)
		return err
	})
	return fd, err
}

func openDir(dir int, name string, flags int) (*os.File, error) {
	fd, err := openAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|flags, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// readFileAt reads a small regular file, never through a symbolic link.
func readFileAt(dir int, name string, limit int64) ([]byte, error) {
	fd, err := openAt(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: not a regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read %s: larger than %d bytes", name, limit)
	}
	return data, nil
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

var epoch = []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {}}

// setEpoch sets the modification time to 1970, as libostree does; the time of
// access stays.
func setEpoch(fd int) error {
	return unix.UtimesNanoAt(fd, "", epoch, unix.AT_EMPTY_PATH)
}

// procPath names an entry of an open directory for the calls that have no
// directory descriptor, those on extended attributes of symbolic links.
func procPath(dir int, name string) string {
	return "/proc/self/fd/" + strconv.Itoa(dir) + "/" + name
}

func setXattrs(fd int, xattrs map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(xattrs)) {
		if err := unix.Fsetxattr(fd, name, []byte(xattrs[name]), 0); err != nil {
			return fmt.Errorf("set extended attribute %q (%d bytes): %w", name, len(xattrs[name]), err)
		}
	}
	return nil
}

// xattrReader reads the extended attributes of one inode.
type xattrReader struct {
	list func(dest []byte) (int, error)
	get  func(name string, dest []byte) (int, error)
}

func xattrsOf(fd int) xattrReader {
	return xattrReader{
		func(dest []byte) (int, error) { return unix.Flistxattr(fd, dest) },
		func(name string, dest []byte) (int, error) { return unix.Fgetxattr(fd, name, dest) },
	}
}

func xattrsAt(dir int, name string) xattrReader {
	path := procPath(dir, name)
	return xattrReader{
		func(dest []byte) (int, error) { return unix.Llistxattr(path, dest) },
		func(name string, dest []byte) (int, error) { return unix.Lgetxattr(path, name, dest) },
	}
}

// read returns all attributes but empty ones, which libostree does not see.
func (x xattrReader) read() (map[string]string, error) {
	names, err := grow(x.list)
	if err == unix.ENOTSUP {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list extended attributes: %w", err)
	}
	var xattrs map[string]string
	for name := range strings.SplitSeq(string(bytes.TrimSuffix(names, []byte{0})), "\x00") {
		if name == "" {
			continue
		}
		value, err := grow(func(dest []byte) (int, error) { return x.get(name, dest) })
		if err != nil {
			return nil, fmt.Errorf("read extended attribute %q: %w", name, err)
		}
		if len(value) == 0 {
			continue
		}
		if xattrs == nil {
			xattrs = map[string]string{}
		}
		xattrs[name] = string(value)
	}
	return xattrs, nil
}

// selinuxLabel is the attribute that the kernel gives each new file by itself
// where SELinux is on.
const selinuxLabel = "security.selinux"

// compare returns an error if an inode does not have exactly these attributes.
// A label that the file system adds by itself is tolerated.
func (x xattrReader) compare(want map[string]string) error {
	got, err := x.read()
	if err != nil {
		return err
	}
	for name, value := range want {
		if got[name] != value {
			return fmt.Errorf("extended attribute %q: %.64x was set, the kernel returns %.64x", name, value, got[name])
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok && name != selinuxLabel {
			return fmt.Errorf("the file system added extended attribute %q", name)
		}
	}
	return nil
}

// grow calls f with a buffer that is large enough.
func grow(f func([]byte) (int, error)) ([]byte, error) {
	buf := make([]byte, 256)
	for {
		n, err := f(buf)
		if err == nil {
			return buf[:n], nil
		}
		if !errors.Is(err, unix.ERANGE) || len(buf) > 1<<20 {
			return nil, err
		}
		buf = make([]byte, 4*len(buf))
	}
}

func readlinkAt(dir int, name string) (string, error) {
	target, err := grow(func(dest []byte) (int, error) {
		n, err := unix.Readlinkat(dir, name, dest)
		if err == nil && n == len(dest) {
			err = unix.ERANGE
		}
		return n, err
	})
	return string(target), err
}
