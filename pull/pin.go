package main

import (
	"context"
	"fmt"

	"syscontainer/pull/store"
)

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
