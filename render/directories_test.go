package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/units"
)

// A payload that owns a directory can put links there: none must be followed by root at the next start.
func TestCheckDirectoryFollowsNoLink(t *testing.T) {
	parent, victim := t.TempDir()+"/", t.TempDir()
	if err := os.Mkdir(parent+"app", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, parent+"app/cache"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(victim, "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	for dir, wrong := range map[string]string{
		"app":            "",
		"app/cache":      "a link is on the way",
		"app/cache/deep": "a link is on the way",
		"app/../../etc":  "invalid cross-device link",
		"missing":        "no such file",
	} {
		err := checkDirectory(parent, parent+dir)
		if wrong == "" && err != nil || wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong)) {
			t.Errorf("%s: %v, want %q", dir, err, wrong)
		}
	}
	if err := checkDirectory(parent, "/elsewhere"); err == nil {
		t.Error("a directory that is not systemd's was taken")
	}
}

// Root and the user change places, and nobody is left out: what has no owner in a map cannot be written.
func TestExchanged(t *testing.T) {
	for _, id := range []uint32{0, 1, 2, 1000, 65534, 1<<32 - 3, 1<<32 - 2} {
		list := exchanged(id)
		for from, to := range map[uint32]uint32{0: id, id: 0, 500: 500, 70000: 70000} {
			if got, ok := hostID(list, from); !ok || got != to {
				t.Errorf("exchanged(%d): %d becomes %d, %v, want %d", id, from, got, ok, to)
			}
		}
		total := uint64(0)
		for _, m := range list {
			total += uint64(m.Size)
			if _, ok := hostID([]units.IDMap{m}, m.Container); !ok {
				t.Errorf("exchanged(%d): %+v is empty, which the kernel refuses", id, m)
			}
		}
		if total != 1<<32-1 {
			t.Errorf("exchanged(%d) maps %d users", id, total)
		}
	}
}
