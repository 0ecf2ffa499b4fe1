package ostree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// PruneOptions say what a prune may remove.
type PruneOptions struct {
	// Choose, if not nil, is called once under the exclusive lock with all local refs and returns those to delete first.
	// An error ends the prune before anything was changed.
	Choose func(refs map[string]Checksum) (del []string, err error)
	DryRun bool // count, change nothing; the lock is shared then
	// Quick: do not wait for the lock; return an error that is ErrBusy when it is held.
	Quick bool
}

// Pruned tells what a prune removed, or with DryRun would remove.
type Pruned struct {
	Refs    []string // sorted
	Commits int      // commits among the objects
	Objects int
	Bytes   int64 // allocated by inodes whose last link went: what the file system got back
}

// Prune removes the objects that no ref leads to, as `ostree prune --refs-only
// --depth=0` does: the commits named by local refs, refs of remotes and
// mirrored refs are kept with their trees and files, and nothing else is. The
// parents of those commits go. Static deltas stay, as do tombstones of commits
// that are gone already, and all files in objects/ that are no objects. What
// dead transactions left in tmp/ goes too.
//
// Unlike libostree it removes nothing when a ref is damaged or names a commit
// that is not there, nor when a directory of a commit that is to stay is
// missing or damaged, unless that commit is marked as partial: such is an
// error. Whether files are sound is for Verify to say.
//
// Refs are gone durably before the first object is, commits before their
// trees: a prune that is interrupted at any point leaves whole commits only,
// and the next one finishes it. After an error Pruned tells what is gone.
func (r *Repo) Prune(ctx context.Context, options PruneOptions) (Pruned, error) {
	timeout := r.config.lockTimeout
	if options.Quick {
		timeout = 0
	}
	lock, err := r.lockFor(ctx, !options.DryRun, timeout) // who only counts disturbs nobody
	if err != nil {
		return Pruned{}, fmt.Errorf("prune: %w", err)
	}
	defer lock.Close()
	p := newPrune(ctx, r)
	p.dry = options.DryRun
	if err := p.run(options.Choose); err != nil {
		return p.done, fmt.Errorf("prune: %w", err)
	}
	return p.done, nil
}

// prune is one run of Prune.
type prune struct {
	repo *Repo
	ctx  context.Context
	dry  bool
	keep map[object]struct{} // what refs lead to, but files
	// Half a checksum of each file: there may be millions, and of two that begin
	// alike one would merely stay too long.
	files map[[16]byte]struct{}
	done  Pruned
}

func newPrune(ctx context.Context, r *Repo) *prune {
	return &prune{repo: r, ctx: ctx, keep: map[object]struct{}{}, files: map[[16]byte]struct{}{}}
}

func (p *prune) run(choose func(map[string]Checksum) ([]string, error)) error {
	roots, err := p.repo.roots()
	if err != nil {
		return err
	}
	var del []string
	if choose != nil {
		if roots, del, err = chosen(roots, choose); err != nil {
			return err
		}
	}
	if err := p.mark(roots); err != nil {
		return err
	}
	if err := p.deleteRefs(del); err != nil {
		return err
	}
	return p.sweep()
}

// root is a ref that keeps a commit.
type root struct {
	base, name string // path is base/name
	commit     Checksum
	alias      bool   // a symbolic link to another ref
	ino        uint64 // of the file that holds the checksum
}

func (t root) String() string { return t.base + "/" + t.name }

// roots reads all refs and sees to it that their commits are there.
func (r *Repo) roots() ([]root, error) {
	var roots []root
	for _, base := range []string{heads, "refs/remotes", "refs/mirrors"} {
		err := r.walkRefs(base, "", 0, func(name, path string) error {
			commit, err := r.readRef(path)
			if err != nil {
				return err
			}
			if found, err := r.has(object{commit, kindCommit}); err != nil {
				return err
			} else if !found {
				return fmt.Errorf("ref %s is damaged: commit %v: %w", path, commit, fs.ErrNotExist)
			}
			var own, end unix.Stat_t
			if err := unix.Fstatat(r.fd(), path, &own, unix.AT_SYMLINK_NOFOLLOW); err != nil {
				return fmt.Errorf("ref %s: %w", path, err)
			}
			if err := unix.Fstatat(r.fd(), path, &end, 0); err != nil {
				return fmt.Errorf("ref %s: %w", path, err)
			}
			roots = append(roots, root{base, name, commit, own.Mode&typeMask == typeSymlink, end.Ino})
			return nil
		})
		if err != nil && (base == heads || !errors.Is(err, unix.ENOENT) || !missing(r, base)) {
			return nil, err
		}
	}
	return roots, nil
}

