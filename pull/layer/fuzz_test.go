package layer

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// wholesome checks what everybody relies on who is given a merged tree.
func wholesome(t testing.TB, m *Merged) {
	t.Helper()
	var check func(n *Node, depth int)
	check = func(n *Node, depth int) {
		if n.Type > Symlink || depth > maxDepth || n.Meta.check(n.Type) != nil || n.Type == Symlink && n.Target == "" || n.Type != Dir && n.Children != nil {
			t.Errorf("%+v", n)
		}
		for name, child := range n.Children {
			if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsAny(name, "/\x00") ||
				strings.ToValidUTF8(name, "") != name || strings.HasPrefix(name, ".wh.") {
				t.Errorf("name %q", name)
			}
			check(child, depth+1)
		}
	}
	check(m.Root, 0)
	for i, s := range m.Specials {
		if !filepath.IsLocal(s.Path) || filepath.Clean(s.Path) != s.Path || i > 0 && m.Specials[i-1].Path >= s.Path {
			t.Errorf("special file %q", s.Path)
		}
		path, _ := splitName(s.Path, maxPath, maxDepth)
		if m.Root.lookup(path) != nil {
			t.Errorf("special file %q is also in the tree", s.Path)
		}
	}
	text, err := EncodeSpecials(m.Specials)
	if err != nil {
		t.Error(err)
	} else if again, err := DecodeSpecials(text); err != nil || len(again) != len(m.Specials) {
		t.Errorf("%d special files became %d, %v", len(m.Specials), len(again), err)
	}
}

// Bytes as a tar stream.
func FuzzRead(f *testing.F) {
	f.Add(archive(f, dir("d", 0o755), file("d/f", 0o644, "x").xattr("user.a", "b", "system.posix_acl_access", acl(1, 6, 4, 4, 0x20, 4)), symlink("l", "/etc")))
	f.Add(archive(f, hardlink("b", "a"), file("a", 0o644, ""), file("d/.wh..wh..opq", 0, ""), file(".wh.x", 0, "")))
	f.Add(archive(f, special(tar.TypeFifo, "p", 0, 0).xattr("trusted.a", "\xff"), hardlink("c", "b"), hardlink("b", "c")))
	f.Add(archive(f, file("f", 0o755, "").xattr("security.capability", "\x01\x00\x00\x03\x00\x04"+strings.Repeat("\x00", 18))))
	f.Add(append(raw('0', "\xff\xfe", ""), make([]byte, 1024)...))
	f.Add(append(raw('2', "../x", "/"), raw('1', ".", "..")...))
	f.Add(sparse01("f", 10, "2,2,7,1", "abc"))
	f.Add(concat(oldSparse("f", 10, "abc", 2, 2, 7, 1), long('L', strings.Repeat("n", 150)), numbers(raw('2', "f", "x"), 1<<31, 7)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		sink := &memory{}
		tree, err := Read(t.Context(), bytes.NewReader(stream), sink, Limits{FileSize: 1 << 20, TotalSize: 4 << 20, Entries: 5000})
		if err != nil {
			return
		}
		trees := []*Tree{tree, tree}
		m, err := Merge(trees)
		stored, errStored := Merge(splitAndRejoin(t, trees))
		if (err == nil) != (errStored == nil) {
			t.Errorf("%v, but %v after being stored", err, errStored)
		}
		if err != nil || errStored != nil {
			return
		}
		wholesome(t, m)
		if list(m, sink) != list(stored, sink) {
			t.Errorf("got:\n%swant:\n%s", list(stored, sink), list(m, sink))
		}
	})
}

// Bytes as the entries of several layers. What is compared is in merged.
func FuzzMerge(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(random(seed, 80))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4000 {
			return
		}
		_, _ = merged(t, layers(data, false)...)
	})
}

