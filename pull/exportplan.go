package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"syscontainer/pull/atomic"
	"syscontainer/pull/store"
	"syscontainer/units"
)

// exporter brings the files of one container on the host to what its unit wants, or to none.
type exporter struct {
	host   *machine
	name   string
	record *store.Exports            // nil: there is none
	others map[string]*store.Exports // of the other containers
	image  *imageFiles               // nil: nothing is wanted

	have  map[string]store.Exported // the container's own, as the machine has them: settled by plan
	found map[string]*onHost
	steps []exportStep
	ours  map[string]store.Exported // what the container will have
	kept  []store.Exported          // what it would have, were the machine's own not there
	notes []string                  // what people should know
}

// exportStep changes one path. The kinds come in this order.
type exportStep struct {
	kind   int
	path   string
	before *onHost         // what is there and goes; nil: nothing
	file   atomic.HostFile // what comes, unless it goes
	wanted store.Exported
}

const (
	stepClear   = iota // removes what is in the way of a directory
	stepMake           // makes a directory
	stepRemove         // removes what is not wanted any more
	stepReplace        // puts a file or link in the place of ours, or of nothing
)

func (s exportStep) String() string {
	switch {
	case s.kind == stepMake:
		return "create " + units.Printable(s.path) + "/"
	case s.kind == stepClear, s.kind == stepRemove:
		return "remove " + units.Printable(s.path)
	case s.before == nil || s.before.Kind == store.ExportedDir:
		return "create " + units.Printable(s.path)
	}
	return "replace " + units.Printable(s.path)
}

// wantedFile is a file of an image at its place on this machine.
type wantedFile struct {
	file    atomic.HostFile
	entry   store.Exported
	missing []string // directories that it needs
}

// plan finds out what has to be done. All that forbids it is in the error, and nothing has been touched.
func (x *exporter) plan() error {
	x.have, x.found, x.ours = map[string]store.Exported{}, map[string]*onHost{}, map[string]store.Exported{}
	if err := x.settle(); err != nil {
		return err
	}
	wanted, err := x.places()
	if err != nil {
		return err
	}
	if err := x.claims(wanted); err != nil {
		return err
	}
	for _, w := range wanted {
		if err := x.want(w); err != nil {
			return err
		}
	}
	x.drop()
	slices.SortStableFunc(x.steps, func(a, b exportStep) int {
		if a.kind != b.kind {
			return a.kind - b.kind
		}
		if a.kind == stepRemove { // what is in a directory goes before it
			a, b = b, a
		}
		return strings.Compare(a.path, b.path)
	})
	return x.writable()
}

// settle finds out what the container has on the machine, also after a run that did not come to its end: then each path is
// as it was, as it was to be, or not there. Whatever else is there is the admin's.
func (x *exporter) settle() error {
	if x.record == nil {
		return nil
	}
	for i, entry := range slices.Concat(x.record.Files, x.record.Next) {
		if entry.Kept {
			continue
		}
		found, err := x.look(entry.Path)
		if err != nil {
			return err
		}
		// Of what was there before and is no more as it was, want or drop says so.
		if before := i < len(x.record.Files); before && found != nil || !before && found.isWholly(entry) {
			x.have[entry.Path] = entry
		}
	}
	return nil
}

func (x *exporter) look(name string) (*onHost, error) {
	if found, known := x.found[name]; known {
		return found, nil
	}
	found, err := x.host.lookAt(name)
	if err == nil {
		x.found[name] = found
	}
	return found, err
}

// leaves tells whether a file or link of ours is at a path, and unchanged: it can go.
func (x *exporter) leaves(name string) bool {
	entry, ours := x.have[name]
	return ours && entry.Kind != store.ExportedDir && x.found[name].is(entry)
}

