package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"syscontainer/pull/generation"
	"syscontainer/pull/store"
	"syscontainer/test/image"
)

// deployedScene is a root with the images one and two, to which the tag "tag" can be moved, and records of generations.
type deployedScene struct {
	t        *testing.T
	root     string
	tag      string
	one, two string // digests, without sha256:
}

func newDeployedScene(t *testing.T) *deployedScene {
	t.Helper()
	root, layout := newRoot(t)
	s := &deployedScene{t: t, root: root, tag: "example.org/web:1"}
	for _, i := range []struct {
		name   string
		digest *string
	}{{"one", &s.one}, {"two", &s.two}} {
		reference := put(t, layout, i.name, []image.Entry{image.File(i.name, 0o644, i.name)})
		*i.digest = strings.TrimPrefix(strings.TrimSpace(must(t, root, "pull", reference)), "sha256:")
		must(t, root, "tag", reference, "example.org/"+i.name+":1")
		must(t, root, "rmi", reference)
	}
	must(t, root, "tag", "example.org/one:1", s.tag)
	return s
}

func (s *deployedScene) unit(name, text string) {
	s.t.Helper()
	writeFile(s.t, s.root+"/etc/containers/systemd/"+name+".syscontainer", text)
}

func (s *deployedScene) do(name string, do func(l *generation.Locked) error) {
	s.t.Helper()
	l, err := generation.TryLock(s.root, name)
	if err != nil {
		s.t.Fatal(err)
	}
	defer l.Release()
	if err := do(l); err != nil {
		s.t.Fatal(err)
	}
}

func (s *deployedScene) adopt(name, digest string) {
	s.t.Helper()
	s.do(name, func(l *generation.Locked) error {
		_, err := l.Adopt(name, generation.Record{Digest: digest, Reference: s.tag, For: s.tag, Outcome: generation.Good})
		return err
	})
}

// update takes a container to an image, and ends there as end says.
func (s *deployedScene) update(name, digest string, end func(*generation.Transaction) error) {
	s.t.Helper()
	s.do(name, func(l *generation.Locked) error {
		u, err := l.Begin(generation.Update{By: generation.ByUpdate, Members: []generation.Member{{Name: name, Digest: digest, Reference: s.tag, For: s.tag, Active: true}}})
		if err != nil {
			return err
		}
		if err := u.Switch(); err != nil {
			return err
		}
		return end(u)
	})
}

func (s *deployedScene) list() map[string]known {
	s.t.Helper()
	var all []known
	if err := json.Unmarshal([]byte(must(s.t, s.root, "list", "--json")), &all); err != nil {
		s.t.Fatal(err)
	}
	byName := map[string]known{}
	for _, k := range all {
		byName[k.Name] = k
	}
	return byName
}

