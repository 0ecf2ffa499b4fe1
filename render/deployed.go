package main

import (
	"errors"
	"io/fs"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// deployed is the image of the container's current generation. False: it has none for this Image=, and what the reference
// leads to is to run. That is so, too, if nobody can tell, or the image is gone: bookkeeping keeps no service from running.
func deployed(o options, c *units.Container) (store.Image, bool) {
	image, err := store.Deployed(o.root, o.name, c.Image)
	switch {
	case errors.Is(err, store.ErrImageGone):
		warn(o.name, "%v, starting with what %s leads to", err, c.Image)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		warn(o.name, "what the last update was to is unknown, starting with what %s leads to: %v", c.Image, err)
	}
	return image, err == nil
}
