// SPDX-License-Identifier: Apache-2.0

package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Dir is a directory entry.
func Dir(name string, mode int64) Entry {
	return Entry{Header: tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode, ModTime: time.Unix(1, 0)}}
}

// File is a regular file, of root unless changed.
func File(name string, mode int64, content string) Entry {
	return Entry{Header: tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, ModTime: time.Unix(1, 0)}, Data: []byte(content)}
}

// Symlink is a symbolic link.
func Symlink(name, target string) Entry {
	return Entry{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777, ModTime: time.Unix(1, 0)}}
}

// Hardlink is a hard link to an earlier entry.
func Hardlink(name, target string) Entry {
	return Entry{Header: tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target, Mode: 0o644, ModTime: time.Unix(1, 0)}}
}

// Copy is the regular file at path on this machine, under another name.
func Copy(name, path string) (Entry, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Entry{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return Entry{}, err
	}
	return File(name, int64(info.Mode().Perm()), string(b)), nil
}

// Busybox is a small userland around the static busybox at path: a shell, its tools, root and a user named "app" (1000).
func Busybox(path string) ([]Entry, error) {
	busybox, err := Copy("bin/busybox", path)
	if err != nil {
		return nil, err
	}
	busybox.Mode = 0o755
	entries := []Entry{
		Dir("bin", 0o755), Dir("etc", 0o755), Dir("root", 0o700), Dir("tmp", 0o1777), Dir("srv", 0o755), Dir("var", 0o755),
		File("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/srv:/bin/sh\n"),
		File("etc/group", 0o644, "root:x:0:\napp:x:1000:\nextra:x:1001:app\n"),
		busybox,
	}
	for _, name := range strings.Fields("sh cat ls id sleep echo env touch mkdir mount nc httpd kill ps test true false stat wget hostname head sed rm") {
		entries = append(entries, Symlink("bin/"+name, "busybox"))
	}
	return entries, nil
}

// Libraries are the shared objects that programs of this machine need, as ldd(1) finds them, at the paths where the
// programs look for them.
func Libraries(programs ...string) ([]Entry, error) {
	var entries []Entry
	dirs, files := map[string]bool{}, map[string]bool{}
	for _, program := range programs {
		out, err := exec.Command("ldd", program).Output()
		if err != nil {
			if strings.Contains(string(out), "not a dynamic executable") {
				continue
			}
			return nil, fmt.Errorf("ldd %s: %w", program, err)
		}
		for scan := bufio.NewScanner(bytes.NewReader(out)); scan.Scan(); {
			for _, word := range strings.Fields(scan.Text()) {
				if !strings.HasPrefix(word, "/") || files[word] {
					continue
				}
				files[word] = true
				name := strings.TrimPrefix(word, "/")
				for i, c := range name {
					if c == '/' && !dirs[name[:i]] {
						dirs[name[:i]] = true
						entries = append(entries, Dir(name[:i], 0o755))
					}
				}
				library, err := Copy(name, word)
				if err != nil {
					return nil, err
				}
				library.Mode = 0o755
				entries = append(entries, library)
			}
		}
	}
	return entries, nil
}

// Tree are the entries of a directory of this machine, with owners and modes, without devices and sockets.
func Tree(dir string) ([]Entry, error) {
	var entries []Entry
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, dir+"/")
		var e Entry
		switch {
		case info.Mode().IsDir():
			e = Dir(name, 0)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			e = Symlink(name, target)
		case info.Mode().IsRegular():
			if e, err = Copy(name, path); err != nil {
				return err
			}
		default:
			return nil
		}
		st := info.Sys().(*syscall.Stat_t)
		e.Uid, e.Gid, e.Mode = int(st.Uid), int(st.Gid), int64(st.Mode&0o7777)
		entries = append(entries, e)
		return nil
	})
	return entries, err
}
