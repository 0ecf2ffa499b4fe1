package generation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"syscontainer/pull/store"
)

// Locked are containers whose generations nobody else changes meanwhile. Reading needs no lock.
type Locked struct {
	root  string
	names []string
	locks []*store.Lock
}

// ErrBusy is returned by TryLock if another process has one of the containers.
var ErrBusy = errors.New("another process changes it")

// Lock locks containers, in sorted order: two groups never wait for each other. It waits; waiting is called now and then
// meanwhile, nil is allowed. These locks are taken before all others of the store. A process that dies releases them.
func Lock(ctx context.Context, root string, waiting func(), names ...string) (*Locked, error) {
	return lock(root, names, func(w *store.Writer, name string) (*store.Lock, error) {
		return w.LockContainer(ctx, name, waiting)
	})
}

// TryLock is Lock that returns ErrBusy instead of waiting.
func TryLock(root string, names ...string) (*Locked, error) {
	return lock(root, names, func(w *store.Writer, name string) (*store.Lock, error) {
		l, err := w.TryLockContainer(name)
		if l == nil && err == nil {
			err = fmt.Errorf("%s: %w", name, ErrBusy)
		}
		return l, err
	})
}

func lock(root string, names []string, take func(*store.Writer, string) (*store.Lock, error)) (*Locked, error) {
	for _, name := range names {
		if err := CheckName(name); err != nil {
			return nil, err
		}
	}
	w, err := store.OpenWriter(root)
	if err != nil {
		return nil, err
	}
	l := &Locked{root: root, names: slices.Compact(slices.Sorted(slices.Values(names)))}
	for _, name := range l.names {
		one, err := take(w, name)
		if err != nil {
			l.Release()
			return nil, err
		}
		l.locks = append(l.locks, one)
	}
	return l, nil
}

// Release ends the locks. Releasing again does nothing.
func (l *Locked) Release() {
	for _, one := range l.locks {
		one.Release()
	}
	l.locks = nil
}

// Read reads a container that is locked.
func (l *Locked) Read(name string) (*Container, error) {
	if !slices.Contains(l.names, name) || len(l.locks) == 0 {
		return nil, fmt.Errorf("%s is not locked", name)
	}
	return Read(l.root, name)
}

// Hold has a container held, or no longer: nothing updates it unasked while it is.
func (l *Locked) Hold(name string, held bool) error {
	if _, err := l.Read(name); err != nil {
		return err
	}
	dir := containerDir(l.root, name)
	var err error
	if !held {
		err = remove(dir + "/hold")
	} else if err = makeDirs(containersDir(l.root), dir); err == nil {
		err = writeJSON(dir+"/hold", map[string]time.Time{"time": now()})
	}
	if err != nil {
		return fmt.Errorf("hold %s: %w", name, err)
	}
	return nil
}

// now is the time that records get.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }
