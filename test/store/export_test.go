// SPDX-License-Identifier: Apache-2.0

package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

// exportCalls are the steps by which files get to the host: by more of them than an image gets into the store.
const exportCalls = changingCalls + "," + lastingCalls + ",fchown,fchmod,write,utimensat"

// exportImage has files below exports/hostfs.
func exportImage(entries ...image.Entry) image.Image {
	all := []image.Entry{image.Dir("exports", 0o755), image.Dir("exports/hostfs", 0o755)}
	seen := map[string]bool{}
	for _, e := range entries {
		e.Name = "exports/hostfs/" + e.Name
		for i, c := range e.Name {
			if dir := e.Name[:i]; c == '/' && len(dir) > len("exports/hostfs") && !seen[dir] && dir+"/" != e.Name {
				seen[dir] = true
				all = append(all, image.Dir(dir, 0o755))
			}
		}
		all = append(all, e)
	}
	return image.Image{Layers: []image.Layer{{Entries: all}}}
}

// exportWorld is a machine with two versions of an image, and what the host looks like with each.
type exportWorld struct {
	t      *testing.T
	d      *disk
	m      *machine
	images map[string]string // version to reference
	hosts  map[string]string // the same to the host with it; "" is without
	mine   string            // a file of the admin's
	lines  []string          // and what host says of it and of its directory
}

func newExportWorld(t *testing.T) *exportWorld {
	t.Helper()
	host.Need(t, "strace")
	d := newDisk(t, 64<<20)
	w := &exportWorld{t: t, d: d, m: d.machine(), images: map[string]string{}, hosts: map[string]string{}}
	l, err := image.Create(t.TempDir())
	must(t, err)
	own := image.File("etc/owned", 0o4640, "owned\n")
	own.Uid, own.Gid = 1000, 1001
	for version, img := range map[string]image.Image{
		"1": exportImage(image.File("etc/conf", 0o644, "1\n"), image.File("usr/bin/tool", 0o755, noise("one", 200_000)), image.Symlink("usr/bin/link", "tool"), own,
			image.File("usr/lib/kind", 0o644, "a file\n"), image.File("opt/one/a", 0o644, "a\n"), image.Dir("opt/empty", 0o700), image.File("usr/lib/same", 0o644, "same\n")),
		"2": exportImage(image.File("etc/conf", 0o600, "2\n"), image.File("usr/bin/tool", 0o755, noise("two", 150_000)), image.Symlink("usr/bin/link", "/usr/bin/tool"), own,
			image.File("usr/lib/kind/of/directory", 0o644, "inside\n"), image.File("opt/two/a", 0o644, "a\n"), image.Symlink("opt/one", "two"), image.File("usr/lib/same", 0o644, "same\n")),
	} {
		_, err := l.Put(version, img)
		must(t, err)
		w.images[version] = "oci:" + l.Dir + ":" + version
		w.m.ok("pull", w.images[version])
	}
	for _, dir := range []string{"usr/bin", "usr/lib"} {
		must(t, os.MkdirAll(w.m.path(dir), 0o755))
	}
	for _, version := range []string{"", "1", "2"} {
		w.reach(version)
		w.hosts[version] = w.host()
	}
	if w.hosts["1"] == w.hosts["2"] || w.hosts["1"] == w.hosts[""] {
		t.Fatal("nothing was exported:", w.hosts["1"])
	}
	return w
}

// want lets the unit name a version; "" takes the unit away.
func (w *exportWorld) want(version string) {
	w.t.Helper()
	if version == "" {
		must(w.t, os.RemoveAll(w.m.path(unitDir, "web.syscontainer")))
		return
	}
	w.m.write(unitDir+"/web.syscontainer", "[Container]\nImage="+w.images[version]+"\nExport=yes\n")
}

// reach brings the host to a version, from wherever it is.
func (w *exportWorld) reach(version string) {
	w.t.Helper()
	w.want(version)
	if r := w.m.run(toReach(version)...); r.code != 0 {
		w.t.Fatal(r)
	}
}

