package main

import (
	"strings"

	"syscontainer/pull/generation"
	"syscontainer/pull/store"
	"syscontainer/units"
)

// users are who needs which image.
type users struct {
	units       map[string][]string // canonical reference to names of units
	prefixes    map[string][]string // beginnings of references, where something comes next that only a start knows
	unknown     []string            // why nobody can tell all that is needed: of a unit, or of what was interrupted
	running     map[string][]string // digest to names of containers
	generations map[string][]string // digest to what keeps it
	updates     map[string]string   // digest to the container that an update gives it, which is not done
}

// usersOf asks all unit files, all bundles and all generations below root.
func usersOf(root string) *users {
	u := &users{units: map[string][]string{}, prefixes: map[string][]string{}}
	if err := u.refresh(root); err != nil {
		u.unknown = append(u.unknown, err.Error())
	}
	set := units.Load(root, units.SearchPath())
	for _, p := range set.Problems {
		u.unknown = append(u.unknown, p.Error())
	}
	for _, unit := range set.Units {
		u.add(unit)
	}
	return u
}

// refresh asks anew for all but the units. Who holds an image's lock, and finds nothing that needs it, may remove it: an
// update writes down what it needs before it takes the lock.
func (u *users) refresh(root string) (err error) {
	u.running, u.generations = store.Running(root), store.Generations(root)
	u.updates, err = generation.Needed(root)
	return err
}

func (u *users) add(unit *units.Unit) {
	name := unit.Stem.Full
	if len(unit.Errors) > 0 {
		u.unknown = append(u.unknown, unit.Errors[0].Error())
		return
	}
	container, errs, _ := unit.Container()
	for _, line := range unit.Section("Container") {
		if at := strings.IndexByte(line.Value, '%'); line.Key == "Image" && unit.Name.StartOnly(line.Value) {
			prefix := strings.TrimPrefix(strings.TrimPrefix(line.Value[:at], `"`), "docker://")
			u.prefixes[prefix] = append(u.prefixes[prefix], name)
			return
		}
	}
	if container.Image != "" {
		u.units[container.Image] = append(u.units[container.Image], name)
	}
	if len(errs) > 0 { // once mended it may want another
		u.unknown = append(u.unknown, errs[0].Error())
	}
}

// need is why an image has to stay, "" if nothing needs it.
func (u *users) need(s *store.Stored) string {
	for _, reference := range s.References {
		if why := u.needReference(reference); why != "" {
			return why
		}
	}
	if names := u.running[s.Digest]; len(names) > 0 {
		return "container " + names[0] + " runs from it"
	}
	if names := u.generations[s.Digest]; len(names) > 0 {
		return generationName(names[0]) + " keeps it"
	}
	if name := u.updates[s.Digest]; name != "" {
		return "an update of " + name + " is not finished"
	}
	if s.Pinned {
		return "pinned"
	}
	return ""
}

// generationName is what keeps an image, as store.Generations has it, for people.
func generationName(link string) string {
	if container, number, ok := strings.Cut(link, "/generations/"); ok {
		return "generation " + number + " of " + container
	}
	return link
}

// needReference is why a reference has to go on naming what it does.
func (u *users) needReference(reference string) string {
	if names := u.units[reference]; len(names) > 0 {
		return "used by " + names[0] + ".syscontainer"
	}
	for prefix, names := range u.prefixes {
		if strings.HasPrefix(reference, prefix) {
			return "may be used by " + names[0] + ".syscontainer"
		}
	}
	return ""
}
