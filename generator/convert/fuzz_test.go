package convert

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"syscontainer/units"
)

// neighbours are there in every run, to be referred to.
var neighbours = map[string]string{
	"db.syscontainer":      "[Container]\nImage=q.io/db\nVolume=/var/lib/%N:/data\n",
	"web@.syscontainer":    "[Container]\nImage=q.io/web\nVolume=/srv/%i:/srv\nContainerName=web-%i\n",
	"broken.syscontainer":  "[Container]\n",
	"podman.container":     "[Container]\n",
	"data.volume":          "[Volume]\n",
	"renamed.syscontainer": "[Container]\nRootfs=/srv/root\nExec=/x\nServiceName=other\n",
}

// Whatever a file says: no path leaves the directory, Exec lines are ours or the
// author's own of [Service], nothing becomes a second line, render can read what is
// accepted, and another run gives the same.
func FuzzUnit(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed[0], seed[1])
	}
	root, dir := f.TempDir(), "/out"
	etc := root + "/etc/containers/systemd/"
	must(f, os.MkdirAll(etc, 0o755))
	for name, text := range neighbours {
		must(f, os.WriteFile(etc+name, []byte(text), 0o644))
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		if _, err := units.ParseName(name); err != nil || neighbours[name+".syscontainer"] != "" {
			return
		}
		file := etc + name + ".syscontainer"
		must(t, os.WriteFile(file, []byte(text), 0o644))
		defer os.Remove(file)
		set := units.Load(root, units.Directories())
		p := Convert(set, Options{Root: root, Render: renderPath})
		for _, l := range p.Links {
			full := filepath.Join(dir, filepath.Dir(l.Name), l.Target)
			if !filepath.IsLocal(l.Name) || filepath.Dir(full) != dir || strings.Count(l.Name, "/") > 1 {
				t.Fatalf("%+v", l)
			}
		}
		for _, out := range p.Services {
			if !filepath.IsLocal(out.Name) || strings.Contains(out.Name, "/") || strings.ContainsAny(out.Text, "\r\x00") {
				t.Fatalf("%q\n%s", out.Name, out.Text)
			}
			checkExec(t, out.Text, set)
			if out.Text == "" || out.Stub || out.Unit.Name.Template {
				continue
			}
			if _, err := units.ReadGenerated(strings.NewReader(out.Text), out.Name, nil); err != nil {
				t.Fatalf("render could not read it: %v\n%s", err, out.Text)
			}
		}
		if again := Convert(units.Load(root, units.Directories()), Options{Root: root, Render: renderPath}); saidBy(p) != saidBy(again) {
			t.Fatalf("%s\n%s", saidBy(p), saidBy(again))
		}
	})
}

// seeds are names and texts of units: those of the golden trees, and some of our own.
func seeds(t testing.TB) (all [][2]string) {
	t.Helper()
	for _, pattern := range []string{"testdata/units/*.syscontainer", "testdata/cases/*/in/etc/containers/systemd/*.syscontainer"} {
		files, err := filepath.Glob(pattern)
		must(t, err)
		for _, name := range files {
			if data, err := os.ReadFile(name); err == nil && len(data) > 0 { // some are links to nowhere, on purpose
				all = append(all, [2]string{strings.TrimSuffix(filepath.Base(name), ".syscontainer"), string(data)})
			}
		}
	}
	return append(all,
		[2]string{"a", "[Container]\nImage=q.io/a\nVolume=/var/lib/a b\"'\\:/x\nTmpfiles=d /a \\\\\nRuntime=crun\n[Install]\nAlias=../x.service"},
		[2]string{"a@", "[Unit]\nAfter=web@%i.syscontainer podman.container data.volume\n[Container]\nImage=q.io/a\nNetwork=web@%i.syscontainer\nPID=renamed.syscontainer\nVolume=db.syscontainer/data/x:/y:ro\n"})
}

