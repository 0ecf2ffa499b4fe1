package registry

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	digest "github.com/opencontainers/go-digest"
)

func TestVerify(t *testing.T) {
	content := []byte(strings.Repeat("layer", 1000))
	want := digest.FromBytes(content)
	for _, c := range []struct {
		name   string
		served []byte
		size   int64
		err    string // "" for none
	}{
		{"as promised", content, 5000, ""},
		{"size not known", content, -1, ""},
		{"truncated", content[:4000], 5000, "truncated, 1000 bytes are missing"},
		{"truncated, size not known", content[:4000], -1, "wrong content"},
		{"longer", append(bytes.Clone(content), 'x'), 5000, "longer than the manifest says"},
		{"one byte flipped", bytes.Replace(content, []byte("r"), []byte("R"), 1), 5000, "wrong content"},
		{"empty", nil, 5000, "truncated, 5000 bytes are missing"},
	} {
		for _, reader := range []io.Reader{bytes.NewReader(c.served), iotest.OneByteReader(bytes.NewReader(c.served)), iotest.DataErrReader(bytes.NewReader(c.served))} {
			_, err := io.Copy(io.Discard, Verify(reader, "layer", want, c.size))
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %q", c.name, err, c.err)
			}
		}
	}
}

// An error stays: a reader that asks again must not get past it.
func TestVerifyKeepsItsError(t *testing.T) {
	v := Verify(strings.NewReader("x"), "layer", digest.FromString("y"), 1)
	_, first := io.ReadAll(v)
	_, second := v.Read(make([]byte, 1))
	if first == nil || !errors.Is(second, first) {
		t.Errorf("first %v, then %v", first, second)
	}
}
