package ostree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// CheckoutOptions say how a tree is laid out.
type CheckoutOptions struct {
	Copy bool // copy every file, so that the checkout may be written
	Sync bool // return when the checkout is durable
}

// Checkout lays out a commit as the new directory name in parent. Files are
// hard links to the repository's objects, so both must be on one file system,
// and must not be written; one with more links than the file system allows, or
// of a parent repository on another file system, is copied. Directories have their owner, mode, attributes and the time 0.
//
// Nothing is followed and nothing replaced: name must not exist. After an
// error the part that was laid out stays.
func (r *Repo) Checkout(ctx context.Context, commit Checksum, parent *os.File, name string, options CheckoutOptions) error {
	if err := checkName(name); err != nil {
		return fmt.Errorf("check out: %w", err)
	}
	lock, err := r.lock(ctx, false)
	if err != nil {
		return fmt.Errorf("check out %v: %w", commit, err)
	}
	defer lock.Close()
	if err := r.checkComplete(commit); err != nil {
		return fmt.Errorf("check out: %w", err)
	}
	c, err := r.ReadCommit(commit)
	if err != nil {
		return fmt.Errorf("check out: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	o := &checkout{
		repo: r, objects: int(r.objects.Fd()), copy: options.Copy,
		ctx: ctx, cancel: cancel, helpers: make(chan struct{}, max(0, min(runtime.GOMAXPROCS(0), 4)-1)),
	}
	if err := o.dir(int(parent.Fd()), name, DirEntry{name, c.Tree, c.Meta}, 0); err != nil {
		return fmt.Errorf("check out %v: %w", commit, err)
	}
	if options.Sync {
		if err := retry(func() error { return unix.Syncfs(int(parent.Fd())) }); err != nil {
			return fmt.Errorf("check out %v: make durable: %w", commit, err)
		}
	}
	return nil
}

// checkout is one run of Checkout.
type checkout struct {
	repo    *Repo
	objects int
	copy    bool
	ctx     context.Context
	cancel  context.CancelCauseFunc
	helpers chan struct{} // a token for every directory laid out beside its parent
	metas   sync.Map      // Checksum to Meta
}

// dir makes one directory and all below it. path is for errors.
func (o *checkout) dir(parent int, path string, e DirEntry, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%.80q…: directories nest deeper than %d", path, maxDepth)
	}
	meta, err := o.meta(e.Meta)
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	entries, err := o.repo.ReadDirTree(e.Tree)
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	// Closed to others until it has its mode.
	if err := unix.Mkdirat(parent, e.Name, 0o700); err != nil {
		return fmt.Errorf("make directory %q: %w", path, err)
	}
	dir, err := openAt(parent, e.Name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("open directory %q: %w", path, err)
	}
	defer unix.Close(dir)
	for _, f := range entries.Files {
		if err := o.file(dir, f); err != nil {
			return fmt.Errorf("%q: %w", path+"/"+f.Name, err)
		}
	}
	if err := o.dirs(dir, path, entries.Dirs, depth+1); err != nil {
		return err
	}
	if err := settleInode(dir, meta); err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	return nil
}

// dirs lays out the directories of a directory, some at the same time.
func (o *checkout) dirs(parent int, path string, dirs []DirEntry, depth int) error {
	var running sync.WaitGroup
	defer running.Wait()
	for _, d := range dirs {
		if err := context.Cause(o.ctx); err != nil {
			return err
		}
		below := path + "/" + d.Name
		select {
		case o.helpers <- struct{}{}:
			running.Go(func() {
				if err := o.dir(parent, below, d, depth); err != nil {
					o.cancel(err)
				}
				<-o.helpers
			})
		default:
			if err := o.dir(parent, below, d, depth); err != nil {
				return err
			}
		}
	}
	running.Wait()
	return context.Cause(o.ctx)
}

func (o *checkout) meta(sum Checksum) (Meta, error) {
	if m, ok := o.metas.Load(sum); ok {
		return m.(Meta), nil
	}
	m, err := o.repo.ReadDirMeta(sum)
	if err == nil {
		o.metas.Store(sum, m)
	}
	return m, err
}

func (o *checkout) file(dir int, f FileEntry) error {
	object := object{f.File, kindFile}
	if !o.copy {
		path, lent := object.path(), false
		err := o.repo.in(func(objects int) error {
			lent = objects != o.objects
			return unix.Linkat(objects, path, dir, f.Name, 0)
		})
		if err == nil {
			return nil
		}
		if err != unix.EMLINK && !(err == unix.EXDEV && lent) {
			return fmt.Errorf("link object %v: %w", object, err)
		}
	}
	if err := o.repo.copyFile(object, dir, f.Name); err != nil {
		return fmt.Errorf("copy object %v: %w", object, err)
	}
	return nil
}

// copyFile makes a new inode that is the same as an object in all respects.
func (r *Repo) copyFile(o object, dir int, name string) error {
	info, err := r.StatFile(o.sum)
	if err != nil {
		return err
	}
	if info.IsSymlink() {
		return makeSymlink(dir, name, info.Meta, info.Target, noID, noID)
	}
	from, err := r.OpenFile(o.sum)
	if err != nil {
		return err
	}
	defer from.Close()
	fd, err := openAt(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	to := os.NewFile(uintptr(fd), name)
	_, err = io.Copy(to, from)
	if err == nil {
		err = settleInode(fd, info.Meta)
	}
	return errors.Join(err, to.Close())
}

// settleInode gives a checked-out inode its owner, attributes, mode and time,
// in this order: see Txn.settle.
func settleInode(fd int, meta Meta) error {
	if err := unix.Fchown(fd, int(meta.UID), int(meta.GID)); err != nil {
		return fmt.Errorf("chown to %d:%d: %w", meta.UID, meta.GID, err)
	}
	if err := setXattrs(fd, meta.Xattrs); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, meta.Mode); err != nil {
		return fmt.Errorf("chmod to %#o: %w", meta.Mode, err)
	}
	return setEpoch(fd)
}
