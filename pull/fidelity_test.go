package main

import (
	"archive/tar"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"syscontainer/test/image"
)

// What is checked out is what umoci(1) unpacks, in type, mode, owner, size,
// content, link target and extended attributes, for real files of this machine
// and for what real files rarely have.
//
// Not compared: times (see syscontainer(1), LAYERS), device nodes (umoci makes
// them, a container has its own), and which names are one inode.
func TestFidelity(t *testing.T) {
	need(t, "umoci")
	root, layout := newRoot(t)
	var real []image.Entry
	for _, dir := range []string{"/etc", "/usr/lib/systemd", "/usr/share/perl5"} {
		real = append(real, image.Dir(strings.TrimPrefix(dir, "/"), 0o755))
		entries, err := image.Tree(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			e.Name = strings.TrimPrefix(dir, "/") + "/" + e.Name
			if e.Typeflag == tar.TypeLink {
				e.Linkname = strings.TrimPrefix(dir, "/") + "/" + e.Linkname
			}
			real = append(real, e)
		}
	}
	reference := put(t, layout, "1", real, rare(), above())
	must(t, root, "pull", reference)
	unpacked := filepath.Join(t.TempDir(), "bundle")
	if out, err := exec.Command("umoci", "unpack", "--image", strings.TrimPrefix(reference, "oci:"), unpacked).CombinedOutput(); err != nil {
		t.Fatalf("umoci unpack: %v: %s", err, out)
	}
	ours, theirs := describeTree(t, imagesOf(t, root)[0].Rootfs), describeTree(t, unpacked+"/rootfs")
	for path, want := range theirs {
		if got := ours[path]; got != want && !strings.HasPrefix(want, "device") {
			t.Errorf("%s: %s, umoci has %s", path, got, want)
		}
	}
	for path, got := range ours {
		if _, there := theirs[path]; !there {
			t.Errorf("%s: %s, umoci has nothing", path, got)
		}
	}
	if len(ours) < 1000 {
		t.Errorf("only %d files to compare", len(ours))
	}
}

// rare is a layer of what real files rarely have.
func rare() []image.Entry {
	with := func(e image.Entry, mode int64, uid, gid int, xattrs ...string) image.Entry {
		e.Mode, e.Uid, e.Gid = mode, uid, gid
		for i := 0; i < len(xattrs); i += 2 {
			if e.PAXRecords == nil {
				e.PAXRecords = map[string]string{}
			}
			e.PAXRecords["SCHILY.xattr."+xattrs[i]] = xattrs[i+1]
		}
		return e
	}
	const netBind = "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	return []image.Entry{
		with(image.Dir("rare", 0), 0o3751, 7, 8, "user.dir", "x", "trusted.dir", "y"),
		with(image.File("rare/setuid", 0, "#!/bin/sh\n"), 0o6755, 1000, 8),
		with(image.File("rare/none", 0, "secret"), 0o000, 4000000000, 4000000000),
		with(image.File("rare/caps", 0, "program"), 0o755, 0, 0, "security.capability", netBind),
		with(image.File("rare/attributes", 0, "v"), 0o644, 1, 2, "user.z", "1", "user.a", "\x00\xff", "trusted.t", strings.Repeat("t", 1000)),
		image.File("rare/empty", 0o644, ""),
		image.File("rare/zeros", 0o644, strings.Repeat("\x00", 3<<20)),
		image.File("rare/large", 0o644, strings.Repeat("0123456789abcdef", 300_000)),
		image.File("rare/näme with \n and \\", 0o644, "n"),
		with(image.Symlink("rare/link", "../../../etc/passwd"), 0o777, 3, 4),
		image.Symlink("rare/dangling", "/no/such/file"),
		image.Hardlink("rare/same", "rare/setuid"),
		{Header: tar.Header{Typeflag: tar.TypeFifo, Name: "rare/fifo", Mode: 0o620, Uid: 5, Gid: 6}},
		{Header: tar.Header{Typeflag: tar.TypeChar, Name: "rare/null", Mode: 0o666, Devmajor: 1, Devminor: 3}},
		image.File("rare/gone", 0o644, "of the layer below"),
		image.File("rare/dir/of/the/layer/below", 0o644, "x"),
		image.File("rare/turns", 0o644, "a file becomes a directory"),
		image.Dir("rare/opaque", 0o755), image.File("rare/opaque/old", 0o644, "x"),
	}
}

// above is a layer that changes it.
func above() []image.Entry {
	return []image.Entry{
		image.File("rare/.wh.gone", 0, ""),
		image.File("rare/.wh.dir", 0, ""),
		image.Dir("rare/turns", 0o755), image.File("rare/turns/now", 0o600, "y"),
		image.File("rare/opaque/.wh..wh..opq", 0, ""),
		image.File("rare/opaque/new", 0o644, "z"),
		image.Dir("rare", 0o711),
		image.Hardlink("rare/again", "rare/large"),
	}
}

// describeTree says of everything in a directory what is to be compared.
func describeTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		text := fmt.Sprintf("%v %#o %d:%d", info.Mode().Type(), st.Mode, st.Uid, st.Gid)
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %d bytes %x", len(data), sha256.Sum256(data))
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text += " -> " + target
		case info.Mode()&fs.ModeDevice != 0:
			text = "device"
		}
		tree[strings.TrimPrefix(path, dir)] = text + xattrsOf(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func xattrsOf(t *testing.T, path string) (text string) {
	t.Helper()
	names := make([]byte, 4096)
	n, err := unix.Llistxattr(path, names)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for _, name := range slices.Sorted(strings.SplitSeq(string(names[:n]), "\x00")) {
		if name == "" || name == "security.selinux" || strings.HasPrefix(name, "user.rootlesscontainers") {
			continue
		}
		value := make([]byte, 4096)
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			t.Fatalf("%s: %s: %v", path, name, err)
		}
		text += fmt.Sprintf(" %s=%x", name, value[:n])
	}
	return text
}
