package ostree

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"

	"golang.org/x/sys/unix"
)

// Compare tells how a directory differs from a checkout of a commit: found is
// called for everything that is missing, extra, or differs in type, owner, mode,
// extended attributes or content, with its path from "/". Times are not compared.
// A file that is the object's own inode is not read: whether the object itself is
// sound, Verify tells.
//
// own tells of paths that are the caller's business and not the commit's; nil is
// allowed. An error means that the comparison could not be finished.
func (r *Repo) Compare(ctx context.Context, commit Checksum, dir *os.File, own func(path string) bool, found func(path string, err error)) error {
	c, err := r.ReadCommit(commit)
	if err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	if own == nil {
		own = func(string) bool { return false }
	}
	cmp := &comparison{repo: r, ctx: ctx, own: own, found: found}
	cmp.dir(dir, "", c.Tree, c.Meta, 0)
	return context.Cause(ctx)
}

type comparison struct {
	repo  *Repo
	ctx   context.Context
	own   func(path string) bool
	found func(path string, err error)
}

var (
	errMissing = errors.New("is missing")
	errExtra   = errors.New("does not belong there")
)

// dir compares one directory with all below it. path is "" for the root.
func (c *comparison) dir(dir *os.File, path string, tree, meta Checksum, depth int) {
	if c.ctx.Err() != nil {
		return
	}
	here := path
	if here == "" {
		here = "/"
	}
	if depth > maxDepth {
		c.found(here, fmt.Errorf("directories nest deeper than %d", maxDepth))
		return
	}
	if err := c.meta(dir, meta); err != nil {
		c.found(here, err)
	}
	entries, err := c.repo.ReadDirTree(tree)
	if err != nil {
		c.found(here, fmt.Errorf("cannot be compared: %w", err))
		return
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		c.found(here, err)
	}
	extra := make(map[string]bool, len(names))
	for _, name := range names {
		extra[name] = true
	}
	for _, f := range entries.Files {
		if !extra[f.Name] {
			c.found(path+"/"+f.Name, errMissing)
		} else if err := c.file(int(dir.Fd()), f); err != nil {
			c.found(path+"/"+f.Name, err)
		}
		delete(extra, f.Name)
	}
	for _, d := range entries.Dirs {
		below := path + "/" + d.Name
		if !extra[d.Name] {
			c.found(below, errMissing)
			continue
		}
		delete(extra, d.Name)
		child, err := openDir(int(dir.Fd()), d.Name, unix.O_NOFOLLOW)
		if err != nil {
			c.found(below, fmt.Errorf("is no directory that can be read: %w", err))
			continue
		}
		c.dir(child, below, d.Tree, d.Meta, depth+1)
		child.Close()
	}
	for name := range extra {
		if !c.own(path + "/" + name) {
			c.found(path+"/"+name, errExtra)
		}
	}
}

func (c *comparison) meta(dir *os.File, sum Checksum) error {
	want, err := c.repo.ReadDirMeta(sum)
	if err != nil {
		return fmt.Errorf("cannot be compared: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return err
	}
	if err := sameOwner(&st, want); err != nil {
		return err
	}
	have, err := xattrsOf(int(dir.Fd())).read()
	if err != nil {
		return err
	}
	return sameXattrs(have, want.Xattrs)
}

func (c *comparison) file(dir int, f FileEntry) error {
	var st, stored unix.Stat_t
	if err := unix.Fstatat(dir, f.Name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	o := object{f.File, kindFile}
	if unix.Fstatat(int(c.repo.objects.Fd()), o.path(), &stored, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Ino == stored.Ino && st.Dev == stored.Dev {
		return nil
	}
	got, err := c.checksum(dir, f.Name, &st)
	if err != nil {
		return err
	}
	for _, sum := range got {
		if sum == f.File {
			return nil
		}
	}
	return fmt.Errorf("is not what was fetched: its checksum is %v instead of %v", got[0], f.File)
}

// checksum is the object id of something on disk, without and with the label
// that SELinux gives each file.
func (c *comparison) checksum(dir int, name string, st *unix.Stat_t) ([]Checksum, error) {
	meta := Meta{UID: st.Uid, GID: st.Gid, Mode: st.Mode & 0o7777}
	var err error
	if meta.Xattrs, err = xattrsAt(dir, name).read(); err != nil {
		return nil, err
	}
	labelled := meta
	meta.Xattrs = maps.Clone(meta.Xattrs)
	delete(meta.Xattrs, selinuxLabel)
	switch st.Mode & typeMask {
	case typeSymlink:
		target, err := readlinkAt(dir, name)
		if err != nil {
			return nil, err
		}
		return []Checksum{SymlinkChecksum(meta, target), SymlinkChecksum(labelled, target)}, nil
	case typeFile:
	default:
		return nil, fmt.Errorf("is neither a regular file nor a symbolic link: mode %#o", st.Mode)
	}
	fd, err := openAt(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	plain, full := sha256.New(), sha256.New()
	plain.Write(appendFileHeader(nil, meta, typeFile|meta.Mode, ""))
	full.Write(appendFileHeader(nil, labelled, typeFile|meta.Mode, ""))
	if _, err := io.Copy(io.MultiWriter(plain, full), f); err != nil {
		return nil, err
	}
	return []Checksum{Checksum(plain.Sum(nil)), Checksum(full.Sum(nil))}, nil
}

func sameOwner(st *unix.Stat_t, want Meta) error {
	if st.Uid != want.UID || st.Gid != want.GID {
		return fmt.Errorf("belongs to %d:%d instead of %d:%d", st.Uid, st.Gid, want.UID, want.GID)
	}
	if mode := st.Mode & 0o7777; mode != want.Mode {
		return fmt.Errorf("has mode %#o instead of %#o", mode, want.Mode)
	}
	return nil
}

func sameXattrs(have, want map[string]string) error {
	for name, value := range want {
		if got, there := have[name]; !there || got != value {
			return fmt.Errorf("extended attribute %q is missing or differs", name)
		}
	}
	for name := range have {
		if _, there := want[name]; !there && name != selinuxLabel {
			return fmt.Errorf("has the extended attribute %q, which does not belong there", name)
		}
	}
	return nil
}
