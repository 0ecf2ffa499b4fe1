package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"syscontainer/pull/store"
	"syscontainer/test/image"
)

// prune takes away what units do not want any more, and nothing while it cannot know.
func TestExportPrune(t *testing.T) {
	s := newExportScene(t)
	web := s.image("web", "", image.File("etc/a", 0o644, "$NAME"))
	s.unit("web", web, "Export=yes")
	s.export("web")
	s.unit("app@", s.image("app", `{"renameFiles": {"/etc/a": "/etc/$NAME"}}`, image.File("etc/a", 0o644, "1")), "Export=yes")
	s.export("app@one")
	s.is("etc/app@one", "1")
	must(t, s.root, "prune")
	s.is("etc/a", "$NAME")
	s.is("etc/app@one", "1")
	os.Remove(s.at("etc/containers/systemd/web.syscontainer"))
	if out := must(t, s.root, "prune", "--dry-run"); !strings.Contains(out, "would remove /etc/a\n") || !strings.Contains(out, "keep the exported files of app@one: used by app@.syscontainer") {
		t.Error(out)
	}
	s.is("etc/a", "$NAME")
	s.write("usr/share/containers/systemd", "no directory")
	must(t, s.root, "prune")
	s.is("etc/a", "$NAME")
	os.Remove(s.at("usr/share/containers/systemd"))
	if out := must(t, s.root, "prune"); !strings.Contains(out, "removed /etc/a\n") {
		t.Error(out)
	}
	s.absent("etc/a", "var/lib/syscontainer/containers/web")
	s.is("etc/app@one", "1")
	s.unit("app@", web)
	must(t, s.root, "prune")
	s.absent("etc/app@one")
}

func TestExportNames(t *testing.T) {
	s := newExportScene(t)
	web := s.image("web", `{"renameFiles": {"/etc/a": "/etc/$NAME"}}`, image.File("etc/a", 0o644, "1"))
	s.unit("web", web, "ServiceName=other", "Export=yes")
	s.unit("late", web, "Set=A=%m", "Export=yes")
	s.unit("t@", web, "Set=A=%i", "Export=yes")
	s.unit("none", "q.io/none:1", "Export=yes")
	s.export("web.syscontainer")
	s.is("etc/other", "1")
	s.refused([]string{"there is no unit"}, "nothing")
	s.refused([]string{"what Set= says only a start knows", "systemctl restart late"}, "late")
	s.refused([]string{"t@ is a template"}, "t@")
	s.refused([]string{"q.io/none:1 is not in the store", "hint: syscontainer pull q.io/none:1"}, "none")
	s.export("t@x")
	s.is("etc/t@x", "1")
	s.export("--undo", "web", "t@x.service")
	s.absent("etc/other", "etc/t@x")
	if _, stderr, status := command(t, "--root", s.at("none"), "export", "--undo", "web"); status != 1 || !strings.Contains(stderr, "no such file") {
		t.Errorf("status %d, %s", status, stderr)
	}
	s.absent("none")
	for _, args := range [][]string{{}, {"--undo"}, {"--request"}, {"--request", "--undo", "web"}, {"--frob"}} {
		if _, _, status := command(t, append([]string{"--root", s.root, "export"}, args...)...); status != 2 {
			t.Errorf("%v: status %d", args, status)
		}
	}
}

// An image that has nothing for the host, and a directory in the place of an image.
func TestExportWithout(t *testing.T) {
	s := newExportScene(t)
	plain := put(t, s.layout, "plain", []image.Entry{image.File("etc/x", 0o644, "")})
	must(t, s.root, "pull", plain)
	s.unit("plain", plain, "Export=yes")
	if out, stderr := s.export("plain"); out != "" || stderr != "" {
		t.Error(out, stderr)
	}
	s.write("srv/root/exports/hostfs/etc/a", "1")
	s.write("etc/containers/systemd/dir.syscontainer", "[Container]\nRootfs=/srv/root\nExec=/x\nExport=yes\n")
	s.export("dir")
	s.is("etc/a", "1")
	if inodeOf(t, s.at("etc/a")) == inodeOf(t, s.at("srv/root/exports/hostfs/etc/a")) {
		t.Error("a directory of the admin's is linked")
	}
	s.write("srv/root/exports/hostfs/etc/a", "2")
	s.export("dir")
	s.is("etc/a", "2")
}

