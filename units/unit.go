// Package units knows what .syscontainer files say. It is the only reader of them:
// syscontainer-generator loads them at boot, render reads the section [X-Container]
// that the generator copied from them, and the operator's command checks them.
//
// Syntax is systemd's, to the byte; the keys of [Container] are Quadlet's where
// they mean the same (syscontainer.unit(5)). The package reads files and directories
// and nothing else: no clock, no network, no user database, no store, so that the
// same files give the same result at boot and at any reload.
//
// Trust: files come from administrators and from packages, but also from programs
// that make them of foreign data. No value can become another line, another word or
// another path than its author wrote.
package units

import (
	"io"
	"path"
	"slices"
	"strings"
)

// Unit is one .syscontainer file with its drop-ins.
type Unit struct {
	Name     Name     // of the service, without suffix; specifiers are its
	Stem     Name     // of the file, without suffix: Name, unless ServiceName= says otherwise
	Path     string   // of the file, without the root; SourcePath= of the service
	Sources  []string // Path and the drop-ins in force, in the order of reading
	Lines    []Line   // of all of them, in this order; of a file that was refused those of [Install]
	Private  bool     // one of the files is not readable for everybody
	Dangling bool     // Path is a link that leads nowhere
	Derived  bool     // an instance that exists because of its drop-ins, with the template's file
	Errors   Problems // of reading; Container finds those of the values
	Warnings Problems
}

// sections that mean something; [X-…] are the author's own.
var sections = [...]string{"Unit", "Container", updateSection, "Service", "Install"}

// Section is the lines of a section, in order. They are not the caller's to change.
func (u *Unit) Section(name string) []Line {
	n, first, last := 0, 0, -1
	for i := range u.Lines {
		if u.Lines[i].Section == name {
			if n++; n == 1 {
				first = i
			}
			last = i
		}
	}
	if n == last-first+1 { // they stand together, as nearly always
		return u.Lines[first : last+1 : last+1]
	}
	lines := make([]Line, 0, n)
	for i := first; i <= last; i++ {
		if u.Lines[i].Section == name {
			lines = append(lines, u.Lines[i])
		}
	}
	return lines
}

// Container reads the sections [Container] and [Update]. It never returns nil; with errors the
// result is good for nothing but looking for more of them. u.Errors and u.Warnings
// are not among the results.
func (u *Unit) Container() (c *Container, errs, warnings Problems) {
	if len(u.Errors) > 0 && !slices.ContainsFunc(u.Lines, func(l Line) bool { return l.Section == "Container" }) {
		c = new(Container) // what is missing, is missing because a file could not be read
		*c = unset
		return c, nil, nil
	}
	c, errs, warnings = decode(u.Lines, "Container", scope{Name: u.Name, dir: directoryOf(u.Path)})
	for _, p := range errs {
		if p.File == "" {
			p.File = u.Path
		}
	}
	return c, errs, warnings
}

// directoryOf is "" for what is no absolute path.
func directoryOf(file string) string {
	if dir := path.Dir(file); dir[0] == '/' {
		return dir
	}
	return ""
}

// checkSections warns of sections nobody will read, once each.
func (u *Unit) checkSections() {
	var warned []string
	last := "" // lines of a section stand together
	for i := range u.Lines {
		line := &u.Lines[i]
		if line.Section == last {
			continue
		}
		last = line.Section
		if slices.Contains(sections[:], last) || strings.HasPrefix(last, "X-") || last == "Quadlet" || slices.Contains(warned, last) {
			continue
		}
		warned = append(warned, last)
		p := &Problem{File: line.File, Line: line.Line, Msg: "unknown section " + quote("["+last+"]") + ", ignoring it"}
		if near := nearest(last, slices.Values(sections[:])); near != "" {
			p.Hint = "did you mean [" + near + "]?"
		}
		u.Warnings = append(u.Warnings, p)
	}
}

// GeneratedSection is the section of a generated service that carries [Container].
const GeneratedSection = "X-Container"

// longestGenerated bounds what ReadGenerated reads.
const longestGenerated = 64 << 20

// ReadGenerated reads the section [X-Container] of a service that the generator
// wrote. name is the service's full name, such as "web@blue.service": specifiers get
// the values of this very instance. known is asked for those of HostSpecifiers; nil
// leaves them to placeholders. Relative paths are relative to SourcePath=. An error is
// Problems.
func ReadGenerated(r io.Reader, name string, known func(specifier byte) (string, error)) (*Container, error) {
	n, err := ParseName(strings.TrimSuffix(name, ".service"))
	if err != nil {
		return nil, Problems{{Msg: err.Error()}}
	}
	data, err := io.ReadAll(io.LimitReader(r, longestGenerated))
	if err != nil {
		return nil, Problems{{File: name, Msg: "read: " + err.Error()}}
	}
	lines, _, refused := lex(name, string(data))
	if refused != nil {
		return nil, Problems{refused}
	}
	at := scope{Name: n, host: known, generated: true}
	for i := range lines {
		if l := &lines[i]; l.Section == "Unit" && l.Key == "SourcePath" {
			at.dir = directoryOf(strings.ReplaceAll(l.Value, "%%", "%"))
		}
	}
	c, errs, _ := decode(lines, GeneratedSection, at)
	if len(errs) == 0 {
		return c, nil
	}
	for _, p := range errs {
		if p.File == "" {
			p.File = name
		}
	}
	return nil, errs
}
