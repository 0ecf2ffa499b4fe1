package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"syscontainer/pull/layer"
	"syscontainer/pull/ostree"
	"syscontainer/pull/registry"
	"syscontainer/pull/store"
)

// bring takes an image out of Atomic's repository into the store, without the network. Files are shared where both are on
// one file system. It is published as a fetched one is, each step when the one before is durable; its layers are not kept by
// their digests, for nothing says that they are what a registry has under these.
func (r *atomicRepo) bring(ctx context.Context, image *atomicImage) (store.Image, error) {
	w, err := store.OpenWriter(r.root)
	if err != nil {
		return store.Image{}, err
	}
	settings, err := loadSettings(r.root)
	if err != nil {
		return store.Image{}, err
	}
	progress, err := newProgress(-1)
	if err != nil {
		return store.Image{}, err
	}
	defer progress.done()
	f := &fetcher{root: r.root, reference: image.reference, settings: settings, progress: progress}
	reference, err := w.LockReference(ctx, image.reference, f.waiting(""))
	if err != nil {
		return store.Image{}, err
	}
	defer reference.Release()
	if err := w.Sweep(); err != nil {
		return store.Image{}, err
	}
	lock, err := w.LockImage(ctx, image.digest, f.waiting("the same image for "))
	if err != nil {
		return store.Image{}, err
	}
	defer lock.Release()
	repo, err := ostree.OpenWith(w.Repo(), ostree.OpenOptions{Create: true, Borrow: []string{filepath.Join(r.root, "ostree/repo"), r.repo.Path()}})
	if err != nil {
		return store.Image{}, err
	}
	defer repo.Close()
	wanted := &registry.Image{Digest: image.digest, Manifest: image.manifest, Config: image.config}
	commit, err := f.stored(ctx, repo, image.digest)
	if errors.Is(err, fs.ErrNotExist) {
		progress.phase("verifying " + image.reference)
		if err := r.sound(ctx, image); err != nil {
			return store.Image{}, err
		}
		commit, err = r.assemble(ctx, f, w, repo, image, wanted)
	}
	if err != nil {
		return store.Image{}, err
	}
	stored, complete := w.Has(image.digest)
	if !complete {
		progress.phase("checking out " + image.reference)
		if stored, err = checkOut(ctx, w, repo, wanted, commit); err != nil {
			return store.Image{}, err
		}
	} else if err := w.Touch(stored); err != nil {
		return store.Image{}, err
	}
	stored.Reference = image.reference
	return stored, w.SetReference(image.reference, stored)
}

// assemble reads the layers, as strictly as those of a registry, and publishes the image's commit.
func (r *atomicRepo) assemble(ctx context.Context, f *fetcher, w *store.Writer, repo *ostree.Repo, image *atomicImage, wanted *registry.Image) (commit ostree.Checksum, err error) {
	space, err := f.space(w, nil)
	if err != nil {
		return commit, err
	}
	txn, err := repo.Begin(ctx)
	if err != nil {
		return commit, err
	}
	defer txn.Abort()
	f.progress.phase("storing " + image.reference)
	trees := make([]*layer.Tree, len(image.layers))
	for i, of := range image.layers {
		limits := f.settings.limits
		limits.Admit, limits.Account = space.admit, &space.account
		out, in := io.Pipe()
		var writer sync.WaitGroup
		writer.Go(func() { in.CloseWithError(r.archive(ctx, of, in)) })
		trees[i], err = layer.Read(ctx, out, sink{txn}, limits)
		out.Close()
		writer.Wait()
		if err != nil {
			return commit, fmt.Errorf("layer %d, commit %v in %s: %w", i+1, of, r.path, err)
		}
	}
	merged, err := layer.Merge(trees)
	if err != nil {
		return commit, err
	}
	if commit, err = writeCommit(txn, merged, wanted); err != nil {
		return commit, err
	}
	return commit, txn.Publish(map[string]ostree.Checksum{deployRef(image.digest): commit, imageRef(image.reference): commit})
}

// archive writes a layer's tree as the tar stream it was made of, whiteouts included.
func (r *atomicRepo) archive(ctx context.Context, commit ostree.Checksum, to io.Writer) error {
	w := tar.NewWriter(to)
	err := r.repo.Walk(ctx, commit, func(n ostree.Node) error {
		h := &tar.Header{Name: n.Path, Format: tar.FormatPAX, ModTime: time.Unix(0, 0)}
		meta := n.Meta
		var file *os.File
		if n.Dir {
			h.Name, h.Typeflag = n.Path+"/", tar.TypeDir
		} else {
			f, err := r.repo.StatFile(n.File)
			if err != nil {
				return err
			}
			meta = f.Meta
			if f.IsSymlink() {
				h.Typeflag, h.Linkname = tar.TypeSymlink, f.Target
			} else {
				h.Typeflag, h.Size = tar.TypeReg, f.Size
				if file, err = r.repo.OpenFile(n.File); err != nil {
					return err
				}
				defer file.Close()
			}
		}
		h.Mode, h.Uid, h.Gid = int64(meta.Mode), int(meta.UID), int(meta.GID)
		for name, value := range meta.Xattrs {
			if h.PAXRecords == nil {
				h.PAXRecords = map[string]string{}
			}
			h.PAXRecords["SCHILY.xattr."+name] = value
		}
		if err := w.WriteHeader(h); err != nil || file == nil {
			return err
		}
		_, err := io.Copy(w, file)
		return err
	})
	if err != nil {
		return err
	}
	return w.Close()
}

// readAllOf reads a document, which is never large.
func readAllOf(f *os.File) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, 16<<20+1))
	if err == nil && len(data) > 16<<20 {
		err = errors.New("it is larger than 16 MiB")
	}
	return data, err
}
