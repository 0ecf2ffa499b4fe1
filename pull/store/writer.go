package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// debris is how names of unfinished images begin. A live one is locked.
const debris = ".tmp-"

// Writer adds images to the store below one root.
type Writer struct {
	dir string
}

// OpenWriter creates the store below root if need be. Only root may look into
// repo/ and images/: old images keep old setuid programs.
func OpenWriter(root string) (*Writer, error) {
	w := &Writer{dir: filepath.Join("/", root, Dir)}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the store: %w", err)
	}
	for _, d := range []struct {
		name string
		mode os.FileMode
	}{{"images", 0o700}, {"references", 0o755}, {"locks", 0o700}} {
		if err := os.Mkdir(filepath.Join(w.dir, d.name), d.mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("create the store: %w", err)
		}
	}
	return w, nil
}

// Repo is the path of the OSTree repository.
func (w *Writer) Repo() string { return filepath.Join(w.dir, "repo") }

// Lock holds a reference for one fetch. It waits for another process that
// fetches the same reference; waiting is called once if there is one, nil is
// allowed. Closing the result releases it.
func (w *Writer) Lock(reference string, waiting func()) (*os.File, error) {
	return w.lock(Escape(reference), waiting)
}

// staging is the lock that keeps Sweep from seeing a directory of Stage before
// it is locked. Escape never returns a name that starts with a dot.
const staging = ".staging"

func (w *Writer) lock(name string, waiting func()) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(w.dir, "locks", name), os.O_RDWR|os.O_CREATE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the store: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		if waiting != nil {
			waiting()
		}
		for err = unix.EINTR; err == unix.EINTR; {
			err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return f, nil
}

// Sweep removes what interrupted fetches left in images/. Fetches that are
// alive hold a lock on their directory and keep it.
func (w *Writer) Sweep() error {
	lock, err := w.lock(staging, nil)
	if err != nil {
		return err
	}
	defer lock.Close()
	images := filepath.Join(w.dir, "images")
	entries, err := os.ReadDir(images)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), debris) {
			continue
		}
		if err := sweep(filepath.Join(images, e.Name())); err != nil {
			return fmt.Errorf("remove an unfinished image: %w", err)
		}
	}
	return nil
}

func sweep(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil // alive
	}
	return os.RemoveAll(dir)
}

// Has tells whether the image with that manifest digest is complete, and
// returns it.
func (w *Writer) Has(digest string) (Image, bool) {
	image := Image{Digest: digest, Dir: filepath.Join(w.dir, "images", digest)}
	if !isDigest(digest) {
		return Image{}, false
	}
	_, err := os.Stat(image.Rootfs())
	return image, err == nil
}

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
	lock, err := w.lock(staging, nil)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	path, err := os.MkdirTemp(filepath.Join(w.dir, "images"), debris)
	if err != nil {
		return nil, fmt.Errorf("stage image: %w", err)
	}
	s := &Staged{writer: w, path: path, digest: digest}
	if s.dir, err = os.Open(path); err == nil {
		err = unix.Flock(int(s.dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		s.Discard()
		return nil, fmt.Errorf("stage image: %w", err)
	}
	return s, nil
}

// Dir is the directory to fill: rootfs/ by an OSTree checkout, the documents
// by WriteFile.
func (s *Staged) Dir() *os.File { return s.dir }

// WriteFile writes one of the image's documents.
func (s *Staged) WriteFile(name string, data []byte) error {
	return os.WriteFile(filepath.Join(s.path, name), data, 0o600)
}

// Publish makes everything durable, then gives the image its name. If another
// process was first, its image stays and ours is removed: they are the same.
func (s *Staged) Publish() (Image, error) {
	defer s.Discard()
	if err := unix.Syncfs(int(s.dir.Fd())); err != nil {
		return Image{}, fmt.Errorf("make the image durable: %w", err)
	}
	images := filepath.Join(s.writer.dir, "images")
	image := Image{Digest: s.digest, Dir: filepath.Join(images, s.digest)}
	err := unix.Renameat2(unix.AT_FDCWD, s.path, unix.AT_FDCWD, image.Dir, unix.RENAME_NOREPLACE)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return Image{}, fmt.Errorf("publish image: rename %s: %w", s.path, err)
	}
	if err := syncDir(images); err != nil {
		return Image{}, err
	}
	return image, nil
}

// Discard removes an unpublished image. Calling it again, or after Publish,
// does nothing.
func (s *Staged) Discard() {
	if s.dir == nil {
		return
	}
	os.RemoveAll(s.path) // gone already if it was published
	s.dir.Close()
	s.dir = nil
}

// SetReference lets reference name the image from now on, durably. Readers see
// the old image or the new one.
func (w *Writer) SetReference(reference string, image Image) error {
	dir := filepath.Join(w.dir, "references")
	name := Escape(reference)
	target := "../images/" + image.Digest
	if now, err := os.Readlink(filepath.Join(dir, name)); err == nil && now == target {
		return nil
	}
	// The caller holds the reference's lock: nobody else uses this name.
	temporary := filepath.Join(dir, debris+name)
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("publish reference %s: %w", reference, err)
	}
	if err := os.Symlink(target, temporary); err != nil {
		return fmt.Errorf("publish reference %s: %w", reference, err)
	}
	if err := os.Rename(temporary, filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("publish reference %s: %w", reference, err)
	}
	return syncDir(dir)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("make %s durable: %w", path, err)
	}
	return nil
}
