package layer

import (
	"archive/tar"
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What archive/tar does not write: other dialects, and what is broken.
func TestReadStreams(t *testing.T) {
	end := make([]byte, 1024)
	whole := archive(t, file("f", 0o644, strings.Repeat("x", 2000)))
	two := archive(t, file("f", 0o644, "1"), file("g", 0o644, "2"))
	const f = "/f 644 0:0 "
	x2000 := f + fmt.Sprintf("%q\n", strings.Repeat("x", 2000))
	holes := f + fmt.Sprintf("%q\n", "\x00\x00ab\x00\x00\x00c\x00\x00")
	for _, c := range []struct {
		name   string
		stream []byte
		want   string // see expect
	}{
		{"nothing", nil, ""},
		{"end alone", end, ""},
		{"not UTF-8", concat(raw('0', "\xff\xfe", ""), end), "!entry \"\\xff\\xfe\": the name is not UTF-8"},
		{"target not UTF-8", concat(raw('2', "l", "\xff"), end), "!symbolic link to \"\\xff\""},
		{"no target", concat(raw('2', "l", ""), end), "!symbolic link to \"\""},
		{"no name", concat(raw('0', "", ""), end), "!the root is not a directory"},
		{"NUL in a name", concat(pax('x', "path", "a\x00b"), raw('0', "f", ""), end), "!read tar"},
		{"NUL in an attribute's name", concat(pax('x', "SCHILY.xattr.user.a\x00b", "1"), raw('0', "f", ""), end), "!read tar"},
		{"cut in a file", whole[:1000], "!unexpected EOF"},
		{"cut behind the data", whole[:512+2000], x2000},
		{"cut behind the padding", whole[:512+2048], x2000},
		{"one zero block", whole[:512+2048+512], x2000},
		{"cut in a header", two[:1024+100], "!unexpected EOF"},
		{"cut in an extended header", pax('x', "path", "f")[:515], "!unexpected EOF"},
		{"no tar", bytes.Repeat([]byte("garbage "), 200), "!read tar"},
		{"text", []byte("Not Found\n"), "!read tar"},
		{"wrong checksum", concat(bytes.Replace(raw('0', "f", ""), []byte("f"), []byte("g"), 1), end), "!read tar"},
		{"zero block in the middle", concat(whole[:512+2048], end[:512], whole), "!read tar"},
		{"garbage behind the end", concat(whole, []byte("garbage")), x2000},
		{"an archive behind the end", concat(whole, archive(t, file("g", 0o644, ""))), x2000},
		{"endless", concat(whole, make([]byte, maxTrailing+1)), "!behind the last entry"},
		{"before POSIX", concat(unix7(raw('0', "f", "")), end), f + "\"\"\n"},
		{"before POSIX, no type", concat(unix7(raw(0, "f", "")), end), f + "\"\"\n"},
		{"before POSIX, directory", concat(unix7(raw(0, "d/", "")), end), "/d 644 0:0\n"},
		{"link with a size", concat(sized(raw('2', "l", "x"), 1<<30), end), "/l 777 0:0 -> x\n"},
		{"hard link with a size", concat(raw('0', "f", ""), sized(raw('1', "g", "f"), 1<<30), end), f + "\"\"\n/g 644 0:0 \"\"\n"},
		{"directory with a size", concat(sized(raw('5', "d", ""), 1<<30), end), "/d 644 0:0\n"},
		{"whiteout with content", concat(sized(raw('0', ".wh.a", ""), 1), padded("x"), raw('0', "f", ""), end), f + "\"\"\n"},
		{"base 256", concat(numbers(raw('0', "f", ""), 1<<31, 1<<32-2), end), "/f 644 2147483648:4294967294 \"\"\n"},
		{"base 256, nobody", concat(numbers(raw('0', "f", ""), 1<<32-1, 0), end), "!owner 4294967295:0"},
		{"base 256, negative", concat(numbers(raw('0', "f", ""), 0, -1), end), "!owner 0:-1"},
		{"PAX ids", concat(pax('x', "uid", "3000000000", "gid", "1"), raw('0', "f", ""), end), "/f 644 3000000000:1 \"\"\n"},
		{"PAX ids, nobody", concat(pax('x', "uid", "4294967295"), raw('0', "f", ""), end), "!owner 4294967295:0"},
		{"PAX ids, no number", concat(pax('x', "uid", "root"), raw('0', "f", ""), end), "!read tar"},
		{"PAX path outside", concat(pax('x', "path", "../f"), raw('0', "f", ""), end), "!\"..\""},
		{"PAX link outside", concat(pax('x', "linkpath", "../f"), raw('1', "g", "f"), end), "!\"..\""},
		{"PAX size", concat(pax('x', "size", "2"), raw('0', "f", ""), padded("xy"), end), f + "\"xy\"\n"},
		{"PAX size, negative", concat(pax('x', "size", "-1"), raw('0', "f", ""), end), "!read tar"},
		{"PAX size, largest", concat(pax('x', "size", fmt.Sprint(math.MaxInt64)), raw('0', "f", ""), end), "!FileSize="},
		{"PAX twice, the last counts", concat(pax('x', "path", "a", "path", "f"), raw('0', "x", ""), end), f + "\"\"\n"},
		{"PAX of nothing", pax('x', "path", "a"), ""},
		{"PAX, no record", concat(sized(raw('x', "pax", ""), 7), padded("garbage"), raw('0', "f", ""), end), "!read tar"},
		{"PAX over a megabyte", concat(pax('x', "comment", strings.Repeat("x", 1<<20)), raw('0', "f", ""), end), "!read tar"},
		{"global header", concat(pax('g', "path", "../../g", "uid", "7"), raw('0', "f", ""), end), f + "\"\"\n"},
		{"long name over a megabyte", concat(sized(raw('L', "././@LongLink", ""), 1<<20+1), padded(strings.Repeat("x", 1<<20+1)), raw('0', "f", ""), end), "!read tar"},
		{"long name outside", concat(long('L', "../"+strings.Repeat("x", 200)), raw('0', "f", ""), end), "!\"..\""},
		{"long name and link", concat(long('K', strings.Repeat("t", 150)), long('L', strings.Repeat("n", 150)), raw('2', "f", "x"), end),
			"/" + strings.Repeat("n", 150) + " 777 0:0 -> " + strings.Repeat("t", 150) + "\n"},
		{"contiguous", concat(sized(raw('7', "f", ""), 1), padded("1"), end), f + "\"1\"\n"},
		{"sparse, old", concat(oldSparse("f", 10, "abc", 2, 2, 7, 1), end), holes},
		{"sparse, 0.0", concat(pax('x', "GNU.sparse.size", "10", "GNU.sparse.numblocks", "2", "GNU.sparse.offset", "2", "GNU.sparse.numbytes", "2",
			"GNU.sparse.offset", "7", "GNU.sparse.numbytes", "1"), sized(raw('0', "f", ""), 3), padded("abc"), end), holes},
		{"sparse, 0.1", sparse01("f", 10, "2,2,7,1", "abc"), holes},
		{"sparse, 1.0", concat(pax('x', "GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.name", "f", "GNU.sparse.realsize", "10"),
			sized(raw('0', "GNUSparseFile.0/f", ""), 515), padded("2\n2\n2\n7\n1\n"), padded("abc"), end), holes},
		{"sparse, name outside", sparse01("../f", 10, "2,2,7,1", "abc"), "!\"..\""},
		{"sparse, overlapping", sparse01("f", 10, "2,2,3,1", "abc"), "!read tar"},
		{"sparse, more data than there is", sparse01("f", 10, "2,2,7,2", "abc"), "!non-existent data"},
		{"sparse, beyond its end", sparse01("f", 3, "2,2", "ab"), "!read tar"},
		{"sparse, negative", sparse01("f", 10, "-2,2", "ab"), "!read tar"},
		{"sparse, cut", sparse01("f", 10, "2,2,7,1", "abc")[:1537], "!unexpected EOF"},
		{"extended by another type", concat(raw('X', "f", ""), end), "!unknown type 'X'"},
		{"volume label", concat(raw('V', "f", ""), end), "!unknown type 'V'"},
		{"listing of GNU", concat(raw('D', "d", ""), end), "!unknown type 'D'"},
	} {
		expect(t, c.name, c.stream, c.want)
	}
}

// tar(1) writes every dialect it knows: all must make the tree it was given.
func TestReadWhatTarWrites(t *testing.T) {
	need(t, "tar")
	dir := t.TempDir()
	name := strings.Repeat("long name ", 14)
	many := map[int64]string{}
	for i := range int64(50) {
		many[i<<15] = "x"
	}
	for _, err := range []error{
		os.Mkdir(dir+"/d", 0o755), os.Chmod(dir, 0o755), os.Chmod(dir+"/d", 0o6751),
		os.WriteFile(dir+"/d/f", []byte("content"), 0o644), os.Chmod(dir+"/d/f", 0o4711), os.Lchown(dir+"/d/f", 65000, 77),
		os.Link(dir+"/d/f", dir+"/h"), os.Symlink("d/f", dir+"/l"),
		sparseFile(dir+"/sparse", 3<<20, map[int64]string{0: "begin", 1 << 20: "middle"}), sparseFile(dir+"/hole", 1<<20, nil), sparseFile(dir+"/many", 2<<20, many),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		long  bool // names
		large bool // owners
		args  []string
	}{
		{"v7", false, false, []string{"--format=v7"}},
		{"ustar", false, false, []string{"--format=ustar"}},
		{"oldgnu", true, true, []string{"--format=oldgnu", "--sparse"}},
		{"gnu", true, true, []string{"--format=gnu", "--sparse"}},
		{"posix", true, true, []string{"--format=posix"}},
		{"posix, attributes", true, true, []string{"--format=posix", "--xattrs", "--xattrs-include=*"}},
		{"posix, sparse 0.0", true, true, []string{"--format=posix", "--sparse", "--sparse-version=0.0"}},
		{"posix, sparse 0.1", true, true, []string{"--format=posix", "--sparse", "--sparse-version=0.1"}},
		{"posix, sparse 1.0", true, true, []string{"--format=posix", "--sparse", "--sparse-version=1.0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var extra []string
			if c.long {
				extra = append(extra, name, name+"link")
			}
			if c.large {
				extra = append(extra, "large")
			}
			for _, name := range extra {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
					t.Fatal(err)
				}
				defer os.Remove(filepath.Join(dir, name))
			}
			if c.large && os.Lchown(dir+"/large", 4000000000, 1<<31) != nil {
				t.Skip("needs root")
			}
			if c.long {
				os.Remove(dir + "/" + name + "link")
				if err := os.Symlink(strings.Repeat("x/", 200), dir+"/"+name+"link"); err != nil {
					t.Fatal(err)
				}
			}
			for path, attribute := range map[string]string{"/d": "trusted.d", "/d/f": "user.f", "/h": "security.capability"} {
				if !slices.Contains(c.args, "--xattrs") {
					break
				}
				if err := unix.Lsetxattr(dir+path, attribute, []byte("\x01\x00\x00\x02\x00\x04"+strings.Repeat("\x00", 14)), 0); err != nil {
					t.Fatal(err)
				}
				defer unix.Lremovexattr(dir+path, attribute)
			}
			stream, err := exec.Command("tar", append(c.args, "-C", dir, "-c", ".")...).Output()
			if err != nil {
				t.Fatal(err)
			}
			tree, err := Read(t.Context(), bytes.NewReader(stream), sums{}, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			m, err := Merge([]*Tree{tree})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, m, dir)
		})
	}
}

