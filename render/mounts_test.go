package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/units"
)

func TestMountOrder(t *testing.T) {
	c := base()
	c.Volumes = []units.Volume{{Source: "/a", Target: "/tmp"}, {Source: "/b", Target: "/tmp"}, {Source: "/c", Target: "/x"}, {Source: "/c", Target: "/y"}}
	c.Mounts = []units.Mount{{Type: "bind", Source: "/d", Target: "/x"}, {Type: "bind", Source: "/e", Target: "/y"}}
	c.Tmpfs = []units.Tmpfs{{Target: "/y"}}
	got := map[string]string{}
	for _, m := range specOf(t, c, someHost("web")).Mounts {
		got[m.Destination] = m.Source
	}
	for target, want := range map[string]string{"/tmp": "/b", "/x": "/d", "/y": "tmpfs", "/run": "tmpfs"} {
		if got[target] != want {
			t.Errorf("%s: %q, want %q", target, got[target], want)
		}
	}
}

func TestScratchOnlyWhenAskedFor(t *testing.T) {
	for _, c := range []struct{ readOnly, scratch, overlay, want bool }{{true, true, false, true}, {true, false, false, false}, {false, true, false, false}, {true, true, true, true}} {
		unit := base()
		unit.ReadOnly, unit.ReadOnlyTmpfs, unit.RootfsOverlay = c.readOnly, c.scratch, c.overlay
		s := specOf(t, unit, someHost("web"))
		if got := slices.ContainsFunc(s.Mounts, func(m rspec.Mount) bool { return m.Destination == "/var/tmp" }); got != c.want {
			t.Errorf("%+v: /var/tmp mounted: %v", c, got)
		}
		if s.Root.Readonly != (c.readOnly && !c.overlay) {
			t.Errorf("%+v: read-only: %v", c, s.Root.Readonly)
		}
	}
}

func TestShmSize(t *testing.T) {
	for bytes, want := range map[int64]string{0: "size=0k", 64 << 20: "size=65536k", 1: "size=1", 1000: "size=1000"} {
		if got := shmSize(bytes); got != want {
			t.Errorf("%d: %s, want %s", bytes, got, want)
		}
	}
}

func TestPropagation(t *testing.T) {
	for _, c := range []struct{ said, volume, mount, want string }{
		{"", "", "", ""}, {"", "rslave", "", "rslave"}, {"", "rslave", "shared", "rshared"}, {"", "rshared", "slave", "rshared"},
		{"private", "rshared", "", "private"}, {"shared", "", "", "shared"},
	} {
		got := propagation(&units.Container{Propagation: c.said, Volumes: []units.Volume{{Options: []string{c.volume}}}, Mounts: []units.Mount{{Options: []string{c.mount}}}})
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestDevices(t *testing.T) {
	dir := t.TempDir()
	for _, link := range [][2]string{{"/dev/null", "null"}, {"nowhere", "dangling"}} {
		if err := os.Symlink(link[0], filepath.Join(dir, link[1])); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		devices []units.Device
		want    string // Target Kind Access …
		err     string
	}{
		{[]units.Device{{Source: filepath.Join(dir, "null"), Target: "/dev/x", Access: "rw"}}, "/dev/x c rw", ""},
		{[]units.Device{{Source: "/dev/null", Target: "/dev/x", Access: "r"}, {Source: "/dev/zero", Target: "/dev/x", Access: "w"}}, "/dev/x c w", ""},
		{[]units.Device{{Source: "/dev/no", Target: "/dev/no", Optional: true}}, "", ""},
		{[]units.Device{{Source: "/dev/no", Target: "/dev/no"}}, "", "AddDevice=/dev/no: there is no such device\nhint: AddDevice=-/dev/no"},
		{[]units.Device{{Source: filepath.Join(dir, "dangling"), Target: "/dev/x"}}, "", "no such device"},
		{[]units.Device{{Source: dir, Target: "/dev/x"}}, "", "there is no device below it"},
		{[]units.Device{{Source: "/etc/passwd", Target: "/dev/x"}}, "", "AddDevice=/etc/passwd: no device node"},
	} {
		unit := base()
		unit.Devices = c.devices
		h := someHost("web")
		err := lookDevices(unit, &h)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%+v: %v, want %q", c.devices, err, c.err)
			}
			continue
		}
		var got []string
		for _, n := range h.Devices {
			got = append(got, n.Target+" "+n.Kind+" "+n.Access)
		}
		if err != nil || strings.Join(got, ", ") != c.want {
			t.Errorf("%+v: %q, %v", c.devices, got, err)
		}
		s := specOf(t, unit, h)
		if len(s.Linux.Devices) != len(got) || len(s.Linux.Resources.Devices) != 1+len(got) {
			t.Errorf("%+v: %+v", c.devices, s.Linux.Resources.Devices)
		}
	}
	// A directory is all below it, by their paths there.
	unit, h := base(), someHost("web")
	unit.Devices = []units.Device{{Source: "/dev", Target: "/dev/host", Access: "r"}}
	if err := lookDevices(unit, &h); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(h.Devices, func(n node) bool {
		return n.Target == "/dev/host/zero" && n.Major == 1 && n.Minor == 5 && n.Mode == 0o666
	}) {
		t.Errorf("%+v", h.Devices)
	}
}
