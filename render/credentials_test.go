package main

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"syscontainer/units"
)

func TestCredentials(t *testing.T) {
	if os.Getuid() != 0 {
		need(t, "root")
	}
	dir := t.TempDir()
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("secret"), 0o400); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/shadow", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	shifted := []units.IDMap{{Host: 200000, Size: 65536}}
	for _, c := range []struct {
		name, dir string
		user      user
		ids       []units.IDMap
		owner     int // of the copy; -1: systemd's own directory, -2: none, -3: an error
	}{
		{"none", "", user{}, nil, -2},
		{"an empty directory", empty, user{}, nil, -2},
		{"root", dir, user{}, nil, -1},
		{"a user", dir, user{UID: 1000}, nil, 1000},
		{"the root of a user namespace", dir, user{}, shifted, 200000},
		{"a user whom the maps leave out", dir, user{UID: 70000}, shifted, -3},
		{"a directory that is not there", "/no/such", user{}, nil, -3},
	} {
		t.Setenv("CREDENTIALS_DIRECTORY", c.dir)
		got, err := showCredentials(bundle(t.TempDir()), &units.Container{UIDMap: c.ids, GIDMap: c.ids}, c.user)
		switch {
		case (err != nil) != (c.owner == -3):
			t.Errorf("%s: %v", c.name, err)
		case c.owner == -1 && got != c.dir, c.owner <= -2 && got != "":
			t.Errorf("%s: %q", c.name, got)
		case c.owner >= 0:
			for name, mode := range map[string]uint32{got: unix.S_IFDIR | 0o500, filepath.Join(got, "token"): unix.S_IFREG | 0o400} {
				var st unix.Stat_t
				if err := unix.Lstat(name, &st); err != nil || int(st.Uid) != c.owner || st.Mode != mode {
					t.Errorf("%s: %s: %+v, %v", c.name, name, st, err)
				}
			}
			if _, err := os.Lstat(filepath.Join(got, "link")); err == nil {
				t.Errorf("%s: what is no file was copied", c.name)
			}
		}
	}
}

func TestSources(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.conf", "a.conf", "other"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		mount units.Mount
		want  int // mounts
		err   string
	}{
		{units.Mount{Type: "glob", Source: dir + "/*.conf", Target: "/etc/x"}, 2, ""},
		{units.Mount{Type: "glob", Source: dir + "/[!a]*", Target: "/etc/x"}, 2, ""},
		{units.Mount{Type: "glob", Source: dir + "/\\[!a]*", Target: "/etc/x"}, 0, "Mount=type=glob,source=" + dir + "/\\[!a]*,target=/etc/x: nothing matches"},
		{units.Mount{Type: "glob", Source: dir + "/*.none", Target: "/etc/x"}, 0, "Mount=type=glob,source=" + dir + "/*.none,target=/etc/x: nothing matches"},
		{units.Mount{Type: "glob", Source: dir + "/[", Target: "/etc/x"}, 0, "Mount=type=glob,source=" + dir + "/[,target=/etc/x: syntax error in pattern"},
		{units.Mount{Type: "bind", Source: dir + "/none", Target: "/x"}, 0, "Mount=type=bind,source=" + dir + "/none,target=/x: " + dir + "/none: no such file or directory\nhint: create it, or let Tmpfiles= do so"},
		{units.Mount{Type: "bind", Source: dir + "/other", Target: "/x"}, 1, ""},
	} {
		unit, h := base(), someHost("web")
		unit.Mounts = []units.Mount{c.mount}
		before := len(specOf(t, base(), h).Mounts)
		err := lookSources(unit, &h)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%v, want %q", err, c.err)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		if got := len(specOf(t, unit, h).Mounts) - before; got != c.want {
			t.Errorf("%+v: %d mounts, want %d", c.mount, got, c.want)
		}
	}
}
