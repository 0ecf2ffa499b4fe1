package generation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"syscontainer/pull/store"
)

func TestRetain(t *testing.T) {
	for _, c := range []struct {
		name string
		keep Retention
		want string
	}{
		{"default", Retention{}, "1:a:start:good:- 2:b:update:good:- 3:c:auto:failed:- 4:d:update:good 5:e:update:good"},
		{"one", Retention{Keep: 1}, "1:a:start:good:- 2:b:update:good:- 3:c:auto:failed:- 4:d:update:good:- 5:e:update:good"},
		{"three", Retention{Keep: 3}, "1:a:start:good:- 2:b:update:good 3:c:auto:failed:- 4:d:update:good 5:e:update:good"},
		{"days", Retention{Keep: 1, KeepDays: 3}, "1:a:start:good 2:b:update:good 3:c:auto:failed:- 4:d:update:good 5:e:update:good"},
		{"all", Retention{Keep: 9}, "1:a:start:good 2:b:update:good 3:c:auto:failed:- 4:d:update:good 5:e:update:good"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.images("a", "b", "c", "d", "e")
			l := s.lock("web")
			s.adopt(l, "a", "web")
			s.update(l, ByUpdate, "b", "web")
			u := s.switched(l, ByAuto, "c", "web")
			if given := must[[]Record](t)(l.Retain("web", Retention{Keep: 1})); len(given) > 0 {
				t.Errorf("given up while an update is not done: %v", given)
			}
			ok(t, u.Back("it exits", "web"))
			ok(t, u.Returned())
			s.update(l, ByUpdate, "d", "web")
			s.update(l, ByUpdate, "e", "web")
			must[[]Record](t)(l.Retain("web", c.keep))
			s.tells("web", c.want)
			s.runs("web", "e", map[bool]string{true: "", false: "d"}[c.name == "one"])
			if given := must[[]Record](t)(l.Retain("web", c.keep)); len(given) > 0 {
				t.Errorf("given up at last: %v", given)
			}
		})
	}
}

// What runs stays, and so does what can be gone back to while the current one is not judged.
func TestRetainSpares(t *testing.T) {
	s := newScene(t)
	s.images("a", "b", "c")
	l := s.lock("web")
	s.adopt(l, "a", "web")
	s.update(l, ByUpdate, "b", "web")
	ok(t, s.switched(l, ByUpdate, "c", "web").Leave())
	bundle := store.Bundle(s.root, "web")
	ok(t, os.MkdirAll(bundle, 0o755))
	ok(t, os.Symlink(filepath.Join(s.root, store.Dir, "images", digest("a")), filepath.Join(bundle, store.BundleLink)))
	must[[]Record](t)(l.Retain("web", Retention{Keep: 1}))
	s.tells("web", "1:a:start:good 2:b:update:good 3:c:update:unjudged")
	ok(t, os.RemoveAll(bundle))
	must[[]Record](t)(l.Retain("web", Retention{Keep: 1}))
	s.tells("web", "1:a:start:good:- 2:b:update:good 3:c:update:unjudged")
}

