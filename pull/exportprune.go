package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// pruneExports takes away the files on the host of containers that no unit wants there any more: the unit is gone, or says
// Export=no. What was interrupted it ends. While a directory of units cannot be read nobody knows, and while a container runs its files may be used.
func pruneExports(ctx context.Context, root string, dryRun bool) error {
	all, err := store.ListExports(root)
	if len(all) == 0 {
		return err
	}
	set := units.Load(root, units.SearchPath())
	errs := []error{err}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		unwanted, stays := exportsUnwanted(root, set, name)
		if !unwanted {
			if dryRun {
				fmt.Printf("keep the exported files of %s: %s\n", name, stays)
			} else if all[name].Unfinished {
				if err := finishExports(ctx, root, name); err != nil {
					errs = append(errs, fmt.Errorf("end an interrupted export of %s: %w", name, err))
				}
			}
			continue
		}
		if err := export(ctx, root, name, store.ExportRequest{}, dryRun, false); err != nil {
			errs = append(errs, fmt.Errorf("take away the exported files of %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// exportsUnwanted tells whether nobody wants the files of a container, by its service's name, or else why they stay.
func exportsUnwanted(root string, set *units.Set, name string) (unwanted bool, stays string) {
	if _, err := findRunning(root, name); err == nil {
		return false, "it runs"
	}
	if len(set.Problems) > 0 {
		return false, "a unit of it may be where nothing can be read: " + set.Problems[0].Error()
	}
	prefix, _, isInstance := strings.Cut(name, "@")
	var of *units.Unit
	for _, u := range set.Units {
		switch {
		case u.Name.Full == name: // before its template
			of = u
		case of == nil && isInstance && u.Name.Full == prefix+"@":
			of = u
		}
	}
	if of == nil {
		return true, ""
	}
	if c, errs, _ := of.Container(); len(of.Errors) == 0 && len(errs) == 0 && len(c.Export) == 0 {
		return true, ""
	}
	return false, "used by " + of.Stem.Full + ".syscontainer"
}
