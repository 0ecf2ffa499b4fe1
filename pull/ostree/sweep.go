package ostree

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	extDetached  = ".commitmeta"       // signatures and the like of a commit
	extTombstone = ".tombstone-commit" // says that a commit was deleted
	extPartial   = ".commitpartial"    // in state/
)

// sweep removes the objects that were not marked: commits durably before the
// rest, then metadata, which is few and can be remembered, then files, which
// need not fit into memory.
func (p *prune) sweep() error {
	if !p.dry {
		if err := p.debris(); err != nil {
			return err
		}
	}
	var trees, metas []Checksum
	err := p.eachGarbage(func(dir int, name string, sum Checksum, ext string) (err error) {
		switch ext {
		case extensions[kindCommit]:
			err = p.removeCommit(dir, name, sum)
		case extDetached: // of a commit that is gone
			err = p.remove(dir, name, nil)
		case extensions[kindDirTree]:
			trees = append(trees, sum)
		case extensions[kindDirMeta]:
			metas = append(metas, sum)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := p.partialMarks(); err != nil {
		return err
	}
	if (p.done.Commits > 0 || len(trees) > 0) && !p.dry { // a prune before this one may have removed the commits
		step()
		if err := p.repo.sync(); err != nil {
			return err
		}
	}
	objects := int(p.repo.objects.Fd())
	for _, list := range []struct {
		kind kind
		sums []Checksum
	}{{kindDirTree, trees}, {kindDirMeta, metas}} {
		for _, sum := range list.sums {
			if err := p.remove(objects, object{sum, list.kind}.path(), &p.done.Objects); err != nil {
				return err
			}
		}
	}
	return p.eachGarbage(func(dir int, name string, sum Checksum, ext string) error {
		if ext != extensions[kindFile] {
			return nil
		}
		return p.remove(dir, name, &p.done.Objects)
	})
}

// eachGarbage calls fn for everything in objects/ that has the name of an
// object, or belongs to a commit, and was not marked.
func (p *prune) eachGarbage(fn func(dir int, name string, sum Checksum, ext string) error) error {
	prefixes, err := readNames(p.repo.fd(), "objects")
	if err != nil {
		return fmt.Errorf("list objects: %w", err)
	}
	for _, prefix := range prefixes {
		if _, ok := hexByte(prefix); !ok {
			continue
		}
		if err := context.Cause(p.ctx); err != nil {
			return err
		}
		if err := p.eachGarbageIn(prefix, fn); err != nil {
			return err
		}
	}
	return nil
}

func (p *prune) eachGarbageIn(prefix string, fn func(dir int, name string, sum Checksum, ext string) error) error {
	dir, err := openDir(int(p.repo.objects.Fd()), prefix, unix.O_NOFOLLOW)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil // nothing of ours
	}
	if err != nil {
		return fmt.Errorf("list objects/%s: %w", prefix, err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("list objects/%s: %w", prefix, err)
	}
	for _, name := range names {
		sum, ext, ok := parseObjectName(prefix, name)
		if !ok {
			continue
		}
		kind, known := kindOf(ext)
		if !known || p.marked(object{sum, kind}) {
			continue
		}
		if err := fn(int(dir.Fd()), name, sum, ext); err != nil {
			return err
		}
	}
	return nil
}

// kindOf returns the kind of object whose mark decides about a file.
func kindOf(ext string) (kind, bool) {
	for k, e := range extensions {
		if e == ext {
			return kind(k), true
		}
	}
	return kindCommit, ext == extDetached
}

// parseObjectName splits the name of a file in objects/XX.
func parseObjectName(prefix, name string) (sum Checksum, ext string, ok bool) {
	const rest = 2*len(sum) - 2
	if len(name) <= rest || name[rest] != '.' || strings.ToLower(name[:rest]) != name[:rest] {
		return sum, "", false
	}
	_, err := hex.Decode(sum[:], []byte(prefix+name[:rest]))
	return sum, name[rest:], err == nil
}

// removeCommit removes a commit and what says something about it.
func (p *prune) removeCommit(dir int, name string, sum Checksum) error {
	if err := p.remove(dir, name, &p.done.Objects); err != nil {
		return err
	}
	p.done.Commits++
	stem := strings.TrimSuffix(name, extensions[kindCommit])
	return p.remove(dir, stem+extTombstone, nil)
}

// partialMarks removes the marks of commits that are not there any more.
func (p *prune) partialMarks() error {
	dir, err := openDir(p.repo.fd(), "state", unix.O_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list state: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("list state: %w", err)
	}
	for _, name := range names {
		stem, ok := strings.CutSuffix(name, extPartial)
		sum, err := ParseChecksum(stem)
		if !ok || err != nil || p.marked(object{sum, kindCommit}) {
			continue
		}
		if err := p.remove(int(dir.Fd()), name, nil); err != nil {
			return err
		}
	}
	return nil
}

// remove removes one file, or only counts it: in count, if not nil, and the
// space it gives back. That it is gone already is fine.
func (p *prune) remove(dir int, name string, count *int) error {
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && !p.dry {
		step()
		err = unix.Unlinkat(dir, name, 0)
	}
	if err == unix.ENOENT {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove object %s: %w", name, err)
	}
	if count != nil {
		*count++
	}
	if st.Nlink == 1 {
		p.done.Bytes += st.Blocks * 512
	}
	return nil
}

// debris removes what dead transactions left: there are no others now.
func (p *prune) debris() error {
	root, err := os.OpenRoot(procPath(p.repo.fd(), "."))
	if err != nil {
		return err
	}
	defer root.Close()
	if err := removeDead(root); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
