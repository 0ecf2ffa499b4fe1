package layer

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"syscontainer/test/image"
)

// umoci unpacks images by itself: what it makes of them must be what we make.
func TestMergeLikeUmoci(t *testing.T) {
	need(t, "umoci")
	capability := "\x01\x00\x00\x02\x00\x04" + strings.Repeat("\x00", 14)
	base := []entry{
		dir(".", 0o755),
		dir("d", 0o2770).owner(10, 20), file("d/a", 0o644, "a"), file("d/b", 0o4755, "b"),
		dir("d/sub", 0o711), file("d/sub/x", 0o600, "x"), dir("d/sub/deep", 0o1777), file("d/sub/deep/y", 0o644, "y"),
		file("f", 0o640, "f"), symlink("l", "d/a"), symlink("abs", "/etc/passwd"), symlink("out", "../../../x"),
		hardlink("h", "d/a"), hardlink("hl", "l"),
		file("ping", 0o755, "p").owner(0, 5).xattr("security.capability", capability),
		file("x", 0o644, "x").xattr("user.a", "1\x002"), dir("xd", 0o755).xattr("trusted.t", "v"),
		symlink("ol", "f").owner(7, 8), file("ä日 \n", 0o644, ""), file("zeros", 0o644, strings.Repeat("\x00", 3<<20)),
	}
	for name, layers := range map[string][][]entry{
		"one layer":         {base},
		"twice":             {base, base},
		"whiteouts":         {base, {file("d/.wh.a", 0, ""), file(".wh.f", 0, ""), file("d/.wh.sub", 0, ""), file(".wh.l", 0, "")}},
		"whiteout, again":   {base, {file(".wh.d", 0, "")}, {dir("d", 0o700), file("d/new", 0o644, "n")}},
		"opaque":            {base, {dir("d", 0o755), file("d/.wh..wh..opq", 0o644, ""), file("d/n", 0o644, "n")}},
		"opaque, after":     {base, {dir("d", 0o755), file("d/n", 0o644, "n"), dir("d/sub", 0o700), file("d/sub/m", 0o644, "m"), file("d/.wh..wh..opq", 0o644, "")}},
		"file over dir":     {base, {file("d", 0o644, "now a file")}},
		"dir over file":     {base, {dir("f", 0o750), file("f/x", 0o644, "x")}},
		"dir over symlink":  {base, {dir("l", 0o750), file("l/x", 0o644, "x")}},
		"symlink over dir":  {base, {symlink("d", "xd")}},
		"symlink over file": {base, {symlink("f", "xd")}},
		"file over symlink": {base, {file("abs", 0o600, "now a file")}},
		"links to below":    {base, {hardlink("d/a2", "d/a"), hardlink("x2", "x"), hardlink("l2", "abs")}},
		"mode and owner":    {base, {dir("d", 0o1755).owner(1, 2), file("f", 0o6711, "f").owner(3, 4)}},
		"attributes change": {base, {file("x", 0o644, "x").xattr("user.b", "2"), dir("xd", 0o755), file("ping", 0o755, "p")}},
		"five layers": {base, {file("d/1", 0o644, "1")}, {file("d/.wh.1", 0, ""), file("d/2", 0o644, "2")},
			{hardlink("d/3", "d/2")}, {file(".wh.h", 0, ""), file("d/.wh.2", 0, "")}},
	} {
		t.Run(name, func(t *testing.T) { likeUmoci(t, layers) })
	}
}

// likeUmoci compares the layers of an image, merged here and unpacked by umoci.
func likeUmoci(t *testing.T, layers [][]entry) {
	t.Helper()
	work := t.TempDir()
	layout, err := image.Create(work + "/oci")
	if err != nil {
		t.Fatal(err)
	}
	var img image.Image
	var trees []*Tree
	for _, entries := range layers {
		var l image.Layer
		for _, e := range entries {
			l.Entries = append(l.Entries, image.Entry{Header: e.Header, Data: []byte(e.content)})
		}
		img.Layers = append(img.Layers, l)
		tree, err := Read(t.Context(), bytes.NewReader(archive(t, entries...)), sums{}, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, tree)
	}
	if _, err := layout.Put("t", img); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("umoci", "unpack", "--image", layout.Dir+":t", work+"/bundle").CombinedOutput(); err != nil {
		t.Fatalf("umoci unpack: %v\n%s", err, out)
	}
	m, err := Merge(trees)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, m, work+"/bundle/rootfs")
}
