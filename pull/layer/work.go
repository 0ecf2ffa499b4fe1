package layer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
)

const (
	smallFile = 1 << 20
	oneBuffer = 64 << 10
	queue     = 8 // buffers that wait for a goroutine
)

var (
	buffers      = sync.Pool{New: func() any { b := make([]byte, oneBuffer); return &b }}
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, smallFile); return &b }}
)

// work gives files to a sink while the stream is read on.
type work struct {
	sink   Sink
	ctx    context.Context
	cancel context.CancelCauseFunc
	tasks  chan task
	group  sync.WaitGroup
}

type task struct {
	node   *Node
	name   string
	buffer *[]byte // of pool, nil for a symbolic link
	pool   *sync.Pool
}

func startWork(ctx context.Context, sink Sink) *work {
	w := &work{sink: sink, tasks: make(chan task, queue)}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	for range min(runtime.GOMAXPROCS(0), 4) {
		w.group.Go(w.run)
	}
	return w
}

func (w *work) run() {
	var content bytes.Buffer
	for t := range w.tasks {
		if w.ctx.Err() == nil {
			if err := w.do(t, &content); err != nil {
				w.cancel(fmt.Errorf("entry %.300q: %w", t.name, err))
			}
		}
		if t.buffer != nil {
			t.pool.Put(t.buffer)
		}
	}
}

func (w *work) do(t task, content *bytes.Buffer) (err error) {
	if t.buffer == nil {
		t.node.ID, err = w.sink.Symlink(t.node.Meta, t.node.Target)
		return err
	}
	*content = *bytes.NewBuffer((*t.buffer)[:t.node.Size])
	t.node.ID, err = w.sink.File(t.node.Meta, t.node.Size, content)
	return err
}

// file gives a file to the sink: a small one later, once it is read.
func (w *work) file(n *Node, name string, content io.Reader) (err error) {
	if n.Size > smallFile {
		n.ID, err = w.sink.File(n.Meta, n.Size, content)
		return err
	}
	t := task{node: n, name: name, pool: &buffers}
	if n.Size > oneBuffer {
		t.pool = &largeBuffers
	}
	t.buffer = t.pool.Get().(*[]byte)
	if _, err := io.ReadFull(content, (*t.buffer)[:n.Size]); err != nil {
		t.pool.Put(t.buffer)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	w.tasks <- t
	return nil
}

func (w *work) symlink(n *Node, name string) error {
	w.tasks <- task{node: n, name: name}
	return nil
}

// err is the first error of the sink, or of the context.
func (w *work) err() error { return context.Cause(w.ctx) }

// wait ends the work and returns its first error.
func (w *work) wait() error {
	close(w.tasks)
	w.group.Wait()
	err := w.err()
	w.cancel(nil)
	return err
}
