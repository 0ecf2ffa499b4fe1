package ostree

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// WriteDirMeta stores the owner, mode and attributes of a directory. If there
// are attributes they are tried on a directory first: libostree would find out
// at checkout only.
func (t *Txn) WriteDirMeta(meta Meta) (Checksum, error) {
	if err := meta.check(); err != nil {
		return Checksum{}, t.fail(err)
	}
	data := encodeDirMeta(meta)
	o := object{sha256.Sum256(data), kindDirMeta}
	write, err := t.claim(o)
	if err != nil || !write {
		return o.sum, err
	}
	if len(meta.Xattrs) > 0 {
		err = t.tryDir(o, meta)
	}
	if err == nil {
		err = t.writeMeta(o, data)
	}
	if err != nil {
		return o.sum, t.fail(fmt.Errorf("write object %v: %w", o, err))
	}
	return o.sum, nil
}

func (t *Txn) tryDir(o object, meta Meta) error {
	name := "try-" + o.sum.String()
	if err := unix.Mkdirat(t.fd(), name, 0o700); err != nil {
		return err
	}
	dir, err := openDir(t.fd(), name, unix.O_NOFOLLOW)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := t.settle(int(dir.Fd()), meta); err != nil {
		return err
	}
	return unix.Unlinkat(t.fd(), name, unix.AT_REMOVEDIR)
}

// WriteDirTree stores the content of a directory. All that it names must have
// been written in this transaction before, or the commit above could be
// published with holes.
func (t *Txn) WriteDirTree(tree *DirTree) (Checksum, error) {
	if err := tree.check(); err != nil {
		return Checksum{}, t.fail(err)
	}
	for _, f := range tree.Files {
		if err := t.needs(object{f.File, kindFile}); err != nil {
			return Checksum{}, t.fail(fmt.Errorf("%q: %w", f.Name, err))
		}
	}
	for _, d := range tree.Dirs {
		if err := errors.Join(t.needs(object{d.Tree, kindDirTree}), t.needs(object{d.Meta, kindDirMeta})); err != nil {
			return Checksum{}, t.fail(fmt.Errorf("%q: %w", d.Name, err))
		}
	}
	data := encodeDirTree(tree)
	return t.writeMetaOnce(object{sha256.Sum256(data), kindDirTree}, data)
}

// WriteCommit stores a commit. Its root must have been written in this
// transaction.
func (t *Txn) WriteCommit(c Commit) (Checksum, error) {
	err := c.check()
	if err == nil {
		err = errors.Join(t.needs(object{c.Tree, kindDirTree}), t.needs(object{c.Meta, kindDirMeta}))
	}
	if err != nil {
		return Checksum{}, t.fail(fmt.Errorf("write commit: %w", err))
	}
	data := encodeCommit(&c)
	return t.writeMetaOnce(object{sha256.Sum256(data), kindCommit}, data)
}

// needs returns an error unless an object was written or found here.
func (t *Txn) needs(o object) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.known[o]; !ok {
		return fmt.Errorf("object %v was not written in this transaction", o)
	}
	return nil
}

func (t *Txn) writeMetaOnce(o object, data []byte) (Checksum, error) {
	if len(data) > maxMetadata {
		return o.sum, t.fail(fmt.Errorf("write object %v: larger than %d bytes", o, maxMetadata))
	}
	write, err := t.claim(o)
	if err != nil || !write {
		return o.sum, err
	}
	if err := t.writeMeta(o, data); err != nil {
		return o.sum, t.fail(fmt.Errorf("write object %v: %w", o, err))
	}
	return o.sum, nil
}

func (t *Txn) writeMeta(o object, data []byte) error {
	fd, err := openAt(t.fd(), metaDir+"/"+o.String(), unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return err
	}
	if err = writeAll(fd, data); err == nil {
		err = t.settle(fd, Meta{UID: t.uid, GID: t.gid, Mode: 0o644})
	}
	return closeAfter(fd, err)
}
