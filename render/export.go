package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// exportFiles sees to the files for the host that Export= wants of the image. It runs
// "syscontainer export" if the record says that something else was done last, and also
// to take away what the unit wanted before.
func exportFiles(o options, c *units.Container, g ground) error {
	record, err := store.ReadExports(o.root, o.name)
	if err != nil {
		return err
	}
	request := store.ExportRequest{Rootfs: c.Rootfs, Export: c.Export, Set: c.Set, Runtime: c.Runtime}
	if c.Rootfs == "" {
		request.Reference, request.Image = c.Image, filepath.Base(g.link)
	}
	switch {
	case record == nil && len(c.Export) == 0:
		return nil
	case record != nil && !record.Unfinished && record.Request.Same(request):
		return nil
	}
	document, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if err := operate(o, []string{"export", "--request"}, o.name, bytes.NewReader(document)); err != nil {
		return fmt.Errorf("export files of the image: %w", err)
	}
	return nil
}

// takeExports takes the files away that a container has on the host, if it has any.
func takeExports(o options) error {
	if record, err := store.ReadExports(o.root, o.name); record == nil || err != nil {
		return err
	}
	return operate(o, []string{"export", "--undo"}, o.name, nil)
}
