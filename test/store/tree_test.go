// SPDX-License-Identifier: Apache-2.0

package store

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// tree is all that matters of a directory: path to type, mode, owner, content, target and extended attributes.
type tree map[string]string

// readTree looks at every file below dir, which is "/".
func readTree(dir string) (tree, error) {
	all := tree{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		said, err := describe(path)
		all["/"+strings.TrimPrefix(strings.TrimPrefix(path, dir), "/")] = said
		return err
	})
	return all, err
}

func describe(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	st := info.Sys().(*syscall.Stat_t)
	said := fmt.Sprintf("%o %d:%d", st.Mode, st.Uid, st.Gid)
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		said += fmt.Sprintf(" %d %x", len(content), sha256.Sum256(content))
	case syscall.S_IFLNK:
		target, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		said += " -> " + target
	case syscall.S_IFCHR, syscall.S_IFBLK:
		said += fmt.Sprintf(" %d", st.Rdev)
	}
	list := make([]byte, 64<<10)
	n, err := unix.Llistxattr(path, list)
	if err != nil {
		return "", fmt.Errorf("list extended attributes of %s: %w", path, err)
	}
	names := strings.FieldsFunc(string(list[:n]), func(r rune) bool { return r == 0 })
	slices.Sort(names)
	for _, name := range names {
		if name == "security.selinux" {
			continue
		}
		value := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return "", fmt.Errorf("read %s of %s: %w", name, path, err)
		}
		said += fmt.Sprintf(" %s=%x", name, value[:n])
	}
	return said, nil
}

// differences names at most five.
func differences(want, got tree) string {
	var b strings.Builder
	paths := maps.Clone(want)
	maps.Copy(paths, got)
	n := 0
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if want[path] == got[path] {
			continue
		}
		if n++; n > 5 {
			fmt.Fprintf(&b, "…\n")
			break
		}
		fmt.Fprintf(&b, "%s: want %q, have %q\n", path, want[path], got[path])
	}
	return b.String()
}

// everything is like tree for the whole store, with times, inodes and links: what a command that changes nothing leaves as
// it was.
func everything(dir string) (tree, error) {
	all := tree{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		said := fmt.Sprintf("%o %d:%d %d inode %d links %d changed %d.%09d", st.Mode, st.Uid, st.Gid, st.Size, st.Ino, st.Nlink, st.Ctim.Sec, st.Ctim.Nsec)
		if d.Name() == "config.json" { // looking at others is no change
			said += fmt.Sprintf(" used %d.%09d", st.Atim.Sec, st.Atim.Nsec)
		}
		all["/"+strings.TrimPrefix(strings.TrimPrefix(path, dir), "/")] = said
		return nil
	})
	return all, err
}
