package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"syscontainer/pull/store"
)

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
	if err := p.users.refresh(p.root); err != nil {
		return err
	}
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
