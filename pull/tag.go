package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"syscontainer/pull/ostree"
	"syscontainer/pull/store"
)

const tagHelp = `Usage: syscontainer tag IMAGE NAME

Lets the reference NAME name a stored image, too.

  -h, --help              print this text
`

func runTag(ctx context.Context, root string, args []string) error {
	args, err := words("tag", tagHelp, args, 2, 2)
	if err != nil {
		return err
	}
	name, err := canonical(root, args[1])
	if err != nil {
		return usagef("tag: %w", err)
	}
	if err := tag(ctx, root, args[0], name); err != nil {
		return fmt.Errorf("tag %s: %w", args[0], err)
	}
	return nil
}

func tag(ctx context.Context, root, word, name string) error {
	w, err := store.OpenWriter(root)
	if err != nil {
		return err
	}
	reference, err := w.LockReference(ctx, name, nil)
	if err != nil {
		return err
	}
	defer reference.Release()
	image, lock, err := hold(ctx, w, root, word)
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := w.Touch(image.Image); err != nil {
		return err
	}
	return moveReference(ctx, w, name, image.Image)
}

// moveReference lets a reference, which the caller has locked, name an image of the store.
func moveReference(ctx context.Context, w *store.Writer, reference string, image store.Image) error {
	repo, err := ostree.Open(w.Repo())
	if err != nil {
		return err
	}
	defer repo.Close()
	commit, err := repo.ResolveRef(deployRef(image.Digest))
	if err != nil {
		return err
	}
	if err := publishRefs(ctx, repo, map[string]ostree.Checksum{imageRef(reference): commit}); err != nil {
		return err
	}
	return w.SetReference(reference, image)
}

// hold finds an image of the store that can be written, and locks it.
func hold(ctx context.Context, w *store.Writer, root, word string) (*store.Stored, *store.Lock, error) {
	listing, err := store.List(root)
	if err != nil {
		return nil, nil, err
	}
	image, _, err := findOne(root, listing, word)
	if err != nil {
		return nil, nil, err
	}
	if image.Vendor {
		return nil, nil, errors.New("the image is part of the operating system, in " + store.VendorDir)
	}
	lock, err := w.LockImage(ctx, image.Digest, nil)
	if err != nil {
		return nil, nil, err
	}
	if image, err = again(root, image); image == nil || err != nil {
		lock.Release()
		return nil, nil, errors.Join(err, fmt.Errorf("image %s has just been removed: %w", word, fs.ErrNotExist))
	}
	return image, lock, nil
}

func publishRefs(ctx context.Context, repo *ostree.Repo, refs map[string]ostree.Checksum) error {
	txn, err := repo.Begin(ctx)
	if err != nil {
		return err
	}
	return txn.Publish(refs)
}
