package ostree

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

func sum(t testing.TB, s string) Checksum {
	t.Helper()
	c, err := ParseChecksum(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Ids that libostree 2022.7 accepted, or computed itself for the same input.
const (
	idA1      = "44f778e59f0a4748d6b0c90a47347212a231c4ad1e8f7ea5c5dffc7749153a6b" // 0:0 0644 "hello\n"
	idA1Empty = "cc700d46f407c6c5ab2d5dde474366a928b7398277e61162e7f8ec06f469f07e"
	idA2      = "f3bded8e3831daeeec515e7c8a72b96c95a847900fd03264c2cbcc8726459bf1"
	idA3      = "389846c2702216e1367c8dfb68326a6b93ccf5703c89c93979052a9bf359608e"
	idA4      = "4af02245bbfcb16d53c4071df17dcd5b4c71750e40e9481f4658941d4f292596"
	idB1      = "446a0ef11b7cc167f3b603e585c7eeeeb675faa412d5ec73f62988eb0b6c5488"
	idB2      = "bc04f26beebc2f2d06712f566ddf4a07090657a3bd846d8fab4fc6f11331a0aa"
	idC0      = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
	idC1      = "883d13aad5184f0413ea6237abd09e2765e23f68d2e0c1312a9ef3283ff31039"
	idC2      = "b8e435649d244e87ff862e26f3a40ce8c4c68a036bcc65e44d654b65c1e955e9"
	idD0      = "6109d33e99f48e9b90cdf8ad037b8e5d20ef899697cfd3eb492cf78800aed498"
	idD1      = "d83c15363afc74efe8eba1839e2b1a05e0fd7db9f2855be859c9c9d291338980"
)

var (
	metaA2 = Meta{UID: 1000, GID: 8, Mode: 0o4755, Xattrs: map[string]string{"user.a": "1", "user.b": "two"}}
	metaA4 = Meta{Mode: 0o644, Xattrs: map[string]string{"user.long": strings.Repeat("v", 240)}}
	metaB2 = Meta{GID: 12, Mode: 0o2775, Xattrs: map[string]string{"user.k": "v"}}
)

func TestFileHeader(t *testing.T) {
	for _, c := range []struct {
		name   string
		meta   Meta
		target string
		want   string // hex, "" not compared
		length int
	}{
		{"A1", Meta{Mode: 0o644}, "", "00000012 00000000 00000000 00000000 000081a4 00000000 00 11", 26},
		{"A2", metaA2, "", "00000028 00000000 000003e8 00000008 000089ed 00000000 00" +
			"75736572 2e6100 31 07 75736572 2e6200 74776f 07 09 14 11", 48},
		{"A3", Meta{Mode: 0o777}, "usr/bin", "00000019 00000000 00000000 00000000 0000a1ff 00000000 7573722f62696e00 18", 33},
		{"A4", metaA4, "", "", 279},
	} {
		mode := typeFile | c.meta.Mode
		if c.target != "" {
			mode = typeSymlink | 0o777
		}
		got := appendFileHeader(nil, c.meta, mode, c.target)
		if len(got) != c.length {
			t.Errorf("%s: %d bytes, want %d", c.name, len(got), c.length)
		}
		if c.want != "" && !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("%s:\ngot  %x\nwant %x", c.name, got, unhex(t, c.want))
		}
		if c.name == "A4" && (!bytes.HasPrefix(got, unhex(t, "0000010f")) || !bytes.HasSuffix(got, unhex(t, "0afb1100"))) {
			t.Errorf("A4: %x", got)
		}
	}
}

func TestFileChecksum(t *testing.T) {
	for _, c := range []struct {
		name string
		got  Checksum
		want string
	}{
		{"A1", FileChecksum(Meta{Mode: 0o644}, []byte("hello\n")), idA1},
		{"A1 empty", FileChecksum(Meta{Mode: 0o644}, nil), idA1Empty},
		{"A2", FileChecksum(metaA2, []byte("#!/bin/sh\n")), idA2},
		{"A3", SymlinkChecksum(Meta{}, "usr/bin"), idA3},
		{"A4", FileChecksum(metaA4, nil), idA4},
	} {
		if c.got.String() != c.want {
			t.Errorf("%s: got %v, want %s", c.name, c.got, c.want)
		}
	}
}

func TestDirMeta(t *testing.T) {
	for _, c := range []struct {
		name, want, id string
		meta           Meta
	}{
		{"B1", "00000000 00000000 000041ed", idB1, Meta{Mode: 0o755}},
		{"B2", "00000000 0000000c 000045fd 757365722e6b00 76 07 09", idB2, metaB2},
	} {
		got := encodeDirMeta(c.meta)
		if !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("%s: got %x", c.name, got)
		}
		if id := Checksum(sha256.Sum256(got)); id.String() != c.id {
			t.Errorf("%s: id %v", c.name, id)
		}
		back, err := decodeDirMeta(got)
		if err != nil || !bytes.Equal(encodeDirMeta(back), got) {
			t.Errorf("%s: decoded to %v, %v", c.name, back, err)
		}
	}
}

