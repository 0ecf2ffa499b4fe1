package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/pull/generation"
	"syscontainer/pull/store"
)

func (s *deployedScene) has(digest string) bool {
	_, err := os.Stat(filepath.Join(s.root, store.Dir, "images", digest, "rootfs"))
	return err == nil
}

// What is beyond Keep= goes, with its image; a rollback finds what it needs.
func TestPruneRetention(t *testing.T) {
	for _, c := range []struct {
		keys string
		goes string // generations
	}{
		{"", ""},
		{"Keep=1", "1"},
		{"Keep=1\nKeepDays=30", ""},
		{"Keep=several", ""}, // which nobody understands
	} {
		t.Run(c.keys, func(t *testing.T) {
			s := newDeployedScene(t)
			s.unit("web", "[Container]\nImage="+s.tag+"\n[Update]\n"+c.keys+"\n")
			s.adopt("web", s.one)
			s.update("web", s.two, endsWell)
			must(t, s.root, "rmi", "example.org/one:1")
			must(t, s.root, "tag", "example.org/two:1", s.tag)
			before := must(t, s.root, "history", "web")
			dry := must(t, s.root, "prune", "--dry-run", "--grace=0")
			if after := must(t, s.root, "history", "web"); after != before || !s.has(s.one) {
				t.Errorf("a dry run made of\n%s\nthis:\n%s", before, after)
			}
			out := must(t, s.root, "prune", "--grace=0")
			goes := c.goes != ""
			line := fmt.Sprintf("give up generation %s of web (sha256:%s): Keep=1\n", c.goes, s.one[:12])
			if strings.Contains(out, line) != goes || strings.Contains(dry, "would "+line) != goes {
				t.Errorf("it says\n%sand did\n%s", dry, out)
			}
			if s.has(s.one) == goes || !s.has(s.two) {
				t.Errorf("one is there: %v, two: %v, after\n%s", s.has(s.one), s.has(s.two), out)
			}
			if kept := "keep sha256:" + s.one[:12]; strings.Contains(strings.ReplaceAll(dry, s.one, s.one[:12]), kept) == goes {
				t.Errorf("it says of one\n%s", dry)
			}
			if k := s.list()["web"]; k.Current != 2 || (k.Previous == 1) == goes {
				t.Errorf("web is %+v", k)
			}
		})
	}
}

// A container whose unit is gone is forgotten, unless it runs, or an update of it is somebody else's to finish.
func TestPruneForgets(t *testing.T) {
	s := newDeployedScene(t)
	s.unit("many@", "[Container]\nImage="+s.tag+"\n")
	for _, name := range []string{"gone", "runs", "many@a", "updated"} {
		s.adopt(name, s.one)
	}
	writeFile(t, filepath.Join(s.root, store.Dir, "containers/gone/volumes/data/file"), "precious")
	bundle := store.Bundle(s.root, "runs")
	if err := os.MkdirAll(bundle, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(s.root, store.Dir, "images", s.one), filepath.Join(bundle, store.BundleLink)); err != nil {
		t.Fatal(err)
	}
	s.update("updated", s.two, func(*generation.Transaction) error { return nil })
	dry := must(t, s.root, "prune", "--dry-run")
	for _, says := range []string{
		"would forget generation 1 of gone (sha256:" + s.one[:12] + "): its unit is gone\n",
		"keep the generations of runs: it runs, though its unit is gone\n",
		"keep the generations of updated: an update of it is not finished\n",
	} {
		if !strings.Contains(dry, says) {
			t.Errorf("want %q in\n%s", says, dry)
		}
	}
	must(t, s.root, "prune")
	all, err := generation.List(s.root)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, c := range all {
		left = append(left, c.Name)
	}
	if got := strings.Join(left, " "); got != "many@a runs updated" {
		t.Errorf("left are %s", got)
	}
	if data, err := os.ReadFile(filepath.Join(s.root, store.Dir, "containers/gone/volumes/data/file")); string(data) != "precious" {
		t.Errorf("data: %q, %v", data, err)
	}
}

// While nobody knows what was interrupted no image goes.
func TestPruneOfDamage(t *testing.T) {
	s := newDeployedScene(t)
	writeFile(t, filepath.Join(s.root, store.Dir, "updates/x.json"), "{")
	_, stderr, _ := command(t, "--root", s.root, "prune", "--grace=0")
	if !strings.Contains(stderr, "all images stay, because it is unknown what needs them: read "+s.root) || !s.has(s.one) || !s.has(s.two) {
		t.Errorf("one is there: %v, two: %v, after\n%s", s.has(s.one), s.has(s.two), stderr)
	}
}

func TestRmiOfGeneration(t *testing.T) {
	s := newDeployedScene(t)
	s.unit("web", "[Container]\nImage="+s.tag+"\n")
	s.adopt("web", s.two)
	for _, word := range []string{"example.org/two:1", s.two} {
		_, stderr, code := command(t, "--root", s.root, "rmi", word)
		if code != 1 || !strings.Contains(stderr, "still needed: generation 1 of web keeps it") || !s.has(s.two) {
			t.Errorf("rmi %s: status %d, %s", word, code, stderr)
		}
	}
}

func TestUninstallForgetsGenerations(t *testing.T) {
	s := newDeployedScene(t)
	dir := filepath.Join(s.root, store.Dir, "containers/web")
	for _, data := range []bool{false, true} {
		s.unit("web", "[Container]\nImage="+s.tag+"\n")
		s.adopt("web", s.one)
		s.update("web", s.two, endsWell)
		s.do("web", func(l *generation.Locked) error { return l.Hold("web", true) })
		s.update("web", s.one, func(*generation.Transaction) error { return nil })
		if data {
			writeFile(t, dir+"/volumes/v/file", "x")
		}
		out := must(t, s.root, "uninstall", "web")
		if _, err := os.Stat(dir + "/volumes/v/file"); (err == nil) != data || strings.Contains(out, "data of the container") != data {
			t.Errorf("data is there: %v, after\n%s", err, out)
		}
		for _, name := range []string{"generations", "current", "previous", "hold"} {
			if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
				t.Errorf("%s is left", name)
			}
		}
		if left, err := generation.Unfinished(s.root); len(left) > 0 || err != nil {
			t.Errorf("unfinished are %v, %v", left, err)
		}
	}
	if k, there := s.list()["web"]; there {
		t.Errorf("listed is %+v", k)
	}
}