// places finds where the image's files are to be, and refuses those that cannot be anywhere.
func (x *exporter) places() (wanted []wantedFile, err error) {
	if x.image == nil {
		return nil, nil
	}
	var errs []error
	at := map[string]wantedFile{}
	for _, file := range x.image.Files {
		real, missing, err := x.host.place(file.Path, x.leaves)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if why := x.host.refuse(file.Path, real); why != "" {
			errs = append(errs, fmt.Errorf("%s cannot be put there: %s", units.Printable(file.Path), why))
			continue
		}
		entry, err := x.image.entry(file, real)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		w := wantedFile{file, entry, missing}
		if other, twice := at[real]; twice {
			errs = append(errs, fmt.Errorf("%s and %s are the same path on this machine", other.file.Path, file.Path))
		}
		at[real] = w
		wanted = append(wanted, w)
	}
	for _, w := range wanted {
		for dir := path.Dir(w.entry.Path); dir != "/"; dir = path.Dir(dir) {
			if other, is := at[dir]; is && other.entry.Kind != store.ExportedDir {
				errs = append(errs, fmt.Errorf("%s would be below %s, which is a %s", w.file.Path, other.file.Path, other.entry.Kind))
			}
		}
	}
	return wanted, errors.Join(errs...)
}

// claims refuses what another container has.
func (x *exporter) claims(wanted []wantedFile) error {
	owners := map[string]string{}
	shared := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(x.others)) {
		e := x.others[name]
		for _, entry := range slices.Concat(e.Files, e.Next) {
			if !entry.Kept {
				owners[entry.Path], shared[entry.Path] = name, entry.Kind == store.ExportedDir
			}
		}
	}
	var errs []error
	for _, w := range wanted {
		owner, taken := owners[w.entry.Path]
		if taken && !(shared[w.entry.Path] && w.entry.Kind == store.ExportedDir) {
			errs = append(errs, fmt.Errorf("%s is exported by the container %s already, and %s wants it, too", w.entry.Path, owner, x.name))
		}
		for dir := path.Dir(w.entry.Path); dir != "/"; dir = path.Dir(dir) {
			if owner, taken := owners[dir]; taken && !shared[dir] {
				errs = append(errs, fmt.Errorf("%s would be below %s, which the container %s exports", w.entry.Path, dir, owner))
			}
		}
	}
	if len(errs) > 0 {
		errs = append(errs, errors.New("hint: Export= with a list of paths, in one of the units, leaves the others out; prune takes away what is left of units that are gone"))
	}
	return errors.Join(errs...)
}

// elsewhere tells whether another container has a directory, too.
func (x *exporter) elsewhere(dir string) bool {
	for _, e := range x.others {
		if slices.ContainsFunc(slices.Concat(e.Files, e.Next), func(entry store.Exported) bool {
			return entry.Path == dir && entry.Kind == store.ExportedDir && !entry.Kept
		}) {
			return true
		}
	}
	return false
}

// want decides what becomes of one file.
func (x *exporter) want(w wantedFile) error {
	name := w.entry.Path
	found, err := x.look(name)
	if err != nil {
		return err
	}
	had, ours := x.have[name]
	keep := func(why string) error {
		entry := w.entry
		entry.Kept = true
		x.kept = append(x.kept, entry)
		x.notes = append(x.notes, units.Printable(name)+" "+why)
		delete(x.have, name)
		return nil
	}
	switch {
	case found != nil && !ours && found.Kind == store.ExportedDir && w.entry.Kind == store.ExportedDir:
		if x.elsewhere(name) {
			x.ours[name] = w.entry
		}
		return x.parents(w) // the machine's own directory, which serves as well
	case found != nil && !ours:
		return keep("is there already and not this container's: kept as it is")
	case found != nil && had.Kind != store.ExportedDir && !found.isWholly(had):
		return keep("was changed since it was exported: kept, and no longer this container's")
	case found != nil && had.Kind == store.ExportedDir && found.Kind != store.ExportedDir:
		return keep("was a directory of this container's and is none any more: kept as it is")
	}
	if err := x.parents(w); err != nil {
		return err
	}
	x.ours[name] = w.entry
	switch {
	case w.entry.Kind == store.ExportedDir:
		x.directory(name, w.file)
	case found.isWholly(w.entry):
		// It is there.
	default:
		if found != nil && found.Kind == store.ExportedDir { // of ours, and goes if nothing else is in it
			x.steps = append(x.steps, exportStep{kind: stepRemove, path: name, before: found})
			found = nil
		}
		x.steps = append(x.steps, exportStep{stepReplace, name, found, w.file, w.entry})
		if bits := w.file.Mode & (fs.ModeSetuid | fs.ModeSetgid); bits != 0 && w.file.Mode.IsRegular() {
			x.notes = append(x.notes, fmt.Sprintf("%s runs with the rights of its owner or group (%v, %d:%d), as the image has it", units.Printable(name), w.file.Mode, w.file.UID, w.file.GID))
		}
	}
	return nil
}

