package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"syscontainer/pull/ostree"
	"syscontainer/pull/store"
)

// fileChanges are paths in which two images differ, sorted. A directory counts only when it comes, goes, or has another owner
// or mode itself.
type fileChanges struct {
	Added   []string `json:"added"`
	Changed []string `json:"changed"`
	Removed []string `json:"removed"`
}

func (f *fileChanges) none() bool { return len(f.Added)+len(f.Changed)+len(f.Removed) == 0 }

// tree is a commit of a repository, with the parts that were read.
type tree struct {
	repo   *ostree.Repo
	commit *ostree.Commit
}

// treeOf finds the commit of an image in the store, in /var before /usr. nil: no store has it, or it cannot be read.
func treeOf(root, digest string) *tree {
	for _, vendor := range []bool{false, true} {
		repo, err := ostree.Open(store.RepoOf(root, vendor))
		if err != nil {
			continue
		}
		if _, c, err := commitOf(repo, deployRef(digest), manifestKey, digest); err == nil {
			return &tree{repo, c}
		}
		repo.Close()
	}
	return nil
}

func (t *tree) close() {
	if t != nil {
		t.repo.Close()
	}
}

// comparison walks two trees side by side, and goes only where their checksums differ.
type comparison struct {
	ctx      context.Context
	old, new *tree
	files    fileChanges
	powers   powers // of files that are new or changed
	lost     powers // of files that are gone or were changed
}

// compareTrees reads no content: equal files have equal checksums.
func compareTrees(ctx context.Context, old, new *tree) (*comparison, error) {
	c := &comparison{ctx: ctx, old: old, new: new}
	c.files = fileChanges{[]string{}, []string{}, []string{}}
	err := c.dir("", &ostree.DirEntry{Tree: old.commit.Tree, Meta: old.commit.Meta}, &ostree.DirEntry{Tree: new.commit.Tree, Meta: new.commit.Meta}, 0)
	if err != nil {
		return nil, fmt.Errorf("compare the images: %w", err)
	}
	for _, list := range []*[]string{&c.files.Added, &c.files.Changed, &c.files.Removed} {
		slices.Sort(*list)
	}
	return c, nil
}

// dir compares directories; nil is one that is not there.
func (c *comparison) dir(path string, a, b *ostree.DirEntry, depth int) error {
	if err := context.Cause(c.ctx); err != nil {
		return err
	}
	if depth > maxDepth {
		return fmt.Errorf("directories nest deeper than %d", maxDepth)
	}
	switch {
	case a == nil:
		c.files.Added = append(c.files.Added, path+"/")
	case b == nil:
		c.files.Removed = append(c.files.Removed, path+"/")
	case a.Meta != b.Meta:
		c.files.Changed = append(c.files.Changed, path+"/")
	}
	if a != nil && b != nil && a.Tree == b.Tree {
		return nil
	}
	before, err := entriesOf(c.old, a)
	if err != nil {
		return err
	}
	after, err := entriesOf(c.new, b)
	if err != nil {
		return err
	}
	for name, file := range after.files {
		was, there := before.files[name]
		if there && was == file {
			continue
		}
		if there {
			c.files.Changed = append(c.files.Changed, path+"/"+name)
		} else {
			c.files.Added = append(c.files.Added, path+"/"+name)
		}
		if err := c.powers.file(c.new.repo, file, path+"/"+name); err != nil {
			return err
		}
	}
	for name, file := range before.files {
		now, there := after.files[name]
		if there && now == file {
			continue
		}
		if !there {
			c.files.Removed = append(c.files.Removed, path+"/"+name)
		}
		if err := c.lost.file(c.old.repo, file, path+"/"+name); err != nil {
			return err
		}
	}
	for name, d := range after.dirs {
		if err := c.dir(path+"/"+name, before.dirs[name], d, depth+1); err != nil {
			return err
		}
	}
	for name, d := range before.dirs {
		if after.dirs[name] == nil {
			if err := c.dir(path+"/"+name, d, nil, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

type entries struct {
	files map[string]ostree.Checksum
	dirs  map[string]*ostree.DirEntry
}

func entriesOf(t *tree, d *ostree.DirEntry) (e entries, err error) {
	if d == nil {
		return e, nil
	}
	list, err := t.repo.ReadDirTree(d.Tree)
	if err != nil {
		return e, err
	}
	e.files, e.dirs = make(map[string]ostree.Checksum, len(list.Files)), make(map[string]*ostree.DirEntry, len(list.Dirs))
	for _, f := range list.Files {
		e.files[f.Name] = f.File
	}
	for i := range list.Dirs {
		e.dirs[list.Dirs[i].Name] = &list.Dirs[i]
	}
	return e, nil
}

// powers are what a process gets by executing a file, and what the image's templates ask for. Each is a line for people.
type powers []string

func (p *powers) file(repo *ostree.Repo, sum ostree.Checksum, path string) error {
	f, err := repo.StatFile(sum)
	if err != nil {
		return err
	}
	if f.IsSymlink() {
		return nil
	}
	if f.Meta.Mode&unix.S_ISUID != 0 {
		*p = append(*p, fmt.Sprintf("%s is set-user-ID, of user %d", path, f.Meta.UID))
	}
	if f.Meta.Mode&unix.S_ISGID != 0 && f.Meta.Mode&0o010 != 0 {
		*p = append(*p, fmt.Sprintf("%s is set-group-ID, of group %d", path, f.Meta.GID))
	}
	if value, ok := f.Meta.Xattrs["security.capability"]; ok {
		names, err := fileCapabilities(value)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, name := range names {
			*p = append(*p, path+" has "+name)
		}
	}
	return nil
}

// fileCapabilities reads an attribute security.capability (capabilities(7)): which a process gets, permitted or handed on.
func fileCapabilities(value string) (names []string, err error) {
	if len(value) < 12 {
		return nil, errors.New("an attribute security.capability that is none")
	}
	word := func(at int) uint64 {
		return uint64(value[at]) | uint64(value[at+1])<<8 | uint64(value[at+2])<<16 | uint64(value[at+3])<<24
	}
	set := word(4) | word(8)
	if len(value) >= 20 {
		set |= (word(12) | word(16)) << 32
	}
	for i := range 64 {
		if set>>i&1 != 0 {
			names = append(names, capabilityName(i))
		}
	}
	return names, nil
}