// shorten gives digests and times their names.
func (s *deployedScene) shorten(text string) string {
	for digest, name := range map[string]string{s.one: "one", s.two: "two"} {
		text = strings.ReplaceAll(strings.ReplaceAll(text, digest, name), digest[:12], name)
	}
	text = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`).ReplaceAllString(text, "TIME")
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func endsWell(u *generation.Transaction) error { return u.Good(nil) }

func endsBadly(u *generation.Transaction) error {
	if err := u.Back("it exits\nat once", u.Members[0].Name); err != nil {
		return err
	}
	return u.Returned()
}

func TestList(t *testing.T) {
	s := newDeployedScene(t)
	if out := must(t, t.TempDir(), "list"); out != "NAME  IMAGE  DIGEST  GEN  STATE  HEALTH  UPDATE\n" {
		t.Errorf("of nothing: %q", out)
	}
	if out := must(t, t.TempDir(), "list", "--json"); out != "[]\n" {
		t.Errorf("of nothing: %q", out)
	}
	web := "[Container]\nImage=" + s.tag + "\n"
	for _, name := range []string{"plain", "good", "bad", "left", "stopped-halfway", "edited", "many@", "held"} {
		s.unit(name, web)
	}
	s.unit("edited", "[Container]\nImage=example.org/two:1\n")
	s.unit("always", "[Container]\nImage=example.org/two:1\nPull=always\n")
	s.unit("absent", "[Container]\nImage=example.org/three:1\n")
	s.unit("pinned", "[Container]\nImage=example.org/one@sha256:"+s.one+"\n")
	s.unit("root", "[Container]\nRootfs=/srv/root\nExec=/bin/true\n")
	s.unit("wrong", "[Container]\nImage=example.org/one:1\nPidsLimit=many\n")
	s.unit("group", web+"[Update]\nAuto=registry\nGroup=kube\nHold=yes\nKeep=3\nKeepDays=7\n")
	s.unit("called", "[Container]\nImage=example.org/one:1\nServiceName=otherwise\n")
	for _, name := range []string{"good", "bad", "left", "stopped-halfway", "edited", "always", "many@a", "gone"} {
		s.adopt(name, s.one)
	}
	s.update("good", s.two, endsWell)
	s.update("bad", s.two, endsBadly)
	s.update("left", s.two, func(u *generation.Transaction) error { return u.Leave() })
	s.update("stopped-halfway", s.two, func(*generation.Transaction) error { return nil })
	s.do("held", func(l *generation.Locked) error { return l.Hold("held", true) })
	bundle := store.Bundle(s.root, "left")
	if err := os.MkdirAll(bundle, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(s.root, store.Dir, "images", s.one), filepath.Join(bundle, store.BundleLink)); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := command(t, "--root", s.root, "list")
	want := `NAME IMAGE DIGEST GEN STATE HEALTH UPDATE
absent example.org/three:1 - - - - -
always example.org/two:1 two - - - -
bad example.org/web:1 one 1 - good failed
edited example.org/two:1 two - - - -
gone - - - - - -
good example.org/web:1 two 2 - good available
group example.org/web:1 one - - - held
held example.org/web:1 one - - - held
left example.org/web:1 one 1 - good restart
many@a example.org/web:1 one 1 - good -
otherwise example.org/one:1 one - - - -
pinned example.org/one@sha256:one - - - - pinned
plain example.org/web:1 one - - - -
root /srv/root - - - - -
stopped-halfway example.org/web:1 two 2 - pending unfinished
wrong example.org/one:1 one - - - -`
	if got := s.shorten(stdout); code != 0 || got != want {
		t.Errorf("status %d, it is\n%s\nwant\n%s", code, got, want)
	}
	if !strings.Contains(stderr, `wrong.syscontainer:3:`) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("it says %q", stderr)
	}
	all := s.list()
	if k := all["left"]; *k.Running != "sha256:"+s.one || *k.Next != "sha256:"+s.two || k.Current != 2 || k.Previous != 1 {
		t.Errorf("left: %+v", k)
	}
	if k := all["good"]; *k.Available != "sha256:"+s.one || k.Running != nil {
		t.Errorf("good: %+v", k)
	}
	if k := all["group"]; k.Auto != "registry" || k.Group != "kube" || !k.Held || k.Keep != 3 || k.KeepDays != 7 || k.Unit != "/etc/containers/systemd/group.syscontainer" {
		t.Errorf("group: %+v", k)
	}
	if k := all["wrong"]; len(k.Problems) != 1 || !strings.Contains(k.Problems[0], "many") {
		t.Errorf("wrong: %+v", k)
	}
	if k := all["gone"]; k.Unit != "" || k.Current != 1 {
		t.Errorf("gone: %+v", k)
	}
	if k := all["absent"]; k.Digest != nil || k.Next != nil {
		t.Errorf("absent: %+v", k)
	}
}

// What nobody can read is told, and hides nothing else.
func TestListOfDamage(t *testing.T) {
	s := newDeployedScene(t)
	s.unit("web", "[Container]\nImage="+s.tag+"\n")
	s.unit("db", "[Container]\nImage="+s.tag+"\n")
	s.adopt("web", s.one)
	s.update("web", s.two, endsWell)
	s.adopt("db", s.one)
	dir := filepath.Join(s.root, store.Dir)
	writeFile(t, dir+"/containers/web/generations/1.json", "{")
	writeFile(t, dir+"/containers/db/generations/1.json", "\x00\x1b[2J")
	writeFile(t, dir+"/updates/x.json", "")
	stdout, stderr, code := command(t, "--root", s.root, "list")
	want := `NAME IMAGE DIGEST GEN STATE HEALTH UPDATE
db example.org/web:1 one - - - -
web example.org/web:1 two 2 - good available`
	if got := s.shorten(stdout); code != 0 || got != want {
		t.Errorf("status %d, it is\n%s\nwant\n%s", code, got, want)
	}
	for _, says := range []string{"/updates/x.json: unexpected end", "/web/generations/1.json: unexpected end", "/db/generations/1.json: invalid character"} {
		if !strings.Contains(stderr, says) {
			t.Errorf("want %q in %s", says, stderr)
		}
	}
	if strings.Contains(stderr, "\x1b") {
		t.Errorf("it moves the cursor: %q", stderr)
	}
	if _, stderr, code := command(t, "--root", s.root, "history", "db"); code != 1 || !strings.Contains(stderr, "read the generations of db: ") {
		t.Errorf("history: status %d, %s", code, stderr)
	}
}

// What a rollback goes back to has a user.
func TestImagesOfGenerations(t *testing.T) {
	s := newDeployedScene(t)
	s.adopt("web", s.one)
	s.update("web", s.two, endsWell)
	s.adopt("db", s.two)
	users := map[string]string{}
	for _, i := range imagesOf(t, s.root) {
		users[strings.TrimPrefix(i.Digest, "sha256:")] = strings.Join(i.Containers, " ")
	}
	if users[s.one] != "web" || users[s.two] != "db web" {
		t.Errorf("users are %v", users)
	}
}

// verify names records that nobody can read, and generations without their image.
func TestVerifyGenerations(t *testing.T) {
	s := newDeployedScene(t)
	s.unit("web", "[Container]\nImage="+s.tag+"\n")
	s.adopt("web", s.one)
	s.update("web", s.two, endsWell)
	s.adopt("db", s.one)
	s.adopt("cut", s.one)
	must(t, s.root, "verify")
	dir := filepath.Join(s.root, store.Dir)
	writeFile(t, dir+"/containers/db/generations/1.json", "{")
	writeFile(t, dir+"/containers/cut/generations/notes", "")
	writeFile(t, dir+"/updates/x.json", "")
	if err := os.RemoveAll(dir + "/images/" + s.two); err != nil {
		t.Fatal(err)
	}
	stdout, _, code := command(t, "--root", s.root, "verify")
	for _, says := range []string{
		"the store: read the generations of db: ", "the store: " + dir + "/containers/cut/generations/notes: it is neither",
		"the store: read " + dir + "/updates/x.json: unexpected end", "sha256:" + s.two + ": " + dir + "/containers/web/generations/2 leads to no image",
	} {
		if !strings.Contains(stdout, says) || code != 1 {
			t.Errorf("status %d, want %q in\n%s", code, says, stdout)
		}
	}
}

func TestHistory(t *testing.T) {
	s := newDeployedScene(t)
	s.unit("web", "[Container]\nImage="+s.tag+"\n")
	s.unit("new", "[Container]\nImage="+s.tag+"\n")
	s.unit("many@", "[Container]\nImage="+s.tag+"\n")
	s.adopt("web", s.one)
	s.update("web", s.two, endsBadly)
	s.update("web", s.two, endsWell)
	s.do("web", func(l *generation.Locked) error {
		_, err := l.Retain("web", generation.Retention{})
		return err
	})
	want := `GEN TIME BY DIGEST OUTCOME REASON
1 < TIME start one good -
2 TIME update (two) failed it exits; at once
3 > TIME update two good -`
	for _, name := range []string{"web", "web.service", "web.syscontainer"} {
		if got := s.shorten(must(t, s.root, "history", name)); got != want {
			t.Errorf("history %s is\n%s\nwant\n%s", name, got, want)
		}
	}
	var all []history
	if err := json.Unmarshal([]byte(must(t, s.root, "history", "--json", "web", "new")), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || len(all[1].Generations) != 0 {
		t.Fatalf("%+v", all)
	}
	if h := all[0]; h.Current != 3 || h.Previous != 1 || h.Generations[1].Kept || !h.Generations[2].Kept || h.Generations[1].Reason != "it exits\nat once" || h.Generations[2].Digest != s.two {
		t.Errorf("%+v", h)
	}
	if err := os.Remove(s.root + "/etc/containers/systemd/web.syscontainer"); err != nil {
		t.Fatal(err)
	}
	if got := s.shorten(must(t, s.root, "history", "web")); got != want {
		t.Errorf("without its unit the history is\n%s", got)
	}
	for word, says := range map[string]string{"wed": "wed", "many@": "is a template", "../web": "web", "many": "many@"} {
		if out, stderr, code := command(t, "--root", s.root, "history", word); word != "../web" && (code != 1 || out != "" || !strings.Contains(stderr, says)) {
			t.Errorf("history %s: status %d, %s%s", word, code, out, stderr)
		}
	}
}

func TestStatus(t *testing.T) {
	s := newDeployedScene(t)
	s.unit("web", "[Unit]\nDescription=The web\n[Container]\nImage="+s.tag+"\n")
	s.adopt("web", s.two)
	s.update("web", s.one, endsWell)
	s.update("web", s.two, endsBadly)
	s.do("web", func(l *generation.Locked) error { return l.Hold("web", true) })
	want := `web
Unit: /etc/containers/systemd/web.syscontainer
State: -
Image: example.org/web:1
Next start: sha256:one (generation 2, good)
Back to: sha256:two (generation 1)
Update: the newer image that there was failed
Held: yes
Last update: TIME, by update: failed, it exits; at once`
	if got := s.shorten(must(t, s.root, "status", "web")); got != want {
		t.Errorf("it is\n%s\nwant\n%s", got, want)
	}
	var all []struct {
		Name, Status string
		Generations  []past
		LastUpdate   *generation.Update `json:"last_update"`
	}
	if err := json.Unmarshal([]byte(must(t, s.root, "status", "--json", "web")), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || len(all[0].Generations) != 3 || all[0].LastUpdate == nil || all[0].LastUpdate.Members[0].To != 3 {
		t.Errorf("%+v", all)
	}
	for args, says := range map[string]string{"list x": "unexpected argument", "status": "is missing", "history": "is missing", "status --frob": "unknown option --frob"} {
		if _, stderr, code := command(t, strings.Fields(args)...); code != 2 || !strings.Contains(stderr, says) {
			t.Errorf("%s: status %d, %s", args, code, stderr)
		}
	}
}
