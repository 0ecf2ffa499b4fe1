package units

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Problem is one thing wrong with a unit, at the place where a person would mend
// it. Error gives "FILE:LINE: MSG", and the hint on a second line.
type Problem struct {
	File string // as a person would open it; "" if no file is at fault
	Line int    // the first physical line of the assignment, from 1; 0: the whole file
	// Column is where in that line the key, or the value at fault, begins: in bytes,
	// from 1; 0: not known.
	Column int
	Msg    string // in the words of the file, with its cause
	Hint   string // what to write instead; may be ""
}

func (p *Problem) Error() string {
	s := p.Msg
	if p.Line > 0 {
		s = p.File + ":" + strconv.Itoa(p.Line) + ": " + s
	} else if p.File != "" {
		s = p.File + ": " + s
	}
	if p.Hint != "" {
		s += "\nhint: " + p.Hint
	}
	return s
}

// Problems are all that is wrong with a unit, in the order of its lines.
type Problems []*Problem

func (p Problems) Error() string {
	all := make([]string, len(p))
	for i, one := range p {
		all[i] = one.Error()
	}
	return strings.Join(all, "\n")
}

// hinted is an error of a value; the line it stands in is added by who knows it.
type hinted struct{ msg, hint string }

func (e *hinted) Error() string { return e.msg }

// Hint is what an error of this package advises the person to do, "" if nothing.
func Hint(err error) string {
	if h, ok := err.(*hinted); ok {
		return h.hint
	}
	return ""
}

// wrong is an error with a hint for the person; hint may be "". Foreign words are
// quoted; in a hint they stand as they would be written.
func wrong(hint string, words ...string) error {
	return &hinted{strings.Join(words, ""), Printable(hint)}
}

// quote shows foreign text on one line: what is not printable is escaped, what is
// long is cut.
func quote(s string) string {
	const most = 200
	if len(s) > most {
		return strconv.Quote(strings.ToValidUTF8(s[:most], "")) + "…"
	}
	return strconv.Quote(s)
}

// Printable replaces what could end a line, move a cursor or not be text.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, s)
}
