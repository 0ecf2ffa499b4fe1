package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	debris = ".tmp-" // names of what is not finished; a live one is locked
	former = ".old-" // names of images that were taken away: .old-SHA256-RANDOM
)

// Writer changes the store below one root.
type Writer struct {
	root string
	dir  string
}

// OpenWriter creates the store below root if need be. Only root may look into
// repo/ and images/: old images keep old setuid programs.
func OpenWriter(root string) (*Writer, error) {
	w := &Writer{root: root, dir: filepath.Join("/", root, Dir)}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the store: %w", err)
	}
	for _, d := range []struct {
		name string
		mode os.FileMode
	}{{"images", 0o700}, {"references", 0o755}, {"pins", 0o755}, {"locks", 0o700}} {
		if err := os.Mkdir(w.path(d.name), d.mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("create the store: %w", err)
		}
	}
	return w, nil
}

func (w *Writer) path(names ...string) string {
	return filepath.Join(append([]string{w.dir}, names...)...)
}

// Repo is the path of the OSTree repository.
func (w *Writer) Repo() string { return w.path("repo") }

// Owns tells whether a path lies in the store.
func (w *Writer) Owns(path string) bool { return strings.HasPrefix(path, w.dir+"/") }

// Free is how many bytes root may still write to the store.
func (w *Writer) Free() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(w.dir, &st); err != nil {
		return 0, fmt.Errorf("ask for free space: %w", err)
	}
	return int64(st.Bfree) * st.Bsize, nil
}

// Has tells whether the image with that manifest digest is complete, and
// returns it.
func (w *Writer) Has(digest string) (Image, bool) {
	if !isDigest(digest) {
		return Image{}, false
	}
	image := Image{Digest: digest, Dir: w.path("images", digest)}
	_, err := os.Stat(image.Rootfs())
	return image, err == nil
}

// Touch notes that an image is needed now. Starting a container does so by
// reading its config.json.
func (w *Writer) Touch(image Image) error {
	now := []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_OMIT}}
	path := filepath.Join(image.Dir, "config.json")
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, now, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("note the use of %s: %w", path, err)
	}
	return nil
}

// Remove takes an image away at once and then deletes its files. The caller
// holds its lock and has removed the references to it.
func (w *Writer) Remove(digest string) error {
	if !isDigest(digest) {
		return fmt.Errorf("remove image %q: not the hex digits of a SHA-256", digest)
	}
	if _, err := w.retire(w.path("images", digest), digest); err != nil {
		return fmt.Errorf("remove image: %w", err)
	}
	if err := os.Remove(w.path("pins", digest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove image: %w", err)
	}
	return w.sweepFormer(digest)
}

// retire gives a directory a name under which nobody looks for an image, and
// returns its path.
func (w *Writer) retire(path, digest string) (string, error) {
	retired := w.path("images", former+digest+"-"+rand.Text())
	if err := os.Rename(path, retired); err != nil {
		return path, err
	}
	return retired, syncDir(w.path("images"))
}

// Sweep removes what interrupted commands left in images/ and references/,
// unless a command that is alive holds it or a container still runs from it.
func (w *Writer) Sweep() error {
	if err := w.sweepReferences(); err != nil {
		return fmt.Errorf("remove an unfinished reference: %w", err)
	}
	lock, err := w.lock(context.Background(), stagingLock, nil)
	if err != nil {
		return err
	}
	defer lock.Release()
	entries, err := os.ReadDir(w.path("images"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, debris):
			err = sweepUnlocked(w.path("images", name))
		case strings.HasPrefix(name, former):
			digest, _, _ := strings.Cut(strings.TrimPrefix(name, former), "-")
			err = w.sweepFormer(digest)
		}
		if err != nil {
			return fmt.Errorf("remove an unfinished image: %w", err)
		}
	}
	return nil
}

// sweepFormer deletes images that were taken away, once no container runs from
// them.
func (w *Writer) sweepFormer(digest string) error {
	if len(Running(w.root)[digest]) > 0 {
		return nil
	}
	entries, err := os.ReadDir(w.path("images"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), former+digest+"-") {
			if err := os.RemoveAll(w.path("images", e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func sweepUnlocked(dir string) error {
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
