package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"syscontainer/pull/layer"
	"syscontainer/pull/ostree"
	"syscontainer/pull/registry"
	"syscontainer/pull/store"
)

// parallel is how many layers are fetched at once: two saturate two
// processors, a few more hide a registry's latency.
const parallel = 4

// commit returns the OSTree commit of an image and lets the ref of reference
// name it. Layers are fetched only if the repository does not have the commit:
// it may be there under another reference, or since a crash before checkout.
func (f *fetcher) commit(ctx context.Context, repo *ostree.Repo, source *registry.Source, image *registry.Image, reference string) (ostree.Checksum, error) {
	deployRef, imageRef := "deploy/"+image.Digest, "image/"+store.Escape(reference)
	txn, err := repo.Begin(ctx) // also removes what a killed fetch left
	if err != nil {
		return ostree.Checksum{}, err
	}
	defer txn.Abort()
	commit, err := repo.ResolveRef(deployRef)
	if err == nil {
		if named, err := repo.ResolveRef(imageRef); err == nil && named == commit {
			return commit, nil
		}
		return commit, txn.Publish(map[string]ostree.Checksum{imageRef: commit})
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return commit, err
	}
	f.progress.expect(image.Size())
	f.progress.phase("fetching " + reference)
	layers, err := f.readLayers(ctx, source, image, sink{txn})
	if err != nil {
		return commit, err
	}
	merged, err := layer.Merge(layers)
	if err != nil {
		return commit, err
	}
	f.progress.phase("storing " + reference)
	if commit, err = writeCommit(txn, merged, image); err != nil {
		return commit, err
	}
	return commit, txn.Publish(map[string]ostree.Checksum{deployRef: commit, imageRef: commit})
}

// readLayers reads all layers, several at a time. The first failure ends the
// others; all have ended when it returns.
func (f *fetcher) readLayers(ctx context.Context, source *registry.Source, image *registry.Image, to layer.Sink) ([]*layer.Tree, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	trees := make([]*layer.Tree, len(image.Layers))
	slots := make(chan struct{}, parallel)
	var all sync.WaitGroup
	for i, l := range image.Layers {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			tree, err := f.readLayer(ctx, source, l, to)
			if err != nil {
				cancel(fmt.Errorf("layer %d: %w", i+1, err))
			}
			trees[i] = tree
		})
	}
	all.Wait()
	return trees, context.Cause(ctx)
}

// readLayer reads one layer to the end of both streams, so that the digests of
// what was transferred and of what was unpacked have been compared.
func (f *fetcher) readLayer(ctx context.Context, source *registry.Source, l registry.Layer, to layer.Sink) (*layer.Tree, error) {
	transferred, err := source.Layer(ctx, l, f.progress.received)
	if err != nil {
		return nil, err
	}
	defer transferred.Close()
	plain, err := layer.Decompress(transferred)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Digest, err)
	}
	defer plain.Close()
	tree, err := layer.Read(ctx, registry.Verify(plain, "uncompressed layer", l.DiffID, -1), to, layer.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Digest, err)
	}
	return tree, nil
}

// sink hands contents to the repository.
type sink struct{ txn *ostree.Txn }

func (s sink) File(meta layer.Meta, size int64, content io.Reader) (layer.ID, error) {
	return s.txn.WriteFile(ostree.Meta(meta), size, content)
}

func (s sink) Symlink(meta layer.Meta, target string) (layer.ID, error) {
	return s.txn.WriteSymlink(ostree.Meta(meta), target)
}

// writeCommit writes a merged tree and the commit above it. Same image, same
// commit: its time is the image's.
func writeCommit(txn *ostree.Txn, merged *layer.Merged, image *registry.Image) (commit ostree.Checksum, err error) {
	c := ostree.Commit{
		Subject:   "sha256:" + image.Digest,
		Timestamp: created(image.Config),
		Metadata:  ostree.StringMetadata(map[string]string{"syscontainer.manifest-digest": "sha256:" + image.Digest}),
	}
	if c.Tree, c.Meta, err = txn.WriteTree(tree(merged.Root)); err != nil {
		return commit, err
	}
	return txn.WriteCommit(c)
}

// created is the time an image's configuration gives, in seconds since 1970.
// No time, or none that is one, is 0.
func created(config []byte) uint64 {
	var c struct {
		Created time.Time `json:"created"`
	}
	if json.Unmarshal(config, &c) != nil || c.Created.Unix() < 0 {
		return 0
	}
	return uint64(c.Created.Unix())
}

func tree(d *layer.Node) *ostree.Tree {
	t := &ostree.Tree{Meta: ostree.Meta(d.Meta), Files: map[string]ostree.Checksum{}, Dirs: map[string]*ostree.Tree{}}
	for name, child := range d.Children {
		if child.Type == layer.Dir {
			t.Dirs[name] = tree(child)
		} else {
			t.Files[name] = child.ID
		}
	}
	return t
}

// checkOut makes the image's directory: one checkout, shared by all containers.
func checkOut(ctx context.Context, w *store.Writer, repo *ostree.Repo, image *registry.Image, commit ostree.Checksum) (store.Image, error) {
	staged, err := w.Stage(image.Digest)
	if err != nil {
		return store.Image{}, err
	}
	defer staged.Discard()
	if err := repo.Checkout(ctx, commit, staged.Dir(), "rootfs", ostree.CheckoutOptions{}); err != nil {
		return store.Image{}, err
	}
	if err := staged.WriteFile("manifest.json", image.Manifest); err != nil {
		return store.Image{}, err
	}
	if err := staged.WriteFile("config.json", image.Config); err != nil {
		return store.Image{}, err
	}
	return staged.Publish()
}
