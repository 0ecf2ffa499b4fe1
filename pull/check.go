package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syscontainer/generator/convert"
	"syscontainer/units"
)

const checkHelp = `Usage: syscontainer check [OPTION…] [FILE…|-]
       syscontainer check --image [--json] [IMAGE|FILE…]

Prints what is wrong with the units of the search path, or with FILE as if it
lay there, as the generator will see it. Nothing is printed if all is well.

      --json              print an array of objects
      --expect DIR        compare what the generator makes with the tree DIR
      --name NAME         the unit that standard input (-) holds
      --image             look at the templates of images, those of all units
                          or of IMAGE, and say what a start changes in them
      --set NAME=VALUE    with --image IMAGE: a value for them
  -h, --help              print this text
`

// renderPath is what the generator writes into Exec lines; replaced by -ldflags.
var renderPath = "/usr/libexec/syscontainer/render"

// finding is a problem as check --json prints it, see syscontainer(1).
type finding struct {
	Unit     string `json:"unit"`
	Service  string `json:"service"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Severity string `json:"severity"`
	Message  string `json:"message"`
	Hint     string `json:"hint"`
}

func runCheck(_ context.Context, root string, args []string) error {
	flags := newFlags("syscontainer check", func(w io.Writer) { io.WriteString(w, checkHelp) })
	asJSON := flags.Bool("json", false, "")
	expect := flags.String("expect", "", "")
	name := flags.String("name", "stdin", "")
	image := flags.Bool("image", false, "")
	var values []string
	flags.Func("set", "", func(s string) error { values = append(values, s); return nil })
	var files []string
	for { // options may stand behind an image
		if err := parse(flags, args); err != nil {
			return err
		}
		if flags.NArg() == 0 {
			break
		}
		files, args = append(files, flags.Arg(0)), flags.Args()[1:]
	}
	if len(values) > 0 && !*image || *image && (*expect != "" || *name != "stdin") {
		return usagef("check: --set goes with --image, and --expect and --name do not")
	}
	if *expect != "" && len(files) > 0 {
		return usagef("check: --expect is for all units, not for a FILE")
	}
	if *name != "stdin" && !slices.Contains(files, "-") {
		return usagef("check: --name is for standard input, write - for FILE")
	}
	if info, err := os.Stat(root); err != nil {
		return err // silence would mean that all is well
	} else if !info.IsDir() {
		return fmt.Errorf("%s is no directory", root)
	}
	if *image {
		found, failed, err := checkImages(root, files, values)
		if err != nil {
			return err
		}
		return printChecked(found, failed, *asJSON)
	}
	given, err := gather(root, files, strings.TrimSuffix(*name, ".syscontainer"))
	if err != nil {
		return err
	}
	set := units.Load(root, units.SearchPath(), given.extras...)
	plan := convert.Convert(set, convert.Options{Root: root, Render: renderPath})
	found, failed := judge(root, set, plan, given)
	if *expect != "" {
		differences, err := compareTree(plan, *expect)
		if err != nil {
			return err
		}
		found = append(found, differences...)
		if len(differences) > 0 {
			failed = append(failed, fmt.Sprintf("%s differs from what the generator makes", units.Printable(*expect)))
		}
	}
	return printChecked(found, failed, *asJSON)
}

func printChecked(found []finding, failed []string, asJSON bool) (err error) {
	if asJSON {
		err = printJSON(found)
	} else {
		err = printFindings(os.Stdout, found)
	}
	if err == nil && len(failed) > 0 {
		err = errors.New(strings.Join(failed, ", "))
	}
	return err
}

// judge is all there is to say, in the order of units and their lines, and what of it
// lets the command fail.
func judge(root string, set *units.Set, plan *convert.Plan, given *given) (found []finding, failed []string) {
	found = []finding{}
	others, stubs, stay := 0, 0, 0
	for _, p := range plan.Problems {
		if given.only() && !given.has(p.File) {
			continue
		}
		others++
		found = append(found, given.finding(nil, "error", p))
	}
	host := openMachine(root)
	defer host.close()
	if !given.only() {
		for _, p := range slices.Concat(host.directories(units.SearchPath()), host.orphans(set)) {
			found = append(found, given.finding(nil, "warning", p))
		}
	}
	for _, name := range set.Masked {
		if path := given.pathOf(name); path != "" {
			found = append(found, given.finding(nil, "note", &units.Problem{File: path, Msg: "takes the unit " + name + " away: it is empty, or a link to /dev/null"}))
		}
	}
	for i := range plan.Services {
		s := &plan.Services[i]
		if given.only() && !given.has(s.Unit.Path) {
			continue
		}
		if len(s.Errors) > 0 {
			stubs++
		}
		var of []finding
		add := func(severity string, problems units.Problems) {
			for _, p := range problems {
				of = append(of, given.finding(s, severity, p))
			}
		}
		if len(s.Update) > 0 && len(s.Errors) == 0 {
			stay++
		}
		add("error", s.Errors)
		add("error", s.Update)
		add("warning", s.Warnings)
		container, _, _ := s.Unit.Container()
		warnings, notes := host.look(s.Unit, container)
		add("warning", warnings)
		add("note", notes)
		var order []string
		for _, source := range s.Unit.Sources {
			order = append(order, given.shown(source))
		}
		slices.SortStableFunc(of, func(a, b finding) int { return byPlace(order, a, b) })
		found = append(found, of...)
	}
	switch {
	case stubs == 1:
		failed = append(failed, "1 unit would fail")
	case stubs > 1:
		failed = append(failed, fmt.Sprintf("%d units would fail", stubs))
	}
	switch {
	case stay == 1:
		failed = append(failed, "1 unit would not be updated")
	case stay > 1:
		failed = append(failed, fmt.Sprintf("%d units would not be updated", stay))
	}
	if others > 0 {
		failed = append(failed, fmt.Sprintf("errors that belong to no unit: %d", others))
	}
	return found, failed
}

// byPlace is the order of reading; what has no line comes after what has one.
func byPlace(order []string, a, b finding) int {
	place := func(f finding) (int, bool, int, int) {
		i := slices.Index(order, f.File)
		if i < 0 {
			i = len(order)
		}
		return i, f.Line == 0, f.Line, f.Column
	}
	ai, aNone, al, ac := place(a)
	bi, bNone, bl, bc := place(b)
	if ai == bi && aNone != bNone {
		return map[bool]int{true: 1, false: -1}[aNone]
	}
	return cmp.Or(cmp.Compare(ai, bi), cmp.Compare(al, bl), cmp.Compare(ac, bc))
}

// printFindings prints a problem of a drop-in that several units share once.
func printFindings(w io.Writer, found []finding) error {
	b := bufio.NewWriter(w)
	printed := make(map[string]bool)
	for _, f := range found {
		text := place(f.File, f.Line, f.Column) + f.Severity + ": " + units.Printable(f.Message) + "\n"
		if f.Hint != "" {
			text += "    hint: " + units.Printable(f.Hint) + "\n"
		}
		if !printed[text] {
			printed[text] = true
			b.WriteString(text)
		}
	}
	return b.Flush()
}

// place is "FILE:LINE:COLUMN: " as far as it is known.
func place(file string, line, column int) string {
	if file == "" {
		return ""
	}
	s := units.Printable(file)
	if line > 0 {
		s += fmt.Sprintf(":%d", line)
		if column > 0 {
			s += fmt.Sprintf(":%d", column)
		}
	}
	return s + ": "
}

// given are the files of the command line. The units know them by absolute paths,
// the person by what was typed.
type given struct {
	extras []units.Extra
	typed  map[string]string // absolute path to what was typed
	dirs   map[string]string // the same of their directories
}

// longestFile is what units reads of one.
const longestFile = 16 << 20

func gather(root string, files []string, name string) (*given, error) {
	g := &given{typed: map[string]string{}, dirs: map[string]string{}}
	for _, file := range files {
		e := units.Extra{}
		path := file
		if file == "-" {
			text, err := io.ReadAll(io.LimitReader(os.Stdin, longestFile+1))
			if err != nil {
				return nil, fmt.Errorf("read standard input: %w", err)
			}
			if len(text) > longestFile {
				return nil, errors.New("standard input is larger than 16 MiB")
			}
			if _, err := units.ParseName(name); err != nil {
				return nil, usagef("check: --name: %v", err)
			}
			path, e.Text, e.Given = name+".syscontainer", string(text), true
		} else if !strings.HasSuffix(file, ".syscontainer") {
			return nil, usagef("check: %q is no .syscontainer file\nhint: a drop-in is checked with its unit; of a file of another name: --name NAME - <FILE", file)
		} else if _, err := os.Lstat(file); err != nil {
			return nil, err
		}
		var err error
		if e.Path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		if below, ok := strings.CutPrefix(e.Path, root+"/"); ok && root != "/" {
			e.Path, e.Below = "/"+below, true
		}
		for other := range g.typed {
			if filepath.Base(other) == filepath.Base(e.Path) {
				return nil, usagef("check: %s and %s are one unit, check one after the other", g.typed[other], file)
			}
		}
		g.extras = append(g.extras, e)
		g.typed[e.Path] = file
		g.dirs[filepath.Dir(e.Path)] = filepath.Dir(path)
	}
	return g, nil
}

// only tells whether the files of the command line are all that is reported.
func (g *given) only() bool { return len(g.extras) > 0 }

func (g *given) has(path string) bool { return g.typed[path] != "" }

// pathOf is the file that was given for a unit, "" for none.
func (g *given) pathOf(name string) string {
	for path := range g.typed {
		if filepath.Base(path) == name+".syscontainer" {
			return path
		}
	}
	return ""
}

// shown is a path as the person would write it.
func (g *given) shown(path string) string {
	if typed := g.typed[path]; typed != "" {
		return typed
	}
	for dir, typed := range g.dirs {
		if rest, below := strings.CutPrefix(path, dir+"/"); below && strings.Contains(rest, ".d/") {
			return filepath.Join(typed, rest)
		}
	}
	return path
}

// finding is a problem of a service, or of none.
func (g *given) finding(s *convert.Service, severity string, p *units.Problem) finding {
	f := finding{File: g.shown(p.File), Line: p.Line, Column: p.Column, Severity: severity, Message: p.Msg, Hint: p.Hint}
	if s != nil {
		f.Unit, f.Service = s.Unit.Stem.Full+".syscontainer", s.Name
	}
	return f
}
