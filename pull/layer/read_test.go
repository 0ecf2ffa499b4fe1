package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// memory is a sink that keeps everything.
type memory struct {
	mu    sync.Mutex
	files map[ID]string
}

func (m *memory) keep(content string) ID {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files == nil {
		m.files = map[ID]string{}
	}
	id := ID(sha256.Sum256([]byte(content)))
	m.files[id] = content
	return id
}

func (m *memory) File(meta Meta, size int64, content io.Reader) (ID, error) {
	data := make([]byte, size)
	if _, err := io.ReadFull(content, data); err != nil {
		return ID{}, err
	}
	return m.keep(string(data)), nil
}

func (m *memory) Symlink(meta Meta, target string) (ID, error) { return m.keep(target), nil }

// entry is a header and its content.
type entry struct {
	tar.Header
	content string
}

func dir(name string, mode int64) entry {
	return entry{Header: tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode}}
}

func file(name string, mode int64, content string) entry {
	return entry{Header: tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}, content: content}
}

func symlink(name, target string) entry {
	return entry{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}}
}

func hardlink(name, target string) entry {
	return entry{Header: tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target, Mode: 0o600, Uid: 99}}
}

func special(flag byte, name string, major, minor int64) entry {
	return entry{Header: tar.Header{Typeflag: flag, Name: name, Mode: 0o666, Devmajor: major, Devminor: minor}}
}

func (e entry) owner(uid, gid int) entry {
	e.Uid, e.Gid = uid, gid
	return e
}

func (e entry) xattr(pairs ...string) entry {
	e.PAXRecords = map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		e.PAXRecords["SCHILY.xattr."+pairs[i]] = pairs[i+1]
	}
	return e
}

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		e.Size = int64(len(e.content))
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, e.content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t testing.TB, sink *memory, stream []byte) (*Tree, error) {
	t.Helper()
	return Read(t.Context(), bytes.NewReader(stream), sink, Limits{})
}

