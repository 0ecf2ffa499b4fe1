package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// updated is a container that an update concerns.
type updated struct {
	name string // of its service, without suffix
	unit *units.Unit
	*units.Container
}

// updatedOf reads the unit of a service, or the template's for an instance of it. What is wrong with
// the unit is an error: nothing is updated by rules that nobody understands.
func updatedOf(root string, set *units.Set, name string) (*updated, error) {
	u, err := findUnit(root, set, name+".service")
	if err != nil {
		return nil, err
	}
	if u.Name.Template {
		if strings.HasSuffix(name, "@") {
			return nil, fmt.Errorf("%s is a template, of which only instances run\nhint: name one, as %s1", name, name)
		}
		instance := *u
		if instance.Name, err = units.ParseName(name); err != nil {
			return nil, err
		}
		u = &instance
	}
	if len(u.Errors) > 0 {
		return nil, u.Errors
	}
	c, errs, _ := u.Container()
	if len(errs) > 0 {
		return nil, errs
	}
	if len(c.Update.Errors) > 0 {
		return nil, c.Update.Errors
	}
	if line := lastLine(u, "Image"); line != nil && u.Name.StartOnly(line.Value) {
		return nil, fmt.Errorf("%s:%d: only a start knows the value of Image=%s, so nothing can be fetched for it before", line.File, line.Line, line.Value)
	}
	return &updated{name: name, unit: u, Container: c}, nil
}

// withImages are the services that can be updated: those of units with an image, and instances of templates that run or
// have generations. Units that cannot be read are errors.
func withImages(root string, set *units.Set) (all []*updated, errs []error) {
	names := map[string]bool{}
	for _, u := range set.Units {
		if !u.Name.Template {
			names[u.Name.Full] = true
		}
	}
	for _, dir := range []string{store.Bundle(root, ""), filepath.Join(root, store.Dir, "containers")} {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if prefix, _, instance := strings.Cut(e.Name(), "@"); instance && slices.ContainsFunc(set.Units, func(u *units.Unit) bool {
				return u.Name.Template && u.Name.Full == prefix+"@"
			}) && hasImage(root, e.Name()) {
				names[e.Name()] = true
			}
		}
	}
	for name := range names {
		m, err := updatedOf(root, set, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		} else if m.Image != "" {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b *updated) int { return strings.Compare(a.name, b.name) })
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return all, errs
}

// hasImage tells whether an instance runs, or keeps images to go back to. One that only left data does not count.
func hasImage(root, name string) bool {
	for _, link := range []string{
		filepath.Join(store.Bundle(root, name), store.BundleLink),
		filepath.Join(root, store.Dir, "containers", name, "current"),
	} {
		if _, err := os.Lstat(link); err == nil {
			return true
		}
	}
	return false
}

// groups puts what is updated together: the members of a group, whichever of all was named, and everything else by itself. The
// order is that of the names.
func groups(named, all []*updated) (together [][]*updated) {
	seen := map[string]bool{}
	for _, m := range named {
		if seen[m.name] {
			continue
		}
		members := []*updated{m}
		if group := m.Update.Group; group != "" {
			members = nil
			for _, other := range all {
				if other.Update.Group == group {
					members = append(members, other)
				}
			}
		}
		for _, member := range members {
			seen[member.name] = true
		}
		together = append(together, members)
	}
	return together
}
