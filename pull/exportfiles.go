package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"syscontainer/pull/atomic"
	"syscontainer/pull/store"
)

// imageFiles are those that a unit wants of an image.
type imageFiles struct {
	*atomic.HostFiles
	root   *os.Root
	link   bool              // files of the image may get another name on the host
	labels map[string]string // SELinux, by path; nil: there is none
}

func (i *imageFiles) close() {
	if i != nil {
		i.root.Close()
	}
}

// entry is what a record says of a file at its place.
func (i *imageFiles) entry(f atomic.HostFile, real string) (store.Exported, error) {
	e := store.Exported{Path: real, UID: f.UID, GID: f.GID}
	switch f.Mode.Type() {
	case fs.ModeDir:
		return store.Exported{Path: real, Kind: store.ExportedDir}, nil
	case fs.ModeSymlink:
		e.Kind, e.Link = store.ExportedLink, f.Link
		return e, nil
	}
	e.Kind, e.Mode = store.ExportedFile, modeBits(f.Mode)
	sum := sha256.New()
	if f.Template {
		io.WriteString(sum, f.Text)
	} else {
		source, err := i.root.Open(f.Source)
		if err != nil {
			return e, fmt.Errorf("read the image: %w", err)
		}
		defer source.Close()
		if _, err := io.Copy(sum, source); err != nil {
			return e, fmt.Errorf("read the image: %w", err)
		}
	}
	e.Sum = hex.EncodeToString(sum.Sum(nil))
	return e, nil
}

func modeBits(mode fs.FileMode) uint32 {
	bits := uint32(mode.Perm())
	for _, b := range []struct {
		mode fs.FileMode
		bit  uint32
	}{{fs.ModeSetuid, unix.S_ISUID}, {fs.ModeSetgid, unix.S_ISGID}, {fs.ModeSticky, unix.S_ISVTX}} {
		if mode&b.mode != 0 {
			bits |= b.bit
		}
	}
	return bits
}

// write makes a file or link under a temporary name of a directory: complete, but not yet durable. real is what it is going
// to be.
func (i *imageFiles) write(dir int, name string, f atomic.HostFile, real string) error {
	if err := removeBeside(dir, name); err != nil {
		return err
	}
	if f.Mode.Type() == fs.ModeSymlink {
		if err := unix.Symlinkat(f.Link, dir, name); err != nil {
			return err
		}
		if err := unix.Fchownat(dir, name, f.UID, f.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		return i.label(dir, name, real)
	}
	if f.Template {
		return i.fill(dir, name, f, real, func(to *os.File) error {
			_, err := to.WriteString(f.Text)
			return err
		})
	}
	source, err := i.root.Open(f.Source)
	if err != nil {
		return err
	}
	defer source.Close()
	err = i.fill(dir, name, f, real, func(to *os.File) error {
		if unix.IoctlFileClone(int(to.Fd()), int(source.Fd())) != nil { // which shares the blocks, and is the host's alone
			if i.linkable(real) {
				return errLink
			}
			if _, err := io.Copy(to, source); err != nil {
				return err
			}
		}
		return copyAttributes(to, source)
	})
	if err != errLink {
		return err
	}
	if err := unix.Unlinkat(dir, name, 0); err != nil {
		return err
	}
	if unix.Linkat(unix.AT_FDCWD, fdPath(int(source.Fd())), dir, name, unix.AT_SYMLINK_FOLLOW) == nil {
		return nil
	}
	return i.fill(dir, name, f, real, func(to *os.File) error { // another file system, or too many links
		if _, err := io.Copy(to, source); err != nil {
			return err
		}
		return copyAttributes(to, source)
	})
}

// errLink means that a hard link takes no space.
var errLink = errors.New("a link is to be made")

// linkable tells whether the image's own file may stand at a path. Who edits it in place edits the image, so that it is
// only done where people do not; and its label would be the image's.
func (i *imageFiles) linkable(real string) bool {
	return i.link && i.labels == nil && strings.HasPrefix(real, "/usr/")
}

// fill makes a file, lets its content be written, and gives it owner and mode. The owner comes first: it takes away the bits
// of setuid and capabilities.
func (i *imageFiles) fill(dir int, name string, f atomic.HostFile, real string, write func(*os.File) error) error {
	fd, err := openAt(dir, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW)
	if err != nil {
		return err
	}
	to := os.NewFile(uintptr(fd), name)
	defer to.Close()
	if err := to.Chown(f.UID, f.GID); err != nil {
		return err
	}
	if err := write(to); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, modeBits(f.Mode)); err != nil {
		return err
	}
	return i.label(dir, name, real)
}

// copyAttributes gives a copy the time of the image's file, and the capabilities of a program. Other attributes mean
// something to the image only.
func copyAttributes(to, from *os.File) error {
	const capability = "security.capability"
	value := make([]byte, 64)
	if n, err := unix.Fgetxattr(int(from.Fd()), capability, value); err == nil {
		if err := unix.Fsetxattr(int(to.Fd()), capability, value[:n], 0); err != nil {
			return fmt.Errorf("give it %s: %w", capability, err)
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(from.Fd()), &st); err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, fdPath(int(to.Fd())), []unix.Timespec{st.Mtim, st.Mtim}, 0)
}

// label gives a file the label that the policy has for its place.
func (i *imageFiles) label(dir int, name, real string) error {
	if i.labels[real] == "" {
		return nil
	}
	return unix.Lsetxattr(path.Join(fdPath(dir), name), "security.selinux", append([]byte(i.labels[real]), 0), 0)
}

// selinuxLabels asks the policy for the labels of paths; nil without SELinux. A root that is no running system is labelled
// by whoever builds it.
func selinuxLabels(root string, paths []string) (map[string]string, error) {
	if root != "/" || len(paths) == 0 {
		return nil, nil
	}
	if _, err := os.Stat("/sys/fs/selinux/enforce"); err != nil {
		return nil, nil
	}
	return askLabels("matchpathcon", paths)
}

func askLabels(program string, paths []string) (map[string]string, error) {
	labels := map[string]string{}
	for len(paths) > 0 {
		some := paths[:min(len(paths), 500)]
		paths = paths[len(some):]
		cmd := exec.Command(program, append([]string{"-n", "--"}, some...)...)
		out, err := cmd.Output()
		if err != nil {
			return labels, fmt.Errorf("ask %s for SELinux labels: %w", program, err)
		}
		lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		if len(lines) != len(some) {
			return labels, fmt.Errorf("ask %s for SELinux labels: %d answers to %d questions", program, len(lines), len(some))
		}
		for i, line := range lines {
			if line = strings.TrimSpace(line); line != "" && line != "<<none>>" {
				labels[some[i]] = line
			}
		}
	}
	return labels, nil
}
