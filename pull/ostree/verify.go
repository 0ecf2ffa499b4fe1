package ostree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
)

// Problem is one thing that is wrong with a commit.
type Problem struct {
	Path   string // below the root of the commit: "/usr/bin/x", "/" for the root, "" for the commit itself
	Object string // as Txn.Replace takes it: checksum and extension
	Err    error  // fs.ErrNotExist if the object is missing
}

// Error reads "/usr/bin/x: object … is corrupt".
func (p Problem) Error() string {
	if p.Path == "" {
		return p.Err.Error()
	}
	return p.Path + ": " + p.Err.Error()
}

func (p Problem) Unwrap() error { return p.Err }

// Verify reads all objects of some commits and compares each with its
// checksum. What several commits share is read once, but told for each of
// them, with the first path it has there. A commit that found was not called
// for is whole: a checkout will be what was committed. An error means that
// Verify could not look at everything.
//
// found is called when all has been read, commit by commit in their order.
//
// Where SELinux is on, the kernel labels each new file by itself. A file whose
// checksum fits without its label is sound.
func (r *Repo) Verify(ctx context.Context, commits []Checksum, found func(commit Checksum, p Problem)) error {
	lock, err := r.lock(ctx, false)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	defer lock.Close()
	v := verification{repo: r, ctx: ctx, seen: map[object]bool{}, bad: map[object]error{}, files: make(chan Checksum, 64)}
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(v.readFiles)
	}
	for _, commit := range commits {
		v.commit(commit)
	}
	close(v.files)
	readers.Wait()
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if len(v.bad) == 0 {
		return nil
	}
	for _, commit := range commits {
		a := affected{verification: &v, seen: map[object]bool{}, found: func(p Problem) { found(commit, p) }}
		a.commit(commit)
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return nil
}

// Fsck verifies one commit. The error joins all problems; nil means that a
// checkout will be what was committed.
func (r *Repo) Fsck(ctx context.Context, commit Checksum) error {
	var problems []error
	err := r.Verify(ctx, []Checksum{commit}, func(_ Checksum, p Problem) { problems = append(problems, p) })
	return errors.Join(append(problems, err)...)
}

// verification reads each object of all commits once.
type verification struct {
	repo  *Repo
	ctx   context.Context
	seen  map[object]bool
	files chan Checksum

	mu  sync.Mutex
	bad map[object]error
}

func (v *verification) note(o object, err error) {
	if err != nil {
		v.mu.Lock()
		v.bad[o] = err
		v.mu.Unlock()
	}
}

func (v *verification) first(o object) bool {
	seen := v.seen[o]
	v.seen[o] = true
	return !seen
}

func (v *verification) commit(sum Checksum) {
	o := object{sum, kindCommit}
	if !v.first(o) {
		return
	}
	v.note(o, v.repo.checkComplete(sum))
	c, err := v.repo.ReadCommit(sum)
	if err != nil {
		v.note(o, err)
		return
	}
	v.dir(c.Tree, c.Meta, 0)
}

func (v *verification) dir(tree, meta Checksum, depth int) {
	if o := (object{meta, kindDirMeta}); v.first(o) {
		_, err := v.repo.ReadDirMeta(meta)
		v.note(o, err)
	}
	o := object{tree, kindDirTree}
	if !v.first(o) || v.ctx.Err() != nil {
		return
	}
	if depth > maxDepth {
		v.note(o, fmt.Errorf("object %v: directories nest deeper than %d", o, maxDepth))
		return
	}
	entries, err := v.repo.ReadDirTree(tree)
	if err != nil {
		v.note(o, err)
		return
	}
	for _, e := range entries.Files {
		if v.first(object{e.File, kindFile}) {
			v.files <- e.File
		}
	}
	for _, e := range entries.Dirs {
		v.dir(e.Tree, e.Meta, depth+1)
	}
}

// readFiles takes files until there are no more, or none is wanted any more.
func (v *verification) readFiles() {
	for sum := range v.files {
		if v.ctx.Err() == nil {
			v.note(object{sum, kindFile}, v.repo.verifyFile(v.ctx, sum))
		}
	}
}

// affected looks for the damage in one commit.
type affected struct {
	*verification
	seen  map[object]bool
	found func(Problem)
}

// tell reports an object that is bad, and whether this is the first time that
// it comes up.
func (a *affected) tell(path string, o object) (first bool) {
	if a.seen[o] {
		return false
	}
	a.seen[o] = true
	if err := a.bad[o]; err != nil {
		a.found(Problem{path, o.String(), err})
	}
	return true
}

func (a *affected) commit(sum Checksum) {
	a.tell("", object{sum, kindCommit})
	if c, err := a.repo.ReadCommit(sum); err == nil {
		a.dir("", c.Tree, c.Meta)
	}
}

// dir goes through a directory; path is "" for the root. Where the
// verification did not get any deeper this does neither.
func (a *affected) dir(path string, tree, meta Checksum) {
	here := path
	if here == "" {
		here = "/"
	}
	a.tell(here, object{meta, kindDirMeta})
	o := object{tree, kindDirTree}
	if !a.tell(here, o) || a.bad[o] != nil || a.ctx.Err() != nil {
		return
	}
	entries, err := a.repo.ReadDirTree(tree)
	if err != nil {
		a.found(Problem{here, o.String(), err})
		return
	}
	for _, e := range entries.Files {
		a.tell(path+"/"+e.Name, object{e.File, kindFile})
	}
	for _, e := range entries.Dirs {
		a.dir(path+"/"+e.Name, e.Tree, e.Meta)
	}
}

// verifyFile hashes a file object again.
func (r *Repo) verifyFile(ctx context.Context, sum Checksum) error {
	o := object{sum, kindFile}
	info, err := r.StatFile(sum)
	if err != nil {
		return err
	}
	metas := []Meta{info.Meta}
	if _, labelled := info.Meta.Xattrs[selinuxLabel]; labelled {
		plain := info.Meta
		plain.Xattrs = maps.Clone(plain.Xattrs)
		delete(plain.Xattrs, selinuxLabel)
		metas = append(metas, plain)
	}
	var got []Checksum
	if info.IsSymlink() {
		for _, m := range metas {
			got = append(got, SymlinkChecksum(m, info.Target))
		}
	} else {
		content, err := r.OpenFile(sum)
		if err != nil {
			return err
		}
		defer content.Close()
		if got, err = hashFile(ctx, content, metas); err != nil {
			return fmt.Errorf("object %v: %w", o, err)
		}
	}
	if !slices.Contains(got, sum) {
		return fmt.Errorf("object %v is corrupt: its checksum is %v", o, got[0])
	}
	return nil
}

// hashFile reads content once and returns its checksum with each meta.
func hashFile(ctx context.Context, content io.Reader, metas []Meta) ([]Checksum, error) {
	hashes := make([]fileHash, len(metas))
	for i, m := range metas {
		hashes[i] = newFileHash(m)
	}
	buffer := largeBuffers.Get().(*[]byte)
	defer largeBuffers.Put(buffer)
	b := (*buffer)[:chunk]
	var err error
	for err == nil {
		var n int
		n, err = content.Read(b)
		for _, h := range hashes {
			h.Write(b[:n])
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}
	got := make([]Checksum, len(metas))
	for i, h := range hashes {
		got[i] = h.sum()
	}
	if err == io.EOF {
		err = nil
	}
	return got, err
}