// Bytes as a note about some tree.
func FuzzRejoin(f *testing.F) {
	for seed := range uint64(6) {
		data := random(seed, 80)
		if tree, err := read(f, &memory{}, archive(f, layers(data, true)[0]...)); err == nil {
			_, note := tree.Split()
			f.Add(note, data)
		}
	}
	f.Add([]byte(`{"version":2}`), []byte(nil))
	f.Add([]byte(`{"version":1,"entries":1,"size":0,"nodes":1,"root":{"specials":{"..":{"type":"fifo","uid":0,"gid":0,"mode":0}}}}`), []byte(nil))
	f.Add([]byte(`{"version":1,"entries":1,"size":0,"nodes":1,"root":{"whiteouts":["a","a"],"links":{"l":{"target":"a/../b","entry":"l"}}}}`), []byte(nil))
	f.Fuzz(func(t *testing.T, note, data []byte) {
		tree, err := read(t, &memory{}, archive(t, layers(data, true)[0]...))
		if err != nil {
			return
		}
		root, _ := tree.Split()
		back, err := Rejoin(plain(t, root), note)
		if err != nil {
			return
		}
		trees := []*Tree{tree, back}
		m, err := Merge(trees)
		stored, errStored := Merge(splitAndRejoin(t, trees))
		if (err == nil) != (errStored == nil) {
			t.Errorf("%v, but %v after being stored", err, errStored)
		}
		if err == nil && errStored == nil {
			wholesome(t, m)
			if a, b := list(m, &memory{}), list(stored, &memory{}); a != b {
				t.Errorf("got:\n%swant:\n%s", b, a)
			}
		}
	})
}

// Bytes as the special files of an image.
func FuzzDecodeSpecials(f *testing.F) {
	f.Add([]byte(`[]`))
	f.Add([]byte(`[{"path":"a/b","type":"char","uid":1,"gid":2,"mode":438,"xattrs":{"trusted.a":"/wA="},"major":1,"minor":-3},{"path":"c","type":"fifo","uid":0,"gid":0,"mode":384}]`))
	f.Add([]byte(`[{"path":"../a","type":"fifo","uid":0,"gid":0,"mode":0}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		files, err := DecodeSpecials(text)
		if err == nil {
			wholesome(t, &Merged{Root: implicit(), Specials: files})
		}
	})
}

// Bytes as a compressed layer. Go's own gzip is the judge of gzip.
func FuzzDecompress(f *testing.F) {
	text := []byte(strings.Repeat("some text, ", 100))
	f.Add(gzipped(text))
	f.Add(concat(gzipped(text), gzipped(nil), gzipped(text)))
	f.Add(zstded(text))
	f.Add(zstded(text, zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true)))
	f.Add(concat([]byte("\x50\x2a\x4d\x18\x03\x00\x00\x00abc"), zstded(text), zstded(text)))
	f.Add(text)
	f.Fuzz(func(t *testing.T, blob []byte) {
		const most = 16 << 20
		source := &counting{r: bytes.NewReader(blob)}
		r, err := Decompress(source)
		if err != nil {
			return
		}
		defer r.Close()
		got, err := io.ReadAll(io.LimitReader(r, most))
		if len(got) == most {
			return
		}
		if err == nil && source.n != int64(len(blob)) {
			t.Errorf("%d of %d bytes were read", source.n, len(blob))
		}
		if !bytes.HasPrefix(blob, []byte{0x1f, 0x8b}) {
			return
		}
		var want []byte
		z, judge := gzip.NewReader(bytes.NewReader(blob))
		if judge == nil {
			want, judge = io.ReadAll(z)
		}
		// Reserved flags are refused here, and a member that is cut within the
		// strings of its header ends the stream: the digest tells.
		if errors.Is(err, gzip.ErrHeader) && judge == nil || err == nil && judge == io.ErrUnexpectedEOF && bytes.Equal(got, want) {
			return
		}
		if (err == nil) != (judge == nil) || err == nil && !bytes.Equal(got, want) {
			t.Errorf("%d bytes and %v, Go says %d bytes and %v", len(got), err, len(want), judge)
		}
	})
}
