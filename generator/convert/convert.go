// Package convert makes systemd services of .syscontainer units. It is the generator without its effects: the operator's
// command asks it too, for what check and cat --service say must be what the generator does.
package convert

import (
	"cmp"
	"slices"
	"strings"

	"syscontainer/units"
)

// Options are what a conversion needs beside the units.
type Options struct {
	Root   string // where systemd's own unit files are looked for; "" or "/": the machine's
	Render string // absolute path of the program that Exec lines call
}

// Plan is all that a generator is to write, below one directory, and to say.
type Plan struct {
	Services []Service      // one for each unit of the set, in its order
	Links    []Link         // sorted by name
	Problems units.Problems // errors that belong to no unit
}

// Service is what became of a unit.
type Service struct {
	Unit     *units.Unit
	Name     string // of the file, "web.service"
	Text     string // of the file; "": none is written, for the name is another's
	Private  bool   // the file is not for everybody to read
	Stub     bool   // it can only fail, and say Errors
	Errors   units.Problems
	Warnings units.Problems
}

// Link is a symbolic link, in the directory itself or one below it.
type Link struct{ Name, Target string }

// Failed tells whether there is any error.
func (p *Plan) Failed() bool {
	return len(p.Problems) > 0 || slices.ContainsFunc(p.Services, func(s Service) bool { return len(s.Errors) > 0 })
}

// converter knows all units, for names must be theirs alone.
type converter struct {
	Options
	set    *units.Set
	taken  map[string]native // files of systemd's own directories
	owners map[string]string // name of a unit we write, or of an alias: who wants it
	plan   *Plan
}

// Convert makes the plan for all units of a set. It writes nothing, and reads
// nothing but systemd's unit directories, to see which names are taken.
func Convert(set *units.Set, o Options) *Plan {
	o.Root = strings.TrimRight(o.Root, "/")
	plan := &Plan{Problems: set.Problems}
	if len(set.Units) == 0 {
		return plan
	}
	c := &converter{Options: o, set: set, owners: make(map[string]string, 2*len(set.Units)), plan: plan}
	// Names that could collide with files of systemd's directories: known before the
	// first unit is converted, so that each directory is listed once.
	names := make(map[string]bool, 2*len(set.Units))
	all := make([]installed, len(set.Units))
	plan.Services = make([]Service, len(set.Units))
	for i, u := range set.Units {
		c.owners[u.Name.Service()] = u.Path
		names[u.Name.Service()] = true
		in, errs, warnings := install(u)
		all[i] = in
		plan.Services[i] = Service{Unit: u, Name: u.Name.Service(), Errors: errs, Warnings: warnings}
		for _, alias := range in.aliases {
			names[alias] = true
		}
	}
	c.taken = natives(c.Root, names)
	for i := range plan.Services {
		c.convert(&plan.Services[i], all[i])
	}
	slices.SortFunc(plan.Links, func(a, b Link) int { return strings.Compare(a.Name, b.Name) })
	return plan
}

// convert finishes one service and adds its links to the plan.
func (c *converter) convert(s *Service, in installed) {
	u := s.Unit
	if n, taken := c.taken[s.Name]; taken {
		s.Errors = nil
		if !n.masked {
			s.Errors = units.Problems{{File: u.Path, Msg: "no service is made of it: " + n.path + " is there already", Hint: "rename one of them"}}
		}
		return
	}
	if other, both := c.set.Quadlet[u.Name.Full]; both {
		p := &units.Problem{File: u.Path, Msg: other + " becomes " + s.Name + " too", Hint: "remove one of them"}
		if hasQuadlet(c.Root) { // whoever writes last would win
			p.Msg = "no service is made of it: " + p.Msg
			s.Errors = units.Problems{p}
			return
		}
		s.Errors = append(s.Errors, p)
	}
	container, errs, warnings := u.Container()
	s.Errors = slices.Concat(u.Errors, s.Errors, errs)
	s.Warnings = slices.Concat(u.Warnings, s.Warnings, warnings)
	in, errs = c.claimAliases(u, in)
	s.Errors = append(s.Errors, errs...)
	text, errs, warnings := c.service(u, container)
	s.Errors = append(s.Errors, errs...)
	s.Warnings = append(s.Warnings, warnings...)
	if text.tooLong != "" {
		s.Errors = append(s.Errors, &units.Problem{File: u.Path, Msg: "the line of " + text.tooLong + "= becomes longer than 1 MiB"})
	}
	inOrder(u, s.Errors)
	if s.Stub = len(s.Errors) > 0; s.Stub {
		text = c.stub(u, s.Errors)
	}
	s.Text, s.Private = text.String(), u.Private
	c.plan.Links = append(c.plan.Links, in.links...)
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
		in.links = slices.DeleteFunc(in.links, func(l Link) bool { return l.Name == alias })
	}
	return in, errs
}
