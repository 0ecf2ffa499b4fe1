package layer

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// null is a sink that does not even read small files.
type null struct{}

func (null) File(_ Meta, size int64, content io.Reader) (ID, error) {
	if size > smallFile {
		_, err := io.Copy(io.Discard, content)
		return ID{}, err
	}
	return ID{}, nil
}

func (null) Symlink(Meta, string) (ID, error) { return ID{}, nil }

// realistic is 260 MB in 10,000 entries, in sizes as a Debian root has them:
// half of the files are below 3 KiB.
func realistic(b *testing.B) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	content := make([]byte, 16<<20)
	for i := range content {
		content[i] = byte(r.Uint32())
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	write := func(h *tar.Header) {
		if err := w.WriteHeader(h); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(content[:h.Size]); err != nil {
			b.Fatal(err)
		}
	}
	for d := range 500 {
		dir := fmt.Sprintf("usr/share/package%d/directory%d", d/10, d)
		write(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755})
		for f := range 18 {
			size := int64(r.ExpFloat64() * 4000)
			if f == 0 {
				size = int64(r.ExpFloat64() * 300_000)
			}
			if f == 1 && d%100 == 0 {
				size = 12 << 20
			}
			write(&tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("%s/some-file-%d.txt", dir, f), Mode: 0o644, Size: size})
		}
		write(&tar.Header{Typeflag: tar.TypeSymlink, Name: dir + "/link", Linkname: "../some/other/place", Mode: 0o777})
	}
	w.Close()
	return out.Bytes()
}

func BenchmarkRead(b *testing.B) {
	stream := realistic(b)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(b.Context(), bytes.NewReader(stream), null{}, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// What archive/tar takes that cannot seek, as none can behind a decompressor.
func BenchmarkTar(b *testing.B) {
	stream := realistic(b)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		for r := tar.NewReader(struct{ io.Reader }{bytes.NewReader(stream)}); ; {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkMerge(b *testing.B) {
	tree, err := Read(b.Context(), bytes.NewReader(realistic(b)), null{}, Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Merge([]*Tree{tree, tree}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSplitAndRejoin(b *testing.B) {
	tree, err := Read(b.Context(), bytes.NewReader(realistic(b)), null{}, Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		root, note := tree.Split()
		if _, err := Rejoin(root, note); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecompress(b *testing.B) {
	// Half of it compresses, as binaries do.
	plain := realistic(b)
	for i := 0; i+1<<10 <= len(plain); i += 2 << 10 {
		clear(plain[i : i+1<<10])
	}
	for name, blob := range map[string][]byte{"gzip": gzipped(plain), "zstd": zstded(plain)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			for b.Loop() {
				r, err := Decompress(bytes.NewReader(blob))
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, r); err != nil || n != int64(len(plain)) {
					b.Fatal(n, err)
				}
				r.Close()
			}
		})
	}
}
