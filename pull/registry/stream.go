package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrInterrupted is what a layer's stream ends in if the connection broke in
// the middle and could not be taken up again, or if it was, and what came then
// does not fit. Another call of Layer begins anew and may succeed.
var ErrInterrupted = errors.New("interrupted")

// A connection is given up when it brings nothing for stall, not counting the
// time in which nobody reads, or has no answer after begin. That is longer: the
// library waits within it when a registry says "too many requests, retry after".
var (
	stall = 30 * time.Second
	begin = time.Minute

	errStalled = errors.New("no data for too long")
)

// worthwhile is what a connection must have brought for the next one to follow
// at once.
const worthwhile = 1 << 20

// reconnections bounds them for one layer: a server that sends one byte per
// connection shall not keep us for ever.
var reconnections = 1000

// Layer starts fetching one layer and returns the stream as transferred, which
// is usually compressed. A connection to a registry that breaks or stalls is
// replaced by another that goes on where it ended, unnoticed but for the time.
//
// The stream ends in io.EOF only if its size and digest are the manifest's; a
// reader must therefore read to the end before it believes anything. received,
// if not nil, is told of every piece.
func (s *Source) Layer(ctx context.Context, layer Layer, received func(n int)) (io.ReadCloser, error) {
	st := &stream{ctx: ctx, source: s, layer: layer, received: received, stop: func() {}}
	if err := st.connect(); err != nil {
		st.Close()
		return nil, clean(fmt.Errorf("fetch layer %s: %w", layer.Digest, err))
	}
	return &verified{Reader: Verify(st, "layer", layer.Digest, layer.Size), stream: st}, nil
}

// verified tells which wrong contents another attempt may mend.
type verified struct {
	io.Reader
	*stream
	wrong error
}

func (v *verified) Read(p []byte) (int, error) {
	if v.wrong != nil {
		return 0, v.wrong
	}
	n, err := v.Reader.Read(p)
	if err != nil && err != io.EOF && (v.err == nil || v.err == io.EOF) && v.resumed > 0 {
		v.wrong = fmt.Errorf("%w and resumed: %w", ErrInterrupted, err)
		err = v.wrong
	}
	return n, err
}

// stream is a layer as it comes, over any number of connections.
type stream struct {
	ctx      context.Context
	source   *Source
	layer    Layer
	received func(int)

	offset  int64 // of the next byte that Read returns
	err     error // stays
	resumed int   // connections but the first

	// Of the connection. body is nil when there is none.
	body    io.ReadCloser
	at      int64 // of the next byte of body
	began   int64 // offset when it was made
	cause   error // why the one before ended
	quiet   int   // how many before brought nothing
	request context.Context
	stop    func() // cancels request
	watch   *time.Timer
}

func (s *stream) Read(p []byte) (int, error) {
	for s.err == nil && len(p) > 0 {
		if s.body == nil {
			if s.err = s.connect(); s.err != nil {
				break
			}
		}
		n, err := s.readBody(p)
		if n > 0 {
			return n, nil // an error comes again, or the connection is gone
		}
		switch {
		case err == nil:
		case s.ctx.Err() != nil:
			s.err = context.Cause(s.ctx)
		case !s.source.remote():
			s.err = err
		case err == io.EOF && s.layer.Size < 0, s.offset >= s.layer.Size && s.layer.Size >= 0:
			s.err = io.EOF
		case err == io.EOF && s.cause == io.EOF && s.offset == s.began:
			s.err = io.EOF // twice at the same place: that is all there is
		default: // also an end that comes too early
			s.disconnect(err)
		}
	}
	return 0, s.err
}

// readBody reads from the connection, and drops what was read from an earlier one.
func (s *stream) readBody(p []byte) (int, error) {
	if s.source.remote() {
		p = s.source.limit.piece(p)
	}
	if behind := s.offset - s.at; behind > 0 {
		p = p[:min(int64(len(p)), behind)]
	}
	s.watch.Reset(stall)
	n, err := s.body.Read(p)
	s.watch.Stop()
	if err != nil && context.Cause(s.request) == errStalled {
		err = errStalled
	}
	if s.source.remote() {
		if late := s.source.limit.wait(s.ctx, n); late != nil {
			return 0, late
		}
	}
	s.at += int64(n)
	if s.at <= s.offset {
		return 0, err
	}
	s.offset = s.at
	if s.received != nil {
		s.received(n)
	}
	return n, err
}

// connect makes a connection, trying again a few times.
func (s *stream) connect() error {
	if !s.source.remote() {
		return s.open()
	}
	for {
		brought := s.offset - s.began
		if brought > 0 {
			s.quiet = 0
		}
		if s.cause != nil {
			if s.quiet == len(pauses) || s.resumed == reconnections {
				return s.interrupted(s.cause)
			}
			if brought < worthwhile {
				if err := sleep(s.ctx, pauses[s.quiet]); err != nil {
					return err
				}
			}
			s.quiet++
			if s.offset > 0 {
				s.resumed++
			}
		}
		s.began = s.offset
		err := s.open()
		if err == nil {
			return nil
		}
		if s.ctx.Err() != nil {
			return context.Cause(s.ctx)
		}
		if errIsFinal(err) || err == errStalled && s.offset == 0 {
			return s.interrupted(err)
		}
		s.cause = err
	}
}

// interrupted is err where another attempt from the beginning may help.
func (s *stream) interrupted(err error) error {
	if s.offset == 0 {
		return err
	}
	return clean(fmt.Errorf("layer %s: %w after %d of %d bytes: %w", s.layer.Digest, ErrInterrupted, s.offset, s.layer.Size, err))
}

func (s *stream) open() error {
	ctx, cancel := context.WithCancelCause(s.ctx)
	s.request, s.stop = ctx, func() { cancel(nil) }
	s.watch = time.AfterFunc(begin, func() { cancel(errStalled) })
	defer s.watch.Stop()
	if !s.source.src.HasThreadSafeGetBlob() {
		s.source.serial.Lock()
		defer s.source.serial.Unlock()
	}
	body, at, err := blobFrom(ctx, s.source.src, s.layer.info, s.offset)
	if err != nil {
		if context.Cause(ctx) == errStalled {
			err = errStalled
		}
		cancel(nil)
		return err
	}
	s.body, s.at = body, at
	return nil
}

// disconnect ends the connection. The request is cancelled first, or the
// library would read a body to its end.
func (s *stream) disconnect(cause error) error {
	if s.body == nil {
		return nil
	}
	s.watch.Stop()
	s.stop()
	err := s.body.Close()
	s.body, s.cause = nil, cause
	return err
}

func (s *stream) Close() error {
	err := s.disconnect(nil)
	if s.err == nil {
		s.err = errors.New("read after close")
	}
	return err
}
