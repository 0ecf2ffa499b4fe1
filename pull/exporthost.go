package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// place is where a path of the host really is: links on its way are followed, below the root. What gone is true for will be
// away by then, and so will all below it. missing are the directories on the way that are not there, the outermost first.
func (m *machine) place(name string, gone func(string) bool) (real string, missing []string, err error) {
	real = "/"
	for rest := strings.TrimPrefix(path.Dir(name), "/"); rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		next := path.Join(real, part)
		if len(missing) > 0 || gone(next) {
			real, missing = next, append(missing, next)
			continue
		}
		fd, err := m.open(next, unix.O_PATH|unix.O_DIRECTORY)
		switch {
		case err == unix.ENOENT:
			if m.there(next) {
				return "", nil, fmt.Errorf("%s cannot be put there: %s is a link that leads nowhere", name, next)
			}
			real, missing = next, append(missing, next)
			continue
		case err == unix.ENOTDIR:
			return "", nil, fmt.Errorf("%s cannot be put there: %s is no directory", name, next)
		case err != nil:
			return "", nil, fmt.Errorf("look at %s: %w", next, err)
		}
		real, err = m.realPath(fd)
		unix.Close(fd)
		if err != nil {
			return "", nil, fmt.Errorf("look at %s: %w", next, err)
		}
	}
	return path.Join(real, path.Base(name)), missing, nil
}

// there tells whether a name is taken, if only by a link that leads nowhere.
func (m *machine) there(name string) bool {
	fd, err := m.open(name, unix.O_PATH|unix.O_NOFOLLOW)
	if err == nil {
		unix.Close(fd)
	}
	return err == nil
}

// realPath is an open file's, below the root.
func (m *machine) realPath(fd int) (string, error) {
	real, err := os.Readlink(fdPath(fd))
	if err != nil || m.real == "/" {
		return real, err
	}
	if real != m.real && !strings.HasPrefix(real, m.real+"/") {
		return "", errors.New("it was moved out of the root")
	}
	return "/" + strings.TrimPrefix(strings.TrimPrefix(real, m.real), "/"), nil
}

// identity tells whether a file is still the one that was looked at. The time of its last change of any kind does not: that
// is also when another name of it came or went, and names of one file are what is exported.
type identity struct {
	dev, ino uint64
	written  unix.Timespec
	size     int64
}

func identityOf(st *unix.Stat_t) identity { return identity{st.Dev, st.Ino, st.Mtim, st.Size} }

// onHost is what stands at a path of the host.
type onHost struct {
	store.Exported // Kind is "" if it is none of those that are exported
	identity
}

// lookAt looks at a path, as place returns it. nil: nothing is there, or it would be reached by a link.
func (m *machine) lookAt(name string) (*onHost, error) {
	dir, err := m.openDir(path.Dir(name))
	if err == unix.ENOENT || err == unix.ENOTDIR || err == unix.ELOOP {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", path.Dir(name), err)
	}
	defer unix.Close(dir)
	found, err := lookIn(dir, path.Base(name))
	if err == unix.ENOENT {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", name, err)
	}
	found.Path = name
	return found, nil
}

func lookIn(dir int, base string) (*onHost, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil, err
	}
	found := &onHost{store.Exported{Mode: st.Mode & 0o7777, UID: int(st.Uid), GID: int(st.Gid)}, identityOf(&st)}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		found.Kind = store.ExportedDir
	case unix.S_IFLNK:
		text := make([]byte, 4096)
		n, err := unix.Readlinkat(dir, base, text)
		if err != nil {
			return nil, err
		}
		found.Kind, found.Link, found.Mode = store.ExportedLink, string(text[:n]), 0
	case unix.S_IFREG:
		fd, err := openAt(dir, base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOATIME)
		if err != nil {
			return nil, err
		}
		f := os.NewFile(uintptr(fd), base)
		defer f.Close()
		sum := sha256.New()
		if _, err := io.Copy(sum, f); err != nil {
			return nil, err
		}
		found.Kind, found.Sum = store.ExportedFile, hex.EncodeToString(sum.Sum(nil))
	}
	return found, nil
}

// is tells whether it is, by kind and content, what a record has.
func (h *onHost) is(x store.Exported) bool {
	return h != nil && h.Kind == x.Kind && h.Sum == x.Sum && h.Link == x.Link
}

// isWholly is is that also wants the same owner and mode; of directories nobody asks.
func (h *onHost) isWholly(x store.Exported) bool {
	return h.is(x) && (h.Kind == store.ExportedDir || h.Mode == x.Mode && h.UID == x.UID && h.GID == x.GID)
}

// still tells whether what was looked at is there unchanged. nil stands for nothing.
func still(dir int, base string, h *onHost) bool {
	var st unix.Stat_t
	err := unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW)
	if h == nil {
		return err == unix.ENOENT
	}
	return err == nil && (h.Kind == store.ExportedDir && st.Mode&unix.S_IFMT == unix.S_IFDIR || identityOf(&st) == h.identity)
}

// openDir opens a directory that no link is on the way to: one that was a directory of ours, or is to be one, leads elsewhere.
func (m *machine) openDir(name string) (fd int, err error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS}
	for {
		fd, err = unix.Openat2(m.fd, "./"+name, &how)
		if err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
}

func openAt(dir int, base string, flags int) (fd int, err error) {
	for _, without := range []int{0, unix.O_NOATIME} { // only the owner may ask for that
		for {
			fd, err = unix.Openat(dir, base, flags&^without|unix.O_CLOEXEC, 0o600)
			if err != unix.EINTR {
				break
			}
		}
		if err != unix.EPERM {
			break
		}
	}
	return fd, err
}

// writable tells why nothing can be put into a directory, nil if something can.
func (m *machine) writable(dir string) error {
	fd, err := m.open(dir, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	defer unix.Close(fd)
	err = unix.Faccessat2(fd, "", unix.W_OK, unix.AT_EMPTY_PATH)
	if err == unix.ENOSYS || err == unix.EINVAL || err == unix.EPERM { // before Linux 5.8, or a filter that does not know it
		err = unix.Access(fdPath(fd), unix.W_OK)
	}
	switch err {
	case nil:
		return nil
	case unix.EROFS:
		return fmt.Errorf("%s is read-only", dir)
	}
	return fmt.Errorf("%s cannot be written to: %w", dir, err)
}

// refusedPlaces are no places for files that a container leaves on the machine: what the kernel shows, what does not outlast
// a boot, and what only the admin and this program write.
func refusedPlaces() map[string]string {
	places := map[string]string{
		"/proc": "the kernel's", "/sys": "the kernel's", "/dev": "the kernel's", "/run": "gone after a boot",
		store.Dir: "the store", store.VendorDir: "the store",
	}
	for _, dir := range units.SearchPath() {
		if !below(dir, "/run") {
			places[dir] = "for units of the admin"
		}
	}
	return places
}

// refuse tells why nothing is exported to a path, "" if something may be. real is where the path is on this machine.
func (m *machine) refuse(name, real string) string {
	for dir, why := range refusedPlaces() {
		if below(name, dir) || below(real, dir) {
			return dir + " is " + why
		}
		if at, _ := m.resolve(dir); at != "" && at != "/" && below(real, at) {
			return dir + " is " + why
		}
	}
	return ""
}

// temporary is the name of what is to become a file, beside it. It follows from the path, so that the next run finds what a
// power cut left.
func temporary(name string) string {
	sum := sha256.Sum256([]byte(name))
	return ".syscontainer-" + hex.EncodeToString(sum[:8])
}
