package main

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"syscontainer/test/image"
)

// Two containers that claim one path: the second is refused, both are named, nothing is touched.
func TestExportConflicts(t *testing.T) {
	s := newExportScene(t)
	one := s.image("one", "", image.File("usr/bin/tool", 0o755, "1"), image.File("opt/shared/one", 0o644, "1"), image.Dir("opt/both", 0o755))
	two := s.image("two", "", image.File("bin/tool", 0o755, "1"), image.File("opt/shared/two", 0o644, "2"), image.Dir("opt/both", 0o755))
	three := s.image("three", "", image.File("usr/bin/tool/below", 0o755, "3"))
	if err := os.Symlink("usr/bin", s.at("bin")); err != nil {
		t.Fatal(err)
	}
	before := s.tree()
	s.unit("one", one, "Export=yes")
	s.unit("two", two, "Export=yes")
	s.unit("three", three, "Export=yes")
	s.export("one")
	s.refused([]string{"/usr/bin/tool is exported by the container one already, and two wants it, too", "hint: Export= with a list"}, "two")
	s.refused([]string{"/usr/bin/tool"}, "three")
	s.unit("two", two, "Export=/opt")
	s.export("two")
	s.export("--undo", "one")
	s.is("opt/shared/two", "2")
	if _, err := os.Stat(s.at("opt/both")); err != nil {
		t.Error("what two containers have went with the first:", err)
	}
	s.unit("two", two, "Export=yes")
	s.export("two")
	s.refused([]string{"/usr/bin/tool is exported by the container two already, and one wants it, too"}, "one")
	s.export("--undo", "two")
	if after := s.tree(); after != before {
		t.Errorf("left is\n%s\nbefore there was\n%s", after, before)
	}
	// A record that nobody can read may claim anything.
	s.write("var/lib/syscontainer/containers/other/exports.json", "{")
	for _, args := range [][]string{{"export", "one"}, {"export", "--undo", "two"}} {
		_, stderr, status := command(t, append([]string{"--root", s.root}, args...)...)
		if status != 1 || !strings.Contains(stderr, "nothing is exported while it is unknown what others have") || !strings.Contains(stderr, "other/exports.json") {
			t.Errorf("%v: status %d, %s", args, status, stderr)
		}
	}
	s.absent("usr/bin/tool")
}

