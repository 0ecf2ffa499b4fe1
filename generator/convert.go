package main

import (
	"cmp"
	"slices"
	"strings"

	"syscontainer/units"
)

const tmpfilesSuffix = "-tmpfiles"

// converter knows all units, for names must be theirs alone.
type converter struct {
	root    string
	set     *units.Set
	log     *logger
	taken   map[string]native // files of systemd's own directories
	owners  map[string]string // name of a unit we write, or of an alias: who wants it
	quadlet func() bool
	plan
}

// convert makes the plan for all units, and reports on each.
func convert(root string, set *units.Set, log *logger) *plan {
	log.errors(set.Problems...)
	c := &converter{root: strings.TrimRight(root, "/"), set: set, log: log, owners: make(map[string]string, 2*len(set.Units))}
	if len(set.Units) == 0 {
		return &c.plan
	}
	// Names that could collide with files of systemd's directories: known before the
	// first unit is converted, so that each directory is listed once.
	names := make(map[string]bool, 2*len(set.Units))
	all := make([]installed, len(set.Units))
	problems := make([]units.Problems, len(set.Units))
	for i, u := range set.Units {
		c.owners[u.Name.Service()] = u.Path
		names[u.Name.Service()] = true
		names[u.Name.With(tmpfilesSuffix)+".service"] = true
		in, errs, warnings := install(u)
		all[i], problems[i] = in, errs
		u.Warnings = append(u.Warnings, warnings...)
		for _, alias := range in.aliases {
			names[alias] = true
		}
	}
	c.taken = natives(c.root, names)
	for i, u := range set.Units {
		c.unit(u, all[i], problems[i])
	}
	slices.SortFunc(c.links, func(a, b link) int { return strings.Compare(a.name, b.name) })
	return &c.plan
}

// unit adds the files of one unit to the plan.
func (c *converter) unit(u *units.Unit, in installed, errs units.Problems) {
	name := u.Name.Service()
	if n, taken := c.taken[name]; taken {
		if !n.masked {
			c.log.errors(&units.Problem{File: u.Path, Msg: "no service is made of it: " + n.path + " is there already", Hint: "rename one of them"})
		}
		return
	}
	if other, both := c.set.Quadlet[u.Name.Full]; both {
		p := &units.Problem{File: u.Path, Msg: other + " becomes " + name + " too", Hint: "remove one of them"}
		if hasQuadlet(c.root) { // whoever writes last would win
			p.Msg = "no service is made of it: " + p.Msg
			c.log.errors(p)
			return
		}
		errs = append(errs, p)
	}
	errs = append(u.Errors, errs...)
	container, more, warnings := u.Container()
	errs = append(errs, more...)
	warnings = append(u.Warnings, warnings...)
	in, more = c.claimAliases(u, in)
	errs = append(errs, more...)

	e, err := tmpfilesEntries(u, container)
	if err != nil {
		errs = append(errs, &units.Problem{File: u.Path, Msg: err.Error()})
	}
	var helper string
	if len(e.lines) > 0 && len(errs) == 0 {
		var p *units.Problem
		if helper, p = c.claimHelper(u); p != nil {
			errs = append(errs, p)
		}
	}
	text, more, others := service(u, container, helper)
	errs = append(errs, more...)
	warnings = append(warnings, others...)
	var files *unitText
	if helper != "" {
		files = tmpfilesService(u, e)
	}
	for _, t := range []*unitText{text, files} {
		if t != nil && t.tooLong != "" {
			errs = append(errs, &units.Problem{File: u.Path, Msg: "the line of " + t.tooLong + "= becomes longer than 1 MiB"})
		}
	}

	inOrder(u, errs)
	if len(errs) > 0 {
		text, files = stub(u, errs), nil
		c.log.errors(errs...)
		c.log.errors(&units.Problem{File: u.Path, Msg: name + " will fail at its start and say so"})
	}
	c.log.warnings(warnings...)
	c.files = append(c.files, file{name, text.String(), u.Private})
	if files != nil {
		c.files = append(c.files, file{c.helperFile(u), files.String(), u.Private})
	}
	c.links = append(c.links, in.links...)
}

// inOrder sorts errors as the files are read; those of no line come last.
func inOrder(u *units.Unit, errs units.Problems) {
	slices.SortStableFunc(errs, func(a, b *units.Problem) int {
		if a.Line == 0 || b.Line == 0 {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Or(cmp.Compare(slices.Index(u.Sources, a.File), slices.Index(u.Sources, b.File)), cmp.Compare(a.Line, b.Line))
	})
}

// claimAliases drops aliases that are somebody else's name.
func (c *converter) claimAliases(u *units.Unit, in installed) (installed, units.Problems) {
	var errs units.Problems
	for _, alias := range in.aliases {
		owner, owned := c.owners[alias]
		if n, taken := c.taken[alias]; taken {
			owner, owned = n.path, true
		}
		if !owned || owner == u.Path {
			c.owners[alias] = u.Path
			continue
		}
		errs = append(errs, &units.Problem{File: u.Path, Msg: "Alias=: " + alias + " is taken by " + owner})
		in.links = slices.DeleteFunc(in.links, func(l link) bool { return l.name == alias })
	}
	return in, errs
}

func (c *converter) helperFile(u *units.Unit) string { return u.Name.With(tmpfilesSuffix) + ".service" }

// claimHelper returns the name by which a service requires its tmpfiles service.
func (c *converter) claimHelper(u *units.Unit) (string, *units.Problem) {
	name := c.helperFile(u)
	if !units.IsUnitName(name) {
		return "", &units.Problem{File: u.Path, Msg: "the name is too long for a unit, for " + name + " is needed as well"}
	}
	owner, owned := c.owners[name]
	if n, taken := c.taken[name]; taken {
		owner, owned = n.path, true
	}
	if owned {
		return "", &units.Problem{File: u.Path, Msg: name + " is needed for Tmpfiles= and the sources of Volume=, and is taken by " + owner, Hint: "rename one of them"}
	}
	c.owners[name] = u.Path
	if u.Name.Template {
		return u.Name.Prefix + tmpfilesSuffix + "@%i.service", nil
	}
	return name, nil
}
