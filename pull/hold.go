package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"syscontainer/pull/generation"
)

const (
	holdHelp = `Usage: syscontainer hold NAME…

Keeps containers as they are: neither the timer updates them nor update --all.
update NAME still does.

  -h, --help              print this text
`
	unholdHelp = `Usage: syscontainer unhold NAME…

Undoes syscontainer hold. Hold=yes in a unit still counts.

  -h, --help              print this text
`
)

func runHold(ctx context.Context, root string, args []string) error {
	return setHeld(ctx, root, "hold", holdHelp, args, true)
}

func runUnhold(ctx context.Context, root string, args []string) error {
	return setHeld(ctx, root, "unhold", unholdHelp, args, false)
}

// setHeld finds all containers before it changes one. It waits for updates of them that are going on: afterwards
// nothing changes any more.
func setHeld(ctx context.Context, root, verb, help string, args []string, held bool) error {
	args, err := words(verb, help, args, 1, 0)
	if err != nil {
		return err
	}
	names := make([]string, len(args))
	for i, word := range args {
		if names[i], err = heldName(root, word, held); err != nil {
			return err
		}
	}
	told := false
	locked, err := generation.Lock(ctx, root, func() {
		if !told {
			fmt.Fprintf(os.Stderr, "%swaiting for an update of %s that is going on\n", priority("6"), strings.Join(names, ", "))
		}
		told = true
	}, names...)
	if err != nil {
		return err
	}
	defer locked.Release()
	for _, name := range names {
		if err := locked.Hold(name, held); err != nil {
			return err
		}
	}
	return nil
}

// heldName is the container that a person means. One whose unit is gone may still be held, and is let go.
func heldName(root, word string, held bool) (string, error) {
	name, err := serviceOf(root, word)
	if err != nil && !held {
		name = strings.TrimSuffix(path.Base(word), ".service")
		if c, readErr := generation.Read(root, name); readErr == nil && c.Held {
			return name, nil
		}
	}
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(name, "@") {
		return "", errors.New(name + " is a template, and no container runs of it\nhint: name an instance, or write Hold=yes into its unit")
	}
	return name, nil
}
