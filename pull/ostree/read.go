package ostree

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// maxMetadata is the size of a metadata object that libostree still transfers.
const maxMetadata = 128 << 20

// loadMeta reads a metadata object and checks it against its name.
func (r *Repo) loadMeta(o object) ([]byte, error) {
	var data []byte
	err := r.in(func(objects int) (err error) {
		data, err = readFileAt(objects, o.path(), maxMetadata)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("object %v: %w", o, err)
	}
	if got := Checksum(sha256.Sum256(data)); got != o.sum {
		return nil, fmt.Errorf("object %v is corrupt: its checksum is %v", o, got)
	}
	return data, nil
}

// ReadCommit reads a commit. One that is not there is fs.ErrNotExist.
func (r *Repo) ReadCommit(sum Checksum) (*Commit, error) {
	return load(r, object{sum, kindCommit}, decodeCommit)
}

// ReadDirTree reads the content of a directory.
func (r *Repo) ReadDirTree(sum Checksum) (*DirTree, error) {
	return load(r, object{sum, kindDirTree}, decodeDirTree)
}

// ReadDirMeta reads the owner, mode and attributes of a directory.
func (r *Repo) ReadDirMeta(sum Checksum) (Meta, error) {
	return load(r, object{sum, kindDirMeta}, decodeDirMeta)
}

func load[T any](r *Repo, o object, decode func([]byte) (T, error)) (v T, err error) {
	data, err := r.loadMeta(o)
	if err != nil {
		return v, err
	}
	if v, err = decode(data); err != nil {
		return v, fmt.Errorf("object %v: %w", o, err)
	}
	return v, nil
}

// File is a stored regular file or symbolic link.
type File struct {
	Meta   Meta
	Target string // of a symbolic link, "" for a regular file
	Size   int64
}

// IsSymlink tells symbolic links from regular files.
func (f *File) IsSymlink() bool { return f.Target != "" }

// StatFile returns what is stored beside the content of a file. A file that is
// not there is fs.ErrNotExist.
func (r *Repo) StatFile(sum Checksum) (*File, error) {
	o := object{sum, kindFile}
	var f *File
	err := r.in(func(objects int) (err error) {
		f, err = statFile(objects, o)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("object %v: %w", o, err)
	}
	return f, nil
}

func statFile(objects int, o object) (*File, error) {
	path := o.path()
	var st unix.Stat_t
	if err := unix.Fstatat(objects, path, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil, err
	}
	f := &File{Meta: Meta{UID: st.Uid, GID: st.Gid, Mode: st.Mode & 0o7777}, Size: st.Size}
	var err error
	switch st.Mode & typeMask {
	case typeFile:
	case typeSymlink:
		if f.Target, err = readlinkAt(objects, path); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("neither a regular file nor a symbolic link: mode %#o", st.Mode)
	}
	f.Meta.Xattrs, err = xattrsAt(objects, path).read()
	return f, err
}

// OpenFile opens the content of a stored regular file for reading.
func (r *Repo) OpenFile(sum Checksum) (*os.File, error) {
	o := object{sum, kindFile}
	var fd int
	err := r.in(func(objects int) (err error) {
		fd, err = openAt(objects, o.path(), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("object %v: %w", o, err)
	}
	f := os.NewFile(uintptr(fd), o.String())
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("object %v: not a regular file", o)
	}
	return f, nil
}

// checkComplete returns an error unless a commit is there with all its
// objects, as far as marks say.
func (r *Repo) checkComplete(commit Checksum) error {
	partial, err := r.isPartial(commit)
	if err == nil && partial {
		err = fmt.Errorf("commit %v is partial: its objects may be missing", commit)
	}
	return err
}

// isPartial tells whether a commit is marked, where it is stored. One that is
// not there is fs.ErrNotExist.
func (r *Repo) isPartial(commit Checksum) (bool, error) {
	found, err := r.hasOwn(object{commit, kindCommit})
	switch {
	case err != nil:
		return false, err
	case !found && r.parent != nil:
		return r.parent.isPartial(commit)
	case !found:
		return false, fmt.Errorf("commit %v: %w", commit, fs.ErrNotExist)
	}
	var st unix.Stat_t
	switch err := unix.Fstatat(r.fd(), partialMark(commit), &st, unix.AT_SYMLINK_NOFOLLOW); err {
	case unix.ENOENT:
		return false, nil
	case nil:
		return true, nil
	default:
		return false, fmt.Errorf("commit %v: %w", commit, err)
	}
}

// partialMark is the file that marks a commit whose objects may be missing.
func partialMark(commit Checksum) string { return "state/" + commit.String() + extPartial }

// Node is one thing in the tree of a commit.
type Node struct {
	Path string // relative to the root, which is "."
	Dir  bool
	Meta Meta     // of a directory; for a file ask StatFile
	File Checksum // of a regular file or symbolic link
}

// SkipDir, returned by the function given to Walk for a directory, leaves out
// what is below it.
var SkipDir = fs.SkipDir

// Walk calls fn for everything in a commit, a directory before its content and
// files before directories, in order of their names. An error of fn ends it.
//
// A small commit may describe a huge tree, because equal directories are one
// object: end the walk when it gets too long.
func (r *Repo) Walk(ctx context.Context, commit Checksum, fn func(Node) error) error {
	c, err := r.ReadCommit(commit)
	if err != nil {
		return err
	}
	return r.walk(ctx, ".", c.Tree, c.Meta, 0, fn)
}

func (r *Repo) walk(ctx context.Context, path string, tree, meta Checksum, depth int, fn func(Node) error) error {
	if depth > maxDepth {
		return fmt.Errorf("%.80q…: directories nest deeper than %d", path, maxDepth)
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	m, err := r.ReadDirMeta(meta)
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	if err := fn(Node{Path: path, Dir: true, Meta: m}); err != nil {
		if errors.Is(err, SkipDir) {
			return nil
		}
		return err
	}
	entries, err := r.ReadDirTree(tree)
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	below := path + "/"
	if path == "." {
		below = ""
	}
	for _, f := range entries.Files {
		if err := fn(Node{Path: below + f.Name, File: f.File}); err != nil {
			return err
		}
	}
	for _, d := range entries.Dirs {
		if err := r.walk(ctx, below+d.Name, d.Tree, d.Meta, depth+1, fn); err != nil {
			return err
		}
	}
	return nil
}
