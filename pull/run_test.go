package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// runContainer is what the start path reads of a command line.
func runContainer(t *testing.T, o *runOptions) *units.Container {
	t.Helper()
	if o.name == "" {
		o.name, o.image = "job", "q.io/web:1"
	}
	text, c, err := o.service(t.TempDir(), "/run/syscontainer/+1")
	if err != nil {
		t.Fatalf("%q: %v\n%s", o.command, err, text)
	}
	return c
}

func TestRunText(t *testing.T) {
	t.Setenv("EXPORTED", "caller's")
	t.Setenv("TERM", "vt220")
	t.Setenv("SYSCONTAINER_UNIT_DIRS", "")
	o := new(runOptions)
	flags := newFlags("run", nil)
	o.lineFlags(flags)
	args := []string{"-e", `A=%n "x"\`, "-e", "EXPORTED", "-e", "NOT_SET_AT_ALL", "-v", "/a%b:/c:ro", "-u", "5:6", "-w", "/%w", "--network", "none",
		"--entrypoint", "/bin/a b", "--set", "WORD=a \"b\"\n%n $x", "--set", "EMPTY=", "-k", "HostName=%p", "-p", "MemoryMax=5M", "IMAGE", "-x"}
	if err := parse(flags, args); err != nil || flags.NArg() != 2 {
		t.Fatal(err, flags.Args())
	}
	o.tty, o.remove = true, true
	c := runContainer(t, o)
	want := []string{"TERM=vt220", `A=%n "x"\`, "EXPORTED=caller's"}
	if !slices.Equal(c.Environment, want) {
		t.Errorf("variables: %q", c.Environment)
	}
	if !slices.Equal(c.Set, []string{"WORD=a \"b\"\n%n $x", "EMPTY="}) {
		t.Errorf("values: %q", c.Set)
	}
	if c.Volumes[0].Source != "/a%b" || c.User != "5:6" || c.WorkingDir != "/%w" || c.Network != "none" ||
		!slices.Equal(c.Entrypoint, []string{"/bin/a b"}) || c.HostName != "job" || c.Image != "q.io/web:1" {
		t.Errorf("%+v", c)
	}
	text, _, _ := o.service(t.TempDir(), "/run/syscontainer/+1")
	for _, line := range []string{"Description=q.io/web:1", "CollectMode=inactive-or-failed", "MemoryMax=5M"} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
	if strings.Contains(text, "SourcePath") {
		t.Error("a source that is not there makes systemd ask for a reload")
	}
}

// Errors name the option, not a line of a file that nobody wrote.
func TestRunErrors(t *testing.T) {
	t.Setenv("SYSCONTAINER_UNIT_DIRS", "")
	for _, c := range []struct{ args, err string }{
		{"-v data:/x:bad", "run: -v data:/x:bad: "},
		{"-k Volume=./x:/y", "run: "},
		{"-k Pull=sometimes", "run: -k Pull=sometimes: "},
		{"-p User=nobody", "run: -p User=nobody: User= in [Service] is not possible"},
		{"-u a:b:c", "run: -u a:b:c: "},
		{"-k Imgae=x", "run: -k Imgae=x: unknown key"},
	} {
		o := &runOptions{name: "job", image: "q.io/web:1"}
		flags := newFlags("run", nil)
		o.lineFlags(flags)
		if err := parse(flags, strings.Fields(c.args)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := o.service(t.TempDir(), "/run/syscontainer/+1"); err == nil || !strings.HasPrefix(err.Error(), c.err) || strings.Contains(err.Error(), "job.syscontainer") {
			t.Errorf("%s: %v, want %q", c.args, err, c.err)
		}
	}
}

func TestRunWrongUse(t *testing.T) {
	for _, c := range []struct{ args, err string }{
		{"run", "an image is missing"},
		{"run --frob x", "unknown option --frob"},
		{"--root /tmp run q.io/x:1", "--root"},
		{"run -t -d q.io/x:1", "exclude"},
		{"run -e =x q.io/x:1", "NAME=VALUE"},
		{"run -k Image q.io/x:1", "KEY=VALUE"},
		{"run --set WORD q.io/x:1", "Invalid value 'WORD'.  Expected form NAME=VALUE"},
		{"run --set NAME=x q.io/x:1", "the container itself gives $NAME its value"},
		{"run -k Image=q.io/y:1 q.io/x:1", "IMAGE says"},
		{"run -k ServiceName=x q.io/x:1", "--name"},
		{"run -k Exec=a q.io/x:1 b", "COMMAND says"},
		{"run -p Restart=always q.io/x:1", "with -d"},
		{"run -p A]=x q.io/x:1", "KEY=VALUE"},
		{"run --name a/b q.io/x:1", "--name"},
		{"run --name a@b q.io/x:1", "templates"},
		{"run q.io/X", "q.io/x"},
	} {
		_, stderr, status := command(t, strings.Fields(c.args)...)
		if status != exitNoPayload || !strings.HasPrefix(stderr, "syscontainer: ") || !strings.Contains(stderr, c.err) {
			t.Errorf("%s: status %d, %q, want %q", c.args, status, stderr, c.err)
		}
	}
	if _, stderr, status := command(t, "run", "-k", "HostName=a\nPrivileged=yes", "q.io/x:1"); status != exitNoPayload || !strings.Contains(stderr, "line end") {
		t.Errorf("status %d, %q", status, stderr)
	}
}

func TestStatusOf(t *testing.T) {
	for _, c := range []struct {
		end    store.End
		status int
	}{
		{store.End{Result: "success", Code: "exited", Status: "0"}, 0},
		{store.End{Result: "exit-code", Code: "exited", Status: "255"}, 255},
		{store.End{Result: "signal", Code: "killed", Status: "KILL"}, 137},
		{store.End{Result: "core-dump", Code: "dumped", Status: "SEGV"}, 139},
		{store.End{Result: "signal", Code: "killed", Status: "RTMIN+3"}, 165},
		{store.End{Result: "signal", Code: "killed", Status: "NONE"}, 125},
	} {
		var status exitStatus
		if err := statusOf(&c.end); !errors.As(err, &status) || status.code != c.status || status.error != nil {
			t.Errorf("%+v: status %d", c.end, status.code)
		}
	}
}

// Whatever the words are, the payload gets them, and they become nothing else.
func FuzzRunWords(f *testing.F) {
	f.Setenv("SYSCONTAINER_UNIT_DIRS", "")
	for _, word := range []string{"", " ", "a b", `\`, `"`, "'", "%n%", "$x", "a\nPrivileged=yes", "#", ";", "[Service]", "\t\x01\x7f", "ünï", "\ufeff", "\u2028"} {
		f.Add(word, "b")
		f.Add("a", word)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.Contains(a+b, "\x00") || !utf8.ValidString(a) || !utf8.ValidString(b) || len(a)+len(b) > 1<<16 {
			t.Skip() // not to be had from a command line, or refused
		}
		o := &runOptions{command: []string{"x", a, b}}
		set, err := setLine("A=" + a)
		if err != nil {
			t.Fatal(err)
		}
		o.lines = []unitLine{{"Container", "Environment", exactWord("A=" + a), "-e"}, {"Container", "Set", set, "--set"}}
		c := runContainer(t, o)
		if !slices.Equal(c.Exec, o.command) || !slices.Equal(c.Environment, []string{"A=" + a}) || !slices.Equal(c.Set, c.Environment) || c.Privileged {
			t.Errorf("%q became %q, %q", o.command, c.Exec, c.Environment)
		}
	})
}