// Where no image has a say, and what is wrong with the way there.
func TestExportRefused(t *testing.T) {
	s := newExportScene(t)
	for _, c := range []struct {
		name string
		want []string
		file image.Entry
	}{
		{"proc", []string{"/proc/x cannot be put there: /proc is the kernel's"}, image.File("proc/x", 0o644, "")},
		{"run", []string{"/run/x cannot be put there: /run is gone after a boot"}, image.File("run/x", 0o644, "")},
		{"var-run", []string{"/var/run/x cannot be put there: /run is gone after a boot"}, image.File("var/run/x", 0o644, "")},
		{"store", []string{"/var/lib/syscontainer/x/y cannot be put there: /var/lib/syscontainer is the store"}, image.File("var/lib/syscontainer/x/y", 0o644, "")},
		{"moved", []string{"/srv/store/x cannot be put there: /var/lib/syscontainer is the store"}, image.File("srv/store/x", 0o644, "")},
		{"unit", []string{"/etc/containers/systemd/evil.syscontainer cannot be put there: /etc/containers/systemd is for units of the admin"},
			image.File("etc/containers/systemd/evil.syscontainer", 0o644, "[Container]\n")},
		{"dangling", []string{"/etc/nowhere/x cannot be put there: /etc/nowhere is a link that leads nowhere"}, image.File("etc/nowhere/x", 0o644, "")},
		{"file", []string{"/etc/file/x cannot be put there: /etc/file is no directory"}, image.File("etc/file/x", 0o644, "")},
	} {
		reference := s.image(c.name, "", c.file, image.File("etc/good", 0o644, ""))
		s.unit(c.name, reference, "Export=yes")
	}
	for from, to := range map[string]string{"var/run": "/run", "etc/nowhere": "/nowhere"} {
		if err := os.Symlink(to, s.at(from)); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"srv", "run"} {
		if err := os.MkdirAll(s.at(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../var/lib/syscontainer", s.at("srv/store")); err != nil {
		t.Fatal(err)
	}
	s.write("etc/file", "")
	s.refused([]string{"/proc is the kernel's"}, "proc")
	s.refused([]string{"/run is gone after a boot"}, "run")
	s.refused([]string{"/etc/containers/systemd is for units of the admin"}, "unit")
	s.refused([]string{"/var/run/x cannot be put there: /run is gone after a boot"}, "var-run")
	s.refused([]string{"/var/lib/syscontainer is the store"}, "store")
	s.refused([]string{"/srv/store/x cannot be put there: /var/lib/syscontainer is the store"}, "moved")
	s.refused([]string{"/etc/nowhere is a link that leads nowhere"}, "dangling")
	s.refused([]string{"/etc/file is no directory"}, "file")
	s.absent("etc/good")
}

// A link of the machine that leads out of the root leads to the same path below it.
func TestExportStaysBelowRoot(t *testing.T) {
	s := newExportScene(t)
	outside := t.TempDir()
	for link, to := range map[string]string{"opt/absolute": outside, "opt/up": "../../../../../../../../../../../.." + outside} {
		if err := os.Symlink(to, s.at(link)); err != nil {
			t.Fatal(err)
		}
	}
	reference := s.image("web", "", image.File("opt/absolute/a", 0o644, "a"), image.File("opt/up/b", 0o644, "b"))
	s.unit("web", reference, "Export=yes")
	s.refused([]string{"is a link that leads nowhere"}, "web")
	if err := os.MkdirAll(s.at(outside), 0o755); err != nil {
		t.Fatal(err)
	}
	s.export("web")
	s.is(outside+"/a", "a")
	s.is(outside+"/b", "b")
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Error("files came out of the root:", entries, err)
	}
	s.export("--undo", "web")
	s.absent(outside+"/a", outside+"/b")
}

func TestExportReadOnly(t *testing.T) {
	s := newExportScene(t)
	one := s.image("web", "", image.File("usr/bin/a", 0o755, "1"), image.File("usr/new/b", 0o755, "1"), image.File("etc/c", 0o644, "1"))
	s.unit("web", one, "Export=yes")
	lock := func() {
		t.Helper()
		if err := unix.Mount(s.at("usr"), s.at("usr"), "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("", s.at("usr"), "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
	}
	unlock := func() { unix.Unmount(s.at("usr"), unix.MNT_DETACH) }
	lock()
	defer unlock()
	s.refused([]string{"/usr is read-only, nothing was changed: it holds /usr/new", "/usr/bin is read-only, nothing was changed: it holds /usr/bin/a", "hint: Export= with a list"}, "web")
	s.absent("etc/c")
	if _, _, status := command(t, "--root", s.root, "export", "--dry-run", "web"); status != 1 {
		t.Error("a dry run does not tell")
	}
	s.unit("web", one, "Export=/etc")
	s.export("web")
	s.is("etc/c", "1")
	unlock()
	s.unit("web", one, "Export=yes")
	s.export("web")
	lock()
	s.export("web") // for there is nothing to do
	s.refused([]string{"/usr/bin is read-only, nothing was changed"}, "--undo", "web")
	s.is("etc/c", "1")
}

// A variable without a value: all of them are named, and nothing is touched.
func TestExportMissingVariables(t *testing.T) {
	s := newExportScene(t)
	web := s.image("web", `{"renameFiles": {"/etc/a": "/etc/$FIRST"}, "installedFilesTemplate": ["/etc/b"]}`,
		image.File("etc/a", 0o644, ""), image.File("etc/b", 0o644, "$SECOND"), image.File("etc/c", 0o644, ""))
	s.unit("web", web, "Export=yes", "Set=OTHER=1")
	s.refused([]string{"''FIRST''", "''SECOND''", "in [Container]"}, "web")
	s.absent("etc/c")
	s.unit("web", web, "Export=yes", "Set=FIRST=x", "Set=SECOND=100%%$")
	s.export("web")
	s.is("etc/b", "100%$")
	s.is("etc/x", "")
	s.unit("web", web, "Export=yes", "Set=FIRST=y", "Set=SECOND=2")
	s.export("web")
	s.is("etc/b", "2")
	s.is("etc/y", "")
	s.absent("etc/x")
}
