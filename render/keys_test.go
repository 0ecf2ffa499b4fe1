package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"syscontainer/units"
)

// base is a container of which nothing is said.

func base() *units.Container {
	return &units.Container{ReadOnly: true, ReadOnlyTmpfs: true, ShmSize: 64 << 20, NoNewPrivileges: true,
		Network: "host", PID: "private", IPC: "private", Cgroup: "private"}
}

func specOf(t *testing.T, c *units.Container, h host) *rspec.Spec {
	t.Helper()
	image := &imageConfig{}
	image.Config.Cmd = []string{"/bin/sh"}
	s, err := spec(c, image, h)
	if err != nil {
		t.Fatal(err)
	}
	checkSane(t, s)
	return s
}

// A peer that does not run, or whose number is somebody else's by now, is none.

// The last of Volume=, Mount= and Tmpfs= for a place counts, and all of them before ours.

// What JSON cannot hold must not become something else.

func TestOnlyText(t *testing.T) {
	for _, c := range []struct {
		change func(*units.Container)
		err    string
	}{
		{func(c *units.Container) { c.Exec = []string{"caf\xe9"} }, `argument "caf\xe9" is not UTF-8`},
		{func(c *units.Container) { c.Environment = []string{"A=\xff"} }, `variable "A=\xff" is not UTF-8`},
		{func(c *units.Container) { c.Volumes = []units.Volume{{Source: "/\xff", Target: "/a"}} }, `path "/\xff"`},
	} {
		unit := base()
		unit.Exec = []string{"café"}
		c.change(unit)
		if _, err := spec(unit, &imageConfig{}, someHost("web")); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v, want %q", err, c.err)
		}
	}
}

func TestUlimits(t *testing.T) {
	got := rlimits(&units.Container{Ulimits: []units.Ulimit{{Name: "RLIMIT_CORE", Soft: 1, Hard: 2}, {Name: "RLIMIT_NPROC", Hard: 1<<64 - 1}, {Name: "RLIMIT_CORE", Soft: 3, Hard: 4}}})
	want := []rspec.POSIXRlimit{{Type: "RLIMIT_NPROC", Hard: 1<<64 - 1}, {Type: "RLIMIT_CORE", Soft: 3, Hard: 4}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestSignalNumber(t *testing.T) {
	for name, want := range map[string]unix.Signal{"SIGHUP": 1, "HUP": 1, "USR1": 10, "12": 12, "SIGRTMIN": 34, "SIGRTMIN+3": 37, "RTMAX-1": 63,
		"SIGRTMIN+31": 0, "SIGRTMIN-1": 0, "RTMAX+1": 0, "SIGNO": 0, "0": 0, "65": 0, "-1": 0, "": 0} {
		got, err := signalNumber(name)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v, want %d", name, got, err, want)
		}
	}
}

func TestTmpfilesLines(t *testing.T) {
	c := &units.Container{
		Tmpfiles: []string{"d /var/lib/named 0700 - - -"},
		Volumes: []units.Volume{{Source: "/var/lib/a"}, {Source: "/var/lib/named"}, {Source: "/var/lib/a"}, {Source: "/srv/a"}, {Source: "/run/x.sock"},
			{Source: "/run/systemd/x"}, {Source: "/var/lib/there"}, {Source: "/var/100%/a \"b\\"}},
		Mounts: []units.Mount{{Type: "bind", Source: "/run/m"}, {Type: "glob", Source: "/run/g*"}},
	}
	missing := func(name string) bool { return name != "/var/lib/there" }
	got := tmpfilesLines(c, user{}, missing)
	want := []string{"d /var/lib/named 0700 - - -", "d /var/lib/a 0755 - - -", `d "/var/100%%/a \"b\\" 0755 - - -`, "d /run/m 0755 - - -"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	c = &units.Container{Volumes: []units.Volume{{Source: "/var/lib/a"}}}
	if got := tmpfilesLines(c, user{UID: 1000, GID: 50}, missing); !slices.Equal(got, []string{"d /var/lib/a 0755 1000 50 -"}) {
		t.Errorf("%q", got)
	}
	c.UIDMap, c.GIDMap = []units.IDMap{{Host: 200000, Size: 65536}}, []units.IDMap{{Host: 300000, Size: 65536}}
	if got := tmpfilesLines(c, user{UID: 1000, GID: 50}, missing); !slices.Equal(got, []string{"d /var/lib/a 0755 201000 300050 -"}) {
		t.Errorf("%q", got)
	}
	if got := tmpfilesLines(c, user{}, missing); !slices.Equal(got, []string{"d /var/lib/a 0755 200000 300000 -"}) {
		t.Errorf("the root of a user namespace: %q", got)
	}
	c.Volumes[0].Options = []string{"idmap"} // whose owners are the container's already
	if got := tmpfilesLines(c, user{UID: 1000, GID: 50}, missing); !slices.Equal(got, []string{"d /var/lib/a 0755 1000 50 -"}) {
		t.Errorf("idmap: %q", got)
	}
	if got := tmpfilesLines(c, user{}, func(string) bool { return false }); got != nil {
		t.Errorf("nothing missing: %q", got)
	}
}

func TestGroups(t *testing.T) {
	tree := plant(t, "etc/")
	if err := os.WriteFile(filepath.Join(tree.name, "etc/group"), []byte("wheel:x:10:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	u, err := lookupUser(tree, "5:6", []string{"wheel", "4000", "10"})
	if err != nil || !slices.Equal(u.Groups, []uint32{10, 4000}) {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := lookupUser(tree, "", []string{"nobody"}); err == nil || !strings.Contains(err.Error(), "GroupAdd=nobody") {
		t.Error(err)
	}
}

func TestIsStatic(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]bool{self: true, "/bin/bash": false, "/etc/passwd": false, "/no/such": false, "/dev/null": false} {
		if got := isStatic(file); got != want {
			t.Errorf("%s: %v", file, got)
		}
	}
}
