package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"syscontainer/pull/atomic"
	"syscontainer/pull/store"
	"syscontainer/units"
)

// imageCheck is an image, or the root of a container, whose templates are looked at for a unit, or for none.
type imageCheck struct {
	root      string
	unit      *units.Unit // nil: for none
	file      string      // as findings call it
	name      string
	reference string
	digest    string
	rootfs    string
	runtime   string
	set       []string
	found     []finding
}

// checkImages looks at the templates of images, for the units of these files or of the whole search path, or for no unit.
func checkImages(root string, words, set []string) (found []finding, failed []string, err error) {
	found = []finding{}
	var checks []*imageCheck
	var files []string
	for _, word := range words {
		if strings.HasSuffix(word, ".syscontainer") {
			files = append(files, word)
			continue
		}
		c, err := checkOfImage(root, word, set)
		if err != nil {
			return nil, nil, err
		}
		checks = append(checks, c)
	}
	if len(files) > 0 || len(words) == 0 {
		given, err := gather(root, files, "stdin")
		if err != nil {
			return nil, nil, err
		}
		for _, u := range units.Load(root, units.SearchPath(), given.extras...).Units {
			if given.only() && !given.has(u.Path) {
				continue
			}
			if c := checkOfUnit(root, u); c != nil {
				c.file = given.shown(u.Path)
				checks = append(checks, c)
			}
		}
	}
	wrong := 0
	for _, c := range checks {
		if c.rootfs != "" {
			c.look()
		}
		found = append(found, c.found...)
		for _, f := range c.found {
			if f.Severity == "error" {
				wrong++
				break
			}
		}
	}
	if wrong > 0 {
		failed = append(failed, fmt.Sprintf("images with errors: %d", wrong))
	}
	return found, failed, nil
}

// checkOfImage is for a container that is called as install would call it.
func checkOfImage(root, word string, set []string) (*imageCheck, error) {
	listing, err := store.List(root)
	if err != nil {
		return nil, err
	}
	image, reference, err := findOne(root, listing, word)
	if errors.Is(err, fs.ErrNotExist) && reference != "" {
		return nil, fmt.Errorf("%w\nhint: syscontainer pull %s", err, reference)
	} else if err != nil {
		return nil, err
	}
	if reference == "" && len(image.References) > 0 {
		reference = image.References[0]
	}
	name := (&installation{reference: reference}).defaultName()
	return &imageCheck{root: root, file: word, name: name, reference: reference, digest: image.Digest, rootfs: image.Rootfs(), set: set}, nil
}

// checkOfUnit is nil for a unit that applies no templates, or of which only a start knows the image.
func checkOfUnit(root string, u *units.Unit) *imageCheck {
	c, errs, _ := u.Container()
	image := lastLine(u, "Image")
	if len(u.Errors) > 0 || len(errs) > 0 || image != nil && u.Name.StartOnly(image.Value) || !appliesTemplates(u) {
		return nil // check without --image tells errors
	}
	check := &imageCheck{root: root, unit: u, file: u.Path, name: u.Name.Full, reference: c.Image, runtime: c.Runtime, set: c.Set}
	if c.Rootfs != "" {
		check.rootfs = filepath.Join(root, c.Rootfs)
		return check
	}
	stored, err := nextImage(root, u.Name.Full, c.Image, c.Pull == "always")
	if err != nil {
		check.say("note", image, "image "+c.Image+" is not in the store, so nothing is known of its templates", "syscontainer pull "+c.Image)
		return check
	}
	check.digest, check.rootfs = stored.Digest, stored.Rootfs()
	return check
}

// appliesTemplates is what Template= says.
func appliesTemplates(u *units.Unit) bool {
	line := lastLine(u, "Template")
	if line == nil || line.Value == "" {
		return true
	}
	on, err := units.ParseBool(line.Value)
	return err != nil || on
}

func (c *imageCheck) say(severity string, line *units.Line, message, hint string) {
	f := finding{File: c.file, Severity: severity, Message: message, Hint: hint}
	if c.unit != nil {
		f.Unit, f.Service = c.unit.Stem.Full+".syscontainer", c.unit.Name.Service()
	}
	if line != nil {
		f.File, f.Line, f.Column = line.File, line.Line, line.ValueColumn
	}
	c.found = append(c.found, f)
}

// look expands all templates, and tells what is changed in the configuration they make.
func (c *imageCheck) look() {
	var line *units.Line
	if c.unit != nil {
		if line = lastLine(c.unit, "Image"); line == nil {
			line = lastLine(c.unit, "Rootfs")
		}
	}
	dir, err := os.OpenRoot(c.rootfs)
	if err != nil {
		c.say("error", line, "open the image: "+err.Error(), "")
		return
	}
	defer dir.Close()
	e, err := atomic.Read(dir)
	if err != nil || e == nil {
		if err != nil {
			c.say("error", line, err.Error(), "")
		}
		return
	}
	values := placeOf(c.root, c.name, c.reference, c.digest, c.runtime).Values(c.set, e.Manifest)
	_, changes, err := e.Configuration(values, machineOf(c.root))
	c.tell(line, err)
	file := atomic.ConfigFile
	if e.Config != nil {
		file = "config.json"
	}
	for _, change := range changes {
		c.say("note", line, file+": "+change, "")
	}
	c.tell(line, e.CheckOthers(values))
	if _, err := atomic.ReadHostFiles(dir, e.Manifest, values, []string{"yes"}); err != nil {
		c.tell(line, err)
	}
	if c.unit == nil && e.Service != nil && !e.Manifest.NoService {
		c.lookAtService(e, values)
	}
}

// tell tells an error, or each of those joined in it. What is missing is told with what to write.
func (c *imageCheck) tell(line *units.Line, err error) {
	if err == nil {
		return
	}
	if joined, is := err.(interface{ Unwrap() []error }); is {
		for _, one := range joined.Unwrap() {
			c.tell(line, one)
		}
		return
	}
	hint := ""
	severity := "error"
	if names := missingIn(err); len(names) > 0 {
		hint = "Set=" + strings.Join(names, "=… ") + "=… in [Container]"
		if c.unit == nil { // the one who installs it will
			severity, hint = "warning", "--set "+strings.Join(names, "=… --set ")+"=…"
		}
	}
	for _, f := range c.found {
		if f.Message == err.Error() {
			return
		}
	}
	c.say(severity, line, err.Error(), hint)
}

// lookAtService tells what install would not keep.
func (c *imageCheck) lookAtService(e *atomic.Exports, values map[string]string) {
	lines, err := atomic.Translate(e.Service, values)
	if len(missingIn(err)) > 0 {
		return // told
	}
	var problems units.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			c.say("error", nil, located(p.Line, p.Msg, ""), p.Hint)
		}
		return
	}
	c.tell(nil, err)
	for _, l := range lines {
		if l.Why != "" && !l.Ours {
			c.say("warning", nil, located(l.Line, "not kept: "+units.Printable(l.Written)+": "+l.Why, ""), l.Hint)
		}
	}
}
