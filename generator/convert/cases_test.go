package convert

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syscontainer/units"
)

// treeOf is what a plan puts on disk: files, links as "-> TARGET".
func treeOf(p *Plan) map[string]string {
	out := make(map[string]string)
	for _, l := range p.Links {
		out[l.Name] = "-> " + l.Target
	}
	for _, s := range p.Services {
		if s.Text != "" {
			out[s.Name] = s.Text
		}
	}
	return out
}

// saidBy is what is told of a plan.
func saidBy(p *Plan) string {
	var b strings.Builder
	for _, problem := range p.Problems {
		b.WriteString("error: " + problem.Error() + "\n")
	}
	for _, s := range p.Services {
		for _, problem := range s.Errors {
			b.WriteString("error: " + problem.Error() + "\n")
		}
		for _, problem := range s.Update {
			b.WriteString("no update: " + problem.Error() + "\n")
		}
		for _, problem := range s.Warnings {
			b.WriteString("warning: " + problem.Error() + "\n")
		}
	}
	return b.String()
}

// Each directory of testdata/cases is a theme: in/ is a root, its want/ what becomes of
// it, links in the file "links" and messages in "said".
func TestCases(t *testing.T) {
	themes, err := os.ReadDir("testdata/cases")
	must(t, err)
	for _, theme := range themes {
		t.Run(theme.Name(), func(t *testing.T) {
			dir := filepath.Join("testdata/cases", theme.Name())
			root, err := filepath.Abs(filepath.Join(dir, "in"))
			must(t, err)
			convert := func() *Plan {
				return Convert(units.Load(root, units.Directories()), Options{Root: root, Render: renderPath})
			}
			p := convert()
			got, again := collect(p), collect(convert())
			if *update {
				must(t, os.RemoveAll(dir+"/want"))
				if len(got) > 0 {
					must(t, os.MkdirAll(dir+"/want", 0o755))
				}
				for name, text := range got {
					must(t, os.WriteFile(filepath.Join(dir, "want", name), []byte(text), 0o644))
				}
			}
			want := map[string]string{} // of nothing nothing comes, and version control keeps no empty directory
			if _, err := os.Stat(dir + "/want"); err == nil {
				want = listing(t, dir+"/want")
			}
			for name, text := range got {
				if again[name] != text {
					t.Errorf("%s: the second time it is\n%s", name, again[name])
				}
				if w, is := want[name]; !is || w != text {
					t.Errorf("%s is\n%s\nwant\n%s", name, text, w)
				}
				delete(want, name)
			}
			for name := range want {
				t.Error(name, "is missing")
			}
			verify(t, p)
		})
	}
}

func collect(p *Plan) map[string]string {
	got, links := make(map[string]string), []string(nil)
	for name, text := range treeOf(p) {
		if strings.HasPrefix(text, "-> ") {
			links = append(links, name+" "+text+"\n")
		} else {
			got[name] = text
		}
	}
	slices.Sort(links)
	got["links"], got["said"] = strings.Join(links, ""), saidBy(p)
	for _, name := range []string{"links", "said"} {
		if got[name] == "" {
			delete(got, name)
		}
	}
	return got
}

// verify lets systemd's own parser judge all services of a plan, with their links: it
// must have nothing to say. Instances stand in for templates.
func verify(t *testing.T, p *Plan) {
	t.Helper()
	need(t, "systemd-analyze")
	dir := t.TempDir()
	render := filepath.Join(dir, "render") // stands in, for verify looks for the programs
	must(t, os.WriteFile(render, []byte("#!/bin/sh\n"), 0o755))
	args := []string{"verify", "--man=no", "--recursive-errors=no"}
	for name, text := range treeOf(p) {
		full := filepath.Join(dir, strings.ReplaceAll(name, ":", "_")) // verify takes what follows for an alias
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		if target, is := strings.CutPrefix(text, "-> "); is {
			must(t, os.Symlink(target, full))
			continue
		}
		must(t, os.WriteFile(full, []byte(strings.ReplaceAll(text, renderPath, render)), 0o644))
		if prefix, is := strings.CutSuffix(full, "@.service"); is {
			full = prefix + "@verified.service"
		}
		args = append(args, full)
	}
	if len(args) == 3 {
		return
	}
	slices.Sort(args[3:])
	cmd := exec.Command("systemd-analyze", args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":", "SYSTEMD_LOG_LEVEL=notice")
	said, err := cmd.CombinedOutput()
	lines := slices.DeleteFunc(strings.SplitAfter(string(said), "\n"), func(l string) bool {
		return l == "" || strings.Contains(l, dir) == false && strings.Contains(l, "/usr/lib/systemd/system/") // a unit of this machine
	})
	if err != nil || len(lines) > 0 {
		t.Errorf("systemd: %v\n%s", err, strings.Join(lines, ""))
	}
}