// Records are not kept for ever, but numbers go on.
func TestRecordsAreForgotten(t *testing.T) {
	s := newScene(t)
	s.images("a", "b", "c")
	l := s.lock("web")
	s.adopt(l, "a", "web")
	dir, last := generationsDir(containerDir(s.root, "web")), keptRecords+10
	write := func(file string, record any) {
		t.Helper()
		ok(t, os.WriteFile(file, must[[]byte](t)(json.Marshal(record)), 0o600))
	}
	for n := 2; n <= last; n++ {
		image := digest(string("ab"[n%2]))
		write(recordPath(filepath.Dir(dir), n), Record{Number: n, Digest: image, For: reference, Outcome: Good, By: ByUpdate})
		ok(t, os.Symlink("../../../images/"+image, linkPath(filepath.Dir(dir), n)))
	}
	ok(t, os.Remove(filepath.Join(dir, "../current")))
	ok(t, os.Symlink(fmt.Sprint("generations/", last), filepath.Join(dir, "../current")))
	s.runs("web", "a", "")
	for range 2 { // then of those that have given up their images
		must[[]Record](t)(l.Retain("web", Retention{}))
	}
	c := s.read("web")
	if n := len(c.Generations); n != keptRecords || c.Current != last {
		t.Errorf("%d are left, and %d is current", n, c.Current)
	}
	for _, r := range c.Generations {
		if r.Kept != (r.Number >= last-1) {
			t.Errorf("generation %d keeps its image: %v", r.Number, r.Kept)
		}
	}
	s.update(l, ByUpdate, "c", "web")
	s.runs("web", "c", "a")
	ok(t, os.RemoveAll(updatesDir(s.root)))
	ok(t, os.Mkdir(updatesDir(s.root), 0o700))
	for n := range keptUpdates + 50 {
		u := Update{ID: newID(time.Now()), Phase: Committed, Members: members("a", "web")}
		if n == 0 {
			u.Phase = Judging
		}
		u.Members[0].To = 1
		write(updatePath(s.root, u.ID), u)
	}
	ok(t, SweepUpdates(s.root))
	all := must[[]*Update](t)(Updates(s.root))
	if len(all) != keptUpdates+1 || all[0].Phase != Judging {
		t.Errorf("%d updates are left, the first is %s", len(all), all[0].Phase)
	}
}

func TestForget(t *testing.T) {
	s := newScene(t)
	s.images("a", "b")
	l := s.lock("one", "two")
	s.adopt(l, "a", "one", "two")
	ok(t, l.Hold("one", true))
	data := filepath.Join(containerDir(s.root, "two"), "volumes")
	ok(t, os.Mkdir(data, 0o755))
	u := s.switched(l, ByUpdate, "b", "one", "two")
	ok(t, l.Forget("one"))
	if _, err := os.Lstat(containerDir(s.root, "one")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one is still there: %v", err)
	}
	ok(t, l.Forget("one"))
	u = must[*Transaction](t)(l.Resume(u.ID))
	if names := u.Names(); !slices.Equal(names, []string{"two"}) {
		t.Errorf("members are %v", names)
	}
	ok(t, l.Forget("two"))
	if unfinished := must[[]*Update](t)(Unfinished(s.root)); len(unfinished) > 0 {
		t.Errorf("unfinished are %+v", unfinished)
	}
	entries := must[[]os.DirEntry](t)(os.ReadDir(containerDir(s.root, "two")))
	if len(entries) != 1 || entries[0].Name() != "volumes" {
		t.Errorf("left are %v", entries)
	}
	s.runs("two", "", "")
}

// What a kill in the middle of Forget left is found again.
func TestForgetAgain(t *testing.T) {
	s := newScene(t)
	l := s.lock("web")
	dir := generationsDir(containerDir(s.root, "web"))
	ok(t, os.MkdirAll(dir, 0o700))
	if all := must[[]*Container](t)(List(s.root)); len(all) != 1 || !Recorded(s.root, "web") {
		t.Errorf("listed are %v", all)
	}
	ok(t, l.Forget("web"))
	if all := must[[]*Container](t)(List(s.root)); len(all) != 0 || Recorded(s.root, "web") {
		t.Errorf("listed are %v", all)
	}
}

// Generations is what a container's Retention counts from: days are of when a generation was made.
func TestBeyondDays(t *testing.T) {
	at := time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)
	c := &Container{Current: 4, Previous: 3}
	for i, days := range []int{40, 29, 10, 1} {
		c.Generations = append(c.Generations, Record{Number: i + 1, Digest: digest(string("abcd"[i])), Outcome: Good, Kept: true, Time: at.AddDate(0, 0, -days)})
	}
	if beyond := c.Beyond(Retention{KeepDays: 30}, at, nil); len(beyond) != 1 || beyond[0].Number != 1 {
		t.Errorf("beyond 30 days: %v", beyond)
	}
	if beyond := c.Beyond(Retention{KeepDays: 30}, at, map[string]bool{digest("a"): true}); len(beyond) != 0 {
		t.Errorf("spared is not: %v", beyond)
	}
}
