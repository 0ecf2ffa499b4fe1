package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"

	"go.podman.io/image/v5/pkg/blobinfocache/none"
	"go.podman.io/image/v5/types"
)

var errNoRanges = errors.New("the library has no ranged requests")

// blobFrom opens a blob that was read up to offset. at is where the body
// begins: there, or at 0 where the registry knows no ranges.
func blobFrom(ctx context.Context, src types.ImageSource, info types.BlobInfo, offset int64) (body io.ReadCloser, at int64, err error) {
	if offset > 0 {
		body, err = ranged(ctx, src, info, offset)
		if err == nil || !errIsFinal(err) || ctx.Err() != nil {
			return body, offset, err
		}
	}
	body, _, err = src.GetBlob(ctx, info, none.NoCache)
	return body, 0, err
}

// ranged asks for a blob from offset on, with the library's tokens,
// certificates, proxies and mirrors. GetBlobAt takes a type of an internal
// package, so only reflection can call it; a library that has it no more, or in
// another form, is errNoRanges.
//
// The range of an answer 206 is not compared with what was asked: the digest of
// the whole will tell. To an answer 200 the library skips what comes before
// offset.
func ranged(ctx context.Context, src types.ImageSource, info types.BlobInfo, offset int64) (io.ReadCloser, error) {
	method := reflect.ValueOf(src).MethodByName("GetBlobAt")
	if !method.IsValid() {
		return nil, errNoRanges
	}
	form := method.Type()
	if form.NumIn() != 3 || form.In(0) != reflect.TypeFor[context.Context]() || form.In(1) != reflect.TypeFor[types.BlobInfo]() ||
		form.NumOut() != 3 || form.Out(0) != reflect.TypeFor[chan io.ReadCloser]() || form.Out(1) != reflect.TypeFor[chan error]() ||
		form.In(2).Kind() != reflect.Slice || form.In(2).Elem().Kind() != reflect.Struct {
		return nil, errNoRanges
	}
	chunks := reflect.MakeSlice(form.In(2), 1, 1)
	from, length := chunks.Index(0).FieldByName("Offset"), chunks.Index(0).FieldByName("Length")
	if !from.IsValid() || !from.CanUint() || !length.IsValid() || !length.CanUint() {
		return nil, errNoRanges
	}
	from.SetUint(uint64(offset))
	length.SetUint(math.MaxUint64) // to the end
	out := method.Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(info), chunks})
	if err, _ := out[2].Interface().(error); err != nil {
		return nil, fmt.Errorf("ask for the rest: %w", err)
	}
	return first(ctx, out[0].Interface().(chan io.ReadCloser), out[1].Interface().(chan error))
}

// first takes the one stream that was asked for. Both channels are drained, or
// the library's goroutine would stay.
func first(ctx context.Context, streams chan io.ReadCloser, errs chan error) (body io.ReadCloser, err error) {
	drain := func() {
		go func() {
			for range errs {
			}
		}()
		go func() {
			for s := range streams {
				s.Close()
			}
		}()
	}
	defer drain()
	select {
	case body, ok := <-streams:
		if !ok {
			return nil, fmt.Errorf("ask for the rest: %w", io.ErrUnexpectedEOF)
		}
		return body, nil
	case err, ok := <-errs:
		if !ok || err == nil {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("ask for the rest: %w", err)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
