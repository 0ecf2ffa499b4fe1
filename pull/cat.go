package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"syscontainer/generator/convert"
	"syscontainer/units"
)

const catHelp = `Usage: syscontainer cat [--service] NAME…

Prints units with their drop-ins, as they are in force. Comments say where the
lines come from.

      --service           print the service that the generator makes
  -h, --help              print this text
`

func runCat(_ context.Context, root string, args []string) error {
	flags := newFlags("syscontainer cat", func(w io.Writer) { io.WriteString(w, catHelp) })
	service := flags.Bool("service", false, "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return usagef("cat: the name of a unit is missing, see syscontainer cat --help")
	}
	set := units.Load(root, units.SearchPath())
	found := make([]*units.Unit, flags.NArg())
	for i, name := range flags.Args() { // all or nothing
		var err error
		if found[i], err = findUnit(root, set, name); err != nil {
			return err
		}
	}
	out := bufio.NewWriter(os.Stdout)
	var plan *convert.Plan
	if *service {
		plan = convert.Convert(set, convert.Options{Root: root, Render: renderPath})
	}
	broken := ""
	for i, u := range found {
		if i > 0 {
			out.WriteString("\n")
		}
		if !*service {
			writeUnit(out, u)
			if len(u.Errors) > 0 {
				broken = u.Errors.Error()
			}
		} else if err := writeService(out, plan, u); err != nil {
			out.Flush()
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if broken != "" {
		return fmt.Errorf("not all of it could be read: %s", broken)
	}
	return nil
}

// findUnit takes the name of a file or of a service. An instance without a file is
// the one that systemd makes of the template.
func findUnit(root string, set *units.Set, word string) (*units.Unit, error) {
	name := strings.TrimSuffix(strings.TrimSuffix(path.Base(word), ".syscontainer"), ".service")
	var known []string
	for _, file := range []bool{true, false} { // the file's name counts first
		for _, u := range set.Units {
			of := u.Name.Full
			if file {
				of = u.Stem.Full
				known = append(known, of)
			}
			if of == name && !(file && strings.HasSuffix(word, ".service")) && !(!file && strings.HasSuffix(word, ".syscontainer")) {
				return u, nil
			}
		}
	}
	if slices.Contains(set.Masked, name) {
		return nil, fmt.Errorf("%s.syscontainer is masked: %s is empty or a link to /dev/null", name, maskOf(root, name))
	}
	if prefix, instance, ok := strings.Cut(name, "@"); ok && instance != "" {
		if _, err := units.ParseName(name); err == nil {
			if u, err := findUnit(root, set, prefix+"@"); err == nil {
				return u, nil
			}
		}
	}
	err := fmt.Errorf("there is no unit %s", strconv.Quote(word))
	if near := units.Nearest(name, known); near != "" {
		err = fmt.Errorf("%w\nhint: did you mean %s?", err, near)
	}
	return nil, err
}

// maskOf is the file that takes a unit away; its name alone if it is deeper than the
// directories themselves.
func maskOf(root, name string) string {
	for _, dir := range units.SearchPath() {
		file := path.Join(dir, name+".syscontainer")
		if _, err := os.Lstat(filepath.Join(root, file)); err == nil {
			return file
		}
	}
	return name + ".syscontainer"
}

// writeService prints what the generator writes for a unit.
func writeService(w *bufio.Writer, plan *convert.Plan, u *units.Unit) error {
	for i := range plan.Services {
		s := &plan.Services[i]
		switch {
		case s.Unit != u:
			continue
		case s.Text != "":
			w.WriteString(s.Text)
		case len(s.Errors) > 0:
			return s.Errors
		default:
			return fmt.Errorf("no service is made of %s: %s is masked", u.Path, s.Name)
		}
		return nil
	}
	return fmt.Errorf("no service is made of %s", u.Path)
}

// writeUnit prints the lines of a unit as one file: comments say where they come
// from, and systemd reads in it what it reads in all the files together.
func writeUnit(w *bufio.Writer, u *units.Unit) {
	for _, p := range u.Errors {
		w.WriteString("# " + place(p.File, p.Line, p.Column) + units.Printable(p.Msg) + "\n")
	}
	sections := []string{"Unit", "Container", "Update", "Service", "Install"}
	for i := range u.Lines {
		if s := u.Lines[i].Section; !slices.Contains(sections, s) {
			sections = append(sections, s)
		}
	}
	first := len(u.Errors) == 0
	for _, name := range sections {
		lines := u.Section(name)
		if len(lines) == 0 {
			continue
		}
		if !first {
			w.WriteString("\n")
		}
		first = false
		w.WriteString("[" + name + "]\n")
		for len(lines) > 0 {
			n := 1
			for n < len(lines) && lines[n].File == lines[0].File && lines[n].Line >= lines[n-1].Line {
				n++
			}
			w.WriteString("# " + units.Printable(lines[0].File) + ":" + strconv.Itoa(lines[0].Line))
			if n > 1 {
				w.WriteString("-" + strconv.Itoa(lines[n-1].Line))
			}
			w.WriteString("\n")
			for _, l := range lines[:n] {
				writeLine(w, l)
			}
			lines = lines[n:]
		}
	}
}

// writeLine writes an assignment so that it is read again as it is: a backslash at
// the end would join the next line to it. No key of ours begins like a comment, or
// with a byte order mark; such a line stays one that nobody reads.
func writeLine(w *bufio.Writer, l units.Line) {
	if strings.HasPrefix(l.Key, "\ufeff") {
		w.WriteString("# ")
	}
	w.WriteString(l.Key + "=" + l.Value)
	if n := len(l.Value) - len(strings.TrimRight(l.Value, `\`)); n%2 == 1 {
		w.WriteString(" ")
	}
	w.WriteString("\n")
}
