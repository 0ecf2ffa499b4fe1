package layer

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// MaxWindow is the largest zstd window that is accepted, and so about the most
// memory a stream can ask for. It is what zstd(1) accepts by default.
const MaxWindow = 128 << 20

// refused are compressions no image specification knows.
var refused = []struct{ name, magic string }{
	{"xz", "\xfd7zXZ\x00"},
	{"bzip2", "BZh"},
	{"lz4", "\x04\x22\x4d\x18"},
	{"lzma", "\x5d\x00\x00"},
	{"compress", "\x1f\x9d"},
	{"zip", "PK\x03\x04"},
}

// Decompress tells gzip, zstd and plain tar apart by their first bytes and
// returns the plain stream. Several gzip members, and several zstd frames, are
// one stream, and skippable frames are skipped; anything else behind them
// refuses the layer, as containers/image does. It decompresses ahead of the reader, in a
// goroutine of its own. What reads to io.EOF has read r to io.EOF.
//
// Close ends the goroutine; it waits for a Read of r that is under way. It
// does not close r.
func Decompress(r io.Reader) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(r, 128<<10)
	magic, err := buffered.Peek(6)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("decompress gzip: %w", err)
		}
		return readAhead(z, "gzip", func() { z.Close() }), nil
	case isZstd(magic):
		z, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(MaxWindow))
		if err != nil {
			return nil, fmt.Errorf("decompress zstd: %w", err)
		}
		return readAhead(z, "zstd", z.Close), nil
	}
	for _, c := range refused {
		if bytes.HasPrefix(magic, []byte(c.magic)) {
			return nil, fmt.Errorf("decompress: %s is not supported, only gzip, zstd and plain tar", c.name)
		}
	}
	return io.NopCloser(buffered), nil // no tar is for Read to find out
}

// isZstd knows frames and skippable frames.
func isZstd(magic []byte) bool {
	return bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}) ||
		len(magic) >= 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:4], []byte{0x2a, 0x4d, 0x18})
}

const (
	aheadPiece  = 256 << 10
	aheadPieces = 6
)

// ahead reads a stream before it is asked to.
type ahead struct {
	full   chan piece
	free   chan []byte
	stop   chan struct{}
	done   chan struct{}
	now    []byte // what is left of buffer
	buffer []byte
	err    error
	closed bool
}

type piece struct {
	buffer []byte
	n      int
	err    error
}

func readAhead(r io.Reader, what string, release func()) *ahead {
	a := &ahead{
		full: make(chan piece, aheadPieces), free: make(chan []byte, aheadPieces),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	for range aheadPieces {
		a.free <- make([]byte, aheadPiece)
	}
	go func() {
		defer close(a.done)
		defer release()
		for {
			select {
			case <-a.stop:
				return
			case b := <-a.free:
				n, err := fill(r, b)
				if err != nil && err != io.EOF {
					err = fmt.Errorf("decompress %s: %w", what, err)
				}
				a.full <- piece{b, n, err} // never blocks: as many places as buffers
				if err != nil {
					return
				}
			}
		}
	}()
	return a
}

// fill is io.ReadFull that tells the end of r from r's own ErrUnexpectedEOF.
func fill(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = r.Read(b[n:])
		n += m
	}
	return n, err
}

func (a *ahead) Read(p []byte) (int, error) {
	for len(a.now) == 0 {
		if a.err != nil {
			return 0, a.err
		}
		if a.buffer != nil {
			a.free <- a.buffer
			a.buffer = nil
		}
		next := <-a.full
		a.buffer, a.now, a.err = next.buffer, next.buffer[:next.n], next.err
	}
	n := copy(p, a.now)
	a.now = a.now[n:]
	return n, nil
}

func (a *ahead) Close() error {
	if !a.closed {
		a.closed = true
		close(a.stop)
		<-a.done
		if a.err == nil {
			a.err = io.ErrClosedPipe
		}
		a.now = nil
	}
	return nil
}