// sparseFile is a hole of that size with pieces in it.
func sparseFile(path string, size int64, pieces map[int64]string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return err
	}
	for offset, piece := range pieces {
		if _, err := f.WriteAt([]byte(piece), offset); err != nil {
			return err
		}
	}
	return nil
}

// raw is a header archive/tar would not write.
func raw(flag byte, name, link string) []byte {
	h := make([]byte, 512)
	copy(h, name)
	copy(h[100:], "0000644\x000000000\x000000000\x0000000000000\x0000000000000\x00        ")
	h[156] = flag
	copy(h[157:], link)
	copy(h[257:], "ustar\x0000")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// long is GNU's header for a long name ('L') or link ('K').
func long(flag byte, text string) []byte {
	return append(sized(raw(flag, "././@LongLink", ""), int64(len(text)+1)), padded(text+"\x00")...)
}

// unix7 makes a header that is older than ustar.
func unix7(h []byte) []byte {
	clear(h[257:])
	return summed(h)
}

// numbers are owner and group in base 256.
func numbers(h []byte, uid, gid int64) []byte {
	for at, n := range map[int]int64{108: uid, 116: gid} {
		for i := range 8 {
			h[at+i] = byte(n >> (8 * (7 - i)))
		}
		if n >= 0 {
			h[at] = 0x80
		}
	}
	return summed(h)
}

// pax is an extended header with records in that order.
func pax(flag byte, records ...string) []byte {
	var b bytes.Buffer
	for i := 0; i < len(records); i += 2 {
		body := " " + records[i] + "=" + records[i+1] + "\n"
		n := len(body) + 1
		for len(fmt.Sprint(n))+len(body) != n {
			n++
		}
		fmt.Fprint(&b, n, body)
	}
	return append(sized(raw(flag, "pax", ""), int64(b.Len())), padded(b.String())...)
}

func padded(content string) []byte {
	return append([]byte(content), make([]byte, -len(content)&511)...)
}

// sized changes the size a header declares.
func sized(h []byte, size int64) []byte {
	copy(h[124:], fmt.Sprintf("%011o\x00", size))
	return summed(h)
}

func summed(h []byte) []byte {
	copy(h[148:], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// sparse01 is a file in GNU's PAX format 0.1: a map of pairs of offset and length.
func sparse01(name string, size int64, holes, data string) []byte {
	return concat(
		pax('x', "GNU.sparse.major", "0", "GNU.sparse.minor", "1", "GNU.sparse.name", name, "GNU.sparse.size", fmt.Sprint(size),
			"GNU.sparse.numblocks", fmt.Sprint((strings.Count(holes, ",")+1)/2), "GNU.sparse.map", holes),
		sized(raw('0', "GNUSparseFile.0/"+name, ""), int64(len(data))), padded(data), make([]byte, 1024))
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// oldSparse is a file in GNU's old format, with a map of at most four pairs.
func oldSparse(name string, size int64, data string, pairs ...int64) []byte {
	h := raw(tar.TypeGNUSparse, name, "")
	copy(h[257:], "ustar  \x00")
	for i, n := range pairs {
		copy(h[386+12*i:], fmt.Sprintf("%011o\x00", n))
	}
	copy(h[483:], fmt.Sprintf("%011o\x00", size))
	return append(sized(h, int64(len(data))), padded(data)...)
}

// endlessOldSparse says again and again that the map goes on.
func endlessOldSparse() []byte {
	h := oldSparse("f", 1<<20, "")
	h[482] = 1
	block := make([]byte, 512)
	for i := range 21 {
		copy(block[24*i:], fmt.Sprintf("%011o\x00%011o\x00", 1, 0))
	}
	block[504] = 1
	return append(summed(h), bytes.Repeat(block, 10_000)...)
}
