package units

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Line is one assignment of a unit file.
type Line struct {
	Section string // without the brackets
	Key     string
	Value   string // one logical line, blanks at both ends gone; quotes and specifiers as written
	File    string
	Line    int // the first physical line, from 1

	// Column is where the key begins, in bytes of the first physical line, from 1;
	// ValueColumn the value. 0: not in that line.
	Column, ValueColumn int
}

const (
	white = " \t\r\n" // all that systemd takes for white space

	longestLine    = 1<<20 - 1 // bytes of a physical line
	longestLogical = 1 << 20   // bytes of the joined lines before the last is done
)

// lex reads the text of a unit file by the rules of systemd.syntax(7), as systemd
// 252 and 257 apply them, to the last corner: what a line means must not depend on
// whether it is ours or passed on to systemd.
//
// Lines that systemd skips with a warning are warnings. Where systemd refuses the
// file, lex returns the reason, and of the lines those of [Install] only: the service
// that says the reason shall fail where it was wanted.
func lex(file, text string) (lines []Line, warnings Problems, refused *Problem) {
	p := physicalLines{text: text}
	var (
		logical   logicalLines
		pending   []byte // joined lines that end in a backslash
		joining   bool
		first     place // of the line that began what is pending
		markFound bool
	)
	logical.file = file
	logical.lines = make([]Line, 0, min(strings.Count(text, "\n")+1, 64))
	for {
		s, ok := p.next()
		if !ok {
			break
		}
		if len(s) > longestLine {
			refused = cmp.Or(refused, &Problem{File: file, Line: p.number, Msg: "the line is longer than 1 MiB"})
			break
		}
		if t := strings.TrimLeft(s, white); t != "" && (t[0] == '#' || t[0] == ';') {
			continue // in the middle of joined lines too
		}
		mark := 0
		if !markFound && strings.HasPrefix(s, "\ufeff") {
			s, markFound, mark = s[len("\ufeff"):], true, len("\ufeff")
		}
		if !joining {
			first = place{number: p.number, mark: mark, length: len(s)}
		}
		if len(pending)+len(s) > longestLogical {
			refused, joining = cmp.Or(refused, &Problem{File: file, Line: first.number, Msg: "the joined lines are longer than 1 MiB"}), false
			break
		}
		if oddBackslashes(s) {
			if !joining {
				first.length--
			}
			pending, joining = append(append(pending, s[:len(s)-1]...), ' '), true
			continue
		}
		if joining {
			s = string(append(pending, s...))
			pending, joining = pending[:0], false
		}
		refused = cmp.Or(refused, logical.add(s, first))
	}
	if joining {
		refused = cmp.Or(refused, logical.add(string(pending), first))
	}
	if refused != nil {
		return slices.DeleteFunc(logical.lines, func(l Line) bool { return l.Section != "Install" }), nil, refused
	}
	return logical.lines, logical.warnings, nil
}

// oddBackslashes tells whether a line goes on in the next. What is pending ends in
// a blank, so only the line itself counts.
func oddBackslashes(s string) bool {
	n := 0
	for n < len(s) && s[len(s)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// physicalLines cuts a text at LF, CR and NUL. Different terminators side by side
// are one line end, as long as none repeats and NUL is the last.
type physicalLines struct {
	text   string
	at     int
	number int // of the line returned last

	// ends are where the next of each terminator is, not to look for one that is far
	// away, or nowhere, at each line again.
	ends [3]int
}

const terminators = "\n\r\x00"

func (p *physicalLines) next() (string, bool) {
	if p.at == len(p.text) {
		return "", false
	}
	p.number++
	end := len(p.text)
	for i := range p.ends {
		if p.ends[i] < p.at || p.at == 0 {
			p.ends[i] = len(p.text)
			if n := strings.IndexByte(p.text[p.at:], terminators[i]); n >= 0 {
				p.ends[i] = p.at + n
			}
		}
		end = min(end, p.ends[i])
	}
	s := p.text[p.at:end]
	var seen [len(terminators)]bool
	for p.at = end; p.at < len(p.text) && !seen[2]; p.at++ {
		i := strings.IndexByte(terminators, p.text[p.at])
		if i < 0 || seen[i] {
			break
		}
		seen[i] = true
	}
	return s, true
}

// logicalLines collects assignments and the section they stand in.
type logicalLines struct {
	file     string
	section  string
	inside   bool // a section header was seen
	lines    []Line
	warnings Problems
}

// place is where a logical line began.
type place struct {
	number int // of the physical line
	mark   int // bytes of a byte order mark before it
	length int // bytes of it; what comes behind them is of another line
}

// column is that of a byte of the logical line.
func (p *place) column(at int) int {
	if at > p.length {
		return 0
	}
	return p.mark + at + 1
}

func (l *logicalLines) add(s string, from place) (refused *Problem) {
	indent := len(s)
	s = strings.TrimLeft(s, white)
	indent -= len(s)
	s = strings.TrimRight(s, white)
	if s == "" {
		return nil
	}
	refuse := func(msg string) *Problem {
		return &Problem{File: l.file, Line: from.number, Column: from.column(indent), Msg: msg}
	}
	if !utf8.ValidString(s) {
		return refuse("not valid UTF-8")
	}
	if s[0] == '[' {
		l.section, l.inside = "", true // if it is none, what follows is in no section known
		name := s[1:]
		if !strings.HasSuffix(name, "]") {
			return refuse("section header " + quote(s) + " has no ] at its end")
		}
		name = name[:len(name)-1]
		if strings.ContainsAny(name, `"'\`) || hasControl(name) {
			return refuse("section header " + quote(s) + " has a quote, a backslash or a control character in it")
		}
		l.section = name
		return nil
	}
	warn := func(msg, hint string) {
		l.warnings = append(l.warnings, &Problem{File: l.file, Line: from.number, Column: from.column(indent), Msg: msg, Hint: hint})
	}
	if !l.inside {
		warn("assignment outside of a section, ignoring", "begin with [Unit] or [Container]")
		return nil
	}
	equals := strings.IndexByte(s, '=')
	if equals < 0 {
		warn(quote(s)+" has no =, ignoring", "a line goes on in the next only after a backslash at its end")
		return nil
	}
	key := strings.TrimRight(s[:equals], white)
	if key == "" {
		warn(quote(s)+" has no key before the =, ignoring", "")
		return nil
	}
	value := strings.TrimLeft(s[equals+1:], white)
	l.lines = append(l.lines, Line{Section: l.section, Key: key, Value: value, File: l.file,
		Line: from.number, Column: from.column(indent), ValueColumn: from.column(indent + len(s) - len(value))})
	return nil
}

// hasControl finds the bytes below 0x20 and 0x7F.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}
