package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syscontainer/generator/convert"
	"syscontainer/units"
)

// compareTree tells how the tree of files and links in dir differs from what the
// generator makes. Empty directories and the modes of files do not count: version
// control keeps neither.
func compareTree(plan *convert.Plan, dir string) ([]finding, error) {
	texts, links := map[string]string{}, map[string]string{}
	for i := range plan.Services {
		if s := &plan.Services[i]; s.Text != "" {
			texts[s.Name] = s.Text
		}
	}
	for _, l := range plan.Links {
		links[l.Name] = l.Target
	}
	var found []finding
	say := func(name string, line int, message string) {
		found = append(found, finding{File: filepath.Join(dir, name), Line: line, Severity: "error", Message: message})
	}
	// The slash follows a link to the tree, and refuses a file.
	err := filepath.WalkDir(dir+"/", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text, isText := texts[name]
		target, isLink := links[name]
		delete(texts, name)
		delete(links, name)
		switch {
		case isText && entry.Type().IsRegular():
			have, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if line, message := firstDifference(string(have), text); message != "" {
				say(name, 0, fmt.Sprintf("differs at line %d: %s", line, message))
			}
		case isLink && entry.Type() == fs.ModeSymlink:
			have, err := os.Readlink(path)
			if err != nil {
				return err
			}
			if have != target {
				say(name, 0, fmt.Sprintf("differs: want a link to %s, got one to %s", have, target))
			}
		case isText:
			say(name, 0, "differs: the generator makes a file")
		case isLink:
			say(name, 0, "differs: the generator makes a link to "+target)
		default:
			say(name, 0, "not expected: the generator does not make it")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	missing := slices.AppendSeq(slices.Collect(maps.Keys(texts)), maps.Keys(links))
	for _, name := range missing {
		say(name, 0, "missing: the generator makes it")
	}
	slices.SortFunc(found, func(a, b finding) int { return strings.Compare(a.File, b.File) })
	return found, nil
}

// firstDifference is where got leaves want, "" if nowhere.
func firstDifference(want, got string) (line int, message string) {
	if want == got {
		return 0, ""
	}
	wanted, have := strings.SplitAfter(want, "\n"), strings.SplitAfter(got, "\n")
	at := func(lines []string, i int) string {
		if i >= len(lines) || lines[i] == "" {
			return "the end of the file"
		}
		text, whole := strings.CutSuffix(lines[i], "\n")
		if runes := []rune(text); len(runes) > 120 {
			text = string(runes[:120]) + "…"
		}
		text = `"` + units.Printable(text) + `"`
		if !whole {
			text += " without a line end"
		}
		return text
	}
	i := 0
	for i < len(wanted) && i < len(have) && wanted[i] == have[i] {
		i++
	}
	return i + 1, "want " + at(wanted, i) + ", got " + at(have, i)
}
