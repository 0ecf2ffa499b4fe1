package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"syscontainer/pull/atomic"
	"syscontainer/units"
)

// writing is the text of a unit, with the line of the translation that each of its lines comes from.
type writing struct {
	text    strings.Builder
	origins []int // index in the translation, -1: none
}

func (w *writing) add(origin int, line string) {
	w.text.WriteString(line + "\n")
	w.origins = append(w.origins, origin)
}

func (w *writing) comment(format string, args ...any) {
	w.add(-1, "# "+units.Printable(fmt.Sprintf(format, args...)))
}

func (w *writing) section(name string) {
	if w.text.Len() > 0 {
		w.add(-1, "")
	}
	w.add(-1, "["+name+"]")
}

// assign writes a line that is read again as it is: a backslash at its end would join the next one to it.
func (w *writing) assign(origin int, key, value string) {
	if strings.HasSuffix(value, `\`) {
		value += " "
	}
	w.add(origin, key+"="+value)
}

// write makes the text of the unit.
func (in *installation) write(lines []atomic.ServiceLine) *writing {
	w := new(writing)
	w.comment("Made by syscontainer install. What is your own belongs into %s.d/NAME.conf:", filepath.Base(in.file))
	w.comment("installing again, for a newer image or other values, replaces this file.")
	if in.exports != nil && in.exports.Service != nil && !in.exports.Manifest.NoService {
		w.comment("%s is /%s/%s of the image, with the line.", atomic.ServiceFile, atomic.Dir, atomic.ServiceFile)
	}
	if in.hasSection(lines, "Unit") {
		w.section("Unit")
		in.writeSection(w, lines, "Unit")
	}
	w.section("Container")
	if in.rootfs != "" {
		w.assign(-1, "Rootfs", strings.ReplaceAll(in.rootfs, "%", "%%"))
	} else {
		w.assign(-1, "Image", strings.ReplaceAll(in.reference, "%", "%%"))
	}
	if runtime := in.takeover.runtime(); runtime != "" {
		w.assign(-1, "Runtime", strings.ReplaceAll(runtime, "%", "%%"))
	}
	if in.manifest().NoService {
		w.comment("manifest.json of the image: noContainerService")
	}
	in.writeSection(w, lines, "Container")
	for _, s := range in.set {
		w.assign(-1, "Set", quotedWord(s))
	}
	in.writeDefaults(w)
	if len(in.exported) > 0 {
		w.comment("Files of the image that are put on the host:")
		for _, file := range in.exported {
			w.assign(-1, "Export", quotedWord(file))
		}
	}
	for _, r := range in.refused {
		w.comment("not exported: %s", r)
	}
	for _, name := range []string{"Service", "Install"} {
		if in.hasSection(lines, name) {
			w.section(name)
			in.writeSection(w, lines, name)
		}
	}
	in.writeStrangers(w, lines)
	return w
}

func (in *installation) hasSection(lines []atomic.ServiceLine, name string) bool {
	return slices.ContainsFunc(lines, func(l atomic.ServiceLine) bool { return l.Section == name })
}

// writeSection writes the lines of a section: those that are kept below a comment that says where they stand in the
// template, those that are not as comments, and at the end those that nobody misses.
func (in *installation) writeSection(w *writing, lines []atomic.ServiceLine, name string) {
	var run []int
	flush := func() {
		if len(run) > 0 && lines[run[0]].Line > 0 {
			first, last := lines[run[0]], lines[run[len(run)-1]]
			switch {
			case first.Varies || first.Section == "Container":
				w.comment("%s:%d: %s", atomic.ServiceFile, first.Line, first.Written)
			case last.Line > first.Line:
				w.comment("%s:%d-%d", atomic.ServiceFile, first.Line, last.Line)
			default:
				w.comment("%s:%d", atomic.ServiceFile, first.Line)
			}
		}
		for _, i := range run {
			w.assign(i, lines[i].Key, lines[i].Value)
		}
		run = run[:0]
	}
	var ours []atomic.ServiceLine
	for i, l := range lines {
		switch {
		case l.Section != name:
		case l.Ours:
			ours = append(ours, l)
		case name == "Container" && l.Why != "": // the template's own [Container], which is nobody's
		case l.Why != "":
			flush()
			w.comment("not kept: %s:%d: %s", atomic.ServiceFile, l.Line, l.Written)
			w.comment("    %s", reason(l))
		default:
			if len(run) > 0 { // lines that only differ in that a value was put in stand apart
				before := lines[run[len(run)-1]]
				if l.Varies || before.Varies || l.Section == "Container" || l.Line != before.Line+1 && l.Line > 0 {
					flush()
				}
			}
			run = append(run, i)
		}
	}
	flush()
	if len(ours) > 0 {
		w.comment("Not needed here, where the service of the container does this by itself:")
		for _, l := range ours {
			w.comment("    %s:%d: %s", atomic.ServiceFile, l.Line, l.Written)
		}
	}
}

func reason(l atomic.ServiceLine) string {
	if l.Hint == "" {
		return l.Why
	}
	return l.Why + "; " + l.Hint
}

// writeStrangers keeps lines of sections that systemd does not know as comments.
func (in *installation) writeStrangers(w *writing, lines []atomic.ServiceLine) {
	begun := false
	for _, l := range lines {
		if slices.Contains([]string{"Unit", "Service", "Install"}, l.Section) || l.Why == "" {
			continue
		}
		if !begun {
			w.add(-1, "")
			w.comment("Lines in sections that systemd ignores, in the image's service as well:")
			begun = true
		}
		w.comment("    %s:%d: [%s] %s", atomic.ServiceFile, l.Line, l.Section, l.Written)
	}
}

// writeDefaults shows the values that could be set, too.
func (in *installation) writeDefaults(w *writing) {
	if in.exports == nil {
		return
	}
	begun := false
	for _, name := range in.exports.Manifest.DefaultNames() {
		isSet := slices.ContainsFunc(in.set, func(s string) bool { return strings.HasPrefix(s, name+"=") })
		if isSet || atomic.ClassOf(name) != atomic.FromUser {
			continue
		}
		if !begun {
			w.comment("Values that the image's templates know besides, as its manifest.json has them:")
			begun = true
		}
		w.add(-1, "#Set="+quotedWord(name+"="+in.exports.Manifest.Defaults[name]))
	}
}

// quotedWord writes text as one word of a list: by C escapes if need be, and without specifiers.
func quotedWord(s string) string {
	var b strings.Builder
	plain := s != ""
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '%':
			b.WriteString("%%")
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == utf8.RuneError && n == 1 || !strconv.IsPrint(r) && r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !strconv.IsPrint(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
		if r <= ' ' || r == '"' || r == '\'' || r == '\\' || !strconv.IsPrint(r) {
			plain = false
		}
		i += n
	}
	if plain {
		return b.String()
	}
	return `"` + b.String() + `"`
}
