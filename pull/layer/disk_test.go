package layer

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// need ends a test without the program, and without root: what a tool unpacks
// is compared to the last bit.
func need(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil && os.Geteuid() == 0 {
		return
	}
	if os.Getenv("SYSCONTAINER_TEST_STRICT") == "1" {
		t.Fatalf("needs %s and root", program)
	}
	t.Skipf("needs %s and root", program)
}

// sums is a sink that remembers digests of contents only.
type sums struct{}

func (sums) File(_ Meta, size int64, content io.Reader) (id ID, err error) {
	h := sha256.New()
	_, err = io.CopyN(h, content, size)
	h.Sum(id[:0])
	return id, err
}

func (sums) Symlink(Meta, string) (ID, error) { return ID{}, nil }

// compare tells how a merged tree differs from a directory.
func compare(t *testing.T, m *Merged, root string) {
	t.Helper()
	got := map[string]string{}
	describe(".", m.Root, got)
	for _, s := range m.Specials {
		mode := map[string]uint32{"char": unix.S_IFCHR, "block": unix.S_IFBLK, "fifo": unix.S_IFIFO}[s.Type]
		got[s.Path] = line(mode|s.Meta.Mode, s.Meta.UID, s.Meta.GID, fmt.Sprint(s.Major, ",", s.Minor), s.Meta.Xattrs)
	}
	want := onDisk(t, root)
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if got[path] != want[path] {
			t.Errorf("%q\ngot  %s\nwant %s", path, got[path], want[path])
		}
		delete(got, path)
	}
	for path, line := range got {
		t.Errorf("%q\ngot  %s\nwant nothing", path, line)
	}
}

func line(mode uint32, uid, gid uint32, rest any, xattrs map[string]string) string {
	return fmt.Sprintf("%o %d:%d %v %q", mode, uid, gid, rest, xattrs)
}

func describe(path string, n *Node, all map[string]string) {
	types := map[Type]uint32{Dir: unix.S_IFDIR, File: unix.S_IFREG, Symlink: unix.S_IFLNK}
	var rest any = ""
	switch n.Type {
	case File:
		rest = fmt.Sprintf("%d %x", n.Size, n.ID)
	case Symlink:
		rest = "-> " + n.Target
	}
	all[path] = line(types[n.Type]|n.Meta.Mode, n.Meta.UID, n.Meta.GID, rest, n.Meta.Xattrs)
	for name, child := range n.Children {
		describe(filepath.Join(path, name), child, all)
	}
}

func onDisk(t *testing.T, root string) map[string]string {
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		var rest any = ""
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rest = fmt.Sprintf("%d %x", st.Size, sha256.Sum256(content))
		case unix.S_IFCHR, unix.S_IFBLK, unix.S_IFIFO:
			rest = fmt.Sprint(unix.Major(st.Rdev), ",", unix.Minor(st.Rdev))
		case unix.S_IFLNK:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			rest = "-> " + target
		}
		var xattrs map[string]string
		names := make([]byte, 4096)
		n, err := unix.Llistxattr(path, names)
		if err != nil {
			return err
		}
		for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
			if name == "" {
				continue
			}
			value := make([]byte, 4096)
			n, err := unix.Lgetxattr(path, name, value)
			if err != nil {
				return err
			}
			if xattrs == nil {
				xattrs = map[string]string{}
			}
			xattrs[name] = string(value[:n])
		}
		name, err := filepath.Rel(root, path)
		all[name] = line(st.Mode, st.Uid, st.Gid, rest, xattrs)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
