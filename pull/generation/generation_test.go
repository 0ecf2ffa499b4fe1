package generation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syscontainer/pull/store"
)

const reference = "example.org/web:1"

// scene is a root with a store.
type scene struct {
	t    *testing.T
	root string
}

func newScene(t *testing.T) *scene { return &scene{t, t.TempDir()} }

// digest is that of an image, by a letter of its own.
func digest(letter string) string { return strings.Repeat(letter, 64) }

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// images puts images into the store.
func (s *scene) images(letters ...string) {
	s.t.Helper()
	for _, l := range letters {
		ok(s.t, os.MkdirAll(filepath.Join(s.root, store.Dir, "images", digest(l), "rootfs"), 0o755))
	}
}

func (s *scene) lock(names ...string) *Locked {
	s.t.Helper()
	l := must[*Locked](s.t)(TryLock(s.root, names...))
	s.t.Cleanup(l.Release)
	return l
}

func (s *scene) read(name string) *Container {
	s.t.Helper()
	return must[*Container](s.t)(Read(s.root, name))
}

// runs checks which image the next start of a container runs, "" for that of its reference, and what one may go back to.
func (s *scene) runs(name, letter, before string) {
	s.t.Helper()
	image, err := store.Deployed(s.root, name, reference)
	switch {
	case letter == "" && !errors.Is(err, fs.ErrNotExist):
		s.t.Errorf("%s runs %s, %v", name, image.Digest, err)
	case letter != "" && (err != nil || image.Digest != digest(letter) || image.Reference != reference):
		s.t.Errorf("%s runs %+v, %v, want %s", name, image, err, letter)
	}
	previous, _ := s.read(name).Before()
	if want := strings.Repeat(before, 64); previous.Digest != want {
		s.t.Errorf("%s goes back to %q, want %q", name, previous.Digest, want)
	}
}

