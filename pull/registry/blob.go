package registry

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	digest "github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/pkg/blobinfocache/none"
)

// stall is how long a stream may bring nothing before it is given up.
const stall = 60 * time.Second

// Layer starts fetching one layer and returns the stream as transferred, which
// is usually compressed. The stream ends in io.EOF only if its size and digest
// are the manifest's; a reader must therefore read to the end before it
// believes anything. received, if not nil, is told of every piece.
func (s *Source) Layer(ctx context.Context, layer Layer, received func(n int)) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	if !s.src.HasThreadSafeGetBlob() {
		s.serial.Lock()
		defer s.serial.Unlock()
	}
	var body io.ReadCloser
	err := retry(ctx, func() (err error) {
		body, _, err = s.src.GetBlob(ctx, layer.info, none.NoCache)
		return err
	})
	if err != nil {
		cancel(nil)
		return nil, fmt.Errorf("fetch layer %s: %w", layer.Digest, err)
	}
	stalled := time.AfterFunc(stall, func() { cancel(fmt.Errorf("no data for %v", stall)) })
	return &blob{
		Reader: Verify(&counted{r: body, n: received, stalled: stalled, ctx: ctx}, "layer", layer.Digest, layer.Size),
		close: func() error {
			stalled.Stop()
			defer cancel(nil)
			return body.Close()
		},
	}, nil
}

type blob struct {
	io.Reader
	close func() error
}

func (b *blob) Close() error { return b.close() }

type counted struct {
	r       io.Reader
	n       func(int)
	stalled *time.Timer
	ctx     context.Context
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if n > 0 {
		c.stalled.Reset(stall)
		if c.n != nil {
			c.n(n)
		}
	}
	if err != nil && err != io.EOF {
		if cause := context.Cause(c.ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
	}
	return n, err
}

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