// list describes a merged tree, a line for each node.
func list(m *Merged, sink *memory) string {
	var b strings.Builder
	files, dirs, size := 0, 0, int64(0)
	var walk func(path string, n *Node)
	walk = func(path string, n *Node) {
		fmt.Fprintf(&b, "%s %o %d:%d", path, n.Meta.Mode, n.Meta.UID, n.Meta.GID)
		for _, name := range slices.Sorted(maps.Keys(n.Meta.Xattrs)) {
			fmt.Fprintf(&b, " %s=%s", name, n.Meta.Xattrs[name])
		}
		switch n.Type {
		case Dir:
			dirs++
		case File:
			fmt.Fprintf(&b, " %q", sink.files[n.ID])
			files, size = files+1, size+n.Size
		case Symlink:
			fmt.Fprintf(&b, " -> %s", n.Target)
			files++
		}
		b.WriteByte('\n')
		if path == "/" {
			path = ""
		}
		for _, name := range slices.Sorted(maps.Keys(n.Children)) {
			walk(path+"/"+name, n.Children[name])
		}
	}
	walk("/", m.Root)
	if m.Files != files || m.Dirs != dirs || m.Size != size {
		fmt.Fprintf(&b, "wrong numbers: %d files, %d directories, %d bytes\n", m.Files, m.Dirs, m.Size)
	}
	for _, s := range m.Specials {
		fmt.Fprintf(&b, "%s %s %o %d,%d", s.Path, s.Type, s.Meta.Mode, s.Major, s.Minor)
		for _, name := range slices.Sorted(maps.Keys(s.Meta.Xattrs)) {
			fmt.Fprintf(&b, " %s=%s", name, s.Meta.Xattrs[name])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// merged reads and merges layers.
func merged(t testing.TB, layers ...[]entry) (string, error) {
	t.Helper()
	var streams [][]byte
	for _, entries := range layers {
		streams = append(streams, archive(t, entries...))
	}
	return mergedStreams(t, streams...)
}

func mergedStreams(t testing.TB, streams ...[]byte) (string, error) {
	t.Helper()
	sink := &memory{}
	var trees []*Tree
	for _, stream := range streams {
		tree, err := read(t, sink, stream)
		if err != nil {
			return "", err
		}
		trees = append(trees, tree)
	}
	m, err := Merge(trees)
	again, errAgain := Merge(trees)
	stored, errStored := Merge(splitAndRejoin(t, trees))
	if (err == nil) != (errAgain == nil) || (err == nil) != (errStored == nil) {
		t.Errorf("merged: %v\nmerged again: %v\nmerged after being stored: %v", err, errAgain, errStored)
	}
	if err != nil {
		return "", err
	}
	wholesome(t, m)
	first := list(m, sink)
	if second := list(again, sink); second != first {
		t.Errorf("merged again, the trees make something else\ngot:\n%swant:\n%s", second, first)
	}
	if second := list(stored, sink); second != first {
		t.Errorf("stored and rejoined, the trees make something else\ngot:\n%swant:\n%s", second, first)
	}
	if stored.Unpacked != m.Unpacked || !maps.Equal(stored.Stripped, m.Stripped) {
		t.Errorf("stored and rejoined, the trees are %d bytes, without %v, not %d without %v", stored.Unpacked, stored.Stripped, m.Unpacked, m.Stripped)
	}
	return first, nil
}

// splitAndRejoin sends trees through a store that has no room for anything but
// the type, metadata and ID of nodes.
func splitAndRejoin(t testing.TB, trees []*Tree) []*Tree {
	t.Helper()
	var rejoined []*Tree
	for _, tree := range trees {
		root, note := tree.Split()
		_, second := tree.Split()
		if !bytes.Equal(note, second) {
			t.Errorf("split again, the note is another:\n%s%s", note, second)
		}
		back, err := Rejoin(plain(t, root), note)
		if err != nil {
			t.Fatalf("%v\n%s", err, note)
		}
		if _, second := back.Split(); !bytes.Equal(note, second) {
			t.Errorf("split again after being rejoined, the note is another:\n%s%s", note, second)
		}
		rejoined = append(rejoined, back)
	}
	return rejoined
}

// plain copies what a store can hold.
func plain(t testing.TB, n *Node) *Node {
	if n.Type > Symlink || n.explicit || n.opaque || n.whiteouts != nil {
		t.Errorf("not plain: %+v", n)
	}
	c := &Node{Type: n.Type, Meta: n.Meta, ID: n.ID, Size: n.Size, Target: n.Target}
	if n.Type == Dir && n.Meta.Xattrs == nil {
		c.Meta.Xattrs = map[string]string{}
	}
	for name, child := range n.Children {
		c.set(name, plain(t, child))
	}
	return c
}

const root = "/ 755 0:0\n"

// One tiny layer each: what tools stumble over.
func TestRead(t *testing.T) {
	long := strings.Repeat("x", 255)
	for _, c := range []struct {
		name    string
		entries []entry
		want    string // see expect
	}{
		{"not ASCII", []entry{file("ä日", 0o644, "1")}, "/ä日 644 0:0 \"1\"\n"},
		{"longest name", []entry{file(long, 0o644, "")}, "/" + long + " 644 0:0 \"\"\n"},
		{"256 bytes", []entry{file(long+"x", 0o644, "")}, "!longer than 255"},
		{"long path", []entry{file(strings.Repeat(long+"/", 16)+"x", 0o644, "")}, "!longer than 4095"},
		{"deep path", []entry{file(strings.Repeat("d/", 300)+"f", 0o644, "")}, "!more than 255 components"},
		{"dot dot", []entry{file("../x", 0o644, "")}, "!entry \"../x\": \"..\""},
		{"dot dot inside", []entry{file("a/../x", 0o644, "")}, "!\"..\""},
		{"absolute", []entry{file("/abs//./f", 0o644, "")}, "/abs 755 0:0\n/abs/f 644 0:0 \"\"\n"},
		{"later wins", []entry{file("f", 0o644, "1"), file("./f", 0o600, "2")}, "/f 600 0:0 \"2\"\n"},
		{"implied", []entry{file("d/e/f", 0o644, "").owner(5, 5)}, "/d 755 0:0\n/d/e 755 0:0\n/d/e/f 644 5:5 \"\"\n"},
		{"directory late", []entry{file("d/f", 0o644, ""), dir("d", 0o700).owner(1, 2)}, "/d 700 1:2\n/d/f 644 0:0 \"\"\n"},
		{"file, then directory", []entry{file("f", 0o644, ""), dir("f", 0o755), file("f/x", 0o644, "")}, "/f 755 0:0\n/f/x 644 0:0 \"\"\n"},
		{"directory, then file", []entry{dir("f", 0o755), file("f/x", 0o644, ""), file("f", 0o644, "2")}, "/f 644 0:0 \"2\"\n"},
		{"through a link", []entry{symlink("l", "/etc"), file("l/passwd", 0o644, "x")}, "/l 755 0:0\n/l/passwd 644 0:0 \"x\"\n"},
		{"root", []entry{dir("./", 0o700).owner(3, 4)}, "=/ 700 3:4\n"},
		{"root is a link", []entry{symlink(".", "/etc")}, "!the root is not a directory"},
		{"all bits", []entry{dir("d", 0o7777), file("f", 0o6755, "")}, "/d 7777 0:0\n/f 6755 0:0 \"\"\n"},
		{"type bits", []entry{file("f", 0o100644, "")}, "/f 644 0:0 \"\"\n"},
		{"large ids", []entry{file("f", 0o644, "").owner(4000000000, 4000000000)}, "/f 644 4000000000:4000000000 \"\"\n"},
		{"id of nobody", []entry{file("f", 0o644, "").owner(1<<32-1, 0)}, "!owner 4294967295:0"},
		{"hard link", []entry{file("a", 0o644, "1"), hardlink("b", "a")}, "/a 644 0:0 \"1\"\n/b 644 0:0 \"1\"\n"},
		{"hard link first", []entry{hardlink("b", "a"), file("a", 0o644, "1")}, "/a 644 0:0 \"1\"\n/b 644 0:0 \"1\"\n"},
		{"hard link to the old", []entry{file("a", 0o644, "1"), hardlink("b", "a"), file("a", 0o644, "2")}, "/a 644 0:0 \"2\"\n/b 644 0:0 \"1\"\n"},
		{"hard links in a row", []entry{hardlink("c", "b"), hardlink("b", "/a"), file("a", 0o644, "1")}, "/a 644 0:0 \"1\"\n/b 644 0:0 \"1\"\n/c 644 0:0 \"1\"\n"},
		{"hard links in a ring", []entry{hardlink("a", "b"), hardlink("b", "a")}, "!leads to itself"},
		{"hard link to nothing", []entry{hardlink("b", "a")}, "!entry \"b\": hard link to \"a\": there is no such file"},
		{"hard link replaced", []entry{hardlink("b", "a"), file("b", 0o644, "")}, "/b 644 0:0 \"\"\n"},
		{"hard link to a directory", []entry{dir("a", 0o755), hardlink("b", "a")}, "!directory"},
		{"hard link to a link", []entry{symlink("a", "x"), hardlink("b", "a")}, "/a 777 0:0 -> x\n/b 777 0:0 -> x\n"},
		{"hard link through a link", []entry{dir("d", 0o755), file("d/f", 0o644, ""), symlink("l", "d"), hardlink("b", "l/f")}, "!no such file"},
		{"hard link outside", []entry{hardlink("b", "../../x")}, "!\"..\""},
		{"hard link to a fifo", []entry{special(tar.TypeFifo, "a", 0, 0), hardlink("b", "a")}, "a fifo 666 0,0\nb fifo 666 0,0\n"},
		{"symlink anywhere", []entry{symlink("a", "../../../etc"), symlink("b", "/")}, "/a 777 0:0 -> ../../../etc\n/b 777 0:0 -> /\n"},
		{"specials", []entry{special(tar.TypeFifo, "p", 0, 0), special(tar.TypeChar, "d/c", 1, 3), special(tar.TypeBlock, "b", 7, 0)},
			"/d 755 0:0\nb block 666 7,0\nd/c char 666 1,3\np fifo 666 0,0\n"},
		{"special instead of a file", []entry{file("p", 0o644, ""), special(tar.TypeFifo, "p", 0, 0)}, "p fifo 666 0,0\n"},
		{"whiteout beside the same name", []entry{file(".wh.a", 0o644, ""), file("a", 0o644, "1")}, "/a 644 0:0 \"1\"\n"},
		{"whiteout of nothing", []entry{file(".wh.", 0o644, "")}, "!whiteout of nothing"},
		{"whiteout of itself", []entry{file("d/.wh..", 0o644, "")}, "!whiteout of nothing"},
		{"whiteout of its parent", []entry{file("d/.wh...", 0o644, "")}, "!whiteout of nothing"},
		{"below a whiteout", []entry{file(".wh.a/b", 0o644, "")}, "!below a whiteout"},
		{"aufs", []entry{dir(".wh..wh.plnk", 0o755), file(".wh..wh.plnk/1.2", 0o644, ""), file(".wh..wh.aufs", 0o644, "")}, ""},
		{"attributes", []entry{file("f", 0o644, "").xattr("user.z", "1", "user.a", "a\x00b", "trusted.t", "2")}, "/f 644 0:0 trusted.t=2 user.a=a\x00b user.z=1 \"\"\n"},
		{"attributes dropped", []entry{
			file("f", 0o644, "").xattr("security.selinux", "x", "security.ima", "x", "user.overlay.opaque", "y", "trusted.overlay.redirect", "/etc", "foo", "x", "system.posix_acl_default", "x"),
			symlink("l", "x").xattr("user.a", "1"),
		}, "/f 644 0:0 \"\"\n/l 777 0:0 -> x\n"},
		{"10 KiB of attribute", []entry{file("f", 0o644, "").xattr("user.a", strings.Repeat("x", 10240))}, "/f 644 0:0 user.a=" + strings.Repeat("x", 10240) + " \"\"\n"},
		{"attribute too long", []entry{file("f", 0o644, "").xattr("user.a", strings.Repeat("x", 70000))}, "!\"user.a\""},
		{"capabilities, version 3", []entry{file("f", 0o644, "").xattr("security.capability", "\x01\x00\x00\x03\x00\x04"+strings.Repeat("\x00", 18))},
			"/f 644 0:0 security.capability=\x01\x00\x00\x02\x00\x04" + strings.Repeat("\x00", 14) + " \"\"\n"},
		{"capabilities, garbage", []entry{file("f", 0o644, "").xattr("security.capability", "x")}, "!\"security.capability\""},
		{"ACL like the mode", []entry{file("f", 0o644, "").xattr("system.posix_acl_access", acl(1, 6, 4, 4, 0x20, 4))}, "/f 644 0:0 \"\"\n"},
		{"ACL against the mode", []entry{file("f", 0o640, "").xattr("system.posix_acl_access", acl(1, 7, 2, 7, 4, 5, 0x10, 7, 0x20, 7))},
			"/f 640 0:0 system.posix_acl_access=" + acl(1, 6, 2, 7, 4, 5, 0x10, 4, 0x20, 0) + " \"\"\n"},
		{"ACL without a mask", []entry{file("f", 0o640, "").xattr("system.posix_acl_access", acl(1, 7, 2, 7, 4, 5, 0x20, 7))}, "!ACL"},
		{"unknown type", []entry{{Header: tar.Header{Typeflag: 'Q', Name: "q"}}}, "!unknown type 'Q'"},
		{"contiguous", []entry{{Header: tar.Header{Typeflag: tar.TypeCont, Name: "f", Mode: 0o644}, content: "1"}}, "/f 644 0:0 \"1\"\n"},
		{"link with a mode", []entry{{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "x", Mode: 0o6601}}}, "/l 777 0:0 -> x\n"},
		{"links in a ring", []entry{symlink("a", "b"), symlink("b", "a"), file("a/f", 0o644, "1")}, "/a 755 0:0\n/a/f 644 0:0 \"1\"\n/b 777 0:0 -> a\n"},
		{"link to itself", []entry{symlink("a", "a"), symlink("b", ".")}, "/a 777 0:0 -> a\n/b 777 0:0 -> .\n"},
		{"link, longest", []entry{symlink("a", strings.Repeat("x/", 2047)+"x")}, "/a 777 0:0 -> " + strings.Repeat("x/", 2047) + "x\n"},
		{"link, too long", []entry{symlink("a", strings.Repeat("x/", 2048))}, "!the target must be"},
		{"hard link to itself", []entry{hardlink("a", "a")}, "!leads to itself"},
		{"hard link to the root", []entry{hardlink("a", "/")}, "!directory"},
		{"hard link through a file", []entry{file("f", 0o644, ""), hardlink("b", "f/x")}, "!no such file"},
		{"whiteout of another type", []entry{dir(".wh.a", 0o755), symlink(".wh.b", "/etc"), special(tar.TypeChar, ".wh.c", 0, 0), file("a", 0o644, "1")}, "/a 644 0:0 \"1\"\n"},
		{"opaque of another type", []entry{dir("d/.wh..wh..opq", 0o755)}, "/d 755 0:0\n"},
		{"below opaque", []entry{file("d/.wh..wh..opq/x", 0o644, "")}, "!below a whiteout"},
		{"hard link to a whiteout", []entry{file(".wh.a", 0o644, ""), hardlink("b", ".wh.a")}, "!no such file"},
		{"ACLs and attributes of others", []entry{{Header: tar.Header{Typeflag: tar.TypeReg, Name: "f", Mode: 0o644, PAXRecords: map[string]string{
			"LIBARCHIVE.xattr.user.a": "eA", "SCHILY.acl.access": "user::rwx", "RHT.security.selinux": "x"}}}}, "/f 644 0:0 \"\"\n"},
		{"long names", []entry{{Header: tar.Header{Typeflag: tar.TypeReg, Name: long, Mode: 0o644, Format: tar.FormatGNU}},
			{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: long, Format: tar.FormatGNU}}}, "/l 777 0:0 -> " + long + "\n/" + long + " 644 0:0 \"\"\n"},
		{"large", []entry{file("f", 0o644, strings.Repeat("x", 2<<20))}, "/f 644 0:0 \"" + strings.Repeat("x", 2<<20) + "\"\n"},
		{"global header", []entry{{Header: tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "../g", PAXRecords: map[string]string{"comment": "c"}}}}, ""},
	} {
		expect(t, c.name, archive(t, c.entries...), c.want)
	}
}

