package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"syscontainer/pull/layer"
	"syscontainer/pull/ostree"
	"syscontainer/pull/registry"
	"syscontainer/pull/store"
)

// Metadata of commits: what an image's and a layer's are of, what an image has
// that OSTree has no objects for, and see madeUpDocuments.
const (
	manifestKey  = "syscontainer.manifest-digest"
	layerKey     = "syscontainer.diff-id"
	specialsKey  = "syscontainer.specials"
	documentsKey = "syscontainer.documents"
)

// commitOf returns the commit that a ref names, which must be of what the ref
// says. A ref that is not there is fs.ErrNotExist; anything else is damage: of
// the ref if the checksum is zero, of the commit if the commit is nil, or the
// commit is another's.
func commitOf(repo *ostree.Repo, ref, key, digest string) (ostree.Checksum, *ostree.Commit, error) {
	commit, err := repo.ResolveRef(ref)
	if err != nil {
		return commit, nil, err
	}
	c, err := repo.ReadCommit(commit)
	if err != nil {
		// Not %w: a commit that is missing is no ref that is missing.
		return commit, nil, fmt.Errorf("ref %s: %v", ref, err)
	}
	if of, _ := c.Metadata.Text(key); of != "sha256:"+digest {
		return commit, c, fmt.Errorf("ref %s names the commit of something else: %s is %q", ref, key, of)
	}
	return commit, c, nil
}

// writeCommit writes a merged tree and the commit above it. Same image, same
// commit: its time is the image's.
func writeCommit(txn *ostree.Txn, merged *layer.Merged, image *registry.Image) (commit ostree.Checksum, err error) {
	metadata := map[string]string{manifestKey: "sha256:" + image.Digest}
	if len(merged.Specials) > 0 {
		specials, err := layer.EncodeSpecials(merged.Specials)
		if err != nil {
			return commit, err
		}
		metadata[specialsKey] = string(specials)
	}
	if made := madeUpDocuments(image); made != "" {
		metadata[documentsKey] = made
	}
	c := ostree.Commit{
		Subject:   "sha256:" + image.Digest,
		Timestamp: uint64(max(0, created(image.Config).Unix())),
		Metadata:  ostree.StringMetadata(metadata),
	}
	if c.Tree, c.Meta, err = txn.WriteTree(ostreeTree(merged.Root)); err != nil {
		return commit, err
	}
	return txn.WriteCommit(c)
}

// madeUpDocuments are the digests of an image's manifest and configuration if these are not what its digest leads to, as with
// an image taken over from a store that had lost them; else "".
func madeUpDocuments(image *registry.Image) string {
	manifest, config := digestOf(image.Manifest), digestOf(image.Config)
	if manifest == "sha256:"+image.Digest && config == configOf(image.Manifest) {
		return ""
	}
	return manifest + " " + config
}

// configOf is the digest of the configuration that a manifest names.
func configOf(manifest []byte) string {
	var m struct {
		Config struct {
			Digest string `json:"digest"`
		} `json:"config"`
	}
	json.Unmarshal(manifest, &m)
	return m.Config.Digest
}

// created is the time an image's configuration gives. No time, or none that is
// one, is 1970.
func created(config []byte) time.Time {
	var c struct {
		Created time.Time `json:"created"`
	}
	if json.Unmarshal(config, &c) != nil || c.Created.Unix() < 0 {
		return time.Unix(0, 0).UTC()
	}
	return c.Created
}

func ostreeTree(d *layer.Node) *ostree.Tree {
	t := &ostree.Tree{Meta: ostree.Meta(d.Meta), Files: map[string]ostree.Checksum{}, Dirs: map[string]*ostree.Tree{}}
	for name, child := range d.Children {
		if child.Type == layer.Dir {
			t.Dirs[name] = ostreeTree(child)
		} else {
			t.Files[name] = child.ID
		}
	}
	return t
}

// specials are the special files that the image of a commit asks for.
func specials(c *ostree.Commit) ([]layer.SpecialFile, error) {
	text, ok := c.Metadata.Text(specialsKey)
	if !ok {
		return nil, nil
	}
	return layer.DecodeSpecials([]byte(text))
}

// checkOut makes the image's directory: one checkout, shared by all containers.
func checkOut(ctx context.Context, w *store.Writer, repo *ostree.Repo, image *registry.Image, commit ostree.Checksum) (store.Image, error) {
	c, err := repo.ReadCommit(commit)
	if err != nil {
		return store.Image{}, err
	}
	special, err := specials(c)
	if err != nil {
		return store.Image{}, fmt.Errorf("commit %v: %w", commit, err)
	}
	staged, err := w.Stage(image.Digest)
	if err != nil {
		return store.Image{}, err
	}
	defer staged.Discard()
	if err := repo.Checkout(ctx, commit, staged.Dir(), "rootfs", ostree.CheckoutOptions{}); err != nil {
		return store.Image{}, err
	}
	rootfs, err := os.Open(staged.Rootfs())
	if err != nil {
		return store.Image{}, err
	}
	err = makeFifos(rootfs, special)
	rootfs.Close()
	if err != nil {
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
