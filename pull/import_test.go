package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syscontainer/units"
)

// What people have in their /etc/containers/systemd, and what becomes of it.
func TestImport(t *testing.T) {
	files, err := filepath.Glob("testdata/import/*.container")
	if err != nil || len(files) < 15 {
		t.Fatalf("%v, %v", files, err)
	}
	// These say themselves what a person has to decide.
	failing := []string{"short", "noimage"}
	source, err := filepath.Abs("testdata/import")
	if err != nil {
		t.Fatal(err)
	}
	root, all := t.TempDir(), t.TempDir()
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".container")
		stdout, stderr, status := commandIn(t, source, "", "--root", root, "import", name+".container")
		golden(t, "import/want/"+name+".syscontainer", stdout)
		golden(t, "import/want/"+name+".stderr", stderr)
		want := 0
		if slices.Contains(failing, name) {
			want = 1
		}
		// A unit may need another that is imported below.
		if refers := strings.Contains(stderr, ".syscontainer") && strings.Contains(stderr, "error: "); status != want && !refers {
			t.Errorf("%s: status %d\n%s", name, status, stderr)
		}
		if want == 1 && !strings.Contains(stderr, "\n    hint: ") {
			t.Errorf("%s: does not say what to do\n%s", name, stderr)
		}
		if want == 0 {
			writeFile(t, filepath.Join(all, name+".syscontainer"), stdout)
		}
		before := comments(t, file)
		for _, comment := range before {
			if !strings.Contains(stdout, comment) {
				t.Errorf("%s: the comment %q is gone", name, comment)
			}
		}
	}
	t.Setenv("SYSCONTAINER_UNIT_DIRS", all)
	stdout, stderr, status := command(t, "check")
	if status != 0 || strings.Contains(stdout, "error") || strings.Contains(stdout, "unknown") && !strings.Contains(stdout, "Enviroment") {
		t.Errorf("all together: status %d\n%s%s", status, stdout, stderr)
	}
}