func toReach(version string) []string {
	if version == "" {
		return []string{"export", "--undo", "web"}
	}
	return []string{"export", "web"}
}

// hurt runs a command that is hurt at its nth call of some kind, and after that, if so, by a power cut.
func (w *exportWorld) hurt(args []string, calls, harm string, nth int, cut bool) (r result, hit bool) {
	t := w.t
	t.Helper()
	cmd := w.m.command(args...)
	log := filepath.Join(t.TempDir(), "strace")
	strace(cmd, calls, harm, nth, log)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	must(t, cmd.Start())
	late := time.AfterFunc(2*time.Minute, func() { cmd.Process.Kill() })
	cmd.Wait()
	late.Stop()
	r = result{args, stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	if cut {
		w.d.cut()
		w.d.again()
	}
	said, err := os.ReadFile(log)
	must(t, err)
	return r, r.code == -1 || strings.Contains(string(said), "(INJECTED)")
}

// host is all that is on it but the store, one file a line.
func (w *exportWorld) host() string {
	w.t.Helper()
	var lines []string
	must(w.t, filepath.WalkDir(w.m.root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		short := strings.TrimPrefix(name, w.m.root)
		if short == "/var/lib/syscontainer" || short == "/etc/containers" || short == "/lost+found" {
			return fs.SkipDir
		}
		lines = append(lines, w.line(short))
		return nil
	}))
	return strings.Join(lines, "\n")
}

// line is what host says of one path.
func (w *exportWorld) line(name string) string {
	w.t.Helper()
	info, err := os.Lstat(w.m.path(name))
	must(w.t, err)
	text := name + " " + info.Mode().String() + " " + owner(info)
	switch {
	case info.Mode().Type() == fs.ModeSymlink:
		to, err := os.Readlink(w.m.path(name))
		must(w.t, err)
		text += " " + to
	case info.Mode().IsRegular():
		text += " " + sumOf(w.t, w.m.path(name))
	}
	return text
}

// admin writes a file, which nothing may change from then on, until what it returns is called.
func (w *exportWorld) admin(name string) (end func()) {
	w.t.Helper()
	w.mine = "/" + name
	above := filepath.Dir(w.mine)
	_, err := os.Lstat(w.m.path(above))
	w.m.write(name, "mine\n")
	w.lines = []string{w.line(w.mine), w.line(above)}
	own := err != nil || above == "/opt" // nobody else has anything in there when the container has gone
	return func() {
		w.reach("")
		must(w.t, os.Remove(w.m.path(w.mine)))
		if own {
			must(w.t, os.Remove(w.m.path(above)))
		}
		w.mine, w.lines = "", nil
	}
}

// withMine is the host with the admin's file.
func (w *exportWorld) withMine(host string) string {
	lines := slices.DeleteFunc(strings.Split(host, "\n"), func(l string) bool { return strings.HasPrefix(l, w.mine+" ") })
	for _, own := range w.lines {
		name, _, _ := strings.Cut(own, " ")
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+" ") }) {
			lines = append(lines, own)
		}
	}
	// As a walk goes: by components.
	slices.SortFunc(lines, func(a, b string) int {
		a, _, _ = strings.Cut(a, " ")
		b, _, _ = strings.Cut(b, " ")
		return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
	})
	return strings.Join(lines, "\n")
}

func owner(info fs.FileInfo) string {
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d", st.Uid, st.Gid)
}

