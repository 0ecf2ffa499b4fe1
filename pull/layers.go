package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"syscontainer/pull/layer"
	"syscontainer/pull/ostree"
	"syscontainer/pull/registry"
	"syscontainer/pull/store"
)

// layers gathers the layers of one image: those the repository has come from
// there, those that another process is fetching are waited for, the rest is
// fetched.
type layers struct {
	*fetcher
	writer *store.Writer
	source *registry.Source
	image  *registry.Image
	again  bool // fetch what the repository has, too

	held map[string]*store.Lock // by diff_id, of layers that are fetched here
}

// gather returns the trees that can be had without waiting, by diff_id, with
// all their objects known to the transaction, and the refs to publish for those
// that were fetched. If not all can, missing is one that another process is
// fetching.
func (l *layers) gather(ctx context.Context, repo *ostree.Repo, txn *ostree.Txn) (trees map[string]*layer.Tree, refs map[string]ostree.Checksum, missing string, err error) {
	trees, refs = map[string]*layer.Tree{}, map[string]ostree.Checksum{}
	var fetch []registry.Layer
	for _, described := range l.image.Layers {
		id := described.DiffID.Encoded()
		if _, seen := trees[id]; seen {
			continue // twice in one image
		}
		trees[id] = nil
		if !l.again {
			if trees[id] = storedLayer(repo, txn, id); trees[id] != nil {
				continue
			}
			if l.held[id] == nil {
				if l.held[id], err = l.writer.TryLockLayer(id); err != nil {
					return nil, nil, "", err
				}
				if l.held[id] == nil {
					missing = id
					continue
				}
				if trees[id] = storedLayer(repo, txn, id); trees[id] != nil { // just now
					continue
				}
			}
		}
		fetch = append(fetch, described)
	}
	if err := l.fetchInto(ctx, fetch, txn, trees, refs); err != nil {
		return nil, nil, "", err
	}
	return trees, refs, missing, nil
}

// wait returns when another process has stored a layer or given it up. Whatever
// is held here is published by then, so that nobody waits for us.
func (l *layers) wait(ctx context.Context, repo *ostree.Repo, diffID string) error {
	waiting := l.waiting("a layer of ")
	for {
		waiting()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
		if _, err := repo.ResolveRef(layerRef(diffID)); err == nil {
			return nil
		}
		lock, err := l.writer.TryLockLayer(diffID)
		if lock != nil || err != nil {
			lock.Release()
			return err
		}
	}
}

// release lets others have the layers that were fetched here, and prune remove
// those that no image came to use.
func (l *layers) release() {
	for _, lock := range l.held {
		lock.Release()
	}
}

func (l *layers) fetchInto(ctx context.Context, fetch []registry.Layer, txn *ostree.Txn, trees map[string]*layer.Tree, refs map[string]ostree.Checksum) error {
	if len(fetch) == 0 {
		return nil
	}
	space, err := l.space(l.writer, fetch)
	if err != nil {
		return err
	}
	var total int64
	for _, described := range fetch {
		total += described.Size
	}
	l.progress.expect(total)
	l.progress.phase("fetching " + l.reference)
	read, err := l.readAll(ctx, fetch, sink{txn}, space)
	if err != nil {
		return err
	}
	for i, described := range fetch {
		id := described.DiffID.Encoded()
		trees[id] = read[i]
		if err := keepLayer(txn, id, read[i], refs); err != nil {
			return err
		}
	}
	return nil
}

// readAll reads layers, several at a time. The first failure ends the others;
// all have ended when it returns.
func (l *layers) readAll(ctx context.Context, fetch []registry.Layer, to layer.Sink, space *space) ([]*layer.Tree, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	trees := make([]*layer.Tree, len(fetch))
	slots := make(chan struct{}, l.settings.parallel)
	var all sync.WaitGroup
	for i, described := range fetch {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			tree, err := l.readOne(ctx, described, to, space)
			if err != nil {
				cancel(fmt.Errorf("layer %s: %w", described.Digest, err))
			}
			trees[i] = tree
		})
	}
	all.Wait()
	return trees, context.Cause(ctx)
}

