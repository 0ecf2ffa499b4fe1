package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"syscontainer/generator/convert"
	"syscontainer/units"
)

// service converts the unit as the generator would, among all others, to which it may
// refer. Errors are the generator's, with the option in place of the line.
func (o *runOptions) service(root string, home home) (text string, c *units.Container, err error) {
	if err := o.nameIsFree(units.Load(root, units.SearchPath())); err != nil {
		return "", nil, err
	}
	unitText, origins := o.text()
	unit := units.Extra{Path: string(home) + "/" + o.name + ".syscontainer", Text: unitText, Given: true}
	set := units.Load(root, units.SearchPath(), unit)
	plan := convert.Convert(set, convert.Options{Root: root, Render: renderPath, Run: &convert.Run{
		Path: unit.Path, File: serviceFile(o.name), Caller: string(home),
		Attach: !o.detach && !o.tty, Terminal: o.tty, Remove: o.remove,
	}})
	at := func(p *units.Problem) string {
		where := place(p.File, p.Line, p.Column)
		if p.File == unit.Path {
			where = ""
			if p.Line > 0 && p.Line <= len(origins) && origins[p.Line-1] != "" {
				where = shortened(origins[p.Line-1]) + ": "
			}
		}
		message := "run: " + where + units.Printable(p.Msg)
		if p.Hint != "" {
			message += "\nhint: " + units.Printable(p.Hint)
		}
		return message
	}
	i := slices.IndexFunc(plan.Services, func(s convert.Service) bool { return s.Unit.Path == unit.Path })
	if i < 0 {
		return "", nil, fmt.Errorf("run: %s: %w", o.name, error(plan.Problems))
	}
	s := &plan.Services[i]
	var messages []string
	o.warnings = nil
	for _, p := range s.Errors {
		messages = append(messages, at(p))
	}
	for _, p := range s.Warnings {
		if p.File == unit.Path && strings.HasPrefix(p.Msg, "unknown key ") { // a file may be for a later version
			p.Msg = strings.TrimSuffix(p.Msg, ", ignoring")
			messages = append(messages, at(p))
		} else {
			o.warnings = append(o.warnings, at(p))
		}
	}
	if len(messages) > 0 {
		return "", nil, errors.New(strings.Join(messages, "\n"))
	}
	// What render will read; relative paths, for one, need a file that they are relative to.
	c, err = units.ReadGenerated(strings.NewReader(s.Text), s.Name, func(byte) (string, error) { return "x", nil })
	var problems units.Problems
	if errors.As(err, &problems) && len(problems) > 0 {
		message := "run: " + units.Printable(problems[0].Msg)
		if problems[0].Hint != "" {
			message += "\nhint: " + units.Printable(problems[0].Hint)
		}
		return "", nil, errors.New(message)
	}
	return s.Text, c, err
}

// nameIsFree refuses the name of a unit, even of one that systemd does not know yet.
func (o *runOptions) nameIsFree(set *units.Set) error {
	for _, u := range set.Units {
		if u.Name.Full == o.name || u.Stem.Full == o.name {
			return fmt.Errorf("run: --name: %s is the name of %s already", o.name, u.Path)
		}
	}
	if path := set.Quadlet[o.name]; path != "" {
		return fmt.Errorf("run: --name: %s is the name of %s already", o.name, path)
	}
	return nil
}

func shortened(origin string) string {
	if runes := []rune(units.Printable(origin)); len(runes) > 100 {
		return string(runes[:100]) + "…"
	}
	return units.Printable(origin)
}