func comments(t *testing.T, file string) (found []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// Nothing that exists is replaced unasked, and nothing is written of files that are
// not good together.
func TestImportWrites(t *testing.T) {
	dir, root := t.TempDir(), t.TempDir()
	plant(t, dir, map[string]string{
		"web.container":          "[Container]\nImage=q.io/web:1\nNetwork=host\nReadOnly=yes\nNoNewPrivileges=yes\n",
		"secret.container":       "[Container]\nImage=q.io/web:1\nNetwork=host\nReadOnly=yes\nNoNewPrivileges=yes\n",
		"busy.container":         "[Container]\nImage=busybox\n",
		"web.container.d/1.conf": "[Container]\nUser=1\n",
		"latin.container":        "[Container]\nImage=caf\xe9\n",
		"header.container":       "[Container\nImage=q.io/web:1\n",
		"zero.container":         "[Container]\nImage=q.io/web:1\x00\n",
		"below/web.container":    "[Container]\nImage=q.io/web:1\n",
		"out/there.syscontainer": "mine",
		"there.container":        "[Container]\nImage=q.io/web:1\n",
	})
	if err := os.Chmod(filepath.Join(dir, "secret.container"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args string) (string, string, int) {
		return commandIn(t, dir, "", append([]string{"--root", root, "import"}, strings.Fields(args)...)...)
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err.Error()
		}
		return string(data)
	}
	const web = "[Container]\nImage=q.io/web:1\nNetwork=host\nReadOnly=yes\nNoNewPrivileges=yes\n"
	if stdout, stderr, status := run("-o out web.container secret.container"); stdout != "" || status != 0 ||
		stderr != "web.container.d: is not read\n    hint: put what is in it into out/web.syscontainer.d/\n" || read("out/web.syscontainer") != web {
		t.Errorf("status %d\n%s%s%s", status, stdout, stderr, read("out/web.syscontainer"))
	}
	if info, err := os.Stat(filepath.Join(dir, "out/secret.syscontainer")); err != nil || info.Mode() != 0o600 {
		t.Errorf("a file that nobody else could read: %v, %v", info, err)
	}
	if stdout, _, status := run("secret.container"); stdout != web || status != 0 {
		t.Errorf("status %d\n%s", status, stdout)
	}
	if _, _, status := run("-o out/new.syscontainer web.container"); status != 0 || read("out/new.syscontainer") != web {
		t.Errorf("status %d", status)
	}
	for _, c := range []struct {
		args, stderr string
		status       int
	}{
		{"-o out there.container", "out/there.syscontainer exists already\nhint: --force replaces it\n", 1},
		{"-o nowhere/ web.container", "nowhere/ is no directory", 1},
		{"-o nowhere/x.syscontainer web.container", "no such file or directory", 1},
		{"-o out web.container below/web.container", "web.container and below/web.container become one file", 2},
		{"-o x.service web.container", "no name of a .syscontainer file", 2},
		{"latin.container", "latin.container: is not valid UTF-8", 1},
		{"header.container", `header.container: line 1: section header "[Container" has no ] at its end`, 1},
		{"zero.container", "zero.container: has a zero byte in it", 1},
		{"nowhere.container", "no such file", 1},
		{"-o out latin.container there.container", "not valid UTF-8", 1},
	} {
		stdout, stderr, status := run(c.args)
		if stdout != "" || !strings.Contains(stderr, c.stderr) || status != c.status {
			t.Errorf("%s: status %d\n%s%s", c.args, status, stdout, stderr)
		}
	}
	if read("out/there.syscontainer") != "mine" {
		t.Errorf("replaced unasked: %s", read("out/there.syscontainer"))
	}
	if _, _, status := run("--force -o out there.container"); status != 0 || !strings.HasPrefix(read("out/there.syscontainer"), "[Container]\nImage=q.io/web:1\n") {
		t.Errorf("--force: status %d, %s", status, read("out/there.syscontainer"))
	}
	// Written all the same, to be mended.
	if _, stderr, status := run("-o out busy.container"); status != 1 || !strings.Contains(read("out/busy.syscontainer"), "\nImage=busybox\n") ||
		!strings.Contains(stderr, "out/busy.syscontainer:2:7: error: ") || !strings.Contains(stderr, "docker.io/library/busybox") {
		t.Errorf("status %d, %s", status, stderr)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "out"))
	if err != nil || len(entries) != 5 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// The file that was imported is still one of Quadlet's: both would make one service.
func TestImportInPlace(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "etc/containers/systemd")
	plant(t, dir, map[string]string{"web.container": "[Container]\nImage=q.io/web:1\nNetwork=host\n"})
	stdout, stderr, status := commandIn(t, dir, "", "--root", root, "import", "-o", ".", "web.container")
	if stdout != "" || status != 0 || stderr != "/etc/containers/systemd/web.container: becomes web.service, too: remove it before the next daemon-reload\n" {
		t.Errorf("status %d, %s%s", status, stdout, stderr)
	}
}

// Whatever the file, the result is one that is read, nothing of it is run that was not
// to be run, and comments stay comments.
func FuzzImport(f *testing.F) {
	files, _ := filepath.Glob("testdata/import/*.container")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add("[Container]\nPodmanArgs=--frob \\\n# in it\n \"\\n[Service]\\nExecStartPre=/bin/evil\"\n")
	f.Add("[Container]\nSecret=a\rVolume=a:/b\\\n")
	f.Add("\ufeff[Container]\nEnvironment=A \\\\\nImage=x\\")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		file := filepath.Join(dir, "web.container")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		im, err := importFile(file, filepath.Join(dir, "web.syscontainer"))
		if err != nil {
			t.Skip("no such file of Quadlet")
		}
		load := func(name, text string) *units.Unit {
			set := units.Load("/nowhere", nil, units.Extra{Path: filepath.Join(dir, name), Text: text, Given: true})
			if len(set.Units) != 1 {
				t.Skip("empty")
			}
			return set.Units[0]
		}
		before, after := load("before.syscontainer", text), load("web.syscontainer", im.text)
		if len(before.Errors) > 0 {
			t.Skip("systemd reads no such file")
		}
		if len(after.Errors) > 0 {
			t.Fatalf("%v in\n%s\nof\n%s", after.Errors, im.text, text)
		}
		for _, line := range after.Section("Service") {
			if !slices.ContainsFunc(im.items, func(i *quadletItem) bool {
				return i.section == "Service" && i.key == line.Key && strings.Join(strings.Fields(i.value), " ") == strings.Join(strings.Fields(line.Value), " ")
			}) {
				t.Fatalf("%s=%s was not there in\n%s", line.Key, line.Value, text)
			}
		}
		for _, said := range im.said {
			if strings.Count(said, "\n") > 2 || !strings.HasSuffix(said, "\n") {
				t.Fatalf("%q", said)
			}
		}
	})
}
