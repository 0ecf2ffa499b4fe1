package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain makes the test's own program the command, for tests that look at
// what a person sees.
func TestMain(m *testing.M) {
	if os.Getenv("SYSCONTAINER_TEST_MAIN") == "1" {
		main()
	}
	os.Exit(m.Run())
}

func command(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "SYSCONTAINER_TEST_MAIN=1")
	cmd.Dir = t.TempDir()
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	var exit *exec.ExitError
	if e := cmd.Run(); e != nil && !errors.As(e, &exit) {
		t.Fatal(e)
	}
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

func TestWrongUse(t *testing.T) {
	for _, c := range []struct {
		args, stderr string
	}{
		{"", "a verb is missing"},
		{"frobnicate", `unknown verb "frobnicate"`},
		{"--frob", "unknown option --frob"},
		{"--root", "no value for option --root"},
		{"check --frob", "unknown option --frob"},
		{"check x", "no .syscontainer file"},
		{"cat", "is missing"},
		{"exec web", "a command are needed"},
		{"exec -w srv web ls", "no absolute path"},
		{"exec -e NAME web ls", "NAME=VALUE"},
		{"exec --frob web ls", "unknown option --frob"},
		{"logs", "the name of one unit"},
		{"logs a b", "the name of one unit"},
		{"logs -n few web", "few is no number"},
		{"import", "a file is missing"},
		{"import x", "no .container file"},
		{"import x.container y.container", "need a directory"},
		{"import -o x x.container", "no directory"},
		{"pull", "an image is missing"},
		{"pull --frob x", "unknown option --frob"},
		{"--root . pull busybox", "docker.io/library/busybox"},
		{"pull --platform", "no value for option --platform"},
		{"images x", "unexpected argument"},
		{"prune x", "unexpected argument"},
		{"prune --grace=soon", "must be a time"},
		{"tag x", "too few"},
		{"tag x y z", "too many"},
		{"rmi", "too few"},
		{"pin", "too few"},
		{"--root . verify Busybox", "Busybox"},
		{"pull example.org/Web", "example.org/web"},
		{"pull --progress-fd=x example.org/web", "progress-fd"},
		{"pull --progress-fd=99 example.org/web", "bad file descriptor"},
	} {
		stdout, stderr, status := command(t, strings.Fields(c.args)...)
		if status != 2 || stdout != "" || !strings.HasPrefix(stderr, "syscontainer: ") || !strings.Contains(stderr, c.stderr) {
			t.Errorf("syscontainer %s: status %d, stdout %q, stderr %q, want %q", c.args, status, stdout, stderr, c.stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, verb := range [][]string{{}, {"check"}, {"cat"}, {"run"}, {"exec"}, {"logs"}, {"install"}, {"uninstall"}, {"import"}, {"hold"}, {"unhold"}, {"update"}, {"rollback"}, {"pull"}, {"images"}, {"images", "info"}, {"verify"}, {"prune"}, {"rmi"}, {"tag"}, {"pin"}, {"unpin"}} {
		long, stderr, status := command(t, append(verb, "--help")...)
		short, _, _ := command(t, append(verb, "-h")...)
		if status != 0 || stderr != "" || long != short || !strings.HasPrefix(long, "Usage: syscontainer") {
			t.Errorf("%v --help: status %d, stderr %q, stdout %q, -h %q", verb, status, stderr, long, short)
		}
		for line := range strings.Lines(long) {
			if len([]rune(line)) > 81 {
				t.Errorf("wider than 80 columns: %s", line)
			}
		}
	}
}

// The manual has each verb, in its synopsis and with an entry.
func TestVerbsInTheManual(t *testing.T) {
	manual, err := os.ReadFile("../man/syscontainer.1.scd")
	if err != nil {
		t.Fatal(err)
	}
	synopsis, rest, _ := strings.Cut(string(manual), "# DESCRIPTION")
	for _, v := range verbs {
		if !strings.Contains(synopsis, "*"+v.name+"*") || !strings.Contains(rest, "\n*"+v.name+"*") && !strings.Contains(rest, ", *"+v.name+"*") {
			t.Errorf("%s is not in syscontainer(1)", v.name)
		}
	}
}

func TestNothingIsLeftOfAFailedPull(t *testing.T) {
	root := t.TempDir()
	_, stderr, status := command(t, "--root", root, "pull", "oci:nowhere:1")
	if status != 1 || !strings.Contains(stderr, "/nowhere") || strings.Contains(stderr, "oci:nowhere") {
		t.Errorf("status %d, stderr %q: want the absolute path", status, stderr)
	}
	for _, dir := range []string{"images", "references"} {
		if left, err := os.ReadDir(filepath.Join(root, "var/lib/syscontainer", dir)); err != nil || len(left) > 0 {
			t.Errorf("%s: %v, %v", dir, left, err)
		}
	}
}

func TestProgress(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &progress{machine: w}
	p.phase("asking")
	p.expect(3 << 20)
	p.phase("fetching")
	p.told = p.told.Add(-tellEvery)
	p.received(1 << 20)
	p.received(2 << 20) // too soon to be told
	p.phase("storing")
	p.done()
	w.Close()
	got, err := io.ReadAll(r)
	want := "0 0 asking\n0 3145728 fetching\n1048576 3145728 fetching, 1.0 MiB of 3.0 MiB\n3145728 3145728 storing\n"
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}

func TestReport(t *testing.T) {
	for err, want := range map[error]int{nil: 0, flag.ErrHelp: 0, errors.New("broken"): 1, usagef("what"): 2} {
		if got := report(err); got != want {
			t.Errorf("report(%v) = %d, want %d", err, got, want)
		}
	}
}

// On the command line, and nowhere else, registries.conf may name the registry.
func TestShortName(t *testing.T) {
	root := t.TempDir()
	writeFile(t, root+"/etc/containers/registries.conf", "unqualified-search-registries = [\"one.example\"]\n[aliases]\n\"box\" = \"two.example/toys/box\"\n")
	for word, want := range map[string]string{
		"box:1": "two.example/toys/box:1", "web": "one.example/web:latest", "three.example/web": "three.example/web:latest",
	} {
		if got, err := canonical(root, word); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", word, got, err, want)
		}
	}
	other := t.TempDir()
	writeFile(t, other+"/etc/containers/registries.conf", "unqualified-search-registries = [\"one.example\", \"two.example\"]\n")
	if _, err := canonical(other, "web"); err == nil || !strings.Contains(err.Error(), "one.example/web:latest, two.example/web:latest") {
		t.Errorf("ambiguous: %v", err)
	}
}