// What is accepted, systemd loads: if it says anything, then of a line that the author
// wrote for systemd, word for word.
func TestSystemdLoadsTheCorpus(t *testing.T) {
	need(t, "systemd-analyze")
	all := seeds(t)
	files, err := filepath.Glob("testdata/fuzz/FuzzUnit/*")
	must(t, err)
	for _, name := range files {
		data, err := os.ReadFile(name)
		must(t, err)
		var seed [2]string
		for i, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
			seed[i], err = strconv.Unquote(strings.TrimSuffix(strings.TrimPrefix(line, "string("), ")"))
			must(t, err)
		}
		all = append(all, seed)
	}
	dir := t.TempDir()
	render := filepath.Join(dir, "render")
	must(t, os.WriteFile(render, []byte("#!/bin/sh\n"), 0o755))
	args := []string{"verify", "--man=no", "--recursive-errors=no"}
	written := make(map[string][]units.Line) // file: what its author wrote for systemd
	for i, seed := range all {
		name, err := units.ParseName(seed[0])
		if err != nil {
			continue
		}
		file := "corpus-" + strconv.Itoa(i) + strings.TrimPrefix(seed[0], name.Prefix) // one name for each
		_, _, p := generatePlan(t, map[string]string{file + ".syscontainer": seed[1]})
		for _, s := range p.Services {
			if s.Stub || s.Text == "" || strings.ContainsAny(s.Name, ":\\") {
				continue
			}
			must(t, os.WriteFile(filepath.Join(dir, s.Name), []byte(strings.ReplaceAll(s.Text, renderPath, render)), 0o644))
			full := filepath.Join(dir, s.Name)
			written[full] = slices.Concat(s.Unit.Section("Unit"), s.Unit.Section("Service"))
			if prefix, is := strings.CutSuffix(full, "@.service"); is {
				full = prefix + "@verified.service"
			}
			args = append(args, full)
		}
	}
	if len(args) < 20 {
		t.Fatal("so few: ", args)
	}
	cmd := exec.Command("systemd-analyze", args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
	said, _ := cmd.CombinedOutput()
	for line := range strings.Lines(string(said)) {
		file, rest, _ := strings.Cut(line, ":")
		number, _, _ := strings.Cut(rest, ":")
		author, ours := written[file]
		if !ours {
			continue // follows from a line that was told, or is of this machine
		}
		data, err := os.ReadFile(file)
		must(t, err)
		n, err := strconv.Atoi(number)
		lines := strings.Split(string(data), "\n")
		if err != nil || n < 1 || n > len(lines) || !slices.ContainsFunc(author, func(l units.Line) bool { return strings.HasPrefix(lines[n-1], l.Key+"=") }) {
			t.Errorf("systemd: %s%s", line, data)
		}
	}
}

// checkExec looks at a generated unit with nothing but lines: every Exec line is one
// of ours, word for word, or stands in [Service] of the input.
func checkExec(t *testing.T, text string, set *units.Set) {
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasSuffix(line, `\`) {
			t.Fatalf("goes on in the next: %q", line)
		}
		if strings.HasPrefix(line, "[") {
			section = line
		}
		key, value, _ := strings.Cut(line, "=")
		if section != "[Service]" || !strings.HasPrefix(key, "Exec") {
			continue
		}
		words := strings.Fields(value)
		if len(words) == 0 {
			continue // a reset executes nothing
		}
		ours := strings.TrimPrefix(words[0], "-") == renderPath
		for _, w := range words[1:] {
			const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			runtime, is := strings.CutPrefix(w, "--runtime=")
			id, isID := strings.CutPrefix(w, "--id=")
			signal, isSignal := strings.CutPrefix(w, "--signal=SIG")
			ours = ours && (slices.Contains([]string{"--unit=%y", "%N", "--start", "--notify", "--wait", "--image-signal", "--reload", "--stop", "--clean", "--fail"}, w) ||
				is && strings.Trim(runtime, letters+"._+/-") == "" || isID && strings.Trim(id, letters+"._-%") == "" ||
				isSignal && strings.Trim(signal, letters+"+-") == "")
		}
		for _, u := range set.Units {
			for _, l := range u.Section("Service") {
				ours = ours || l.Key == key && strings.TrimSpace(value) == l.Value
			}
		}
		if !ours {
			t.Fatalf("%q in\n%s", line, text)
		}
	}
}
