package layer_test

import (
	"bytes"
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
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"syscontainer/pull/layer"
	"syscontainer/test/image"
)

// sums is a sink that remembers digests of contents only.
type sums struct{ mu sync.Mutex }

func (*sums) File(_ layer.Meta, size int64, content io.Reader) (id layer.ID, err error) {
	h := sha256.New()
	_, err = io.CopyN(h, content, size)
	h.Sum(id[:0])
	return id, err
}

func (*sums) Symlink(layer.Meta, string) (layer.ID, error) { return layer.ID{}, nil }

func withXattr(e image.Entry, name, value string) image.Entry {
	e.PAXRecords = map[string]string{"SCHILY.xattr." + name: value}
	return e
}

func owned(e image.Entry, uid, gid int) image.Entry {
	e.Uid, e.Gid = uid, gid
	return e
}

func opaque(dir string) image.Entry { return image.File(dir+"/.wh..wh..opq", 0o644, "") }

// umoci unpacks images by itself: what it makes of them must be what we make.
func TestMergeLikeUmoci(t *testing.T) {
	if _, err := exec.LookPath("umoci"); err != nil || os.Geteuid() != 0 {
		if os.Getenv("SYSCONTAINER_TEST_STRICT") == "1" {
			t.Fatal("needs umoci and root")
		}
		t.Skip("needs umoci and root")
	}
	capability := "\x01\x00\x00\x02\x00\x04" + strings.Repeat("\x00", 14)
	base := []image.Entry{
		image.Dir(".", 0o755),
		owned(image.Dir("d", 0o2770), 10, 20), image.File("d/a", 0o644, "a"), image.File("d/b", 0o4755, "b"),
		image.Dir("d/sub", 0o711), image.File("d/sub/x", 0o600, "x"), image.Dir("d/sub/deep", 0o1777), image.File("d/sub/deep/y", 0o644, "y"),
		image.File("f", 0o640, "f"), image.Symlink("l", "d/a"), image.Symlink("abs", "/etc/passwd"), image.Symlink("out", "../../../x"),
		image.Hardlink("h", "d/a"), image.Hardlink("hl", "l"),
		withXattr(owned(image.File("ping", 0o755, "p"), 0, 5), "security.capability", capability),
		withXattr(image.File("x", 0o644, "x"), "user.a", "1\x002"), withXattr(image.Dir("xd", 0o755), "trusted.t", "v"),
		owned(image.Symlink("ol", "f"), 7, 8), image.File("ä日 \n", 0o644, ""), image.File("zeros", 0o644, strings.Repeat("\x00", 3<<20)),
	}
	for name, layers := range map[string][][]image.Entry{
		"one layer":         {base},
		"twice":             {base, base},
		"whiteouts":         {base, {image.File("d/.wh.a", 0, ""), image.File(".wh.f", 0, ""), image.File("d/.wh.sub", 0, ""), image.File(".wh.l", 0, "")}},
		"whiteout, again":   {base, {image.File(".wh.d", 0, "")}, {image.Dir("d", 0o700), image.File("d/new", 0o644, "n")}},
		"opaque":            {base, {image.Dir("d", 0o755), opaque("d"), image.File("d/n", 0o644, "n")}},
		"opaque, after":     {base, {image.Dir("d", 0o755), image.File("d/n", 0o644, "n"), image.Dir("d/sub", 0o700), image.File("d/sub/m", 0o644, "m"), opaque("d")}},
		"file over dir":     {base, {image.File("d", 0o644, "now a file")}},
		"dir over file":     {base, {image.Dir("f", 0o750), image.File("f/x", 0o644, "x")}},
		"dir over symlink":  {base, {image.Dir("l", 0o750), image.File("l/x", 0o644, "x")}},
		"symlink over dir":  {base, {image.Symlink("d", "xd")}},
		"symlink over file": {base, {image.Symlink("f", "xd")}},
		"file over symlink": {base, {image.File("abs", 0o600, "now a file")}},
		"links to below":    {base, {image.Hardlink("d/a2", "d/a"), image.Hardlink("x2", "x"), image.Hardlink("l2", "abs")}},
		"mode and owner":    {base, {owned(image.Dir("d", 0o1755), 1, 2), owned(image.File("f", 0o6711, "f"), 3, 4)}},
		"attributes change": {base, {withXattr(image.File("x", 0o644, "x"), "user.b", "2"), image.Dir("xd", 0o755), image.File("ping", 0o755, "p")}},
		"five layers": {base, {image.File("d/1", 0o644, "1")}, {image.File("d/.wh.1", 0, ""), image.File("d/2", 0o644, "2")},
			{image.Hardlink("d/3", "d/2")}, {image.File(".wh.h", 0, ""), image.File("d/.wh.2", 0, "")}},
	} {
		t.Run(name, func(t *testing.T) {
			work := t.TempDir()
			layout, err := image.Create(filepath.Join(work, "oci"))
			if err != nil {
				t.Fatal(err)
			}
			var img image.Image
			var trees []*layer.Tree
			for _, entries := range layers {
				img.Layers = append(img.Layers, image.Layer{Entries: entries})
				stream, err := image.Tar(entries)
				if err != nil {
					t.Fatal(err)
				}
				tree, err := layer.Read(t.Context(), bytes.NewReader(stream), &sums{}, layer.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				trees = append(trees, tree)
			}
			if _, err := layout.Put("t", img); err != nil {
				t.Fatal(err)
			}
			bundle := filepath.Join(work, "bundle")
			if out, err := exec.Command("umoci", "unpack", "--image", layout.Dir+":t", bundle).CombinedOutput(); err != nil {
				t.Fatalf("umoci unpack: %v\n%s", err, out)
			}
			m, err := layer.Merge(trees)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			describe(".", m.Root, got)
			want := onDisk(t, bundle+"/rootfs")
			for _, path := range slices.Sorted(maps.Keys(want)) {
				if got[path] != want[path] {
					t.Errorf("%q\ngot  %s\nwant %s", path, got[path], want[path])
				}
				delete(got, path)
			}
			for path := range got {
				t.Errorf("%q: not in umoci's tree", path)
			}
		})
	}
}

func line(mode uint32, uid, gid uint32, rest any, xattrs map[string]string) string {
	return fmt.Sprintf("%o %d:%d %v %q", mode, uid, gid, rest, xattrs)
}

func describe(path string, n *layer.Node, all map[string]string) {
	types := map[layer.Type]uint32{layer.Dir: unix.S_IFDIR, layer.File: unix.S_IFREG, layer.Symlink: unix.S_IFLNK}
	var rest any = ""
	switch n.Type {
	case layer.File:
		rest = fmt.Sprintf("%d %x", n.Size, n.ID)
	case layer.Symlink:
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
