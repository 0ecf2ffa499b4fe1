package layer

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func zstded(b []byte, options ...zstd.EOption) []byte {
	w, err := zstd.NewWriter(nil, options...)
	if err != nil {
		panic(err)
	}
	return w.EncodeAll(b, nil)
}

func flipped(b []byte, at int) []byte {
	b[len(b)+at] ^= 1
	return b
}

func TestDecompress(t *testing.T) {
	plain := bytes.Repeat([]byte("some text, "), 300_000)
	skippable := []byte("\x50\x2a\x4d\x18\x03\x00\x00\x00abc")
	for name, c := range map[string]struct {
		stream []byte
		want   []byte
	}{
		"plain":          {plain, plain},
		"nothing":        {nil, nil},
		"gzip":           {gzipped(plain), plain},
		"gzip twice":     {append(gzipped(plain), gzipped(plain)...), append(bytes.Clone(plain), plain...)},
		"zstd":           {zstded(plain), plain},
		"zstd skippable": {append(skippable, zstded(plain)...), plain},
		"zstd frames":    {concat(zstded(plain), skippable, zstded(nil), zstded(plain), skippable), concat(plain, plain)},
		"zstd nothing":   {skippable, nil},
		"gzip nothing":   {concat(gzipped(nil), gzipped(nil), gzipped(plain)), plain},
		"short":          {[]byte{0x1f}, []byte{0x1f}},
	} {
		r, err := Decompress(bytes.NewReader(c.stream))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %d bytes, want %d, %v", name, len(got), len(c.want), err)
		}
		r.Close()
		r.Close()
	}
}

func TestDecompressRefuses(t *testing.T) {
	plain := bytes.Repeat([]byte("some text, "), 300_000)
	bad := errors.New("wrong digest")
	for name, c := range map[string]struct {
		stream io.Reader
		want   string
	}{
		"xz":            {strings.NewReader("\xfd7zXZ\x00..."), "xz is not supported"},
		"bzip2":         {strings.NewReader("BZh91AY"), "bzip2 is not supported"},
		"gzip, cut":     {bytes.NewReader(gzipped(plain)[:5000]), "unexpected EOF"},
		"gzip, garbage": {io.MultiReader(bytes.NewReader(gzipped(plain)), strings.NewReader("garbage")), "gzip"},
		"gzip, digest":  {io.MultiReader(bytes.NewReader(gzipped(plain)), failing{bad}), "wrong digest"},
		"zstd, digest":  {io.MultiReader(bytes.NewReader(zstded(plain)), failing{bad}), "wrong digest"},
		"plain, digest": {io.MultiReader(bytes.NewReader(plain), failing{bad}), "wrong digest"},
		"zstd, cut":     {bytes.NewReader(zstded(plain)[:20]), "EOF"},
		"zstd, garbage": {bytes.NewReader(concat(zstded(plain), []byte("garbage"))), "zstd"},
		"gzip, zeros":   {bytes.NewReader(concat(gzipped(plain), make([]byte, 512))), "gzip"},
		"gzip, sum":     {bytes.NewReader(flipped(gzipped(plain), -6)), "checksum"},
		"gzip, length":  {bytes.NewReader(flipped(gzipped(plain), -1)), "checksum"},
		"zstd, sum":     {bytes.NewReader(flipped(zstded(plain), -1)), "CRC"},
		"gzip, header":  {strings.NewReader("\x1f\x8b\x08\x00"), "EOF"},
		"gzip, name":    {io.MultiReader(strings.NewReader("\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x03"), repeated([]byte("x"), 1<<20)), "gzip"},
		"zstd, 4 GiB":   {bytes.NewReader([]byte("\x28\xb5\x2f\xfd\x00\xb0" + "\x01\x00\x00")), "window"},
		"zstd, single":  {bytes.NewReader([]byte("\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00")), "exceeds"},
		"zstd, window":  {bytes.NewReader([]byte("\x28\xb5\x2f\xfd\x00\x98" + "\x01\x00\x00")), "window"},
	} {
		r, err := Decompress(c.stream)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			r.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestDecompressClosedEarly(t *testing.T) {
	r, err := Decompress(bytes.NewReader(gzipped(make([]byte, 50<<20))))
	if err != nil {
		t.Fatal(err)
	}
	io.CopyN(io.Discard, r, 10)
	r.Close()
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Error("read after Close")
	}
}

// Programs compress in ways that our libraries do not.
func TestDecompressWhatProgramsWrite(t *testing.T) {
	plain := bytes.Repeat(random(1, 100_000), 40)
	for _, command := range []string{"gzip -1", "gzip -9", "zstd -1", "zstd -19 -T2", "zstd --long=27 --no-check", "zstd --fast=5 --rsyncable"} {
		t.Run(command, func(t *testing.T) {
			args := strings.Fields(command)
			need(t, args[0])
			cmd := exec.Command(args[0], append(args[1:], "-c")...)
			cmd.Stdin = bytes.NewReader(plain)
			blob, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			r, err := Decompress(bytes.NewReader(blob))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%d bytes of %d, %v", len(got), len(plain), err)
			}
		})
	}
}
