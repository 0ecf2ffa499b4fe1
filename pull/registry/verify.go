package registry

import (
	"fmt"
	"hash"
	"io"

	digest "github.com/opencontainers/go-digest"
)

// Verify passes r through and replaces its io.EOF by an error unless exactly
// size bytes (-1: any number) with that digest went by. More than size bytes
// are refused as soon as they come. what names the stream in errors.
func Verify(r io.Reader, what string, want digest.Digest, size int64) io.Reader {
	return &verifier{r: r, what: what, want: want, left: size, sized: size >= 0, hash: want.Algorithm().Hash()}
}

type verifier struct {
	r     io.Reader
	what  string
	want  digest.Digest
	left  int64
	sized bool
	hash  hash.Hash
	err   error
}

func (v *verifier) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	n, err := v.r.Read(p)
	v.hash.Write(p[:n])
	v.left -= int64(n)
	switch {
	case v.sized && v.left < 0:
		n, err = 0, fmt.Errorf("%s %s: longer than the manifest says", v.what, v.want)
	case err == io.EOF && v.sized && v.left > 0:
		err = fmt.Errorf("%s %s: truncated, %d bytes are missing", v.what, v.want, v.left)
	case err == io.EOF:
		if got := digest.NewDigest(v.want.Algorithm(), v.hash); got != v.want {
			err = fmt.Errorf("%s %s: wrong content, its digest is %s", v.what, v.want, got)
		}
	}
	v.err = err
	return n, err
}
