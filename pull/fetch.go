package main

import (
	"context"
	"fmt"
	"time"

	"syscontainer/pull/ostree"
	"syscontainer/pull/registry"
	"syscontainer/pull/store"
)

// fetcher brings images into the store below root.
type fetcher struct {
	root     string
	options  registry.Options
	progress *progress
}

// fetch makes sure that the store has what reference names now, and that
// reference finds it. Each step is published only when the one before is
// durable: objects, OSTree refs, checkout, reference. An error, a kill or a
// power cut leaves what was there before; the next fetch removes the debris.
func (f *fetcher) fetch(ctx context.Context, reference string) (store.Image, error) {
	w, err := store.OpenWriter(f.root)
	if err != nil {
		return store.Image{}, err
	}
	waited := false
	lock, err := w.Lock(reference, func() {
		waited = true
		f.progress.phase("waiting for another fetch of " + reference)
	})
	if err != nil {
		return store.Image{}, err
	}
	defer lock.Close()
	if waited { // two units want it: the other one has just asked the registry
		if image, err := store.Lookup(f.root, reference); err == nil {
			return image, nil
		}
	}
	if err := w.Sweep(); err != nil {
		return store.Image{}, err
	}

	f.progress.phase("asking for " + reference)
	source, wanted, err := ask(ctx, reference, f.options)
	if err != nil {
		return store.Image{}, err
	}
	defer source.Close()
	repo, err := ostree.OpenOrCreate(w.Repo())
	if err != nil {
		return store.Image{}, err
	}
	defer repo.Close()

	commit, err := f.commit(ctx, repo, source, wanted, reference)
	if err != nil {
		return store.Image{}, err
	}
	image, complete := w.Has(wanted.Digest)
	if !complete {
		f.progress.phase("checking out " + reference)
		if image, err = checkOut(ctx, w, repo, wanted, commit); err != nil {
			return store.Image{}, err
		}
	}
	return image, w.SetReference(reference, image)
}

// answer bounds all attempts to get a manifest. render lets a silent fetch
// live for 30 seconds; a start shall fail with our message, not systemd's.
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
