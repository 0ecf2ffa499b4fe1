package convert

import (
	"strings"

	"syscontainer/units"
)

// draft is one service while it is being made.
type draft struct {
	*converter
	u    *units.Unit
	c    *units.Container
	t    *unitText
	s    *Service
	none bool // nothing is written: the name is another's
	installed

	unit, container, service []units.Line           // the sections
	replaced                 map[*units.Line]string // values that lines of [Container] get
	after, bindsTo           []string               // services, beside those the author wrote

	errs, warnings units.Problems
	others         units.Problems // of units that want the same name: the service says them too
}

func (d *draft) replace(line *units.Line, value string) {
	if d.replaced == nil {
		d.replaced = make(map[*units.Line]string)
	}
	d.replaced[line] = value
}

func (d *draft) fail(line *units.Line, msg, hint string) {
	d.errs = append(d.errs, problem(line, msg, hint))
}

func (d *draft) warn(line *units.Line, msg, hint string) {
	d.warnings = append(d.warnings, problem(line, msg, hint))
}

// problem is one with the value of a line.
func problem(line *units.Line, msg, hint string) *units.Problem {
	return &units.Problem{File: line.File, Line: line.Line, Column: line.ValueColumn, Msg: msg, Hint: hint}
}

// lastValue is the assignment that counts of a key with one value; nil if there is
// none.
func lastValue(lines []units.Line, key string) (value string, at *units.Line) {
	for i := range lines {
		if lines[i].Key == key {
			value, at = lines[i].Value, &lines[i]
		}
	}
	return value, at
}

// effective are the assignments to a list that no later one takes back.
func effective(lines []units.Line, key string) (all []*units.Line) {
	for i := range lines {
		switch {
		case lines[i].Key != key:
		case lines[i].Value == "":
			all = all[:0]
		default:
			all = append(all, &lines[i])
		}
	}
	return all
}

// unquoted is a value that is one word, as units reads it.
func unquoted(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

func isHostSpecifier(s string) bool {
	return len(s) == 2 && s[0] == '%' && strings.IndexByte(units.HostSpecifiers, s[1]) >= 0
}
