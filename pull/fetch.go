package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"syscontainer/pull/layer"
	"syscontainer/pull/ostree"
	"syscontainer/pull/registry"
	"syscontainer/pull/store"
)

// fetcher brings one image into the store below root.
type fetcher struct {
	root      string
	reference string // canonical
	options   registry.Options
	settings  settings
	progress  *progress
	repair    bool // look for damage and mend it
	beside    bool // only add fetches: reference goes on naming what it does
}

// fetch makes sure that the store has what reference names now, and that
// reference finds it. Each step is published only when the one before is
// durable: objects, OSTree refs, checkout, reference. An error, a kill or a
// power cut leaves what was there before; the next fetch removes the debris.
func (f *fetcher) fetch(ctx context.Context) (store.Image, error) {
	w, err := store.OpenWriter(f.root)
	if err != nil {
		return store.Image{}, err
	}
	waited := false
	waiting := f.waiting("")
	lock, err := w.LockReference(ctx, f.reference, func() {
		waited = true
		waiting()
	})
	if err != nil {
		return store.Image{}, err
	}
	defer lock.Release()
	if waited && !f.repair { // two units want it: the other one has just asked the registry
		if image, err := store.Lookup(f.root, f.reference); err == nil {
			return image, nil
		}
	}
	if err := w.Sweep(); err != nil {
		return store.Image{}, err
	}
	f.progress.still("asking for " + f.reference)
	options := f.options
	options.Stored = func(digest string) (manifest, config []byte) {
		if image, complete := w.Has(digest); complete {
			manifest, _ = image.Document("manifest.json")
			config, _ = image.Document("config.json")
		}
		return manifest, config
	}
	source, wanted, err := ask(ctx, f.reference, options)
	if err != nil {
		return store.Image{}, err
	}
	defer source.Close()
	return f.add(ctx, w, source, wanted)
}

// waiting tells that another process fetches what is wanted, and for how long: a
// text that changes keeps the start path patient.
func (f *fetcher) waiting(what string) func() {
	start := time.Now()
	return func() {
		f.progress.phase(fmt.Sprintf("waiting for another fetch of %s%s, %d s", what, f.reference, int(time.Since(start).Seconds())))
	}
}

// add stores an image that may be there already, under this or another
// reference, whole or in part.
func (f *fetcher) add(ctx context.Context, w *store.Writer, source *registry.Source, wanted *registry.Image) (store.Image, error) {
	lock, err := w.LockImage(ctx, wanted.Digest, f.waiting("the same image for "))
	if err != nil {
		return store.Image{}, err
	}
	defer lock.Release()
	repo, err := openRepo(f.root, w)
	if err != nil {
		return store.Image{}, err
	}
	defer repo.Close()

	var broken damage
	if f.repair {
		f.progress.phase("verifying " + f.reference)
		if broken, err = findDamage(ctx, f.root, repo, wanted.Digest, diffIDs(wanted.Config)); err != nil {
			return store.Image{}, err
		}
	}
	l := &layers{fetcher: f, writer: w, source: source, image: wanted, again: broken.objects, held: map[string]*store.Lock{}}
	defer l.release()
	commit, err := f.commit(ctx, l, repo, broken.objects)
	if err != nil {
		return store.Image{}, err
	}
	image, complete := w.Has(wanted.Digest)
	if !complete || broken.any() {
		f.progress.phase("checking out " + f.reference)
		if image, err = checkOut(ctx, w, repo, wanted, commit); err != nil {
			return store.Image{}, err
		}
	} else if err := w.Touch(image); err != nil {
		return store.Image{}, err
	}
	if f.beside {
		return image, nil
	}
	return image, w.SetReference(f.reference, image)
}

