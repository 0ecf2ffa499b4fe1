package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/units"
)

// What goes with an IPC namespace comes from the same container, and from nowhere if the
// namespace is the container's own.
func TestPlanShared(t *testing.T) {
	for _, c := range []struct {
		unit units.Container
		want string
	}{
		{units.Container{}, ""},
		{units.Container{IPC: "host"}, ""},
		{units.Container{IPC: "ns:/run/ipc"}, ""},
		{units.Container{IPC: "container:db", PID: "container:other"}, "db:/dev/shm"},
		{units.Container{IPC: "container:db", UIDMap: []units.IDMap{{Host: 1, Size: 2}}}, "db:/dev/shm db:/dev/mqueue"},
	} {
		b, h, p := bundle(t.TempDir()), someHost("web"), rootPlan{}
		if err := b.planShared(&c.unit, &p, &h); err != nil {
			t.Fatal(err)
		}
		var got []string
		list := sharePeers(kernelMounts(&c.unit), h)
		for _, m := range p.Shared {
			got = append(got, m.Service+":"+m.From)
			if info, err := os.Stat(m.At); err != nil || !info.IsDir() {
				t.Errorf("nothing to mount on at %s: %v", m.At, err)
			}
			i := slices.IndexFunc(list, func(in rspec.Mount) bool { return in.Destination == m.From })
			if i < 0 || list[i].Source != m.At || list[i].Type != "bind" || !slices.Contains(list[i].Options, "noexec") {
				t.Errorf("%s is not what the container gets", m.From)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("IPC=%s: %q, want %q", c.unit.IPC, got, c.want)
		}
		if len(list) != len(kernelMounts(&c.unit)) {
			t.Error("mounts were lost")
		}
	}
	if err := (peerMount{"nobody-runs-this", "/dev/shm", t.TempDir()}).mount(); err == nil || !strings.Contains(err.Error(), "share /dev/shm with nobody-runs-this.service: it is not running") {
		t.Error(err)
	}
}
