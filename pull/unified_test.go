package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/test/host"
)

func TestUnified(t *testing.T) {
	lines := func(s string) string { return strings.Join(strings.Fields(s), "\n") + "\n" }
	for _, c := range []struct{ from, to string }{
		{"", lines("a b")}, {lines("a b"), ""}, {lines("a b c d e f g h"), lines("a b c X e f g h")},
		{lines("a b c d e f g h i j k l m n"), lines("X a b c d e f g h i j k l m")}, {lines("a b"), "a\nb"}, {"a", "a\n"},
		{lines("1 2 3 4 5 6 7 8 9 10 11 12 13"), lines("1 2 x 4 5 6 7 8 9 10 y 12 13")}, {lines("1 2 3 4 5 6 7 8 9 10 11"), lines("1 2 x 4 5 6 7 8 9 y 11")},
		{lines("a b a b a b"), lines("b a b a")}, {lines("same"), lines("same")},
	} {
		judgeDiff(t, c.from, c.to)
	}
	if got, want := unified("a", "b", "x\ny\n", "x\n\x1b[2J\tz\n"), "--- a\n+++ b\n@@ -1,2 +1,2 @@\n x\n-y\n+?[2J\tz\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// judgeDiff lets patch(1) make one text of the other.
func judgeDiff(t *testing.T, from, to string) {
	t.Helper()
	difference := unified("a", "b", from, to)
	if from == to {
		if difference != "" {
			t.Errorf("equal texts differ: %q", difference)
		}
		return
	}
	host.Need(t, "patch")
	file := filepath.Join(t.TempDir(), "a")
	writeFile(t, file, from)
	cmd := exec.Command("patch", "--silent", "--posix", "--fuzz=0", "-o", file+".new", file)
	cmd.Stdin = strings.NewReader(difference)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, difference)
	}
	if got, err := os.ReadFile(file + ".new"); err != nil || string(got) != to {
		t.Errorf("%q to %q: patch makes %q, %v\n%s", from, to, got, err, difference)
	}
}

func FuzzUnified(f *testing.F) {
	f.Add("a\nb\nc\n", "a\nc\nd")
	f.Fuzz(func(t *testing.T, from, to string) {
		var a, b strings.Builder
		for _, e := range editScript(textLines(from), textLines(to)) {
			if e.a != strings.Count(a.String(), "\n") && e.op != '+' || e.b != strings.Count(b.String(), "\n") && e.op != '-' {
				t.Fatalf("%+v stands elsewhere", e)
			}
			if e.op != '+' {
				a.WriteString(e.text)
			}
			if e.op != '-' {
				b.WriteString(e.text)
			}
		}
		if a.String() != from || b.String() != to {
			t.Fatalf("%q and %q become %q and %q", from, to, a.String(), b.String())
		}
	})
}
