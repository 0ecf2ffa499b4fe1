package main

import (
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"syscontainer/pull/layer"
	"syscontainer/pull/registry"
	"syscontainer/pull/store"
)

// space is what one fetch may still write, free space less what MinFreeSpace=
// keeps, and what it has cost so far.
type space struct {
	left    atomic.Int64
	keeps   int64
	account layer.Account
}

// space refuses layers that cannot fit: unpacked, a layer is hardly smaller
// than what is transferred. How large it will be nobody says beforehand.
func (f *fetcher) space(w *store.Writer, layers []registry.Layer) (*space, error) {
	free, err := w.Free()
	if err != nil {
		return nil, err
	}
	var needed int64
	for _, l := range layers {
		needed += l.Size
	}
	s := &space{keeps: f.settings.minFreeSpace}
	s.left.Store(free - s.keeps)
	if free-s.keeps < needed {
		return nil, fmt.Errorf("not enough space: at least %s are needed, %s are free%s: %w", size(needed), size(free), s.kept(), unix.ENOSPC)
	}
	return s, nil
}

// admit is asked before a file is unpacked.
func (s *space) admit(n int64) error {
	if s.left.Add(-n) < 0 {
		return fmt.Errorf("not enough space for %s%s: %w", size(n), s.kept(), unix.ENOSPC)
	}
	return nil
}

func (s *space) kept() string {
	if s.keeps == 0 {
		return ""
	}
	return fmt.Sprintf(", of which MinFreeSpace= keeps %s", size(s.keeps))
}
