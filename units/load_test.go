package units

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// tree makes files below a new root: "PATH" to text, "PATH ->" to a link's target,
// "PATH/" to a directory.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		link := strings.HasSuffix(name, " ->")
		full := filepath.Join(root, strings.TrimSuffix(name, " ->"))
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		switch {
		case link:
			must(t, os.Symlink(text, full))
		case strings.HasSuffix(name, "/"):
			must(t, os.MkdirAll(full, 0o755))
		default:
			must(t, os.WriteFile(full, []byte(text), 0o644))
		}
	}
	return root
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// show is one line for each unit: name, file, the image, E for errors.
func show(s *Set) string {
	var b strings.Builder
	for _, u := range s.Units {
		fmt.Fprintf(&b, "%s %s", u.Name.Full, u.Path)
		for _, l := range u.Section("Container") {
			fmt.Fprintf(&b, " %s", l.Value)
		}
		for _, p := range u.Errors {
			fmt.Fprintf(&b, " E(%s)", strings.ReplaceAll(p.Error(), "\n", " "))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func expect(t *testing.T, s *Set, want string) {
	t.Helper()
	if got := show(s); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

const (
	run = "/run/containers/systemd/"
	etc = "/etc/containers/systemd/"
	usr = "/usr/share/containers/systemd/"
)

func unit(image string) string { return "[Container]\nImage=" + image + "\n" }

func TestFirstNameWins(t *testing.T) {
	root := tree(t, map[string]string{
		run + "a.syscontainer": unit("run"), etc + "a.syscontainer": unit("etc"), usr + "a.syscontainer": unit("usr"),
		etc + "b.syscontainer": unit("etc"), usr + "sub/b.syscontainer": unit("usr"),
		usr + "sub/deep/c.syscontainer": unit("usr"), usr + ".hidden/h.syscontainer": unit("usr"),
		usr + "not.d/d.syscontainer": unit("usr"), usr + "e.container": unit("usr"), usr + "f.txt": "", etc + "users-apps/u.syscontainer": unit("etc"),
	})
	s := Load(root, Directories())
	expect(t, s, "a /run/containers/systemd/a.syscontainer run\nb /etc/containers/systemd/b.syscontainer etc\n"+
		"c /usr/share/containers/systemd/sub/deep/c.syscontainer usr\nh /usr/share/containers/systemd/.hidden/h.syscontainer usr\n"+
		"u /etc/containers/systemd/users-apps/u.syscontainer etc\n")
	if len(s.Problems) > 0 || s.Quadlet["e"] != usr+"e.container" {
		t.Error(s.Problems, s.Quadlet)
	}
}

// Quadlet drops all units of the directory then, and lets the vendor's file run.
func TestBadFilesTouchNobody(t *testing.T) {
	root := tree(t, map[string]string{
		etc + "good.syscontainer": unit("good"), etc + "syntax.syscontainer": "[Container", etc + "dangling.syscontainer ->": "/nowhere",
		etc + "loop.syscontainer ->": "loop.syscontainer", etc + "dir.syscontainer/x": "", etc + "latin.syscontainer": "[A]\nB=\xe9\n",
		usr + "syntax.syscontainer": unit("usr"), usr + "dangling.syscontainer": unit("usr"), usr + "dir.syscontainer": unit("usr"),
		usr + "loop.syscontainer": unit("usr"), usr + "fifo.syscontainer": unit("usr"),
	})
	must(t, syscall.Mkfifo(root+etc+"fifo.syscontainer", 0o644))
	expect(t, Load(root, Directories()), `dangling /etc/containers/systemd/dangling.syscontainer E(/etc/containers/systemd/dangling.syscontainer: the link leads nowhere hint: a link to /dev/null takes the unit away)
dir /etc/containers/systemd/dir.syscontainer E(/etc/containers/systemd/dir.syscontainer: is a directory, where a file is expected)
fifo /etc/containers/systemd/fifo.syscontainer E(/etc/containers/systemd/fifo.syscontainer: is no file)
good /etc/containers/systemd/good.syscontainer good
latin /etc/containers/systemd/latin.syscontainer E(/etc/containers/systemd/latin.syscontainer:2: not valid UTF-8)
loop /etc/containers/systemd/loop.syscontainer E(/etc/containers/systemd/loop.syscontainer: cannot be read: too many levels of symbolic links)
syntax /etc/containers/systemd/syntax.syscontainer E(/etc/containers/systemd/syntax.syscontainer:1: section header "[Container" has no ] at its end)
`)
}

// A root that an OS build puts together has no devices.
func TestMaskInARootWithoutDevices(t *testing.T) {
	root := tree(t, map[string]string{
		etc + "web.syscontainer ->": "/dev/null", usr + "web.syscontainer": unit("usr"),
		etc + "db.syscontainer": unit("db"), etc + "db.syscontainer.d/x.conf ->": "/dev/null", usr + "db.syscontainer.d/x.conf": unit("x"),
		etc + "far.syscontainer ->": "/dev/nullify",
	})
	s := Load(root, Directories())
	expect(t, s, `db /etc/containers/systemd/db.syscontainer db
far /etc/containers/systemd/far.syscontainer E(/etc/containers/systemd/far.syscontainer: the link leads nowhere hint: a link to /dev/null takes the unit away)
`)
	if !slices.Equal(s.Masked, []string{"web"}) {
		t.Errorf("masked: %q", s.Masked)
	}
}

func TestMasks(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/a", 0o755))
	must(t, os.MkdirAll(dir+"/b", 0o755))
	must(t, os.Symlink("/dev/null", dir+"/a/null.syscontainer"))
	must(t, os.WriteFile(dir+"/a/empty.syscontainer", nil, 0o644))
	must(t, os.WriteFile(dir+"/a/comment.syscontainer", []byte("# c\n"), 0o644))
	for _, name := range []string{"null", "empty", "comment"} {
		must(t, os.WriteFile(dir+"/b/"+name+".syscontainer", []byte(unit("b")), 0o644))
	}
	s := Load("", []string{dir + "/a", dir + "/b"})
	expect(t, s, "comment "+dir+"/a/comment.syscontainer\n")
	if !slices.Equal(s.Masked, []string{"empty", "null"}) {
		t.Error(s.Masked)
	}
}

func TestDropins(t *testing.T) {
	root := tree(t, map[string]string{
		usr + "a-b.syscontainer": unit("0"),
		// The more specific directory, then the earlier one; then the order of names.
		usr + "a-b.syscontainer.d/10.conf": unit("usr"), etc + "a-b.syscontainer.d/10.conf": unit("10"), run + "a-.syscontainer.d/10.conf": unit("a-"),
		run + "syscontainer.d/20.conf": unit("20"), usr + "a-.syscontainer.d/20.conf": unit("a-20"),
		etc + "syscontainer.d/05.conf": unit("05"), etc + "sub/a-b.syscontainer.d/30.conf": unit("30"),
		etc + "a-b.syscontainer.d/40.conf ->": "/dev/null", usr + "a-b.syscontainer.d/40.conf": unit("40"),
		etc + "a-b.syscontainer.d/50.conf": "", usr + "a-b.syscontainer.d/50.conf": unit("50"),
		etc + "a-b.syscontainer.d/60.txt": unit("60"), etc + "a.syscontainer.d/70.conf": unit("70"),
	})
	must(t, os.MkdirAll(root+"/dev", 0o755))
	must(t, syscall.Mknod(root+"/dev/null", syscall.S_IFCHR|0o666, 1<<8|3))
	s := Load(root, Directories())
	expect(t, s, "a-b /usr/share/containers/systemd/a-b.syscontainer 0 05 10 a-20 30\n")
	if !slices.Equal(s.Units[0].Sources, []string{usr + "a-b.syscontainer", etc + "syscontainer.d/05.conf", etc + "a-b.syscontainer.d/10.conf",
		usr + "a-.syscontainer.d/20.conf", etc + "sub/a-b.syscontainer.d/30.conf"}) {
		t.Error(s.Units[0].Sources)
	}
}

// Quadlet leaves such a drop-in out and starts the container without it.
func TestBadDropinFailsItsUnit(t *testing.T) {
	root := tree(t, map[string]string{
		etc + "a.syscontainer": unit("a"), etc + "b.syscontainer": unit("b"), etc + "c.syscontainer": unit("c"),
		etc + "a.syscontainer.d/x.conf": "[Container]\nImage=x\n[bad\n", etc + "c.syscontainer.d/y.conf ->": "/nowhere", etc + "c.syscontainer.d/z.conf/": "",
	})
	expect(t, Load(root, Directories()), `a /etc/containers/systemd/a.syscontainer a E(/etc/containers/systemd/a.syscontainer.d/x.conf:3: section header "[bad" has no ] at its end)
b /etc/containers/systemd/b.syscontainer b
c /etc/containers/systemd/c.syscontainer c E(/etc/containers/systemd/c.syscontainer.d/y.conf: the link leads nowhere hint: a link to /dev/null takes the unit away) E(/etc/containers/systemd/c.syscontainer.d/z.conf: is a directory, where a file is expected)
`)
}

func TestTemplates(t *testing.T) {
	root := tree(t, map[string]string{
		etc + "w-x@.syscontainer": unit("t"), etc + "w-x@.syscontainer.d/1.conf": unit("1"), etc + "w-.syscontainer.d/4.conf": unit("4"),
		etc + "w-@.syscontainer.d/3.conf": unit("3"), etc + "w-x@blue.syscontainer ->": "w-x@.syscontainer",
		etc + "w-x@blue.syscontainer.d/2.conf": unit("2"), etc + "w-x@red.syscontainer.d/5.conf": unit("5"), etc + "none@y.syscontainer.d/6.conf": unit("6"),
	})
	s := Load(root, Directories())
	expect(t, s, "w-x@ /etc/containers/systemd/w-x@.syscontainer t 1 3 4\n"+
		"w-x@blue /etc/containers/systemd/w-x@blue.syscontainer t 1 2 3 4\n"+
		"w-x@red /etc/containers/systemd/w-x@.syscontainer t 1 3 4 5\n")
	if s.Units[1].Derived || !s.Units[2].Derived {
		t.Error("only the instance without a file is derived")
	}
}

func TestServiceName(t *testing.T) {
	named := func(name string) string { return unit("q.io/x") + "ServiceName=" + name + "\n" }
	root := tree(t, map[string]string{
		etc + "a.syscontainer": named("first\nServiceName=zeta"), etc + "b.syscontainer": named("\"beta\""), etc + "c.syscontainer": named("x\nServiceName="),
		etc + "d.syscontainer": unit("q.io/x"), etc + "d.syscontainer.d/n.conf": "[Container]\nServiceName=delta\n",
		etc + "delta.syscontainer.d/n.conf": "[Container]\nImage=q.io/not-ours\n", etc + "two.syscontainer": named("delta"),
		etc + "t@.syscontainer": named("tau@"), etc + "t@i.syscontainer ->": "t@.syscontainer", etc + "t@j.syscontainer.d/j.conf": unit("q.io/j"),
		etc + "e.syscontainer": named("e.service"), etc + "f.syscontainer": named("../f"), etc + "g.syscontainer": named("%p"), etc + "h.syscontainer": named("h@x"),
		etc + "i@.syscontainer": named("i"), etc + "k@i.syscontainer": named("k@i"), etc + "l.syscontainer": "[Service]\nServiceName=x\n" + unit("q.io/x"),
	})
	s := Load(root, Directories())
	var names []string
	for _, u := range s.Units {
		name := u.Stem.Full + "=" + u.Name.Full
		for _, p := range u.Errors {
			name += " (" + strings.TrimPrefix(strings.ReplaceAll(p.Error(), "\n", " "), etc) + ")"
		}
		names = append(names, name)
	}
	want := []string{
		"b=beta", "c=c", "d=delta", "two=delta",
		`e=e (e.syscontainer:3: ServiceName=: "e.service" has a suffix hint: write ServiceName=e)`,
		`f=f (f.syscontainer:3: ServiceName=: "../f" is no unit name hint: letters, digits and :-_.\@ may stand in the name of a unit)`,
		`g=g (g.syscontainer:3: ServiceName=: "%p": specifiers are not possible in the name of a service hint: write the name itself)`,
		`h=h (h.syscontainer:3: ServiceName=: "h@x" is not possible hint: an @ stands in the name of a template only)`,
		`i@=i@ (i@.syscontainer:3: ServiceName=: "i" is no name of a template: no @ is at its end hint: write for example ServiceName=i@)`,
		`k@i=k@i (k@i.syscontainer:3: ServiceName=: "k@i" has no @ at its end, behind which the instance stands hint: write for example ServiceName=k@)`,
		"l=l", "t@=tau@", "t@i=tau@i", "t@j=tau@j", "a=zeta",
	}
	if !slices.Equal(names, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(names, "\n"), strings.Join(want, "\n"))
	}
	for _, u := range s.Units { // to the container the key means nothing
		if _, errs, _ := u.Container(); len(errs) > 0 {
			t.Error(u.Stem.Full, errs)
		}
	}
}

// Many files are read at the same time; nothing else changes.
func TestManyUnits(t *testing.T) {
	files := map[string]string{etc + "u007.syscontainer": "", etc + "u008.syscontainer": "[bad", etc + "u009@.syscontainer": unit("t"), etc + "u009@x.syscontainer.d/x.conf": unit("x")}
	for i := range 300 {
		if i < 7 || i > 9 {
			files[etc+fmt.Sprintf("u%03d.syscontainer", i)] = unit(fmt.Sprint("image", i))
		}
	}
	s := Load(tree(t, files), Directories())
	if len(s.Units) != 300 || !slices.Equal(s.Masked, []string{"u007"}) || len(s.Units[7].Errors) != 1 || s.Units[9].Section("Container")[1].Value != "x" {
		t.Fatal(len(s.Units), s.Masked, show(s)[:2000])
	}
	for i, u := range s.Units[10:] {
		if u.Name.Full != fmt.Sprintf("u%03d", i+10) || u.Section("Container")[0].Value != fmt.Sprint("image", i+10) || len(u.Errors) > 0 {
			t.Errorf("%d: %+v", i, u)
		}
	}
}

// Lines of a section may stand in several places; the result is theirs alone.
func TestSection(t *testing.T) {
	lines, _, _ := lex("f", "[A]\nX=1\nX=2\n[B]\nX=3\n[A]\nX=4\n[C]\nX=5")
	u := Unit{Lines: lines}
	for name, want := range map[string]string{"A": "124", "B": "3", "C": "5", "D": ""} {
		got := ""
		for _, line := range u.Section(name) {
			got += line.Value
		}
		if _ = append(u.Section(name), Line{Value: "new"}); got != want {
			t.Errorf("[%s] has %s, want %s", name, got, want)
		}
	}
	if u.Lines[2].Value != "3" || u.Lines[3].Value != "4" {
		t.Error("appending to a section changed the next one")
	}
}

func TestLinkedDirectories(t *testing.T) {
	root := tree(t, map[string]string{
		"/srv/apps/a.syscontainer": unit("a"), "/srv/apps/back ->": "/etc/containers/systemd", etc + "apps ->": "/srv/apps",
		etc + "again ->": "../../../srv/apps", etc + "self ->": ".", etc + "up ->": "../../../../../../../..", etc + "z.syscontainer ->": "/srv/z",
		"/srv/z": unit("z"), etc + "out.syscontainer ->": "../../../../../../../../srv/z",
	})
	s := Load(root, []string{"/etc/containers/systemd"})
	expect(t, s, "a /etc/containers/systemd/again/a.syscontainer a\nout /etc/containers/systemd/out.syscontainer z\nz /etc/containers/systemd/z.syscontainer z\n")
}

func TestNamesAndTwins(t *testing.T) {
	root := tree(t, map[string]string{
		etc + "we ird.syscontainer": unit("a"), etc + ".syscontainer": unit("a"), etc + "-x.syscontainer": unit("a"), etc + "@i.syscontainer": unit("a"),
		etc + "a\nb.syscontainer": unit("a"), etc + "..syscontainer": unit("a"), etc + strings.Repeat("l", 242) + ".syscontainer": unit("l"),
		etc + "app1/db.syscontainer": unit("1"), etc + "app2/db.syscontainer": unit("2"),
	})
	s := Load(root, Directories())
	if len(s.Units) != 2 || len(s.Problems) != 6 {
		t.Error(show(s), s.Problems)
	}
	if w := s.Units[0].Warnings.Error(); w != etc+"app2/db.syscontainer: ignoring, "+etc+"app1/db.syscontainer has the same name" {
		t.Error(w)
	}
}

func TestSectionsAndPrivacy(t *testing.T) {
	root := tree(t, map[string]string{etc + "a.syscontainer": "[Contianer]\nImage=x\n[X-Mine]\nA=1\n[Unit]\nA=1\n[Quadlet]\nA=1\n"})
	must(t, os.Chmod(root+etc+"a.syscontainer", 0o640))
	u := Load(root, Directories()).Units[0]
	if w := u.Warnings.Error(); w != etc+"a.syscontainer:2: unknown section \"[Contianer]\", ignoring it\nhint: did you mean [Container]?" || !u.Private {
		t.Error(w, u.Private)
	}
}

func TestSearchPath(t *testing.T) {
	t.Setenv("SYSCONTAINER_UNIT_DIRS", "/a:b::/c/")
	if got := SearchPath(); !slices.Equal(got, []string{"/a", "/c"}) {
		t.Error(got)
	}
	if s := Load(t.TempDir(), Directories()); len(s.Units)+len(s.Problems) != 0 {
		t.Error("missing directories are fine")
	}
}
