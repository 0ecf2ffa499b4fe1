package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Locks are taken in this order: a reference, an image, layers. Who waits for a
// layer has stored all those it holds, so nobody waits for it. Names that start
// with a dot are none that Escape returns.
const (
	stagingLock = ".staging" // keeps Sweep from a directory that is not locked yet
	imageLock   = ".image-"
	layerLock   = ".layer-"
	unitLock    = ".unit-" // of a container: taken before all others
)

// Lock is held by one process until it is released or the process ends.
type Lock struct{ file *os.File }

// Release ends the lock. Releasing nil does nothing.
func (l *Lock) Release() {
	if l != nil {
		l.file.Close()
	}
}

// LockContainer holds the generations of a container, by the name of its service. It waits as LockReference does.
func (w *Writer) LockContainer(ctx context.Context, name string, waiting func()) (*Lock, error) {
	return w.lock(ctx, unitLock+name, waiting)
}

// TryLockContainer is LockContainer that returns nil instead of waiting.
func (w *Writer) TryLockContainer(name string) (*Lock, error) {
	return w.tryLock(unitLock + name)
}

// LockReference holds a reference while it is given another image. It waits
// for another process that has it; waiting is called now and then while there is
// one, nil is allowed.
func (w *Writer) LockReference(ctx context.Context, reference string, waiting func()) (*Lock, error) {
	return w.lock(ctx, Escape(reference), waiting)
}

// LockImage holds an image, by the digest of its manifest, while it is being
// added or removed. It waits as LockReference does.
func (w *Writer) LockImage(ctx context.Context, digest string, waiting func()) (*Lock, error) {
	return w.lock(ctx, imageLock+digest, waiting)
}

// TryLockImage is LockImage that returns nil instead of waiting.
func (w *Writer) TryLockImage(digest string) (*Lock, error) {
	return w.tryLock(imageLock + digest)
}

// TryLockReference is LockReference that returns nil instead of waiting. It
// takes the escaped name of the reference.
func (w *Writer) TryLockReference(escaped string) (*Lock, error) {
	return w.tryLock(escaped)
}

// TryLockLayer holds a layer, by the digest of its uncompressed stream, while
// it is being fetched. nil means that another process does.
func (w *Writer) TryLockLayer(diffID string) (*Lock, error) {
	return w.tryLock(layerLock + diffID)
}

// lock waits by asking again: flock(2) cannot be interrupted by a context.
func (w *Writer) lock(ctx context.Context, name string, waiting func()) (*Lock, error) {
	const tellEvery = time.Second
	var told time.Time
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		l, err := w.tryLock(name)
		if l != nil || err != nil {
			return l, err
		}
		if waiting != nil && time.Since(told) >= tellEvery {
			waiting()
			told = time.Now()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock %s: %w", w.path("locks", name), context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

func (w *Writer) tryLock(name string) (*Lock, error) {
	path := w.path("locks", name)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, fmt.Errorf("lock the store: %w", err)
		}
		var st unix.Stat_t
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			err = unix.Fstat(int(f.Fd()), &st)
		}
		switch {
		case err == nil && st.Nlink > 0:
			return &Lock{f}, nil
		case err == nil: // removed by SweepLocks before we had it
			f.Close()
		case err == unix.EWOULDBLOCK:
			f.Close()
			return nil, nil
		default:
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}

// SweepLocks removes the files of locks that nobody holds.
func (w *Writer) SweepLocks() error {
	entries, err := os.ReadDir(w.path("locks"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == stagingLock {
			continue
		}
		l, err := w.tryLock(e.Name())
		if err != nil {
			return err
		}
		if l == nil {
			continue
		}
		err = os.Remove(w.path("locks", e.Name()))
		l.Release()
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
