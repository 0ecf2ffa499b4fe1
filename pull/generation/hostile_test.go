package generation

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/pull/store"
)

// What somebody has done to the directory by hand is told, with its path, and nothing is lost over it.
func TestHostileContents(t *testing.T) {
	link := func(target, name string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			os.RemoveAll(filepath.Join(dir, name))
			ok(t, os.Symlink(target, filepath.Join(dir, name)))
		}
	}
	file := func(text, name string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			os.RemoveAll(filepath.Join(dir, name))
			ok(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
	}
	for _, c := range []struct {
		name    string
		do      func(t *testing.T, dir string)
		says    string
		current bool // it can no longer be told
	}{
		{"link to elsewhere", link("/etc", "current"), `/current: leads to "/etc", want generations/…`, true},
		{"link upwards", link("generations/../../db", "current"), `want generations/…`, true},
		{"link to no number", link("generations/two", "current"), `leads to generation "two"`, true},
		{"link to a number too large", link("generations/99999999999999999999", "current"), `which is no number`, true},
		{"link to nothing", link("generations/7", "current"), `leads to generation 7: `, true},
		{"file for a link", file("2", "current"), `/current: it is no symbolic link`, true},
		{"no JSON", file("\x00\x00\x00", "generations/2.json"), `/generations/2.json: invalid character`, true},
		{"empty", file("", "generations/2.json"), `/generations/2.json: unexpected end`, true},
		{"of another", file(`{"generation":1,"digest":"`+digest("b")+`","outcome":"good"}`, "generations/2.json"), `it is of generation 1`, true},
		{"no digest", file(`{"generation":2,"digest":"../../etc","outcome":"good"}`, "generations/2.json"), `"../../etc" is no digest`, true},
		{"number that overflows", file(`{"generation":99999999999999999999,"digest":"`+digest("b")+`","outcome":"good"}`, "generations/2.json"), `/generations/2.json: json: cannot unmarshal number 99999999999999999999`, true},
		{"image of another", link("../../../images/"+digest("a"), "generations/2"), `but its record is of ` + digest("b"), true},
		{"image elsewhere", link("../../../../images/"+digest("b"), "generations/2"), `want ../../../images/…`, true},
		{"record that is a link", link("/etc/hostname", "generations/2.json"), `/generations/2.json: it is a link`, true},
		{"record that is a directory", func(t *testing.T, dir string) {
			ok(t, os.Remove(filepath.Join(dir, "generations/2.json")))
			ok(t, os.Mkdir(filepath.Join(dir, "generations/2.json"), 0o700))
		}, `/generations/2.json`, true},
		{"large record", file(`{"generation":2,"reason":"`+strings.Repeat("x", maxRecord)+`"}`, "generations/2.json"), `it is larger than 1 MiB`, true},
		{"older one", file("{", "generations/1.json"), `/generations/1.json: unexpected end`, false},
		{"previous", link("../../db", "previous"), `/previous: leads to "../../db"`, false},
		{"somebody's file", file("", "generations/notes.txt"), `/generations/notes.txt: it is neither generation nor record`, false},
		{"leading zero", file("", "generations/03"), `/generations/03: it is neither`, false},
		{"negative", file("", "generations/-3.json"), `/generations/-3.json: it is neither`, false},
		{"no record", link("../../../images/"+digest("b"), "generations/9"), `/generations/9: it has no record`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.images("a", "b", "c")
			l := s.lock("web")
			s.adopt(l, "a", "web")
			s.update(l, ByUpdate, "b", "web")
			dir := containerDir(s.root, "web")
			c.do(t, dir)
			before := tree(t, dir)
			found, err := Read(s.root, "web")
			if !c.current && err == nil {
				err = errors.Join(found.Problems...)
			} else if (err != nil) != c.current {
				t.Fatalf("read: %v", err)
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), s.root) {
				t.Errorf("%v, want %s", err, c.says)
			}
			if errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v: taken for absent", err)
			}
			_, err = l.Begin(Update{By: ByUpdate, Members: members("c", "web")})
			if (err != nil) != c.current {
				t.Errorf("begin: %v", err)
			}
			if _, err := l.Retain("web", Retention{Keep: 1}); (err != nil) != c.current {
				t.Errorf("retain: %v", err)
			}
			if after := tree(t, dir); after != before {
				t.Errorf("it was\n%s\nand is\n%s", before, after)
			}
			all, err := List(s.root)
			if (err != nil) != c.current || (len(all) == 0) != c.current {
				t.Errorf("list: %v, %v", all, err)
			}
			if c.current && strings.Contains(c.says, "/current") {
				_, err := store.Deployed(s.root, "web", reference)
				if err == nil || errors.Is(err, fs.ErrNotExist) {
					t.Errorf("deployed: %v", err)
				}
			}
		})
	}
}

// tree is what a directory holds.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	ok(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		data, _ := os.ReadFile(path)
		target, _ := os.Readlink(path)
		b.WriteString(strings.TrimPrefix(path, dir) + " " + d.Type().String() + " " + target + " " + string(data[:min(len(data), 80)]) + "\n")
		return nil
	}))
	return b.String()
}

