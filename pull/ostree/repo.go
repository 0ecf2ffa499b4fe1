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
	parent  *Repo   // core.parent: what is not here is read from there
	lenders []*Repo // see OpenOptions.Borrow
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

// OpenOptions are what the owner of a repository may add to its config.
type OpenOptions struct {
	Create bool // if there is no repository, make an empty one
	// Borrow names other repositories of mode bare, such as /ostree/repo. A file
	// that one of them has is hard-linked from there instead of written. What
	// cannot be used, for whatever reason, is passed over in silence.
	//
	// The inodes are shared from then on: their owner must not change them, and
	// their content is as good as it is there until Verify has read it.
	Borrow []string
}

// Open opens a repository. It refuses what this package cannot handle, see
// Limits; the error is fs.ErrNotExist if path is no repository.
func Open(path string) (*Repo, error) { return OpenWith(path, OpenOptions{}) }

// OpenWith is Open with options.
func OpenWith(path string, o OpenOptions) (*Repo, error) {
	r, err := open(path, nil)
	if o.Create && errors.Is(err, fs.ErrNotExist) {
		if err := Create(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		r, err = open(path, nil)
	}
	if err != nil {
		return nil, err
	}
	for _, path := range o.Borrow {
		r.borrow(path)
	}
	return r, nil
}

// maxParents is how long a chain of core.parent may be.
const maxParents = 8

// open opens a repository and its parents. children are those it is a parent
// of, the nearest last.
func open(path string, children []*Repo) (*Repo, error) {
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
	if err == nil && r.config.parent != "" {
		err = r.openParent(children)
	}
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("open repository %s: %w", path, err)
	}
	return r, nil
}

func (r *Repo) openParent(children []*Repo) error {
	if len(children) >= maxParents {
		return fmt.Errorf("config: parent=%s: more than %d parents", r.config.parent, maxParents)
	}
	for _, child := range children {
		if same(r.objects, child.objects) {
			return fmt.Errorf("config: parent=%s: a repository is its own parent", r.config.parent)
		}
	}
	parent, err := open(r.config.parent, append(children, r))
	if errors.Is(err, fs.ErrNotExist) { // which would say that r itself is none
		return fmt.Errorf("config: parent=%s: %v", r.config.parent, err)
	}
	r.parent = parent
	return err
}

func same(a, b *os.File) bool {
	first, err := a.Stat()
	if err != nil {
		return false
	}
	second, err := b.Stat()
	return err == nil && os.SameFile(first, second)
}

// OpenOrCreate opens the repository at path, and creates it first if there is
// none.
func OpenOrCreate(path string) (*Repo, error) { return OpenWith(path, OpenOptions{Create: true}) }

// Close releases the repository. Transactions must have ended.
func (r *Repo) Close() error {
	for _, l := range r.lenders {
		l.Close()
	}
	if r.parent != nil {
		r.parent.Close()
	}
	r.objects.Close()
	return r.dir.Close()
}

// Path is the path the repository was opened by.
func (r *Repo) Path() string { return r.path }

func (r *Repo) fd() int { return int(r.dir.Fd()) }

// in calls f with objects/ of the repository, and where the object is not there
// with those of its parents.
func (r *Repo) in(f func(objects int) error) error {
	for ; ; r = r.parent {
		if err := f(int(r.objects.Fd())); r.parent == nil || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

// has tells whether an object is stored here or in a parent.
func (r *Repo) has(o object) (bool, error) {
	found, err := r.hasOwn(o)
	if err == nil && !found && r.parent != nil {
		return r.parent.has(o)
	}
	return found, err
}

// hasOwn tells whether an object is stored here. A symbolic link is not
// followed: it usually dangles.
func (r *Repo) hasOwn(o object) (bool, error) {
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