// commit returns the OSTree commit of an image and lets the ref of the
// reference name it. Layers are fetched only if the repository does not have the
// commit, or some of its objects are to be mended.
func (f *fetcher) commit(ctx context.Context, l *layers, repo *ostree.Repo, mend bool) (ostree.Checksum, error) {
	if !mend {
		commit, err := f.stored(ctx, repo, l.image.Digest)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return commit, err
		}
	}
	for attempt := 1; ; {
		refs := []string{deployRef(l.image.Digest)}
		if !f.beside {
			refs = append(refs, imageRef(f.reference))
		}
		commit, missing, err := f.assemble(ctx, l, repo, mend, refs)
		if errors.Is(err, registry.ErrInterrupted) && attempt < attempts {
			attempt++
			continue
		}
		if err != nil || missing == "" {
			return commit, err
		}
		if err := l.wait(ctx, repo, missing); err != nil {
			return commit, err
		}
	}
}

// stored returns the commit of an image if the repository has it, and lets the
// ref of the reference name it, too. None is fs.ErrNotExist. Either way what a
// killed fetch left is removed.
func (f *fetcher) stored(ctx context.Context, repo *ostree.Repo, digest string) (ostree.Checksum, error) {
	txn, err := repo.Begin(ctx)
	if err != nil {
		return ostree.Checksum{}, err
	}
	defer txn.Abort()
	commit, _, err := commitOf(repo, deployRef(digest), manifestKey, digest)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return commit, err
	case err != nil:
		return commit, fmt.Errorf("%w\nhint: syscontainer pull --repair %s", err, f.reference)
	}
	if f.beside {
		return commit, nil
	}
	named := imageRef(f.reference)
	if now, err := repo.ResolveRef(named); err == nil && now == commit {
		return commit, nil
	}
	return commit, txn.Publish(map[string]ostree.Checksum{named: commit})
}

// attempts is how often an image is fetched whose connections break in a way
// that cannot be taken up again.
const attempts = 3

// assemble publishes the image's commit under refs, or, if another process is
// fetching one of its layers, the other layers.
func (f *fetcher) assemble(ctx context.Context, l *layers, repo *ostree.Repo, mend bool, refs []string) (commit ostree.Checksum, missing string, err error) {
	txn, err := repo.Begin(ctx) // also removes what a killed fetch left
	if err != nil {
		return commit, "", err
	}
	defer txn.Abort()
	if mend {
		txn.Mistrust()
	}
	trees, publish, missing, err := l.gather(ctx, repo, txn)
	if err != nil {
		return commit, "", err
	}
	if missing == "" {
		f.progress.phase("storing " + f.reference)
		order := make([]*layer.Tree, len(l.image.Layers))
		for i, described := range l.image.Layers {
			order[i] = trees[described.DiffID.Encoded()]
		}
		merged, err := layer.Merge(order)
		if err != nil {
			return commit, "", err
		}
		if commit, err = writeCommit(txn, merged, l.image); err != nil {
			return commit, "", err
		}
		for _, ref := range refs {
			publish[ref] = commit
		}
	}
	return commit, missing, txn.Publish(publish)
}

// openRepo opens the repository of the store, which shares the files of the
// operating system's own where it can.
func openRepo(root string, w *store.Writer) (*ostree.Repo, error) {
	return ostree.OpenWith(w.Repo(), ostree.OpenOptions{Create: true, Borrow: []string{filepath.Join("/", root, "ostree/repo")}})
}

// answer bounds all attempts to get a manifest: a start shall fail with our
// message, not with that of systemd's timeout, which may be short.
const answer = 25 * time.Second

func ask(ctx context.Context, reference string, options registry.Options) (*registry.Source, *registry.Image, error) {
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	late := func(err error) error {
		if ctx.Err() == context.DeadlineExceeded {
			return fmt.Errorf("cannot connect, no answer in %v: %w", answer, err)
		}
		return err
	}
	source, err := registry.Open(ctx, reference, options)
	if err != nil {
		return nil, nil, late(err)
	}
	image, err := source.Resolve(ctx)
	if err != nil {
		source.Close()
		return nil, nil, late(err)
	}
	return source, image, nil
}
