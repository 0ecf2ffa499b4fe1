package main

import (
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
	if strings.NewReplacer("would create ", "created ").Replace(dry) != out || !strings.Contains(out, "created /usr/bin/web-ctl\n") || !strings.Contains(out, "created /var/lib/web/empty/\n") {
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
	if out, _ := s.export("--undo", "web"); !strings.Contains(out, "removed /etc/web.conf\n") {
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
		if !strings.Contains(out, "replaced /etc/a\n") || !strings.Contains(out, "removed /etc/gone\n") {
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
