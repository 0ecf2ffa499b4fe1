package ostree

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// Fsck reads all objects of a commit and compares each with its checksum. The
// error joins all that is wrong, each with its path; nil means that a checkout
// will be what was committed.
func (r *Repo) Fsck(ctx context.Context, commit Checksum) error {
	lock, err := r.lock(ctx, false)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := r.checkComplete(commit); err != nil {
		return err
	}
	c, err := r.ReadCommit(commit)
	if err != nil {
		return err
	}
	f := fsck{repo: r, ctx: ctx, seen: map[object]bool{}}
	f.dir("", c.Tree, c.Meta, 0)
	return errors.Join(f.errs...)
}

type fsck struct {
	repo *Repo
	ctx  context.Context
	seen map[object]bool // equal trees are looked at once
	errs []error
}

func (f *fsck) first(o object) bool {
	seen := f.seen[o]
	f.seen[o] = true
	return !seen
}

func (f *fsck) bad(path string, err error) {
	if err != nil {
		f.errs = append(f.errs, fmt.Errorf("/%s: %w", path, err))
	}
}

func (f *fsck) dir(path string, tree, meta Checksum, depth int) {
	if f.first(object{meta, kindDirMeta}) {
		_, err := f.repo.ReadDirMeta(meta)
		f.bad(path, err)
	}
	if !f.first(object{tree, kindDirTree}) {
		return
	}
	if depth > maxDepth {
		f.bad(path, fmt.Errorf("directories nest deeper than %d", maxDepth))
		return
	}
	entries, err := f.repo.ReadDirTree(tree)
	if err != nil {
		f.bad(path, err)
		return
	}
	if path != "" {
		path += "/"
	}
	for _, e := range entries.Files {
		if err := context.Cause(f.ctx); err != nil {
			f.bad(path, err)
			return
		}
		if f.first(object{e.File, kindFile}) {
			f.bad(path+e.Name, f.repo.verifyFile(e.File))
		}
	}
	for _, e := range entries.Dirs {
		f.dir(path+e.Name, e.Tree, e.Meta, depth+1)
	}
}

// verifyFile hashes a file object again.
func (r *Repo) verifyFile(sum Checksum) error {
	info, err := r.StatFile(sum)
	if err != nil {
		return err
	}
	got := SymlinkChecksum(info.Meta, info.Target)
	if !info.IsSymlink() {
		content, err := r.OpenFile(sum)
		if err != nil {
			return err
		}
		defer content.Close()
		h := sha256.New()
		h.Write(appendFileHeader(nil, info.Meta, typeFile|info.Meta.Mode, ""))
		if _, err := io.Copy(h, content); err != nil {
			return fmt.Errorf("object %v: %w", object{sum, kindFile}, err)
		}
		got = Checksum(h.Sum(nil))
	}
	if got != sum {
		return fmt.Errorf("object %v is corrupt: its checksum is %v", object{sum, kindFile}, got)
	}
	return nil
}
