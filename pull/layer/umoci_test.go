package layer

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"slices"
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

// moment is one entry of a layer: the image below the layer, the image without
// the entry, the layer without it, and with it.
type moment struct {
	lower, now *Node
	before     []entry
	layer      *Node
	path       []string
	entry
}

// otherwise is what umoci is known to do otherwise, and why we do not.
var otherwise = []struct {
	why  string
	does func(m moment) bool
}{
	{"what stands in the place of a directory is followed, if it is a link, or refuses the layer: we replace it, as overlayfs does",
		func(m moment) bool { return !unobstructed(m.now, m.path) }},
	{"the directory of a whiteout is not made",
		func(m moment) bool {
			return len(m.path) > 0 && isWhiteout(m.path[len(m.path)-1]) && m.now.lookup(m.path[:len(m.path)-1]) == nil
		}},
	{"a directory without an entry inherits the setgid bit above it, as mkdir(2) does it",
		func(m moment) bool {
			for i := 1; i < len(m.path); i++ {
				if m.now.lookup(m.path[:i]) == nil {
					return m.now.lookup(m.path[:i-1]).Meta.Mode&0o2000 != 0
				}
			}
			return false
		}},
	{"what a layer hides and implies at once keeps its metadata, if it comes first: to us order does not matter, it is new",
		func(m moment) bool { return impliesHidden(m.layer, false) }},
	{"a hard link leads to what is there at the moment, through links, and not into what it replaces: we look at the whole layer, and what is below it",
		func(m moment) bool {
			target, err := splitName(m.Linkname, maxPath, maxDepth)
			return m.Typeflag == tar.TypeLink && (err != nil || within(m.path, target) || !unobstructed(m.now, target) || m.now.lookup(target) == nil)
		}},
	{"a hard link keeps what was there, if this layer replaces it: we link what the layer has at the end",
		func(m moment) bool {
			return slices.ContainsFunc(m.before, func(e entry) bool {
				target, _ := splitName(e.Linkname, maxPath, maxDepth)
				return e.Typeflag == tar.TypeLink && slices.Equal(target, m.path)
			})
		}},
	{"a directory that this layer had replaced is empty: we merge what the layer has at the end, as overlayfs does",
		func(m moment) bool {
			lower, now := m.lower.lookup(m.path), m.now.lookup(m.path)
			return m.Typeflag == tar.TypeDir && now != nil && now.Type != Dir && lower != nil && lower.Type == Dir
		}},
}

// unobstructed tells whether nothing but directories is above a path.
func unobstructed(n *Node, path []string) bool {
	for i := range path {
		if above := n.lookup(path[:i]); above != nil && above.Type != Dir {
			return false
		}
	}
	return true
}

// within tells whether a path is the other or above it.
func within(above, path []string) bool {
	return len(path) >= len(above) && slices.Equal(above, path[:len(above)])
}

// impliesHidden tells whether a layer has a directory without an entry that it
// hides in the layers below.
func impliesHidden(dir *Node, hidden bool) bool {
	for name, n := range dir.Children {
		_, whiteout := dir.whiteouts[name]
		hidden := hidden || dir.opaque || whiteout
		if n.Type == Dir && (hidden && !n.explicit || impliesHidden(n, hidden)) {
			return true
		}
	}
	return false
}

// tame leaves out the entries that umoci is known to treat otherwise, and those
// that refuse the layer, and counts them.
func tame(t *testing.T, all [][]entry, left map[string]int) (kept [][]entry) {
	var lower []*Tree
	for _, entries := range all {
		var good []entry
		tree, now, err := withSpecials(t, lower, nil)
		below := now
	next:
		for _, e := range entries {
			nextTree, nextNow, err := withSpecials(t, lower, append(slices.Clip(good), e))
			if err != nil {
				left["the layer is refused"]++
				continue
			}
			path, _ := splitName(e.Name, maxPath, maxDepth)
			for _, o := range otherwise {
				if o.does(moment{below, now, good, nextTree.root, path, e}) {
					left[o.why]++
					continue next
				}
			}
			good, tree, now = append(good, e), nextTree, nextNow
		}
		if err != nil {
			t.Fatal(err)
		}
		lower, kept = append(lower, tree), append(kept, good)
	}
	return kept
}

// withSpecials merges a layer of entries like Merge, but leaves special files
// in the tree.
func withSpecials(t *testing.T, lower []*Tree, entries []entry) (*Tree, *Node, error) {
	tree, err := Read(t.Context(), bytes.NewReader(archive(t, entries...)), sums{}, Limits{})
	if err != nil {
		return nil, nil, err
	}
	m := &Merged{Root: implicit()}
	for _, l := range append(slices.Clip(lower), tree) {
		links := map[*Node]*Node{}
		if err := m.find(l.root, links); err != nil {
			return nil, nil, err
		}
		apply(m.Root, l.root, links)
	}
	return tree, m.Root, nil
}

func TestRandomLayersLikeUmoci(t *testing.T) {
	need(t, "umoci")
	n, entries, left := rounds(30, 300), 0, map[string]int{}
	for seed := range n {
		all := tame(t, layers(random(seed, 4*(60+int(seed)%60)), true), left)
		for _, l := range all {
			entries += len(l)
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			defer func() {
				for i, entries := range all {
					for _, e := range entries {
						if t.Failed() {
							t.Logf("layer %d: %c %s -> %q %o %d:%d", i, e.Typeflag, e.Name, e.Linkname, e.Mode, e.Uid, e.Gid)
						}
					}
				}
			}()
			likeUmoci(t, all)
		})
	}
	t.Logf("%d entries", entries)
	if entries < 10*int(n) {
		t.Errorf("%d entries of %d images are too few to tell anything", entries, n)
	}
	for _, o := range otherwise {
		if t.Logf("%d left out: %s", left[o.why], o.why); left[o.why] == 0 {
			t.Errorf("it never happened: %s", o.why)
		}
	}
}

// A system as it is, packed by tar(1), and a layer that changes some of it.
func TestSystemLikeUmoci(t *testing.T) {
	need(t, "umoci")
	need(t, "tar")
	if rounds(0, 1) == 0 {
		t.Skip("takes long, see SYSCONTAINER_TEST_LONG")
	}
	stream, err := exec.Command("tar", "-C", "/", "--one-file-system", "--sparse", "--xattrs", "--xattrs-include=*", "--format=posix", "-c",
		"./etc", "./bin", "./sbin", "./usr/bin", "./usr/sbin", "./usr/share/doc", "./usr/share/zoneinfo", "./dev/null").Output()
	if err != nil {
		t.Fatal(err)
	}
	var base, upper []entry
	for r := tar.NewReader(bytes.NewReader(stream)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		for record := range h.PAXRecords {
			if !strings.HasPrefix(record, xattrRecord) {
				delete(h.PAXRecords, record) // archive/tar makes them anew
			}
		}
		h.Format = tar.FormatUnknown
		base = append(base, entry{*h, string(content)})
		parent, name := cut(strings.TrimSuffix(h.Name, "/"))
		switch len(base) % 97 {
		case 1:
			if h.Typeflag == tar.TypeReg {
				upper = append(upper, file(h.Name, 0o640, "changed").owner(1, 2))
			}
		case 2:
			if h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeSymlink {
				upper = append(upper, file(parent+".wh."+name, 0, ""))
			}
		case 3:
			if h.Typeflag == tar.TypeReg {
				upper = append(upper, hardlink(h.Name+" linked", h.Name))
			}
		}
	}
	t.Logf("%d and %d entries", len(base), len(upper))
	likeUmoci(t, [][]entry{base, upper})
}