func missing(r *Repo, path string) bool {
	var st unix.Stat_t
	return unix.Fstatat(r.fd(), path, &st, unix.AT_SYMLINK_NOFOLLOW) == unix.ENOENT
}

// chosen asks which local refs to delete and returns the roots that stay. A
// ref that others are aliases of cannot go without them, because libostree
// lists no refs at all where a link dangles.
func chosen(roots []root, choose func(map[string]Checksum) ([]string, error)) (stay []root, del []string, err error) {
	local := map[string]Checksum{}
	for _, t := range roots {
		if t.base == heads {
			local[t.name] = t.commit
		}
	}
	known := maps.Clone(local)
	if del, err = choose(local); err != nil {
		return nil, nil, err
	}
	del = slices.Compact(slices.Sorted(slices.Values(del)))
	for _, name := range del {
		if _, ok := known[name]; !ok {
			return nil, nil, fmt.Errorf("delete ref %s: %w", name, fs.ErrNotExist)
		}
	}
	gone := map[uint64]string{} // by inode
	for _, t := range roots {
		if _, found := slices.BinarySearch(del, t.name); t.base != heads || !found {
			stay = append(stay, t)
		} else if !t.alias {
			gone[t.ino] = t.name
		}
	}
	for _, t := range stay {
		if name, dangles := gone[t.ino]; dangles && t.alias {
			return nil, nil, fmt.Errorf("delete ref %s: %v is an alias of it", name, t)
		}
	}
	return stay, del, nil
}

// mark collects what roots lead to. Whole commits come first: what they share
// with partial ones must be all there.
func (p *prune) mark(roots []root) error {
	var partial []root
	for _, t := range roots {
		marked, err := p.repo.isPartial(t.commit)
		if marked {
			partial = append(partial, t)
		} else if err == nil {
			err = p.commit(t, false)
		}
		if err != nil {
			return err
		}
	}
	for _, t := range partial {
		if err := p.commit(t, true); err != nil {
			return err
		}
	}
	return nil
}

func (p *prune) commit(t root, partial bool) error {
	if !p.first(object{t.commit, kindCommit}) {
		return nil
	}
	c, err := p.repo.ReadCommit(t.commit)
	if err == nil {
		err = p.dir(c.Tree, c.Meta, partial, 0)
	}
	if err != nil {
		return fmt.Errorf("ref %v: %w", t, err)
	}
	return nil
}

func (p *prune) first(o object) bool {
	_, seen := p.keep[o]
	p.keep[o] = struct{}{}
	return !seen
}

func (p *prune) marked(o object) (found bool) {
	if o.kind == kindFile {
		_, found = p.files[[16]byte(o.sum[:])]
	} else {
		_, found = p.keep[o]
	}
	return found
}

func (p *prune) dir(tree, meta Checksum, partial bool, depth int) error {
	tolerate := func(err error) error {
		if partial && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if p.first(object{meta, kindDirMeta}) {
		if _, err := p.repo.ReadDirMeta(meta); tolerate(err) != nil {
			return err
		}
	}
	if !p.first(object{tree, kindDirTree}) {
		return nil
	}
	if depth > maxDepth {
		return fmt.Errorf("directories nest deeper than %d", maxDepth)
	}
	if err := context.Cause(p.ctx); err != nil {
		return err
	}
	entries, err := p.repo.ReadDirTree(tree)
	if err != nil {
		return tolerate(err)
	}
	for _, f := range entries.Files {
		p.files[[16]byte(f.File[:])] = struct{}{}
	}
	for _, d := range entries.Dirs {
		if err := p.dir(d.Tree, d.Meta, partial, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// deleteRefs removes local refs durably.
func (p *prune) deleteRefs(names []string) error {
	if p.dry || len(names) == 0 {
		p.done.Refs = names
		return nil
	}
	for _, name := range names {
		step()
		dir, err := p.repo.unlinkRef(name)
		if err != nil {
			return errors.Join(err, p.repo.touch())
		}
		dir.Close()
		p.done.Refs = append(p.done.Refs, name)
	}
	step()
	return errors.Join(p.repo.touch(), p.repo.sync())
}