// readOne reads a layer to the end of both streams, so that the digests of what
// was transferred and of what was unpacked have been compared.
func (l *layers) readOne(ctx context.Context, described registry.Layer, to layer.Sink, space *space) (*layer.Tree, error) {
	transferred, err := l.source.Layer(ctx, described, l.progress.received)
	if err != nil {
		return nil, err
	}
	defer transferred.Close()
	counted := &counter{r: transferred}
	plain, err := layer.Decompress(counted)
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	limits := l.settings.limits
	limits.Admit = space.admit
	limits.Account = &space.account
	limits.Transferred = counted.n.Load
	return layer.Read(ctx, registry.Verify(plain, "uncompressed layer", described.DiffID, -1), to, limits)
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// sink hands contents to the repository.
type sink struct{ txn *ostree.Txn }

func (s sink) File(meta layer.Meta, size int64, content io.Reader) (layer.ID, error) {
	return s.txn.WriteFile(ostree.Meta(meta), size, content)
}

func (s sink) Symlink(meta layer.Meta, target string) (layer.ID, error) {
	return s.txn.WriteSymlink(ostree.Meta(meta), target)
}

// What the commit of a layer holds: its files, and what they cannot say.
const (
	layerFiles = "rootfs"
	layerNote  = "layer.json"
)

// privateFile is what the note is stored as.
var privateFile = ostree.Meta{Mode: 0o600}

// keepLayer writes a commit from which storedLayer makes the same tree again,
// and adds the ref that will name it.
func keepLayer(txn *ostree.Txn, diffID string, tree *layer.Tree, refs map[string]ostree.Checksum) error {
	files, note := tree.Split()
	if len(note) > layer.MaxNote {
		return nil // it will be fetched again
	}
	id, err := txn.WriteFile(privateFile, int64(len(note)), bytes.NewReader(note))
	if err != nil {
		return err
	}
	c := ostree.Commit{
		Subject:  "layer sha256:" + diffID,
		Metadata: ostree.StringMetadata(map[string]string{layerKey: "sha256:" + diffID}),
	}
	c.Tree, c.Meta, err = txn.WriteTree(&ostree.Tree{
		Meta:  ostree.Meta{Mode: 0o700},
		Files: map[string]ostree.Checksum{layerNote: id},
		Dirs:  map[string]*ostree.Tree{layerFiles: ostreeTree(files)},
	})
	if err != nil {
		return err
	}
	refs[layerRef(diffID)], err = txn.WriteCommit(c)
	return err
}

// storedLayer reads back what keepLayer wrote. nil means that the layer has to
// be fetched: it is not there, not whole, or of another release.
func storedLayer(repo *ostree.Repo, txn *ostree.Txn, diffID string) *layer.Tree {
	_, c, err := commitOf(repo, layerRef(diffID), layerKey, diffID)
	if err != nil {
		return nil
	}
	top, err := repo.ReadDirTree(c.Tree)
	if err != nil || len(top.Files) != 1 || len(top.Dirs) != 1 || top.Files[0].Name != layerNote || top.Dirs[0].Name != layerFiles {
		return nil
	}
	note, err := readNote(repo, top.Files[0].File)
	if err != nil {
		return nil
	}
	files, err := storedDir(repo, txn, top.Dirs[0], 0)
	if err != nil {
		return nil
	}
	tree, err := layer.Rejoin(files, note)
	if err != nil {
		return nil
	}
	return tree
}

// readNote reads the note and compares it with its checksum: a flipped bit
// would make another image of it.
func readNote(repo *ostree.Repo, id ostree.Checksum) ([]byte, error) {
	f, err := repo.OpenFile(id)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	note, err := io.ReadAll(io.LimitReader(f, layer.MaxNote+1))
	if err == nil && ostree.FileChecksum(privateFile, note) != id {
		err = errors.New("the note is damaged")
	}
	return note, err
}

func storedDir(repo *ostree.Repo, txn *ostree.Txn, dir ostree.DirEntry, depth int) (*layer.Node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("directories nest deeper than %d", maxDepth)
	}
	meta, err := repo.ReadDirMeta(dir.Meta)
	if err != nil {
		return nil, err
	}
	entries, err := repo.ReadDirTree(dir.Tree)
	if err != nil {
		return nil, err
	}
	n := &layer.Node{Type: layer.Dir, Meta: layer.Meta(meta), Children: make(map[string]*layer.Node, len(entries.Files)+len(entries.Dirs))}
	for _, f := range entries.Files {
		if err := txn.UseFile(f.File); err != nil {
			return nil, err
		}
		n.Children[f.Name] = &layer.Node{Type: layer.File, ID: f.File}
	}
	for _, d := range entries.Dirs {
		if n.Children[d.Name], err = storedDir(repo, txn, d, depth+1); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// maxDepth is far beyond what a path of 4095 bytes can have.
const maxDepth = 2048
