package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Staged is an image being built beside the finished ones.
type Staged struct {
	writer *Writer
	dir    *os.File // locked while the process lives
	path   string
	digest string
}

// Stage makes the directory of a new image under a temporary name. Discard or
// Publish it.
func (w *Writer) Stage(digest string) (*Staged, error) {
	if !isDigest(digest) {
		return nil, fmt.Errorf("stage image %q: not the hex digits of a SHA-256", digest)
	}
	lock, err := w.lock(context.Background(), stagingLock, nil)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	path, err := os.MkdirTemp(w.path("images"), debris)
	if err != nil {
		return nil, fmt.Errorf("stage image: %w", err)
	}
	s := &Staged{writer: w, path: path, digest: digest}
	if s.dir, err = os.Open(path); err == nil {
		err = unix.Flock(int(s.dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		os.RemoveAll(path)
		s.Discard()
		return nil, fmt.Errorf("stage image: %w", err)
	}
	return s, nil
}

// Dir is the directory to fill: rootfs/ by an OSTree checkout, the documents
// by WriteFile.
func (s *Staged) Dir() *os.File { return s.dir }

// Rootfs is the absolute path of the checkout in it.
func (s *Staged) Rootfs() string { return filepath.Join(s.path, "rootfs") }

// WriteFile writes one of the image's documents.
func (s *Staged) WriteFile(name string, data []byte) error {
	return os.WriteFile(filepath.Join(s.path, name), data, 0o600)
}

// Publish makes everything durable, then gives the image its name, whatever
// had it before: the caller holds the image's lock and has seen that what is
// there is absent or damaged. Containers that run keep the old files.
func (s *Staged) Publish() (Image, error) {
	defer s.Discard()
	if err := unix.Syncfs(int(s.dir.Fd())); err != nil {
		return Image{}, fmt.Errorf("make the image durable: %w", err)
	}
	image := Image{Digest: s.digest, Dir: s.writer.path("images", s.digest)}
	err := unix.Renameat2(unix.AT_FDCWD, s.path, unix.AT_FDCWD, image.Dir, unix.RENAME_NOREPLACE)
	if err == unix.EEXIST {
		// Before the exchange, ours gets the name of what will be there after it.
		if s.path, err = s.writer.retire(s.path, s.digest); err == nil {
			err = unix.Renameat2(unix.AT_FDCWD, s.path, unix.AT_FDCWD, image.Dir, unix.RENAME_EXCHANGE)
		}
		if err == nil {
			err = s.writer.sweepFormer(s.digest)
		}
		s.path = "" // what is left is swept when no container runs from it
	}
	if err != nil {
		return Image{}, fmt.Errorf("publish image: rename %s: %w", s.path, err)
	}
	return image, syncDir(s.writer.path("images"))
}

// Discard removes an unpublished image. Calling it again, or after Publish,
// does nothing.
func (s *Staged) Discard() {
	if s.dir == nil {
		return
	}
	if s.path != "" {
		os.RemoveAll(s.path) // gone already if it was published
	}
	s.dir.Close()
	s.dir = nil
}
