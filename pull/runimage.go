package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"syscontainer/pull/atomic"
	"syscontainer/pull/store"
	"syscontainer/units"
)

// runsOnce tells whether an image is made for one run after which nothing is kept: the label of Project Atomic, to the
// letter.
func (d *description) runsOnce() bool { return d.Config.Labels["atomic.run"] == "once" }

// lookAtImage tells whether the image is to be run once, and what its templates lack: here, where a person reads it. What
// else may be wrong with them the start tells.
func (o *runOptions) lookAtImage(root string, c *units.Container) (once bool, err error) {
	image, err := store.Lookup(root, c.Image)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // the start fetches it, or says why not
	} else if err != nil {
		return false, err
	}
	d, err := readDescription(image)
	if err != nil {
		return false, err
	}
	if !c.Template {
		return d.runsOnce(), nil
	}
	missing := missingValues(root, o.name, o.image, image, c)
	if missing == nil {
		return d.runsOnce(), nil
	}
	hint := ""
	for _, name := range missingIn(missing) {
		hint += " --set " + name + "=…"
	}
	return false, fmt.Errorf("run %s: %w\nhint:%s", o.image, missing, hint)
}

// missingValues are those that the templates of an image lack, which a container was given this image as reference.
func missingValues(root, name, reference string, image store.Image, c *units.Container) error {
	exports, err := exportsOf(image.Rootfs())
	if err != nil || exports == nil {
		return nil
	}
	values := placeOf(root, name, reference, image.Digest, c.Runtime).Values(c.Set, exports.Manifest)
	_, _, config := exports.Configuration(values, machineOf(root))
	_, tmpfiles := (atomic.Template{File: "tmpfiles.template", Text: string(exports.Tmpfiles)}).Expand(values)
	return errors.Join(onlyMissing(config), onlyMissing(tmpfiles))
}

func onlyMissing(err error) error {
	var missing *atomic.MissingError
	if errors.As(err, &missing) {
		return missing
	}
	return nil
}

// runOnce is what install does with an image that is to be run once: it runs it, under the name and with the values that the
// installation would have, and installs nothing.
func (in *installation) runOnce(ctx context.Context) error {
	if in.root != "/" || strings.HasPrefix(in.file, vendorUnits) {
		return fmt.Errorf("install: %s is to be run once, and no service: its label atomic.run says so; that is for a machine that runs\nhint: there, syscontainer run %s", in.reference, in.reference)
	}
	if in.dryRun {
		fmt.Fprintf(os.Stderr, "syscontainer: %s would be run once, as %s, and nothing installed: its label atomic.run says so\n", in.reference, in.name.Full)
		return nil
	}
	if os.Geteuid() != 0 {
		return errors.New("install: only root can start services")
	}
	o := &runOptions{name: in.name.Full, image: in.reference, remove: true, once: true}
	if in.name.Instance != "" {
		return usagef("install: %q is a name for instances of templates, and %s is to be run once\nhint: --name gives it another name", o.name, in.reference)
	}
	for _, s := range in.given {
		value, err := setLine(s)
		if err != nil {
			return usagef("install: %w", err)
		}
		o.lines = append(o.lines, unitLine{"Container", "Set", value, "--set " + s})
	}
	if err := o.checkLines(); err != nil {
		return err
	}
	return o.run(ctx, in.root)
}