// Any state that a cut can leave is understood: each path as it was, as it was to be, or missing, and temporary files.
func TestExportUnfinished(t *testing.T) {
	s := newExportScene(t)
	one := s.image("one", "", image.File("etc/a", 0o644, "1"), image.File("etc/b", 0o644, "1"), image.File("opt/old/f", 0o644, "1"))
	two := s.image("two", "", image.File("etc/a", 0o644, "2"), image.File("etc/c", 0o644, "2"), image.File("opt/new/f", 0o644, "2"))
	s.unit("web", two, "Export=yes")
	s.export("web")
	after, _ := store.ReadExports(s.root, "web")
	second := s.tree()
	s.export("--undo", "web")
	s.unit("web", one, "Export=yes")
	s.export("web")
	first := s.tree()
	before, _ := store.ReadExports(s.root, "web")
	unfinished := store.Exports{Request: before.Request, Unfinished: true, Files: before.Files, Next: after.Files}
	data, err := json.Marshal(unfinished)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 32 {
		write := func(bit int, name, one, two string) {
			t.Helper()
			content := one
			if i&(1<<bit) != 0 {
				content = two
			}
			os.RemoveAll(s.at(name))
			if content == "" {
				return
			}
			s.write(name, content)
			os.Chmod(s.at(name), 0o644)
		}
		s.write("var/lib/syscontainer/containers/web/exports.json", string(data))
		write(0, "etc/a", "1", "2")
		write(1, "etc/b", "1", "")
		write(2, "etc/c", "", "2")
		write(3, "opt/old/f", "1", "")
		write(4, "opt/new/f", "", "2")
		s.write("etc/"+temporary("/etc/a"), "half")
		want := first
		if i%2 == 0 {
			s.unit("web", two, "Export=yes")
			want = second
		} else {
			s.unit("web", one, "Export=yes")
		}
		if i%7 == 6 { // back to what was before
			must(t, s.root, "prune")
			s.agrees()
			if tree := s.tree(); tree != first {
				t.Errorf("%d: prune makes it\n%s\nwant\n%s", i, tree, first)
			}
		}
		if i%5 == 4 {
			s.export("--undo", "web")
			s.absent("etc/a", "etc/b", "etc/c", "opt/old", "opt/new")
		}
		s.export("web")
		if tree := s.tree(); tree != want {
			t.Errorf("%d: it becomes\n%s\nwant\n%s", i, tree, want)
		}
	}
}

// A service or a drop-in of the image's counts after a reload, which is told; not again when nothing changes.
func TestExportOfUnits(t *testing.T) {
	s := newExportScene(t)
	web := s.image("web", "", image.File("etc/systemd/system/db.service.d/web.conf", 0o644, "[Unit]\nAfter=web.service\n"))
	s.unit("web", web, "Export=yes")
	for _, want := range []string{"systemctl daemon-reload", ""} {
		if _, stderr := s.export("web"); want == "" && stderr != "" || !strings.Contains(stderr, want) {
			t.Errorf("want %q: %s", want, stderr)
		}
	}
	if _, stderr := s.export("--undo", "web"); !strings.Contains(stderr, "systemctl daemon-reload") {
		t.Error(stderr)
	}
	s.absent("etc/systemd")
}

// Whatever becomes of the image: the files stay until they are taken away, and that needs no image.
func TestExportOutlivesTheImage(t *testing.T) {
	s := newExportScene(t)
	before := s.tree()
	web := s.image("web", "", image.File("usr/bin/a", 0o755, "1"), image.File("etc/b", 0o644, "2"))
	s.unit("web", web, "Export=yes")
	s.export("web")
	os.Remove(s.at("etc/containers/systemd/web.syscontainer"))
	must(t, s.root, "rmi", web)
	s.is("usr/bin/a", "1")
	s.is("etc/b", "2")
	s.export("--undo", "web")
	if after := s.tree(); after != before {
		t.Errorf("left is\n%s\nbefore there was\n%s", after, before)
	}
}

// Many at once: of those that claim one path one wins, whole, and the others say so.
func TestExportTogether(t *testing.T) {
	s := newExportScene(t)
	const many = 6
	for i := range many {
		name := string(rune('a' + i))
		s.unit(name, s.image(name, "", image.File("usr/bin/tool", 0o755, name), image.File("opt/shared/"+name, 0o644, name)), "Export=yes")
	}
	type end struct {
		name, stderr string
		status       int
	}
	ends := make(chan end)
	for i := range many {
		go func() {
			name := string(rune('a' + i))
			_, stderr, status := command(t, "--root", s.root, "export", name)
			ends <- end{name, stderr, status}
		}()
	}
	winner := ""
	for range many {
		e := <-ends
		switch {
		case e.status == 0 && winner == "":
			winner = e.name
		case e.status == 0:
			t.Errorf("%s and %s both have it", winner, e.name)
		case e.status != 1 || !strings.Contains(e.stderr, "/usr/bin/tool is exported by the container "):
			t.Errorf("%+v", e)
		}
	}
	s.agrees()
	s.is("usr/bin/tool", winner)
	s.is("opt/shared/"+winner, winner)
	if entries, err := os.ReadDir(s.at("opt/shared")); err != nil || len(entries) != 1 {
		t.Error(entries, err)
	}
}
