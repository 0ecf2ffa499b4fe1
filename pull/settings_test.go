package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"syscontainer/pull/layer"
)

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func manual(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../man/syscontainer.conf.5.scd")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The manual's example is a file that loads, and says what it says.
func TestSettingsOfTheManual(t *testing.T) {
	_, example, _ := strings.Cut(manual(t), "```\n")
	example, _, _ = strings.Cut(example, "```")
	root := t.TempDir()
	writeFile(t, root+"/etc/containers/syscontainer.conf", example)
	s, err := loadSettings(root)
	if err != nil {
		t.Fatal(err)
	}
	if s.parallel != 1 || s.rateLimit != 256<<10 || s.minFreeSpace != 64<<20 || s.limits.TotalSize != 2<<30 || s.pruneGrace != 24*time.Hour {
		t.Errorf("%+v", s)
	}
}

// Every limit is in the manual, with its default.
func TestLimitsInTheManual(t *testing.T) {
	text := strings.Join(strings.Fields(manual(t)), " ")
	for _, l := range layer.LimitNames() {
		if entry := "*" + l.Name + "=* " + l.Text + " Defaults to " + l.Default + "."; !strings.Contains(text, entry) {
			t.Errorf("not in syscontainer.conf(5): %s", entry)
		}
	}
}

func TestSettingsPrecedence(t *testing.T) {
	root := t.TempDir()
	writeFile(t, root+"/usr/share/containers/syscontainer.conf", "[Pull]\nParallel=1\n[Store]\nPruneGrace=1h\n[Update]\nMetered=no\n")
	writeFile(t, root+"/etc/containers/syscontainer.conf", "[Pull]\nParallel = 2\n# Parallel=9\n")
	writeFile(t, root+"/usr/share/containers/syscontainer.conf.d/10-x.conf", "[Pull]\nRateLimit=1M\n")
	writeFile(t, root+"/etc/containers/syscontainer.conf.d/10-x.conf", "[Pull]\nRateLimit=2M\n")
	writeFile(t, root+"/run/containers/syscontainer.conf.d/20-y.conf", "[Store]\nPruneGrace=7d\n[Update]\nMetered=yes\n")
	writeFile(t, root+"/run/containers/syscontainer.conf.d/readme", "not a setting")
	s, err := loadSettings(root)
	if err != nil {
		t.Fatal(err)
	}
	if s.parallel != 2 || s.rateLimit != 2<<20 || s.pruneGrace != 7*24*time.Hour || s.metered != "yes" {
		t.Errorf("%+v", s)
	}
}

// All that is wrong is told, with file and line.
func TestBadSettings(t *testing.T) {
	root := t.TempDir()
	path := root + "/etc/containers/syscontainer.conf"
	writeFile(t, path, "[Pull]\nParallel=many\n\n[Store]\nMinFreeSpace=-1\nPruneGrace=soon\n[Limits]\nEntries=0\nFiles=3\n[Other]\nx=1\n[Update]\nMetered=perhaps\nBootTries=0\n")
	_, err := loadSettings(root)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		path + ":2: [Pull] Parallel=many: must be 1 to 64",
		path + ":5: [Store] MinFreeSpace=-1: must be a number",
		path + ":6: [Store] PruneGrace=soon: must be a time",
		path + ":8: [Limits] Entries=0: must be 1 to",
		path + ":9: [Limits] Files=3: there is no limit \"Files\"",
		path + ":11: [Other] x=1: there is no such setting",
		path + ":13: [Update] Metered=perhaps: must be yes, no or auto",
		path + ":14: [Update] BootTries=0: must be 1 to 100",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not told: %s\nin:\n%v", want, err)
		}
	}
}
