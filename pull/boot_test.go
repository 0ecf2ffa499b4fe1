package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/pull/generation"
)

// bootSite is a machine below a root, on which containers were updated and that boots again and again.
type bootSite struct {
	*testing.T
	root string
}

func newBootSite(t *testing.T, units map[string]string) *bootSite {
	s := &bootSite{t, t.TempDir()}
	for name, text := range units {
		plant(t, s.root, map[string]string{"etc/containers/systemd/" + name + ".syscontainer": text})
	}
	for _, digest := range []string{"1", "2", "3"} {
		plant(t, s.root, map[string]string{
			"var/lib/syscontainer/images/" + strings.Repeat(digest, 64) + "/rootfs/etc/empty": "",
			"var/lib/syscontainer/images/" + strings.Repeat(digest, 64) + "/manifest.json":    "{}",
			"var/lib/syscontainer/images/" + strings.Repeat(digest, 64) + "/config.json":      "{}",
		})
	}
	return s
}

func (s *bootSite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// has lets a container have an image, and be found good with it.
func (s *bootSite) has(digest string, names ...string) {
	s.Helper()
	for _, name := range names {
		locked, err := generation.Lock(s.Context(), s.root, nil, name)
		s.must(err)
		_, err = locked.Adopt(name, generation.Record{Digest: strings.Repeat(digest, 64), Reference: "q.io/good:1", For: "q.io/good:1", Outcome: generation.Good})
		s.must(err)
		locked.Release()
	}
}

// update begins one and stops after some of its steps: "fetching", "switched", "judging", "back", "left".
func (s *bootSite) update(digest, steps string, names ...string) {
	s.Helper()
	locked, err := generation.Lock(s.Context(), s.root, nil, names...)
	s.must(err)
	defer locked.Release()
	u := generation.Update{By: generation.ByUpdate}
	for _, name := range names {
		u.Members = append(u.Members, generation.Member{Name: name, Digest: strings.Repeat(digest, 64), Reference: "q.io/good:1", For: "q.io/good:1", Active: steps != "left"})
	}
	t, err := locked.Begin(u)
	s.must(err)
	if steps != "fetching" {
		s.must(t.Switch())
	}
	switch steps {
	case "back":
		s.must(t.Back("exited with 1", names[0]))
	case "left":
		s.must(t.Leave())
	case "good":
		s.must(t.Good(nil))
	}
}

// boot is what happens before containers start; judged is what happens afterwards, where nothing runs.
func (s *bootSite) boot() (stderr string) {
	s.Helper()
	_, stderr, status := command(s.T, "--root", s.root, "boot", "--count")
	if status != 0 {
		s.Errorf("boot --count: status %d: %s", status, stderr)
	}
	// The next one is another.
	record, err := readBootRecord(s.root)
	s.must(err)
	if record.Boot != "" {
		record.Boot = "another"
		s.must(record.write(s.root))
	}
	return stderr
}

func (s *bootSite) judged() {
	s.Helper()
	if _, stderr, status := command(s.T, "--root", s.root, "boot"); status != 0 {
		s.Errorf("boot: status %d: %s", status, stderr)
	}
}

// now is a container's image, and what became of its generations.
func (s *bootSite) now(name string) string {
	s.Helper()
	c, err := generation.Read(s.root, name)
	s.must(err)
	record, _ := c.Now()
	var all []string
	for _, g := range c.Generations {
		all = append(all, string(g.Outcome))
	}
	return record.Digest[:1] + " " + strings.Join(all, ",")
}

func (s *bootSite) is(name, want string) {
	s.Helper()
	if got := s.now(name); got != want {
		s.Errorf("%s: %s, want %s", name, got, want)
	}
}

// A machine that does not get as far as to judge is not left with what it got last.
func TestBootIsCounted(t *testing.T) {
	s := newBootSite(t, map[string]string{"web": good, "db": good})
	s.has("1", "web", "db")
	s.boot()
	s.judged()
	s.update("2", "good", "web")
	for range 3 {
		s.boot()
		s.is("web", "2 good,good")
	}
	if said := s.boot(); !strings.Contains(said, "web: rolled back to generation 3, sha256:111111111111: 3 boots with it ended before they could be judged") {
		t.Error(said)
	}
	s.is("web", "1 good,failed,unjudged")
	s.is("db", "1 good")
	for range 5 { // there is nothing to go back to any more
		s.boot()
	}
	s.is("web", "1 good,failed,unjudged")

	// A boot that was judged ends the count.
	s.update("3", "left", "web")
	s.boot()
	s.boot()
	s.judged()
	record, err := readBootRecord(s.root)
	s.must(err)
	if want := map[string]string{"web": strings.Repeat("3", 64), "db": strings.Repeat("1", 64)}; record.Boots != 0 || !maps.Equal(record.Good, want) {
		t.Errorf("%+v", record)
	}
	for range 5 {
		s.boot()
	}
	s.is("web", "3 good,failed,unjudged,unjudged")
}

// How many boots are enough is a setting; one that counts the same boot twice does not count it.
func TestBootTries(t *testing.T) {
	s := newBootSite(t, map[string]string{"web": good})
	plant(t, s.root, map[string]string{"etc/containers/syscontainer.conf": "[Update]\nBootTries=1\n"})
	s.has("1", "web")
	s.update("2", "left", "web")
	for range 3 {
		command(t, "--root", s.root, "boot", "--count")
	}
	s.is("web", "2 good,unjudged")
	record, err := readBootRecord(s.root)
	s.must(err)
	if record.Boots != 1 {
		t.Errorf("%+v", record)
	}
	record.Boot = "another"
	s.must(record.write(s.root))
	s.boot()
	s.is("web", "1 good,failed,unjudged")
}

// What a power cut interrupted is ended before anything starts, each container old or new.
func TestBootEndsWhatWasCutOff(t *testing.T) {
	for steps, want := range map[string]string{
		"fetching": "1 good",
		"judging":  "2 good,pending", // to be judged when it runs
		"back":     "1 good,failed",
	} {
		s := newBootSite(t, map[string]string{"web": good})
		s.has("1", "web")
		s.update("2", steps, "web")
		s.boot()
		s.is("web", want)
		unfinished, err := generation.Unfinished(s.root)
		s.must(err)
		if len(unfinished) > 0 != (steps == "judging") {
			t.Errorf("%s: %+v is unfinished", steps, unfinished)
		}
		if steps == "judging" {
			for range 3 {
				s.boot()
			}
			s.is("web", "1 good,failed")
		}
	}
}

// What came together goes back together. An admin's edit wins over all of it.
func TestBootTakesGroupsBack(t *testing.T) {
	s := newBootSite(t, map[string]string{"web": good, "db": good, "own": strings.Replace(good, "good:1", "other:1", 1)})
	s.has("1", "web", "db", "own")
	s.update("2", "good", "web", "db", "own")
	for range 4 {
		s.boot()
	}
	s.is("web", "1 good,failed,unjudged")
	s.is("db", "1 good,failed,unjudged")
	s.is("own", "2 good,good") // it does not start from that
	updates, err := generation.Updates(s.root)
	s.must(err)
	if last := updates[len(updates)-1]; fmt.Sprint(last.By, last.Names()) != "boot[db web]" {
		t.Errorf("%+v", last)
	}
}

// A record that cannot be read does not keep a machine from booting, and nothing is rolled back for it.
func TestBootRecordIsBroken(t *testing.T) {
	s := newBootSite(t, map[string]string{"web": good})
	s.has("1", "web")
	s.update("2", "good", "web")
	file := filepath.Join(s.root, "var/lib/syscontainer/boot.json")
	for _, text := range []string{"", "{", "null", `{"good":["x"]}`} {
		s.must(os.WriteFile(file, []byte(text), 0o600))
		command(t, "--root", s.root, "boot", "--count")
		s.is("web", "2 good,good")
		s.judged()
	}
	if record, err := readBootRecord(s.root); err != nil || record.Good["web"] != strings.Repeat("2", 64) {
		t.Errorf("%+v %v", record, err)
	}
}

// Nothing is written on a machine on which nothing was updated.
func TestBootOfNothing(t *testing.T) {
	s := newBootSite(t, map[string]string{"web": good})
	s.boot()
	s.judged()
	if exists(filepath.Join(s.root, "var/lib/syscontainer/boot.json")) {
		t.Error("there is a record")
	}
}
