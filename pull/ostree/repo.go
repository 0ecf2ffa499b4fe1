package ostree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Repo is an open repository. Its methods may be called concurrently.
type Repo struct {
	path    string
	dir     *os.File // the repository
	objects *os.File // objects/
	config  config
}

// layout is what a repository holds beside config; objects comes last, because
// its presence says that the rest is there.
var layout = []string{"tmp", "extensions", "state", "refs", "refs/heads", "refs/mirrors", "refs/remotes", "objects"}

// Create makes an empty repository of mode bare. The directory may exist; if
// not, it is made for its owner alone, because a repository keeps every
// setuid program it ever stored. Create finishes what an interrupted one
// began. It returns an error that is fs.ErrExist if path is a repository.
func Create(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create repository: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return fmt.Errorf("create repository: %w", err)
	}
	defer root.Close()
	if _, err := root.Lstat("objects"); err == nil {
		return fmt.Errorf("create repository %s: %w", path, fs.ErrExist)
	}
	if err := writeConfig(root); err != nil {
		return fmt.Errorf("create repository %s: %w", path, err)
	}
	for _, dir := range layout {
		if dir == "objects" { // what it vouches for must not be lost in a power cut
			if err := syncDir(root, "."); err != nil {
				return fmt.Errorf("create repository %s: %w", path, err)
			}
		}
		if err := root.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("create repository %s: %w", path, err)
		}
	}
	if err := syncDir(root, "."); err != nil {
		return fmt.Errorf("create repository %s: %w", path, err)
	}
	return nil
}

// writeConfig never shows half a config, nor replaces one.
func writeConfig(root *os.Root) error {
	if _, err := root.Lstat("config"); err == nil {
		return nil
	}
	f, err := os.CreateTemp(root.Name(), ".config-")
	if err != nil {
		return err
	}
	temporary := filepath.Base(f.Name())
	defer root.Remove(temporary) // gone if renamed
	_, err = f.WriteString(newConfig)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = root.Rename(temporary, "config")
	}
	return err
}

func syncDir(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}

// Open opens a repository. It refuses what this package cannot handle, see
// Limits; the error is fs.ErrNotExist if path is no repository.
func Open(path string) (*Repo, error) {
	dir, err := openDir(unix.AT_FDCWD, path, 0)
	if err != nil {
		return nil, fmt.Errorf("open repository %s: %w", path, err)
	}
	r := &Repo{path: path, dir: dir}
	if r.objects, err = openDir(r.fd(), "objects", unix.O_NOFOLLOW); err != nil {
		dir.Close()
		return nil, fmt.Errorf("open repository %s: objects: %w", path, err)
	}
	data, err := readFileAt(r.fd(), "config", 1<<20)
	if err == nil {
		r.config, err = parseConfig(data)
	}
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("open repository %s: %w", path, err)
	}
	return r, nil
}

// OpenOrCreate opens the repository at path, and creates it first if there is
// none.
func OpenOrCreate(path string) (*Repo, error) {
	r, err := Open(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	if err := Create(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return Open(path)
}

// Close releases the repository. Transactions must have ended.
func (r *Repo) Close() error {
	r.objects.Close()
	return r.dir.Close()
}

// Path is the path the repository was opened by.
func (r *Repo) Path() string { return r.path }

func (r *Repo) fd() int { return int(r.dir.Fd()) }

// has tells whether an object is stored. A symbolic link is not followed: it
// usually dangles.
func (r *Repo) has(o object) (bool, error) {
	var st unix.Stat_t
	switch err := unix.Fstatat(int(r.objects.Fd()), o.path(), &st, unix.AT_SYMLINK_NOFOLLOW); err {
	case nil:
		return true, nil
	case unix.ENOENT:
		return false, nil
	default:
		return false, fmt.Errorf("look for object %v: %w", o, err)
	}
}
