// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// harm is one way to damage a file.
type harm struct {
	name string
	to   string // types of files, as find -type has them: "f", "d", "l", "p"
	do   func(path string) error
}

// harms to what is in a checkout. The inodes of files are those of objects.
var harms = []harm{
	{"flip", "f", flip},
	{"truncate", "f", func(path string) error { return resize(path, -1) }},
	{"append", "f", func(path string) error { return resize(path, +1) }},
	{"chmod", "fdp", func(path string) error {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		return unix.Chmod(path, st.Mode&0o7777^0o020)
	}},
	{"setuid", "f", func(path string) error {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		return unix.Chmod(path, st.Mode&0o7777^0o4000)
	}},
	{"chown", "fdlp", func(path string) error { return keepMode(path, func() error { return os.Lchown(path, 4711, -1) }) }},
	{"chgrp", "fdlp", func(path string) error { return keepMode(path, func() error { return os.Lchown(path, -1, 4711) }) }},
	{"add an attribute", "fd", func(path string) error { return unix.Lsetxattr(path, "user.added", []byte("x"), 0) }},
	{"change attributes", "fd", func(path string) error {
		return eachAttribute(path, func(name string) error { return unix.Lsetxattr(path, name, []byte("other"), 0) })
	}},
	{"remove attributes", "fd", func(path string) error {
		return eachAttribute(path, func(name string) error { return unix.Lremovexattr(path, name) })
	}},
	{"unlink", "flp", os.Remove},
	{"replace by a link", "flp", func(path string) error { return errors.Join(os.Remove(path), os.Symlink("/etc/passwd", path)) }},
	{"replace by a directory", "flp", func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) }},
	{"replace by a copy of something else", "flp", func(path string) error {
		return errors.Join(os.Remove(path), os.WriteFile(path, []byte("something else"), 0o644))
	}},
	{"remove", "d", os.RemoveAll},
	{"replace by a file", "d", func(path string) error { return errors.Join(os.RemoveAll(path), os.WriteFile(path, nil, 0o755)) }},
	{"extra file", "d", func(path string) error { return os.WriteFile(path+"/extra", nil, 0o644) }},
	{"extra link", "d", func(path string) error { return os.Symlink("extra", path+"/extra") }},
	{"extra directory", "d", func(path string) error { return os.Mkdir(path+"/extra", 0o755) }},
	{"extra device", "d", func(path string) error { return unix.Mknod(path+"/extra", unix.S_IFCHR|0o600, 1<<8|3) }},
}

// errNothing is said by harms that do not fit a file.
var errNothing = errors.New("nothing to damage")

func flip(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(b) == 0 {
		return errNothing
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte{b[len(b)/2] ^ 1}, int64(len(b)/2))
	return err
}

func resize(path string, by int64) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return err
	}
	if st.Size+by < 0 {
		return errNothing
	}
	return os.Truncate(path, st.Size+by)
}

// keepMode undoes what chown(2) does to the bits of setuid programs.
func keepMode(path string, do func() error) error {
	var st unix.Stat_t
	err := errors.Join(unix.Lstat(path, &st), do())
	if err != nil || st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return err
	}
	return unix.Chmod(path, st.Mode&0o7777)
}

func eachAttribute(path string, do func(name string) error) error {
	list := make([]byte, 4096)
	n, err := unix.Llistxattr(path, list)
	if err != nil {
		return err
	}
	names := bytes.FieldsFunc(list[:n], func(r rune) bool { return r == 0 })
	names = slices.DeleteFunc(names, func(name []byte) bool {
		return !bytes.HasPrefix(name, []byte("user.")) && !bytes.HasPrefix(name, []byte("trusted."))
	})
	if len(names) == 0 {
		return errNothing
	}
	for _, name := range names {
		err = errors.Join(err, do(string(name)))
	}
	return err
}

// objectHarms are those to the other files of the repository.
var objectHarms = []harm{
	{"flip", "", flip},
	{"truncate", "", func(path string) error { return resize(path, -1) }},
	{"unlink", "", os.Remove},
	{"empty", "", func(path string) error {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil || st.Size == 0 {
			return errors.Join(err, errNothing)
		}
		return os.Truncate(path, 0)
	}},
	{"replace by a link", "", func(path string) error { return errors.Join(os.Remove(path), os.Symlink("/nowhere", path)) }},
	{"replace by a directory", "", func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) }},
}