// expect reads and merges one layer. want is without the root's line, or an
// error if it begins with "!".
func expect(t *testing.T, name string, stream []byte, want string) {
	t.Helper()
	got, err := mergedStreams(t, stream)
	if wrong, ok := strings.CutPrefix(want, "!"); ok {
		if err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: got %v, want an error with %q", name, err, wrong)
		}
		return
	}
	want, ok := strings.CutPrefix(want, "=")
	if !ok {
		want = root + want
	}
	if err != nil || got != want {
		t.Errorf("%s: %v\ngot  %.500q\nwant %.500q", name, err, got, want)
	}
}

// acl makes a POSIX ACL of tags and permissions; named entries are for 1000.
func acl(pairs ...byte) string {
	b := []byte{2, 0, 0, 0}
	for i := 0; i < len(pairs); i += 2 {
		b = append(b, pairs[i], 0, pairs[i+1], 0)
		if pairs[i] == 2 || pairs[i] == 8 {
			b = append(b, 0xe8, 3, 0, 0)
		} else {
			b = append(b, 0xff, 0xff, 0xff, 0xff)
		}
	}
	return string(b)
}

func TestReadReportsTheEndOfTheStream(t *testing.T) {
	bad := errors.New("wrong digest")
	stream := io.MultiReader(bytes.NewReader(archive(t, file("f", 0o644, ""))), failing{bad})
	if _, err := Read(t.Context(), stream, &memory{}, Limits{}); !errors.Is(err, bad) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type broken struct{ memory }

func (b *broken) File(Meta, int64, io.Reader) (ID, error) { return ID{}, errors.New("disk on fire") }

func TestReadReportsTheSink(t *testing.T) {
	for _, size := range []int{1, 2 << 20} {
		stream := archive(t, file("f", 0o644, strings.Repeat("x", size)), file("g", 0o644, ""))
		_, err := Read(t.Context(), bytes.NewReader(stream), &broken{}, Limits{})
		if err == nil || !strings.Contains(err.Error(), `entry "f": disk on fire`) && !strings.Contains(err.Error(), `entry "g": disk on fire`) {
			t.Error(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Read(ctx, bytes.NewReader(archive(t, file("f", 0o644, ""))), &memory{}, Limits{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestStrippedIsCounted(t *testing.T) {
	sink := &memory{}
	tree, err := read(t, sink, archive(t, file("a", 0o644, "").xattr("security.selinux", "x"), file("b", 0o644, "").xattr("security.selinux", "x", "user.e", "")))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Merge([]*Tree{tree, tree})
	if err != nil || m.Stripped["security.selinux"] != 4 {
		t.Errorf("%v, %v", m.Stripped, err)
	}
}

func TestMerge(t *testing.T) {
	base := []entry{
		dir("d", 0o700).owner(1, 1), file("d/a", 0o644, "a"), file("d/b", 0o644, "b"), dir("d/sub", 0o711), file("d/sub/x", 0o644, "x"),
		file("f", 0o644, "f"), symlink("l", "d"),
	}
	const low = "/d 700 1:1\n/d/a 644 0:0 \"a\"\n/d/b 644 0:0 \"b\"\n/d/sub 711 0:0\n/d/sub/x 644 0:0 \"x\"\n/f 644 0:0 \"f\"\n/l 777 0:0 -> d\n"
	without := func(s string, lines ...string) string {
		for _, line := range lines {
			s = strings.Replace(s, line, "", 1)
		}
		return s
	}
	for _, c := range []struct {
		name  string
		upper []entry
		want  string
	}{
		{"nothing", nil, low},
		{"the same", base, low},
		{"implied keeps metadata", []entry{file("d/c", 0o644, "c")}, strings.Replace(low, "/d/sub 711", "/d/c 644 0:0 \"c\"\n/d/sub 711", 1)},
		{"explicit takes over", []entry{dir("d", 0o755)}, strings.Replace(low, "/d 700 1:1", "/d 755 0:0", 1)},
		{"whiteout of a file", []entry{file("d/.wh.a", 0o644, "")}, without(low, "/d/a 644 0:0 \"a\"\n")},
		{"whiteout of a directory", []entry{file("d/.wh.sub", 0o644, "")}, without(low, "/d/sub 711 0:0\n", "/d/sub/x 644 0:0 \"x\"\n")},
		{"whiteout of what is not there", []entry{file(".wh.zzz", 0o644, "")}, low},
		{"whiteout and new", []entry{file("d/sub/y", 0o644, "y"), file("d/.wh.sub", 0o644, "")},
			strings.Replace(low, "/d/sub 711 0:0\n/d/sub/x 644 0:0 \"x\"\n", "/d/sub 755 0:0\n/d/sub/y 644 0:0 \"y\"\n", 1)},
		{"opaque", []entry{file("d/n", 0o644, "n"), file("d/.wh..wh..opq", 0o644, "")},
			"/d 700 1:1\n/d/n 644 0:0 \"n\"\n/f 644 0:0 \"f\"\n/l 777 0:0 -> d\n"},
		{"opaque root", []entry{file(".wh..wh..opq", 0o644, ""), file("n", 0o644, "n")}, "/n 644 0:0 \"n\"\n"},
		{"file over a directory", []entry{file("d", 0o644, "now")}, "/d 644 0:0 \"now\"\n/f 644 0:0 \"f\"\n/l 777 0:0 -> d\n"},
		{"directory over a file", []entry{dir("f", 0o755), file("f/x", 0o644, "x")},
			strings.Replace(low, "/f 644 0:0 \"f\"\n", "/f 755 0:0\n/f/x 644 0:0 \"x\"\n", 1)},
		{"directory over a link", []entry{file("l/evil", 0o644, "e")},
			strings.Replace(low, "/l 777 0:0 -> d\n", "/l 755 0:0\n/l/evil 644 0:0 \"e\"\n", 1)},
		{"special over a file", []entry{special(tar.TypeFifo, "f", 0, 0)}, without(low, "/f 644 0:0 \"f\"\n") + "f fifo 666 0,0\n"},
		{"hard link to below", []entry{hardlink("h", "d/a"), file("d/.wh.a", 0o644, "")},
			without(low, "/d/a 644 0:0 \"a\"\n")[:strings.Index(low, "/l ")-len("/d/a 644 0:0 \"a\"\n")] + "/h 644 0:0 \"a\"\n/l 777 0:0 -> d\n"},
		{"hard links in a row to below", []entry{hardlink("i", "h"), hardlink("h", "f")},
			strings.Replace(low, "/l ", "/h 644 0:0 \"f\"\n/i 644 0:0 \"f\"\n/l ", 1)},
	} {
		got, err := merged(t, base, c.upper)
		want := root + c.want
		if err != nil || got != want {
			t.Errorf("%s: %v\ngot:\n%swant:\n%s", c.name, err, got, want)
		}
	}
	for name, upper := range map[string][]entry{
		"hard link to a directory below": {hardlink("h", "d")},
		"hard link to nothing below":     {hardlink("h", "d/zzz")},
	} {
		if _, err := merged(t, base, upper); err == nil || !strings.Contains(err.Error(), `layer 1: entry "h": hard link`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What an upper layer removes is no longer reported.
	got, err := merged(t, []entry{special(tar.TypeChar, "dev/x", 1, 3)}, []entry{file("dev/.wh.x", 0, "")})
	if err != nil || got != root+"/dev 755 0:0\n" {
		t.Errorf("special removed: %q, %v", got, err)
	}
}
