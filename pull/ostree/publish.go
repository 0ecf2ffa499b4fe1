package ostree

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// step is called where a crash test may end the process.
var step = func() {}

// Publish makes all that was written part of the repository and then lets the
// refs name their commits, which must have been written here or be in the
// repository. When it returns nil everything is durable, unless core.fsync is
// false. A failed Publish may have published objects, but no ref that names a
// commit with missing objects. Either way the transaction has ended.
func (t *Txn) Publish(refs map[string]Checksum) error {
	defer t.Abort()
	t.end()
	t.mu.Lock()
	err := t.err
	if t.closed {
		err = errors.New("the transaction has ended")
	}
	t.closed = true
	t.mu.Unlock()
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	for name, commit := range refs {
		if err := checkNewRef(name); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		if t.needs(object{commit, kindCommit}) == nil {
			continue
		}
		if err := t.repo.checkComplete(commit); err != nil {
			return fmt.Errorf("publish: ref %s: %w", name, err)
		}
	}
	if err := t.publish(refs); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

func (t *Txn) publish(refs map[string]Checksum) error {
	step()
	if err := t.sync(); err != nil {
		return err
	}
	// Content before what refers to it, and all of it before any ref.
	for p := range t.prefixes {
		if err := t.publishPrefix(byte(p)); err != nil {
			return err
		}
	}
	var meta [kinds][]object
	for o, written := range t.known {
		if written && o.kind != kindFile {
			meta[o.kind] = append(meta[o.kind], o)
		}
	}
	for _, objects := range meta {
		for _, o := range objects {
			step()
			if err := t.move(metaDir+"/"+o.String(), o); err != nil {
				return err
			}
		}
	}
	for o := range t.known {
		if o.kind != kindCommit {
			continue
		}
		if err := t.complete(o.sum); err != nil {
			return err
		}
	}
	step()
	if err := t.sync(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		step()
		if err := t.repo.writeRef(t.fd(), name, refs[name]); err != nil {
			return err
		}
	}
	step()
	if len(refs) == 0 {
		return nil
	}
	if err := t.sync(); err != nil {
		return err
	}
	step()
	return nil
}

// sync makes everything durable. It also reports what could not be written
// back since the transaction began.
func (t *Txn) sync() error { return t.repo.syncBy(t.fd()) }

// sync makes everything durable.
func (r *Repo) sync() error { return r.syncBy(r.fd()) }

// syncBy does so by a descriptor, which determines since when errors of
// write-back are told.
func (r *Repo) syncBy(fd int) error {
	if !r.config.fsync {
		return nil
	}
	if err := retry(func() error { return unix.Syncfs(fd) }); err != nil {
		return fmt.Errorf("make durable: %w", err)
	}
	return nil
}

// publishPrefix moves staged files into objects/XX, all at once if there is no
// such directory.
func (t *Txn) publishPrefix(p byte) error {
	files := t.prefixes[p].files
	if len(files) == 0 {
		return nil
	}
	step()
	name := object{files[0], kindFile}.path()[:2]
	if !t.present[p] {
		err := unix.Renameat2(t.fd(), name, int(t.repo.objects.Fd()), name, unix.RENAME_NOREPLACE)
		if err != unix.EEXIST && err != unix.ENOTEMPTY {
			return err
		}
	}
	for _, sum := range files {
		o := object{sum, kindFile}
		step()
		if err := t.move(o.path(), o); err != nil {
			return err
		}
	}
	return nil
}

// move publishes one object. If it is there meanwhile, that one stays: it may
// be linked into checkouts. One that is damaged is replaced.
func (t *Txn) move(staged string, o object) error {
	objects, path := int(t.repo.objects.Fd()), o.path()
	flags := uint(unix.RENAME_NOREPLACE)
	if t.isReplaced(o) {
		flags = 0
	}
	err := unix.Renameat2(t.fd(), staged, objects, path, flags)
	if err == unix.ENOENT { // no such directory yet
		err = unix.Mkdirat(objects, path[:2], 0o755)
		if err == nil {
			err = unix.Fchmodat(objects, path[:2], 0o755, 0)
		}
		if err == nil || err == unix.EEXIST {
			err = unix.Renameat2(t.fd(), staged, objects, path, flags)
		}
	}
	if err == unix.EISDIR && t.isReplaced(o) { // the damage is a directory: it goes with the staging one
		err = unix.Renameat2(t.fd(), staged, objects, path, unix.RENAME_EXCHANGE)
	}
	if err != nil && err != unix.EEXIST {
		return fmt.Errorf("object %v: %w", o, err)
	}
	return nil
}

// complete removes the marks of a commit that was incomplete or deleted
// before.
func (t *Txn) complete(commit Checksum) error {
	for _, mark := range []struct {
		dir  int
		name string
	}{
		{t.repo.fd(), partialMark(commit)},
		{int(t.repo.objects.Fd()), object{commit, kindFile}.path()[:65] + extTombstone},
	} {
		if err := unix.Unlinkat(mark.dir, mark.name, 0); err != nil && err != unix.ENOENT {
			return fmt.Errorf("remove %s: %w", mark.name, err)
		}
	}
	return nil
}
