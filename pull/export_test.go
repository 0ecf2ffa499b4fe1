package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
	"syscontainer/test/image"
)

// exportScene is a root with an image and a unit "web" that exports all of it.
type exportScene struct {
	t      *testing.T
	root   string
	layout *image.Layout
}

func newExportScene(t *testing.T) *exportScene {
	t.Helper()
	root, layout := newRoot(t)
	s := &exportScene{t, root, layout}
	for _, dir := range []string{"usr/bin", "usr/lib", "etc", "var/lib", "opt"} {
		if err := os.MkdirAll(s.at(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *exportScene) at(name string) string { return filepath.Join(s.root, name) }

// image pulls one with these files below hostfs and this manifest, and names it web, whatever was named so before.
func (s *exportScene) image(name, manifest string, files ...image.Entry) (reference string) {
	s.t.Helper()
	entries := []image.Entry{image.Dir("exports", 0o755), image.Dir("exports/hostfs", 0o755)}
	if manifest != "" {
		entries = append(entries, image.File("exports/manifest.json", 0o644, manifest))
	}
	dirs := map[string]bool{}
	for _, f := range files {
		f.Name = "exports/hostfs/" + f.Name
		for i := range f.Name {
			if dir := f.Name[:i]; f.Name[i] == '/' && !dirs[dir] {
				dirs[dir] = true
				if len(dir) > len("exports/hostfs") && dir+"/" != f.Name {
					entries = append(entries, image.Dir(dir, 0o755))
				}
			}
		}
		entries = append(entries, f)
	}
	reference = put(s.t, s.layout, name, entries)
	must(s.t, s.root, "pull", reference)
	return reference
}

func (s *exportScene) unit(name, reference string, lines ...string) {
	s.t.Helper()
	writeFile(s.t, s.at("etc/containers/systemd/"+name+".syscontainer"), "[Container]\nImage="+reference+"\n"+strings.Join(lines, "\n")+"\n")
}

// export runs the verb, which has to succeed.
func (s *exportScene) export(args ...string) (stdout, stderr string) {
	s.t.Helper()
	stdout, stderr, status := command(s.t, append([]string{"--root", s.root, "export"}, args...)...)
	if status != 0 {
		s.t.Fatalf("export %v: status %d: %s", args, status, stderr)
	}
	s.agrees()
	return stdout, stderr
}

// refused runs the verb, which has to fail, name these words and change nothing.
func (s *exportScene) refused(words []string, args ...string) {
	s.t.Helper()
	before := s.tree()
	stdout, stderr, status := command(s.t, append([]string{"--root", s.root, "export"}, args...)...)
	if status != 1 || stdout != "" {
		s.t.Errorf("export %v: status %d, %s", args, status, stdout)
	}
	for _, w := range words {
		if !strings.Contains(stderr, w) {
			s.t.Errorf("export %v: want %q in\n%s", args, w, stderr)
		}
	}
	if after := s.tree(); after != before {
		s.t.Errorf("export %v changed\n%s\nto\n%s", args, before, after)
	}
	s.agrees()
}

// tree is the host, one file a line, without the store but for its records.
func (s *exportScene) tree() string {
	s.t.Helper()
	var lines []string
	err := filepath.WalkDir(s.root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		short := strings.TrimPrefix(name, s.root)
		if slices.Contains([]string{"/etc/containers", "/var/lib/syscontainer", "/etc/machine-id"}, short) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.Type() == fs.ModeSymlink:
			to, err := os.Readlink(name)
			if err != nil {
				return err
			}
			short += " -> " + to
		case d.Type().IsRegular():
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			short += " " + info.Mode().String() + " " + string(data)
		default:
			short += "/ " + info.Mode().String()
		}
		lines = append(lines, short)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// agrees checks that records and disk say the same, and that nothing half done is there.
func (s *exportScene) agrees() {
	s.t.Helper()
	all, err := store.ListExports(s.root)
	if err != nil {
		s.t.Fatal(err)
	}
	m := openMachine(s.root)
	defer m.close()
	owners := map[string]string{}
	for name, e := range all {
		if e.Unfinished {
			s.t.Errorf("the record of %s is unfinished", name)
		}
		for _, f := range e.Files {
			found, err := m.lookAt(f.Path)
			if err != nil {
				s.t.Fatal(err)
			}
			if !f.Kept && found == nil {
				s.t.Errorf("%s has %s, which is not there", name, f.Path)
			}
			if f.Kept && found.isWholly(f) && found.Kind == store.ExportedFile {
				s.t.Logf("%s is kept and the same", f.Path)
			}
			if f.Kept || f.Kind == store.ExportedDir {
				continue
			}
			if other := owners[f.Path]; other != "" {
				s.t.Errorf("%s and %s have %s", other, name, f.Path)
			}
			owners[f.Path] = name
		}
	}
	if tree := s.tree(); strings.Contains(tree, "/.syscontainer-") {
		s.t.Errorf("temporary files are left:\n%s", tree)
	}
}

func (s *exportScene) is(name, content string) {
	s.t.Helper()
	data, err := os.ReadFile(s.at(name))
	if err != nil || string(data) != content {
		s.t.Errorf("%s: %q, %v, want %q", name, data, err, content)
	}
}

func (s *exportScene) absent(names ...string) {
	s.t.Helper()
	for _, name := range names {
		if info, err := os.Lstat(s.at(name)); err == nil {
			s.t.Errorf("%s is there: %v", name, info.Mode())
		}
	}
}

func (s *exportScene) write(name, content string) { writeFile(s.t, s.at(name), content) }

func TestExport(t *testing.T) {
	s := newExportScene(t)
	before := s.tree()
	script := image.File("usr/bin/web-ctl", 0o755, "#!/bin/sh\nexec $ATOMIC exec $NAME ctl \"$$@\"\n")
	setuid := image.File("usr/bin/web-su", 0o4750, "su")
	setuid.Gid = 7
	private := image.Dir("etc/web.d", 0o700)
	private.Uid = 9
	web := s.image("web", `{"renameFiles": {"/etc/web.conf": "/etc/$NAME.conf", "/usr/bin/web-ctl": "/usr/bin/$NAME-ctl"},
		"installedFilesTemplate": ["/usr/bin/web-ctl", "/etc/web.conf"], "defaultValues": {"PORT": "80"}}`,
		script, setuid, image.File("etc/web.conf", 0o640, "port=$PORT runtime=$RUNTIME dir=$DESTDIR\n"), private, image.File("etc/web.d/key", 0o400, "key"),
		image.Symlink("usr/lib/link", "../bin"), image.Symlink("usr/lib/dangling", "/no/where"), image.Dir("var/lib/web/empty", 0o711))
	s.unit("web", web, "Export=yes", "Set=PORT=81")
	dry, _ := s.export("--dry-run", "web")
	if s.tree() != before {
		t.Error("--dry-run changed something")
	}
	out, stderr := s.export("web")
	if strings.ReplaceAll(dry, "would ", "") != out || !strings.Contains(out, "create /usr/bin/web-ctl\n") || !strings.Contains(out, "create /var/lib/web/empty/\n") {
		t.Errorf("would do\n%s\nand does\n%s", dry, out)
	}
	if !strings.Contains(stderr, "/usr/bin/web-su runs with the rights of its owner or group (ug") && !strings.Contains(stderr, "/usr/bin/web-su runs with the rights") {
		t.Errorf("nothing said of setuid: %s", stderr)
	}
	s.is("usr/bin/web-ctl", "#!/bin/sh\nexec /usr/bin/syscontainer exec web ctl \"$@\"\n")
	s.is("etc/web.conf", "port=81 runtime=/usr/bin/runc dir=/run/syscontainer/web/image\n")
	s.absent("usr/lib/dangling/x", "run")
	for name, want := range map[string]uint32{"usr/bin/web-su": unix.S_IFREG | 0o4750, "usr/bin/web-ctl": unix.S_IFREG | 0o755, "etc/web.conf": unix.S_IFREG | 0o640,
		"etc/web.d": unix.S_IFDIR | 0o700, "etc/web.d/key": unix.S_IFREG | 0o400, "var/lib/web/empty": unix.S_IFDIR | 0o711, "usr/lib/link": unix.S_IFLNK | 0o777} {
		var st unix.Stat_t
		if err := unix.Lstat(s.at(name), &st); err != nil || st.Mode != want {
			t.Errorf("%s: mode %o, %v", name, st.Mode, err)
		}
		if name == "usr/bin/web-su" && st.Gid != 7 || name == "etc/web.d" && st.Uid != 9 {
			t.Errorf("%s: owner %d:%d", name, st.Uid, st.Gid)
		}
	}
	// Times are those of the store, but for what was written just now.
	for name, want := range map[string]bool{"usr/bin/web-su": true, "etc/web.d/key": true, "etc/web.conf": false} {
		info, err := os.Stat(s.at(name))
		if err != nil || (info.ModTime().Unix() < 86400) != want {
			t.Errorf("%s is of %v, %v", name, info.ModTime(), err)
		}
	}
	// Below /usr no space is taken: one file with the image's, or its blocks. /etc has copies of its own.
	image := imagesOf(t, s.root)[0].Rootfs
	if inodeOf(t, image+"/exports/hostfs/usr/bin/web-su") != inodeOf(t, s.at("usr/bin/web-su")) && !clones(t) {
		t.Error("/usr/bin/web-su is no link")
	}
	if inodeOf(t, image+"/exports/hostfs/etc/web.d/key") == inodeOf(t, s.at("etc/web.d/key")) {
		t.Error("/etc/web.d/key is the image's own file")
	}
	done := s.tree()
	if out, stderr := s.export("web"); out != "" || stderr != "" || s.tree() != done {
		t.Errorf("again it says %q %q", out, stderr)
	}
	if out, _ := s.export("--undo", "web"); !strings.Contains(out, "remove /etc/web.conf\n") {
		t.Error(out)
	}
	if after := s.tree(); after != before {
		t.Errorf("left is\n%s\nbefore there was\n%s", after, before)
	}
	s.absent("var/lib/syscontainer/containers/web")
	if out, _ := s.export("--undo", "web"); out != "" {
		t.Error(out)
	}
	if out := must(t, s.root, "verify"); out != "" {
		t.Error(out)
	}
}

// clones tells whether files of the temporary directory can share blocks.
func clones(t *testing.T) bool {
	a, err := os.Create(filepath.Join(t.TempDir(), "a"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := os.Create(a.Name() + "b")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	a.WriteString("a")
	return unix.IoctlFileClone(int(b.Fd()), int(a.Fd())) == nil
}

// Files that a later version does not have disappear, also two versions later, and come back with the version before.
func TestExportVersions(t *testing.T) {
	s := newExportScene(t)
	one := s.image("one", "", image.File("etc/a", 0o644, "1"), image.File("etc/gone/b", 0o644, "b"), image.File("usr/bin/kind", 0o755, "file"), image.File("opt/d/f", 0o644, "f"),
		image.File("usr/lib/x", 0o644, "same"), image.File("usr/lib/y", 0o644, "same"))
	two := s.image("two", "", image.File("etc/a", 0o644, "2"), image.File("usr/bin/kind/inside", 0o755, "inside"), image.Symlink("opt/d", "e"), image.File("opt/e/f", 0o644, "f"), image.File("usr/lib/y", 0o600, "same"))
	s.unit("web", one, "Export=yes")
	s.export("web")
	first := s.tree()
	for range 2 {
		s.unit("web", two, "Export=yes")
		out, _ := s.export("web")
		s.is("etc/a", "2")
		s.is("usr/bin/kind/inside", "inside")
		s.absent("etc/gone", "usr/lib/x")
		if to, err := os.Readlink(s.at("opt/d")); to != "e" {
			t.Error(to, err)
		}
		if !strings.Contains(out, "replace /etc/a\n") || !strings.Contains(out, "remove /etc/gone\n") {
			t.Error(out)
		}
		s.unit("web", one, "Export=yes")
		s.export("web")
		if tree := s.tree(); tree != first {
			t.Errorf("back it is\n%s\nand was\n%s", tree, first)
		}
	}
	s.unit("web", one, "Export=/etc/a /nothing")
	if _, stderr := s.export("web"); !strings.Contains(stderr, "Export=/nothing: the image has no such file") {
		t.Error(stderr)
	}
	s.is("etc/a", "1")
	s.absent("usr/bin/kind", "opt/d", "etc/gone")
	s.unit("web", one)
	s.export("web")
	s.absent("etc/a", "var/lib/syscontainer/containers/web")
}

// What the admin has or changes stays, is told, and outlives the container.
func TestExportKeeps(t *testing.T) {
	s := newExportScene(t)
	one := s.image("one", "", image.File("etc/a", 0o644, "1"), image.File("etc/b", 0o644, "1"), image.File("etc/c", 0o644, "1"), image.File("etc/d/e", 0o644, "1"), image.File("etc/mode", 0o644, "1"))
	two := s.image("two", "", image.File("etc/a", 0o644, "2"), image.File("etc/b", 0o644, "2"), image.File("etc/c", 0o644, "2"), image.File("etc/d/e", 0o644, "2"), image.File("etc/mode", 0o644, "2"))
	s.write("etc/a", "admin")
	if err := os.Symlink("/no/where", s.at("etc/c")); err != nil {
		t.Fatal(err)
	}
	s.unit("web", one, "Export=yes")
	_, stderr := s.export("web")
	for _, want := range []string{"/etc/a is there already", "/etc/c is there already"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("want %q: %s", want, stderr)
		}
	}
	s.absent("no")
	s.write("etc/b", "edited")
	s.write("etc/d/own", "own")
	if err := os.Chmod(s.at("etc/mode"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.unit("web", two, "Export=yes")
	_, stderr = s.export("web")
	for _, want := range []string{"/etc/a is there", "/etc/b was changed", "/etc/c is there", "/etc/mode was changed"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("want %q: %s", want, stderr)
		}
	}
	s.is("etc/a", "admin")
	s.is("etc/b", "edited")
	s.is("etc/d/e", "2")
	s.is("etc/mode", "1")
	s.write("etc/d/e", "edited, too")
	_, stderr = s.export("--undo", "web")
	for _, want := range []string{"/etc/d/e was changed", "/etc/d is not empty"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("want %q: %s", want, stderr)
		}
	}
	s.is("etc/a", "admin")
	s.is("etc/b", "edited")
	s.is("etc/d/e", "edited, too")
	s.is("etc/d/own", "own")
	s.absent("var/lib/syscontainer/containers/web")

	// Whose file the admin removes gets it again, and so does whose place the admin frees.
	if err := os.RemoveAll(s.at("etc/d")); err != nil {
		t.Fatal(err)
	}
	os.Remove(s.at("etc/a"))
	s.export("web")
	s.is("etc/a", "2")
	os.Remove(s.at("etc/a"))
	s.export("web")
	s.is("etc/a", "2")
}

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

func TestExportLinks(t *testing.T) {
	s := newExportScene(t)
	if clones(t) {
		t.Skip("files share blocks here, and no links are made")
	}
	no := s.image("no", `{"useLinks": false}`, image.File("usr/bin/a", 0o755, "1"))
	s.unit("no", no, "Export=yes")
	s.export("no")
	var st syscall.Stat_t
	if err := syscall.Stat(s.at("usr/bin/a"), &st); err != nil || st.Nlink != 1 {
		t.Errorf("%d links, %v", st.Nlink, err)
	}
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
	if out := must(t, s.root, "prune"); !strings.Contains(out, "remove /etc/a\n") {
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

// Of all attributes a program's capabilities go to the host.
func TestExportCapabilities(t *testing.T) {
	s := newExportScene(t)
	capability := "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" // cap_net_bind_service=ep
	file := image.File("opt/tool", 0o755, "1")
	file.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": capability, "SCHILY.xattr.user.note": "image's"}
	web := s.image("web", "", file)
	s.unit("web", web, "Export=yes")
	s.export("web")
	value := make([]byte, 64)
	if n, err := unix.Lgetxattr(s.at("opt/tool"), "security.capability", value); err != nil || string(value[:n]) != capability {
		t.Errorf("%q, %v", value[:max(n, 0)], err)
	}
	if _, err := unix.Lgetxattr(s.at("opt/tool"), "user.note", value); err == nil {
		t.Error("an attribute of the image's own is on the host")
	}
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

// What matchpathcon(8) says, one line a path.
func TestAskLabels(t *testing.T) {
	dir := t.TempDir()
	program := func(script string) string {
		name := filepath.Join(dir, "matchpathcon")
		if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
		return name
	}
	var paths []string
	for i := range 1001 {
		paths = append(paths, "/usr/bin/"+strings.Repeat("x", i%7+1)+"/"+string(rune('a'+i%26)))
	}
	labels, err := askLabels(program(`[ "$1 $2" = "-n --" ] || exit 1; shift 2; for p; do case $p in */b) echo "<<none>>" ;; *) echo "label:$p" ;; esac; done`), paths)
	if err != nil || labels[paths[1000]] != "label:"+paths[1000] {
		t.Errorf("%v, %v", labels[paths[1000]], err)
	}
	for name, label := range labels {
		if label != "label:"+name || strings.HasSuffix(name, "/b") {
			t.Errorf("%s: %s", name, label)
		}
	}
	for _, script := range []string{"exit 1", "echo one"} {
		if _, err := askLabels(program(script), paths); err == nil {
			t.Errorf("%s is taken for an answer", script)
		}
	}
	if _, err := askLabels(filepath.Join(dir, "none"), paths); err == nil {
		t.Error("no program is no error")
	}
}