// Directories that are links lead out of the store.
func TestHostileDirectories(t *testing.T) {
	s := newScene(t)
	s.images("a", "b")
	l := s.lock("web", "db")
	s.adopt(l, "a", "web")
	away := t.TempDir()
	ok(t, os.Rename(generationsDir(containerDir(s.root, "web")), away+"/generations"))
	ok(t, os.Symlink(away+"/generations", generationsDir(containerDir(s.root, "web"))))
	if _, err := Read(s.root, "web"); err == nil || !strings.Contains(err.Error(), "/generations: it is no directory") {
		t.Errorf("read: %v", err)
	}
	if err := l.Forget("web"); err == nil {
		t.Error("forgotten by a link")
	}
	if _, err := os.Stat(away + "/generations/1.json"); err != nil {
		t.Errorf("lost by a link: %v", err)
	}
	ok(t, os.Symlink(away, updatesDir(s.root)))
	_, err := l.Begin(Update{By: ByUpdate, Members: members("b", "db")})
	if err == nil || !strings.Contains(err.Error(), "/updates: it is no directory") {
		t.Errorf("begin: %v", err)
	}
	for _, name := range []string{"", ".", "..", "a/b", "../db", strings.Repeat("x", 248), "a\x00"} {
		if _, err := Read(s.root, name); err == nil {
			t.Errorf("%q is a name", name)
		}
		if _, err := TryLock(s.root, name); err == nil {
			t.Errorf("%q was locked", name)
		}
	}
}

// While the record of any update cannot be read, nobody knows what was interrupted, and nothing begins or goes.
func TestHostileUpdates(t *testing.T) {
	s := newScene(t)
	s.images("a", "b", "c")
	l := s.lock("web")
	s.adopt(l, "a", "web")
	s.update(l, ByUpdate, "b", "web")
	id := must[[]*Update](t)(Updates(s.root))[0].ID
	path := updatePath(s.root, id)
	member := `{"name":"web","from":1,"to":2,"digest":"` + digest("b") + `"}`
	for says, text := range map[string]string{
		"unexpected end":                        "{",
		`is no phase`:                           `{"id":"` + id + `","phase":"sleeping","members":[` + member + `]}`,
		`has no members`:                        `{"id":"` + id + `","phase":"good"}`,
		`it is of update "x"`:                   `{"id":"x","phase":"good","members":[` + member + `]}`,
		`"../../etc" is no name of a container`: `{"id":"` + id + `","phase":"switching","members":[` + strings.Replace(member, "web", "../../etc", 1) + `]}`,
		`from 1 to -2`:                          `{"id":"` + id + `","phase":"switching","members":[` + strings.Replace(member, ":2", ":-2", 1) + `]}`,
		`from 1 to 1000000000`:                  `{"id":"` + id + `","phase":"switching","members":[` + strings.Replace(member, ":2", ":1000000000", 1) + `]}`,
		`cannot unmarshal number`:               `{"id":"` + id + `","phase":"switching","members":[` + strings.Replace(member, ":2", ":99999999999999999999", 1) + `]}`,
		`members are not in order`:              `{"id":"` + id + `","phase":"switching","members":[` + member + "," + member + `]}`,
	} {
		ok(t, os.WriteFile(path, []byte(text), 0o600))
		for what, err := range map[string]error{
			"unfinished": second(Unfinished(s.root)), "needed": second(Needed(s.root)),
			"begin":  second(l.Begin(Update{By: ByUpdate, Members: members("c", "web")})),
			"retain": second(l.Retain("web", Retention{})), "forget": l.Forget("web"), "resume": second(l.Resume(id)),
		} {
			if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s with %s: %v", what, text, err)
			}
		}
	}
	s.runs("web", "b", "a")
	if _, err := l.Resume("../../../etc/passwd"); err == nil {
		t.Error("resumed by a path")
	}
}

func second[T any](_ T, err error) error { return err }

// The last number is the last: none is used twice.
func TestNumbersEnd(t *testing.T) {
	s := newScene(t)
	s.images("a", "b")
	l := s.lock("web")
	s.adopt(l, "a", "web")
	ok(t, os.WriteFile(recordPath(containerDir(s.root, "web"), maxNumber), nil, 0o600))
	_, err := l.Begin(Update{By: ByUpdate, Members: members("b", "web")})
	if err == nil || !strings.Contains(err.Error(), "no numbers are left: there is a generation 999999999") {
		t.Errorf("begin: %v", err)
	}
	if _, err := l.Adopt("web", Record{Digest: digest("b"), For: reference, Outcome: Good}); err == nil {
		t.Error("adopted")
	}
	s.runs("web", "a", "")
}

// Whatever bytes a record has, reading it ends, and what is read keeps its promises.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"generation":1,"digest":"` + digest("a") + `","outcome":"good","time":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"id":"a-1","phase":"judging","members":[{"name":"web","from":0,"to":1,"digest":"` + digest("a") + `"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		root := t.TempDir()
		ok(t, os.MkdirAll(generationsDir(containerDir(root, "web")), 0o755))
		ok(t, os.Mkdir(updatesDir(root), 0o755))
		ok(t, os.WriteFile(recordPath(containerDir(root, "web"), 1), data, 0o600))
		ok(t, os.WriteFile(updatePath(root, "a-1"), data, 0o600))
		ok(t, os.Symlink("generations/1", filepath.Join(containerDir(root, "web"), "current")))
		if c, err := Read(root, "web"); err == nil {
			if now, _ := c.Now(); now.Number != 1 || !isDigest(now.Digest) {
				t.Errorf("%q is %+v", data, now)
			}
		}
		if u, err := ReadUpdate(root, "a-1"); err == nil {
			for _, m := range u.Members {
				if strings.Contains(m.Name, "/") || m.To < 1 || !isDigest(m.Digest) {
					t.Errorf("%q has %+v", data, m)
				}
			}
		}
		if image, err := store.Deployed(root, "web", reference); err == nil {
			t.Errorf("%q is deployed as %+v, which is not there", data, image)
		}
	})
}
