package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"syscontainer/pull/ostree"
	"syscontainer/pull/store"
)

// words is the command line of a verb that takes images and no options.
func words(name, help string, args []string, least, most int) ([]string, error) {
	flags := newFlags("syscontainer "+name, func(w io.Writer) { io.WriteString(w, help) })
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	if n := flags.NArg(); n < least || most > 0 && n > most {
		return nil, usagef("%s: %d arguments are too %s, see syscontainer %s --help", name, n, map[bool]string{true: "few", false: "many"}[n < least], name)
	}
	return flags.Args(), nil
}

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
	repo, err := ostree.Open(w.Repo())
	if err != nil {
		return err
	}
	defer repo.Close()
	commit, err := repo.ResolveRef(deployRef(image.Digest))
	if err != nil {
		return err
	}
	if err := publishRefs(ctx, repo, map[string]ostree.Checksum{imageRef(name): commit}); err != nil {
		return err
	}
	if err := w.Touch(image.Image); err != nil {
		return err
	}
	return w.SetReference(name, image.Image)
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

const (
	pinHelp = `Usage: syscontainer pin IMAGE…

Keeps images from prune and rmi until they are unpinned.

  -h, --help              print this text
`
	unpinHelp = `Usage: syscontainer unpin IMAGE…

Undoes syscontainer pin.

  -h, --help              print this text
`
)

func runPin(ctx context.Context, root string, args []string) error {
	return eachHeld(ctx, root, "pin", pinHelp, args, (*store.Writer).Pin)
}

func runUnpin(ctx context.Context, root string, args []string) error {
	return eachHeld(ctx, root, "unpin", unpinHelp, args, (*store.Writer).Unpin)
}

func eachHeld(ctx context.Context, root, name, help string, args []string, do func(w *store.Writer, digest string) error) error {
	args, err := words(name, help, args, 1, 0)
	if err != nil {
		return err
	}
	w, err := store.OpenWriter(root)
	if err != nil {
		return err
	}
	for _, word := range args {
		image, lock, err := hold(ctx, w, root, word)
		if err == nil {
			err = do(w, image.Digest)
			lock.Release()
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", name, word, err)
		}
	}
	return nil
}

const rmiHelp = `Usage: syscontainer rmi IMAGE…

Removes references, and images with their last one. A digest stands for the
image with all its references.

  -h, --help              print this text
`

func runRmi(ctx context.Context, root string, args []string) error {
	args, err := words("rmi", rmiHelp, args, 1, 0)
	if err != nil {
		return err
	}
	w, err := store.OpenWriter(root)
	if err != nil {
		return err
	}
	var errs []error
	p := &pruner{root: root, writer: w, users: usersOf(root), now: time.Now(), removed: map[string]bool{}}
	for _, word := range args {
		if err := p.rmi(ctx, word); err != nil {
			errs = append(errs, fmt.Errorf("rmi %s: %w", word, err))
		}
	}
	if len(errs) < len(args) {
		errs = append(errs, p.repository(ctx))
	}
	return errors.Join(errs...)
}

// rmi removes a reference or an image. Its objects are left to repository.
func (p *pruner) rmi(ctx context.Context, word string) error {
	listing, err := store.List(p.root)
	if err != nil {
		return err
	}
	_, reference, err := findOne(p.root, listing, word)
	if err != nil {
		return err
	}
	if reference != "" {
		lock, err := p.writer.LockReference(ctx, reference, nil)
		if err != nil {
			return err
		}
		defer lock.Release()
	}
	image, lock, err := hold(ctx, p.writer, p.root, word)
	if err != nil {
		return err
	}
	defer lock.Release()
	if reference != "" && len(image.References) > 1 {
		if why := p.users.needReference(reference); why != "" {
			return fmt.Errorf("still needed: %s", why)
		}
		return p.writer.RemoveReference(reference)
	}
	if why := p.users.need(image); why != "" {
		return fmt.Errorf("still needed: %s", why)
	}
	if reference != "" && !slices.Equal(image.References, []string{reference}) {
		return errors.New("it has just been given another image")
	}
	return removeImage(p.writer, image)
}