// parents sees to the directories on the way to a file: those that are missing are made and ours, and ours or another
// container's stay.
func (x *exporter) parents(w wantedFile) error {
	own := path.Dir(w.file.Path)
	for dir := path.Dir(w.entry.Path); dir != "/"; dir, own = path.Dir(dir), path.Dir(own) {
		if _, known := x.ours[dir]; known {
			continue
		}
		_, has := x.have[dir]
		missing := slices.Contains(w.missing, dir)
		if !missing && !has && !x.elsewhere(dir) {
			continue
		}
		if _, err := x.look(dir); err != nil {
			return err
		}
		file, known := x.image.Dirs[own]
		if !known || !missing {
			file = atomic.HostFile{Path: dir, Mode: fs.ModeDir | 0o755}
		}
		x.ours[dir] = store.Exported{Path: dir, Kind: store.ExportedDir}
		if missing {
			x.directory(dir, file)
		}
	}
	return nil
}

// directory lets one be made, unless it is there.
func (x *exporter) directory(name string, file atomic.HostFile) {
	found := x.found[name]
	if found != nil && found.Kind == store.ExportedDir {
		return
	}
	if found != nil { // a file or link of ours
		x.steps = append(x.steps, exportStep{kind: stepClear, path: name, before: found})
	}
	x.steps = append(x.steps, exportStep{stepMake, name, nil, file, store.Exported{Path: name, Kind: store.ExportedDir}})
}

// drop lets go what the container has and does not want any more.
func (x *exporter) drop() {
	for _, name := range slices.Sorted(maps.Keys(x.have)) {
		entry, found := x.have[name], x.found[name]
		if _, stays := x.ours[name]; stays || found == nil {
			continue
		}
		switch {
		case !found.is(entry):
			x.notes = append(x.notes, units.Printable(name)+" was changed since it was exported: it stays, and is no longer this container's")
		case entry.Kind == store.ExportedDir && x.elsewhere(name):
			// The other one removes it.
		default:
			x.steps = append(x.steps, exportStep{kind: stepRemove, path: name, before: found})
		}
	}
}

// writable refuses a plan for directories that cannot be written to.
func (x *exporter) writable() error {
	problems := map[string][]string{}
	asked := map[string]error{}
	for _, step := range x.steps {
		dir := path.Dir(step.path)
		for dir != "/" && !x.leaves(dir) { // the next one that is there
			if _, is := x.host.resolve(dir); is {
				break
			}
			dir = path.Dir(dir)
		}
		if x.leaves(dir) {
			continue // its own step asks
		}
		err, known := asked[dir]
		if !known {
			err = x.host.writable(dir)
			asked[dir] = err
		}
		if err != nil {
			problems[err.Error()] = append(problems[err.Error()], step.path)
		}
	}
	var errs []error
	for _, problem := range slices.Sorted(maps.Keys(problems)) {
		names := problems[problem]
		text := units.Printable(strings.Join(names[:min(len(names), 5)], ", "))
		if len(names) > 5 {
			text += fmt.Sprintf(" and %d more", len(names)-5)
		}
		errs = append(errs, fmt.Errorf("%s, nothing was changed: it holds %s", problem, text))
	}
	if len(errs) > 0 && x.image != nil {
		errs = append(errs, errors.New("hint: Export= with a list of paths takes only those"))
	}
	return errors.Join(errs...)
}
