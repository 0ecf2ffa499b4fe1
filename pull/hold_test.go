package main

import (
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/pull/generation"
)

func TestHold(t *testing.T) {
	root := t.TempDir()
	const d = "etc/containers/systemd/"
	plant(t, root, map[string]string{
		d + "web.syscontainer":   good,
		d + "db@.syscontainer":   good,
		d + "named.syscontainer": good + "ServiceName=other\n",
	})
	held := func(name string) bool {
		c, err := generation.Read(root, name)
		if err != nil {
			t.Fatal(err)
		}
		if there := exists(filepath.Join(root, "var/lib/syscontainer/containers", name, "hold")); there != c.Held {
			t.Errorf("%s: hold is there: %v", name, there)
		}
		return c.Held
	}
	run := func(status int, want string, args ...string) {
		t.Helper()
		stdout, stderr, got := command(t, append([]string{"--root", root}, args...)...)
		if got != status || stdout != "" || want == "" && stderr != "" || !strings.Contains(stderr, want) {
			t.Errorf("%v: status %d, %s%s", args, got, stdout, stderr)
		}
	}
	run(0, "", "hold", "web", "db@blue.service", "named.syscontainer")
	for name, want := range map[string]bool{"web": true, "db@blue": true, "other": true, "db@red": false} {
		if held(name) != want {
			t.Errorf("%s is held: %v", name, !want)
		}
	}
	run(0, "", "hold", "web") // again
	run(1, "there is no unit \"wbe\"\nhint: did you mean web?", "hold", "db@red", "wbe")
	run(1, "db@ is a template, and no container runs of it\nhint: name an instance", "hold", "db@red", "db@")
	run(2, "too few", "hold")
	if held("db@red") {
		t.Error("one is held although not all could be")
	}
	run(0, "", "unhold", "web", "db@blue")
	if held("web") || held("db@blue") || !held("other") {
		t.Error("unhold took the wrong ones")
	}
	plant(t, root, map[string]string{d + "named.syscontainer": ""}) // masked
	run(0, "", "unhold", "other.service")
	run(1, "there is no unit", "unhold", "other.service") // nothing is left of it
	run(0, "", "unhold", "web")
}
