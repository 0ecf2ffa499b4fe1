package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUninstall(t *testing.T) {
	root := t.TempDir()
	plantImage(t, root, "q.io/ledger:latest", greeter, usualConfig)
	uninstall := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, status := command(t, append([]string{"uninstall", "--root", root}, args...)...)
		if status != want {
			t.Fatalf("uninstall %q: status %d, %s", args, status, stderr)
		}
		return stdout, stderr
	}
	is := func(want bool, names ...string) {
		t.Helper()
		for _, name := range names {
			if _, err := os.Lstat(filepath.Join(root, name)); (err == nil) != want {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	install := func(name string) {
		t.Helper()
		if _, stderr, status := command(t, "--root", root, "install", "q.io/ledger", "--name", name, "--set=GREETING=x"); status != 0 {
			t.Fatal(stderr)
		}
	}
	install("ledger")
	install("other")
	plant(t, root, map[string]string{"var/lib/other/file": "x"})
	const data = "/var/lib/syscontainer/containers/"
	plant(t, root, map[string]string{
		data + "ledger/upper/file":                             "x",
		data + "ledger/tmpfiles.conf":                          "d /var/lib/ledger 0750 root root - -\nr /run/ledger-flag\nR /etc/ledger-tree\n",
		"run/ledger-flag":                                      "x",
		"etc/ledger-tree/a":                                    "x",
		"var/lib/ledger/data":                                  "x",
		"etc/containers/systemd/ledger.syscontainer.d/10.conf": "[Container]\nVolume=/var/lib/ledger:/v\n",
		"usr/share/containers/systemd/shipped.syscontainer":    good,
		"etc/containers/systemd/web@.syscontainer":             good,
		data + "web@1/upper/file":                              "x",
		"run/syscontainer/running/launch.json":                 `{"runtime":"runc","id":"running"}`,
		"etc/containers/systemd/running.syscontainer":          good,
		data + "gone/upper/work/file":                          "x",
	})
	stdout, _ := uninstall(0, "ledger")
	want := `removed /etc/containers/systemd/ledger.syscontainer
stays /etc/containers/systemd/ledger.syscontainer.d: drop-ins
    rm -r /etc/containers/systemd/ledger.syscontainer.d
stays /var/lib/syscontainer/containers/ledger: data of the container
    syscontainer uninstall --data ledger
stays /var/lib/ledger: a volume
stays q.io/ledger:latest: the image, used by other.syscontainer
`
	if stdout != want {
		t.Errorf("%s\nwant\n%s", stdout, want)
	}
	is(false, "etc/containers/systemd/ledger.syscontainer", "run/ledger-flag", "etc/ledger-tree", data+"ledger/tmpfiles.conf")
	is(true, data+"ledger/upper/file", "var/lib/ledger/data", "etc/containers/systemd/ledger.syscontainer.d/10.conf")

	if stdout, _ := uninstall(0, "--data", "ledger"); stdout != "removed /var/lib/syscontainer/containers/ledger\n" {
		t.Errorf("%s", stdout)
	}
	is(false, data+"ledger")
	if stdout, _ := uninstall(0, "other"); !strings.Contains(stdout, "stays /var/lib/other: data, where the image's configuration wants it\nstays q.io/ledger:latest: the image\n    syscontainer rmi q.io/ledger:latest\n") {
		t.Errorf("%s", stdout)
	}
	if stdout, _ := uninstall(0, "gone", "--data"); stdout != "removed /var/lib/syscontainer/containers/gone\n" {
		t.Errorf("%s", stdout)
	}
	if stdout, _ := uninstall(0, "web@", "--data"); !strings.HasPrefix(stdout, "removed /etc/containers/systemd/web@.syscontainer\nremoved /var/lib/syscontainer/containers/web@1\n") {
		t.Errorf("%s", stdout)
	}
	for name, want := range map[string]string{
		"shipped": "belongs to the operating system\nhint: to take it away here: ln -s /dev/null /etc/containers/systemd/shipped.syscontainer",
		"ledger":  "there is no unit", "running": "its container is not cleaned up", "../x": "there is no unit", ".": "cannot be the name",
	} {
		if _, stderr := uninstall(1, name); !strings.Contains(stderr, want) {
			t.Errorf("%s: %s", name, stderr)
		}
	}
	is(true, "usr/share/containers/systemd/shipped.syscontainer", "etc/containers/systemd/running.syscontainer")
	if _, stderr := uninstall(2); !strings.Contains(stderr, "is missing") {
		t.Error(stderr)
	}
}

// After install and uninstall a root is as it was.
func TestUninstallLeavesNothing(t *testing.T) {
	root := t.TempDir()
	plantImage(t, root, "q.io/ledger:latest", greeter, usualConfig)
	plant(t, root, map[string]string{"etc/containers/systemd/else.syscontainer": good, "usr/local/bin/other": ""})
	if err := os.MkdirAll(filepath.Join(root, "var/lib/syscontainer/containers"), 0o700); err != nil {
		t.Fatal(err)
	}
	before := strings.Join(snapshotOf(t, root), "\n")
	for _, args := range [][]string{{"install", "q.io/ledger", "--set=GREETING=x"}, {"export", "ledger"}, {"uninstall", "ledger"}} {
		if _, stderr, status := command(t, append([]string{"--root", root}, args...)...); status != 0 {
			t.Fatalf("%q: %s", args, stderr)
		}
		if _, err := os.Stat(filepath.Join(root, "etc/ledger/ledger.conf")); (err == nil) != (args[0] == "export") {
			t.Errorf("after %s: %v", args[0], err)
		}
	}
	for _, dir := range []string{"locks", "pins"} { // the store's own, which every command makes
		if err := os.RemoveAll(filepath.Join(root, "var/lib/syscontainer", dir)); err != nil {
			t.Fatal(err)
		}
	}
	if after := strings.Join(snapshotOf(t, root), "\n"); after != before {
		t.Errorf("%s\nwas\n%s", after, before)
	}
}
