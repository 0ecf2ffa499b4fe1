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
	Run    *Run   // one unit is of no file; nil: none is
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
	Update   units.Problems // errors of [Update]: the service starts, and is not updated
}

// Link is a symbolic link, in the directory itself or one below it.
type Link struct{ Name, Target string }

// Failed tells whether there is any error.
func (p *Plan) Failed() bool {
	return len(p.Problems) > 0 || slices.ContainsFunc(p.Services, func(s Service) bool { return len(s.Errors)+len(s.Update) > 0 })
}

// converter knows all units, for names must be theirs alone.
type converter struct {
	Options
	set    *units.Set
	native map[string]native      // files of systemd's own directories
	owners map[string]*draft      // name of a service we write, or of an alias: whose it is
	byStem map[string]*units.Unit // nil: not needed yet
	ids    map[string]*units.Unit // names of the runtime's containers; nil: not needed yet
	plan   *Plan
	text   unitText // of the service that is being made
	hints  int      // how many names were searched for what was meant

	waits      map[string][]string         // services that one is ordered after because it shares
	containers map[string]*units.Container // of services that others take volumes of
	published  []published                 // ports of the units before
}

// Convert makes the plan for all units of a set. It writes nothing, and reads
// nothing but systemd's unit directories, to see which names are taken.
func Convert(set *units.Set, o Options) *Plan {
	o.Root = strings.TrimRight(o.Root, "/")
	plan := &Plan{Problems: set.Problems}
	if len(set.Units) == 0 {
		return plan
	}
	c := &converter{Options: o, set: set, plan: plan}
	plan.Services = make([]Service, len(set.Units))
	drafts := make([]draft, len(set.Units))
	for i, u := range set.Units {
		plan.Services[i] = Service{Unit: u, Name: u.Name.Service()}
		drafts[i] = draft{converter: c, u: u, s: &plan.Services[i]}
		drafts[i].install()
	}
	c.claimNames(drafts)
	for i := range drafts {
		drafts[i].claimAliases()
	}
	for i := range drafts {
		drafts[i].convert()
	}
	slices.SortStableFunc(plan.Links, func(a, b Link) int { return strings.Compare(a.Name, b.Name) })
	plan.Links = slices.CompactFunc(plan.Links, func(a, b Link) bool { return a.Name == b.Name })
	return plan
}

// convert finishes one service and adds its links to the plan.
func (d *draft) convert() {
	s, u := d.s, d.u
	defer func() { s.Errors, s.Warnings = d.errs, d.warnings }()
	if d.none {
		return
	}
	c, errs, warnings := u.Container()
	d.c, s.Update = c, c.Update.Errors
	d.errs = slices.Concat(u.Errors, d.errs, errs)
	d.warnings = slices.Concat(u.Warnings, d.warnings, warnings)
	d.unit, d.container, d.service = u.Section("Unit"), u.Section("Container"), u.Section("Service")
	d.t = &d.text
	d.t.begin()
	d.write()
	inOrder(u, d.errs)
	if s.Stub = len(d.errs) > 0; s.Stub {
		d.stub()
	}
	s.Text = string(d.t.data)
	s.Private = s.Private || u.Private
	d.plan.Links = append(d.plan.Links, d.links...)
}

// inOrder sorts errors as the files are read; those of no line come last.
func inOrder(u *units.Unit, errs units.Problems) {
	if len(errs) < 2 {
		return
	}
	place := make(map[string]int, len(u.Sources))
	for i, file := range u.Sources {
		place[file] = i
	}
	slices.SortStableFunc(errs, func(a, b *units.Problem) int {
		if a.Line == 0 || b.Line == 0 {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Or(cmp.Compare(place[a.File], place[b.File]), cmp.Compare(a.Line, b.Line))
	})
}