func sumOf(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	must(t, err)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// agree checks what the record says, as syscontainer-store(5) describes it, against the disk: nothing is unfinished, all that
// the container has is there, and nothing that it has not.
func (w *exportWorld) agree(what, host string) {
	w.t.Helper()
	got := w.host()
	if got != host {
		w.t.Fatalf("%s: the host is\n%s\nwant\n%s", what, got, host)
	}
	var record struct {
		Unfinished bool
		Files      []struct {
			Path, Kind, Sha256, Link string
			Kept                     bool
		}
	}
	data, err := os.ReadFile(w.m.store("containers/web/exports.json"))
	if os.IsNotExist(err) {
		data, err = []byte("{}"), nil
	}
	must(w.t, err)
	must(w.t, json.Unmarshal(data, &record))
	var has []string
	for _, f := range record.Files {
		if f.Kept {
			continue
		}
		has = append(has, f.Path)
		info, err := os.Lstat(w.m.path(f.Path))
		must(w.t, err)
		to, _ := os.Readlink(w.m.path(f.Path))
		switch {
		case f.Kind == "directory" && info.IsDir():
		case f.Kind == "link" && to == f.Link:
		case f.Kind == "file" && info.Mode().IsRegular() && sumOf(w.t, w.m.path(f.Path)) == f.Sha256:
		default:
			w.t.Fatalf("%s: the record has %v, the disk %v", what, f, info)
		}
	}
	if record.Unfinished {
		w.t.Fatalf("%s: the record is unfinished: %s", what, data)
	}
	before := strings.Split(w.hosts[""], "\n")
	for line := range strings.Lines(got) {
		line = strings.TrimSuffix(line, "\n")
		name, _, _ := strings.Cut(line, " ")
		admins := w.mine != "" && (name == w.mine || name == filepath.Dir(w.mine))
		if !slices.Contains(before, line) && !slices.Contains(has, name) && !admins {
			w.t.Fatalf("%s: %s is in no record", what, line)
		}
	}
}

// whole checks what is there in the middle: each file as it was or as it is to be, or not at all. Only the names beside them
// may hold anything.
func (w *exportWorld) whole(what string, hosts ...string) {
	w.t.Helper()
	var known []string
	for _, h := range hosts {
		known = append(known, strings.Split(h, "\n")...)
	}
	for line := range strings.Lines(w.host()) {
		line = strings.TrimSuffix(line, "\n")
		name, rest, _ := strings.Cut(line, " ")
		if strings.HasPrefix(rest, "d") || strings.Contains(name, "/.syscontainer-") || slices.Contains(known, line) {
			continue
		}
		w.t.Fatalf("%s: half done: %s", what, line)
	}
}

// exportScene is a command that changes the host from one version to another.
type exportScene struct {
	name, from, to string
	args           []string
	mine           string // of the admin: a file of his own beside the container's, or a file of the container's that he edits
}

var exportScenes = []exportScene{
	{"install", "", "1", []string{"export", "web"}, ""},
	{"update", "1", "2", []string{"export", "web"}, ""},
	{"rollback", "2", "1", []string{"export", "web"}, ""},
	{"update beside the admin", "1", "2", []string{"export", "web"}, "opt/mine"},
	{"update after an edit", "1", "2", []string{"export", "web"}, "etc/conf"},
	{"rollback after an edit", "2", "1", []string{"export", "web"}, "etc/conf"},
	{"remove", "2", "", []string{"export", "--undo", "web"}, ""},
	{"remove after an edit", "1", "", []string{"export", "--undo", "web"}, "etc/conf"},
	{"prune", "1", "", []string{"prune"}, ""},
	{"uninstall", "2", "", []string{"uninstall", "web"}, ""},
}

// hurt plays a scene whose command is hurt at its nth step. Afterwards the host is brought to one of the versions, and must be
// just that, whichever it is.
func (s exportScene) hurt(w *exportWorld, rnd *rand.Rand, calls, harm string, nth int, cut bool) (r result, hit bool) {
	t := w.t
	t.Helper()
	w.reach("")
	w.reach(s.from)
	with := func(host string) string { return host }
	if s.mine != "" {
		defer w.admin(s.mine)()
		with = w.withMine
	}
	if s.args[0] != "uninstall" { // which removes the unit by itself
		w.want(s.to)
	}
	w.d.sync()
	first := cut && (nth == never || rnd.IntN(2) == 0) // or it is lost with the second what the first has not made durable
	r, hit = w.hurt(s.args, calls, harm, nth, first)
	what := s.name + ", " + harm + ": " + r.String()
	w.whole(what, with(w.hosts[s.from]), with(w.hosts[s.to]))
	if r.code == 0 {
		w.agree(what, with(w.hosts[s.to]))
	}
	next := []string{s.to, s.from, ""}[nth%3]
	if hit && harm == "signal=KILL" { // and what would put it right, too
		kinds := strings.Split(exportCalls, ",")
		w.want(next)
		again, _ := w.hurt(toReach(next), kinds[rnd.IntN(len(kinds))], harm, 1+rnd.IntN(8), cut)
		what += "then " + again.String()
		w.whole(what, with(w.hosts[s.from]), with(w.hosts[s.to]), with(w.hosts[next]))
	}
	w.reach(next)
	w.agree("then version "+next+" after "+what, with(w.hosts[next]))
	return r, hit
}

// eachExport plays all scenes with a harm at each step, or in the short form at some of them.
func eachExport(t *testing.T, calls, harm string, cut bool, check func(t *testing.T, s exportScene, r result)) {
	w := newExportWorld(t)
	rnd := random(t)
	for _, s := range exportScenes {
		t.Run(strings.ReplaceAll(s.name, " ", "-"), func(t *testing.T) {
			w := &exportWorld{t: t, d: &disk{t, w.d.file, w.d.dir}, m: &machine{t, w.m.root}, images: w.images, hosts: w.hosts}
			if cut { // right after success, too
				s.hurt(w, rnd, calls, harm, never, cut)
			}
			kinds := strings.Split(calls, ",") // strace counts each by itself
			if !host.Long() {
				for range 3 {
					kind := kinds[rnd.IntN(len(kinds))]
					if r, hit := s.hurt(w, rnd, kind, harm, 1+int(math.Pow(10, rnd.Float64())), cut); hit {
						check(t, s, r)
					}
				}
				return
			}
			hurt := 0
			for _, kind := range kinds {
				for nth := 1; nth < 400; nth++ {
					r, hit := s.hurt(w, rnd, kind, harm, nth, cut)
					if !hit {
						break
					}
					hurt++
					check(t, s, r)
				}
			}
			t.Logf("hurt at %d steps", hurt)
			if hurt == 0 {
				t.Error("no step was hurt")
			}
		})
	}
}

// A container owns files of the host through install, update, rollback and removal. Killed at any step, and with the power
// cut there, too, the next run makes the record and the disk agree.
func TestExportKilledAtEachStep(t *testing.T) {
	eachExport(t, exportCalls, "signal=KILL", false, func(*testing.T, exportScene, result) {})
}

func TestExportPowerCutAtEachStep(t *testing.T) {
	eachExport(t, exportCalls, "signal=KILL", true, func(*testing.T, exportScene, result) {})
}

// A disk that is full: it is said, unless another way was found.
func TestExportNoSpaceAtEachStep(t *testing.T) {
	eachExport(t, "mkdirat,linkat,symlinkat,renameat,renameat2,write,fchown", "error=ENOSPC", false, func(t *testing.T, s exportScene, r result) {
		if r.code != 0 && (r.code != 1 || r.stderr != "" && !strings.Contains(r.stderr, "space")) {
			t.Errorf("%vwant status 1 and a word about space", r)
		}
	})
}

// A disk that fails when things are to last: nothing is reported as done.
func TestExportSyncFails(t *testing.T) {
	eachExport(t, lastingCalls, "error=EIO", false, func(t *testing.T, s exportScene, r result) {
		if r.code != 1 || !strings.Contains(r.stderr, "input/output error") {
			t.Errorf("%vwant status 1 and the error", r)
		}
	})
}