// story is a container's history: number, image, by whom, outcome, and "-" if the image was given up.
func (s *scene) story(name string) string {
	s.t.Helper()
	var words []string
	for _, r := range s.read(name).Generations {
		word := fmt.Sprintf("%d:%s:%s:%s", r.Number, r.Digest[:1], r.By, r.Outcome)
		if !r.Kept {
			word += ":-"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func (s *scene) tells(name, want string) {
	s.t.Helper()
	if got := s.story(name); got != want {
		s.t.Errorf("the story of %s is\n%s\nwant\n%s", name, got, want)
	}
}

// adopt has containers run an image before their first update.
func (s *scene) adopt(l *Locked, letter string, names ...string) {
	s.t.Helper()
	for _, name := range names {
		must[Record](s.t)(l.Adopt(name, Record{Digest: digest(letter), Reference: reference, For: reference, Outcome: Good}))
	}
}

func members(letter string, names ...string) (all []Member) {
	for _, name := range names {
		all = append(all, Member{Name: name, Digest: digest(letter), Reference: reference, For: reference, Active: true})
	}
	return all
}

// switched is an update that has been switched.
func (s *scene) switched(l *Locked, by By, letter string, names ...string) *Transaction {
	s.t.Helper()
	u := must[*Transaction](s.t)(l.Begin(Update{By: by, Members: members(letter, names...)}))
	ok(s.t, u.Switch())
	return u
}

func (s *scene) update(l *Locked, by By, letter string, names ...string) {
	s.t.Helper()
	ok(s.t, s.switched(l, by, letter, names...).Good(nil))
}

func TestUpdateGood(t *testing.T) {
	s := newScene(t)
	s.runs("web", "", "")
	l := s.lock("web")
	s.images("a")
	s.adopt(l, "a", "web")
	s.adopt(l, "a", "web") // again is the same
	s.runs("web", "a", "")
	u := must[*Transaction](t)(l.Begin(Update{By: ByUpdate, Members: members("b", "web")}))
	if err := u.Switch(); err == nil || !strings.Contains(err.Error(), "is not in the store") {
		t.Errorf("switched to an image that is not there: %v", err)
	}
	s.runs("web", "a", "")
	if needed := must[map[string]string](t)(Needed(s.root)); needed[digest("b")] != "web" {
		t.Errorf("needed are %v", needed)
	}
	s.images("b")
	ok(t, u.Switch())
	s.runs("web", "b", "a")
	s.tells("web", "1:a:start:good 2:b:update:pending")
	published := 0
	ok(t, u.Good(func(m Member) error { published++; return nil }))
	s.runs("web", "b", "a")
	s.tells("web", "1:a:start:good 2:b:update:good")
	if published != 1 {
		t.Errorf("published %d times", published)
	}
	if needed := must[map[string]string](t)(Needed(s.root)); len(needed) > 0 {
		t.Errorf("needed are %v", needed)
	}
	all := must[[]*Update](t)(Updates(s.root))
	if len(all) != 1 || all[0].Phase != Committed || all[0].Members[0].From != 1 || all[0].Members[0].To != 2 || all[0].Boot == "" {
		t.Errorf("updates are %+v", all)
	}
	if r, _ := s.read("web").Get(2); r.Update != all[0].ID || r.Judged.IsZero() || !r.Kept {
		t.Errorf("generation 2 is %+v", r)
	}
	if got := store.Generations(s.root)[digest("a")]; !slices.Equal(got, []string{"web/generations/1"}) {
		t.Errorf("what keeps a: %v", got)
	}
}

// One unhealthy member takes all back, and only its image is not tried again.
func TestGroupGoesBack(t *testing.T) {
	s := newScene(t)
	s.images("a", "b")
	l := s.lock("one", "two", "new")
	s.adopt(l, "a", "one", "two")
	u := s.switched(l, ByAuto, "b", "two", "new", "one")
	s.runs("one", "b", "a")
	s.runs("new", "b", "")
	ok(t, u.Back("it exits", "two"))
	if err := u.Good(nil); err == nil {
		t.Error("an update that goes back became good")
	}
	ok(t, u.Back("something else", "one")) // what was said first counts
	ok(t, u.Returned())
	for _, name := range []string{"one", "two"} {
		s.runs(name, "a", "")
	}
	s.runs("new", "", "")
	s.tells("one", "1:a:start:good 2:b:auto:interrupted")
	s.tells("two", "1:a:start:good 2:b:auto:failed")
	for name, want := range map[string]bool{"one": false, "two": true, "new": false} {
		if _, failed := s.read(name).HasFailed(digest("b")); failed != want {
			t.Errorf("b of %s failed: %v", name, failed)
		}
	}
	if r, _ := s.read("two").Get(2); r.Reason != "it exits" {
		t.Errorf("the reason is %q", r.Reason)
	}
	if r, _ := s.read("one").Get(2); r.Reason != "taken back with two" {
		t.Errorf("the reason is %q", r.Reason)
	}
	if all := must[[]*Update](t)(Updates(s.root)); all[0].Phase != Reverted {
		t.Errorf("it ended as %s", all[0].Phase)
	}
	// A number never comes again, and a person may try again.
	s.update(l, ByUpdate, "b", "one", "two")
	s.tells("two", "1:a:start:good 2:b:auto:failed 3:b:update:good")
	if _, failed := s.read("two").HasFailed(digest("b")); failed {
		t.Error("what came up good at last has failed")
	}
}

// A person who goes back does not want to meet that image again, neither by an update nor by going back.
func TestRollback(t *testing.T) {
	s := newScene(t)
	s.images("a", "b", "c")
	l := s.lock("web")
	s.adopt(l, "a", "web")
	s.update(l, ByUpdate, "b", "web")
	s.update(l, ByUpdate, "c", "web")
	s.runs("web", "c", "b")
	s.update(l, ByRollback, "b", "web")
	s.runs("web", "b", "a")
	s.tells("web", "1:a:start:good 2:b:update:good 3:c:update:failed 4:b:rollback:good")
	if r, failed := s.read("web").HasFailed(digest("c")); !failed || r.Reason != "rolled back" {
		t.Errorf("c: %+v", r)
	}
}

func TestUpdateUnjudged(t *testing.T) {
	s := newScene(t)
	s.images("a", "b", "c")
	l := s.lock("off", "web")
	s.adopt(l, "a", "off", "web")
	all := members("b", "off", "web")
	all[0].Active = false
	u := must[*Transaction](t)(l.Begin(Update{By: ByUpdate, Members: all}))
	ok(t, u.Switch())
	ok(t, u.Good(nil))
	s.tells("off", "1:a:start:good 2:b:update:unjudged")
	s.tells("web", "1:a:start:good 2:b:update:good")
	s.runs("off", "b", "a")
	ok(t, s.switched(l, ByUpdate, "c", "web").Leave())
	s.tells("web", "1:a:start:good 2:b:update:good 3:c:update:unjudged")
	s.runs("web", "c", "b")
	ok(t, l.Judge("web", 3, Failed, "no boot came up with it"))
	if _, failed := s.read("web").HasFailed(digest("c")); !failed {
		t.Error("what was judged later has not failed")
	}
	s.runs("web", "c", "b") // to go back is another's business
	s.images("d")
	s.update(l, ByUpdate, "d", "off")
	s.runs("off", "d", "a") // rather what was good than what nobody looked at
}

// An update that was interrupted is finished before another begins.
func TestUnfinished(t *testing.T) {
	s := newScene(t)
	s.images("a", "b")
	l := s.lock("web")
	s.adopt(l, "a", "web")
	u := must[*Transaction](t)(l.Begin(Update{By: ByAuto, Members: members("b", "web")}))
	_, err := l.Begin(Update{By: ByAuto, Members: members("b", "web")})
	if e := (*UnfinishedError)(nil); !errors.As(err, &e) || e.ID != u.ID || e.Name != "web" {
		t.Errorf("a second one: %v", err)
	}
	if _, err := TryLock(s.root, "db", "web"); !errors.Is(err, ErrBusy) {
		t.Errorf("a second process: %v", err)
	}
	s.lock("db") // which that one has not kept
	l.Release()
	l = s.lock("web")
	again := must[*Transaction](t)(l.Resume(u.ID))
	ok(t, again.CountBoot(again.Boot))
	ok(t, again.CountBoot("another"))
	ok(t, again.CountBoot("another"))
	if u := must[*Update](t)(ReadUpdate(s.root, u.ID)); u.Boots != 1 || u.Boot != "another" {
		t.Errorf("%d boots were counted, the last was %s", u.Boots, u.Boot)
	}
	ok(t, again.Abandon("no network"))
	if gone := must[*Transaction](t)(l.Resume(u.ID)); gone != nil {
		t.Errorf("resumed is %+v", gone)
	}
	s.tells("web", "1:a:start:good")
	if none := must[*Transaction](t)(l.Resume("no-such-id")); none != nil {
		t.Errorf("resumed is %+v", none)
	}
	if unfinished := must[[]*Update](t)(Unfinished(s.root)); len(unfinished) > 0 {
		t.Errorf("unfinished are %+v", unfinished)
	}
}

// What the operating system brings is a generation, too, and an admin's edit of Image= wins.
func TestDeployedElsewhere(t *testing.T) {
	s := newScene(t)
	ok(t, os.MkdirAll(filepath.Join(s.root, store.VendorDir, "images", digest("a"), "rootfs"), 0o755))
	l := s.lock("web")
	s.adopt(l, "a", "web")
	s.runs("web", "a", "")
	if image, _ := store.Deployed(s.root, "web", reference); !strings.HasPrefix(image.Dir, filepath.Join(s.root, store.VendorDir)) {
		t.Errorf("it is in %s", image.Dir)
	}
	if _, err := store.Deployed(s.root, "web", "example.org/other:1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("for another image: %v", err)
	}
	ok(t, os.RemoveAll(filepath.Join(s.root, store.VendorDir)))
	s.runs("web", "", "")
}

func TestHold(t *testing.T) {
	s := newScene(t)
	l := s.lock("web")
	for _, held := range []bool{true, true, false, false} {
		ok(t, l.Hold("web", held))
		if s.read("web").Held != held {
			t.Errorf("held is not %v", held)
		}
	}
	if err := l.Hold("db", true); err == nil {
		t.Error("what is not locked was held")
	}
	ok(t, l.Hold("web", true))
	if all := must[[]*Container](t)(List(s.root)); len(all) != 1 || all[0].Name != "web" {
		t.Errorf("listed are %v", all)
	}
}