func treeC1(t testing.TB) *DirTree {
	return &DirTree{Files: []FileEntry{{"B", sum(t, idA1)}, {"a", sum(t, idA1)}, {"run", sum(t, idA2)}}}
}

func treeC2(t testing.TB) *DirTree {
	return &DirTree{
		Files: []FileEntry{{"bin", sum(t, idA3)}},
		Dirs:  []DirEntry{{"etc", sum(t, idC0), sum(t, idB1)}, {"var", sum(t, idC1), sum(t, idB2)}},
	}
}

func TestDirTree(t *testing.T) {
	one := func(n int) *DirTree {
		return &DirTree{Files: []FileEntry{{strings.Repeat("x", n), sum(t, idA1Empty)}}}
	}
	many := &DirTree{}
	for i := range 1700 {
		many.Files = append(many.Files, FileEntry{fmt.Sprintf("%04d", i), sum(t, idA1Empty)})
	}
	for _, c := range []struct {
		name   string
		tree   *DirTree
		length int
		suffix string
		id     string
	}{
		{"C0", &DirTree{}, 1, "00", idC0},
		{"C1", treeC1(t), 111, "04 23466b 6e", idC1},
		{"C2", treeC2(t), 181, "2404 468c 26", idC2},
		{"C3 219", one(219), 255, "7edcfdfe", "3a000de85291082f8ad5adfa992f45e62f774ab8ad45822f6864bbb6bb20dc42"},
		{"C3 220", one(220), 257, "ddfeff00", "e21e0685b4de6f068d8e8141e7ee01e9fc53d2697c38e379e6b2814357e16564"},
		{"C3 1700", many, 71404, "", "462d20ce84a59d3900bf21a9cd4265004075a925a770fa2a67a3981166bd6e6e"},
	} {
		got := encodeDirTree(c.tree)
		if len(got) != c.length || !bytes.HasSuffix(got, unhex(t, c.suffix)) {
			t.Errorf("%s: %d bytes, ends in %x", c.name, len(got), got[max(0, len(got)-8):])
		}
		if id := Checksum(sha256.Sum256(got)); id.String() != c.id {
			t.Errorf("%s: id %v", c.name, id)
		}
		if back, err := decodeDirTree(got); err != nil || !bytes.Equal(encodeDirTree(back), got) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func commitD1(t testing.TB) *Commit {
	return &Commit{
		Metadata: Metadata{
			{"version", StringVariant("1.0")},
			{"x.n", Variant{"t", []byte{0, 0, 0, 0, 0, 0, 0, 5}}},
		},
		Parent: sum(t, idD0), Subject: "subj", Timestamp: 1700000000, Tree: sum(t, idC2), Meta: sum(t, idB1),
	}
}

func TestCommit(t *testing.T) {
	d0 := &Commit{Tree: sum(t, idC0), Meta: sum(t, idB1)}
	for _, c := range []struct {
		name, want, id string
		commit         *Commit
	}{
		{"D0", "0000 000000000000 0000000000000000" + idC0 + idB1 + "300201000000", idD0, d0},
		{"D1", "76657273696f6e00 312e3000 00 73 08 00 782e6e00 00000000 0000000000000005 00 74 04 0f23" +
			idD0 + "7375626a00 00 0000000000 000000006553f100" + idC2 + idB1 + "784b4a454525", idD1, commitD1(t)},
	} {
		got := encodeCommit(c.commit)
		if !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("%s:\ngot  %x\nwant %x", c.name, got, unhex(t, c.want))
		}
		if id := Checksum(sha256.Sum256(got)); id.String() != c.id {
			t.Errorf("%s: id %v", c.name, id)
		}
		if back, err := decodeCommit(got); err != nil || !bytes.Equal(encodeCommit(back), got) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// What libostree 2022.7's fsck tolerates and a checkout would stumble over.
func TestDecodersRefuse(t *testing.T) {
	file := func(names ...string) *DirTree {
		tree := &DirTree{}
		for _, name := range names {
			tree.Files = append(tree.Files, FileEntry{name, sum(t, idA1)})
		}
		return tree
	}
	for name, tree := range map[string]*DirTree{
		"unsorted":   file("b", "a"),
		"twice":      file("a", "a"),
		"empty name": file(""),
		"dot":        file("."),
		"dot dot":    file(".."),
		"slash":      file("a/b"),
		"NUL":        file("a\x00b"),
		"not UTF-8":  file("\xff\xfe"),
		"256 bytes":  file(strings.Repeat("x", 256)),
		"file and dir": {
			Files: []FileEntry{{"a", sum(t, idA1)}},
			Dirs:  []DirEntry{{"a", sum(t, idC0), sum(t, idB1)}},
		},
	} {
		if _, err := decodeDirTree(encodeDirTree(tree)); err == nil {
			t.Errorf("dirtree %s: accepted", name)
		}
	}
	b := encodeDirTree(treeC2(t))
	for name, b := range map[string][]byte{
		"nothing":   {},
		"cut":       b[:len(b)-1],
		"slack":     append([]byte{0}, b...),
		"short id":  encodeTuple(member{1, 0, encodeArray(1, [][]byte{encodeTuple(member{1, 0, []byte("a\x00")}, member{1, 0, []byte("x")})})}, member{1, 0, nil}),
		"no NUL":    encodeTuple(member{1, 0, encodeArray(1, [][]byte{encodeTuple(member{1, 0, []byte("a")}, member{1, 0, make([]byte, 32)})})}, member{1, 0, nil}),
		"big table": bytes.Repeat([]byte{0xff}, 300),
	} {
		if _, err := decodeDirTree(b); err == nil {
			t.Errorf("dirtree %s: accepted", name)
		}
	}
	d1 := encodeCommit(commitD1(t))
	d1[15] = 1 // padding
	if _, err := decodeCommit(d1); err == nil {
		t.Error("commit with padding that is not zero: accepted")
	}
	if _, err := decodeDirMeta(unhex(t, "00000000 00000000 000081ed")); err == nil {
		t.Error("dirmeta with the mode of a file: accepted")
	}
	twice := &Commit{Metadata: Metadata{{"a", StringVariant("1")}, {"a", StringVariant("2")}}}
	if _, err := decodeCommit(encodeCommit(twice)); err == nil {
		t.Error("commit with a key twice: accepted")
	}
}

func fuzzDecoder[T any](f *testing.F, decode func([]byte) (T, error), encode func(T) []byte) {
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := decode(b)
		if err != nil {
			return
		}
		if again := encode(v); !bytes.Equal(again, b) {
			t.Errorf("accepted %x, which is written %x", b, again)
		}
	})
}

func FuzzDirMeta(f *testing.F) {
	f.Add(encodeDirMeta(Meta{Mode: 0o755}))
	f.Add(encodeDirMeta(metaB2))
	f.Add(encodeDirMeta(metaA4))
	fuzzDecoder(f, decodeDirMeta, encodeDirMeta)
}

func FuzzDirTree(f *testing.F) {
	f.Add(encodeDirTree(&DirTree{}))
	f.Add(encodeDirTree(treeC1(f)))
	f.Add(encodeDirTree(treeC2(f)))
	fuzzDecoder(f, decodeDirTree, encodeDirTree)
}

func FuzzCommit(f *testing.F) {
	f.Add(encodeCommit(&Commit{Tree: sum(f, idC0), Meta: sum(f, idB1)}))
	f.Add(encodeCommit(commitD1(f)))
	fuzzDecoder(f, decodeCommit, encodeCommit)
}

func FuzzMetadata(f *testing.F) {
	f.Add(encodeMetadata(commitD1(f).Metadata))
	f.Add(encodeMetadata(Metadata{{"ostree.ref-binding", Variant{"as", []byte("a\x00\x02")}}}))
	fuzzDecoder(f, decodeMetadata, encodeMetadata)
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(newConfig))
	f.Add([]byte("[core]\nrepo_version=1\nmode=bare\nmin-free-space-size=500MB\n[remote \"x\"]\nurl=http://h/\n"))
	f.Fuzz(func(t *testing.T, b []byte) { parseConfig(b) })
}

// What a prune removes has exactly the name of an object.
func FuzzObjectName(f *testing.F) {
	f.Add("61", idD0[2:]+".commit")
	f.Add("61", idD0[2:]+".commitmeta")
	f.Add("61", strings.ToUpper(idD0[2:])+".file")
	f.Add("AB", idD0[2:]+".file")
	f.Fuzz(func(t *testing.T, prefix, name string) {
		if _, ok := hexByte(prefix); !ok {
			return
		}
		sum, ext, ok := parseObjectName(prefix, name)
		k, known := kindOf(ext)
		if !ok || !known {
			return
		}
		want := strings.TrimSuffix(object{sum, k}.path(), extensions[k]) + ext
		if prefix+"/"+name != want {
			t.Errorf("%q in %q is taken for %s", name, prefix, want)
		}
	})
}
