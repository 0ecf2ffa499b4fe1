package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"syscontainer/pull/generation"
	"syscontainer/pull/store"
)

// verifyGenerations looks for records of containers that cannot be read, and for generations that keep an image that is
// not there.
func verifyGenerations(root string, found func(problem)) {
	all, err := generation.List(root)
	_, updatesErr := generation.Updates(root)
	for _, err := range []error{err, updatesErr} {
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				found(problem{Problem: strings.TrimSuffix(line, "\n")})
			}
		}
	}
	for _, c := range all {
		for _, p := range c.Problems {
			found(problem{Problem: p.Error()})
		}
		for _, r := range c.Generations {
			if r.Kept && lost(root, c.Name, r) {
				link := filepath.Join("/", root, store.Dir, "containers", c.Name, "generations", strconv.Itoa(r.Number))
				found(problem{Image: r.Digest, Path: link, Problem: "leads to no image"})
			}
		}
	}
}

// lost tells whether the image of a generation is gone, and the generation is not.
func lost(root, name string, r generation.Record) bool {
	if _, err := store.ByDigest(root, r.Digest, r.Reference); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	c, err := generation.Read(root, name)
	if err != nil {
		return false
	}
	again, _ := c.Get(r.Number)
	return again.Kept
}
