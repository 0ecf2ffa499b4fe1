// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"syscontainer/pull/generation"
)

// pullAll fills a store with images, by name.
func pullAll(t *testing.T, names ...string) (*machine, *fixture, *disk) {
	t.Helper()
	f := setup(t)
	d := newDisk(t, 128<<20)
	m := d.machine(f.registry.Address)
	for _, name := range names {
		m.ok("pull", f.reference(name))
	}
	return m, f, d
}

// stored are the names of the images that are there.
func (m *machine) stored(f *fixture) (names []string) {
	m.t.Helper()
	digests, err := m.published()
	must(m.t, err)
	for _, digest := range digests {
		names = append(names, f.byDigest[digest].name)
	}
	slices.Sort(names)
	return names
}

// link makes a symbolic link below the root.
func (m *machine) symlink(target, name string) {
	m.t.Helper()
	must(m.t, os.MkdirAll(filepath.Dir(m.path(name)), 0o755))
	must(m.t, os.Symlink(target, m.path(name)))
}

// Each of these needs an image; without it, the image goes. A dry run says why, and what would be, and changes nothing.
func TestPruneKeeps(t *testing.T) {
	m, f, _ := pullAll(t, "base", "plain")
	reference := func(name string) string { return f.reference(name) }
	image := func(name string) string { return m.store("images", f.pictures[name].digest) }
	const container = "[Container]\nImage="
	for _, c := range []struct {
		name string
		do   func()
		why  string
	}{
		{"unit", func() { m.unit("web", reference("plain")) }, "web.syscontainer"},
		{"unit of the vendor", func() { m.write("usr/share/containers/systemd/web.syscontainer", container+reference("plain")+"\n") }, "web.syscontainer"},
		{"unit until the next boot", func() { m.write("run/containers/systemd/web.syscontainer", container+reference("plain")+"\n") }, "web.syscontainer"},
		{"unit in a folder", func() { m.write(unitDir+"/folder/web.syscontainer", container+reference("plain")+"\n") }, "web.syscontainer"},
		{"unit with docker://", func() { m.unit("web", "docker://"+reference("plain")) }, "web.syscontainer"},
		{"drop-in", func() {
			m.unit("web", reference("base"))
			m.write(unitDir+"/web.syscontainer.d/10.conf", container+reference("plain")+"\n")
		}, "web.syscontainer"},
		{"template", func() { m.unit("web@", reference("plain")) }, "web@.syscontainer"},
		{"template with a specifier", func() { m.unit("web@", f.registry.Address+"/%i:1") }, "web@.syscontainer"},
		{"instance", func() { m.unit("web@", reference("base")); m.unit("web@plain", reference("plain")) }, "web@plain.syscontainer"},
		{"instance by its drop-in", func() {
			m.unit("web@", reference("base"))
			m.write(unitDir+"/web@plain.syscontainer.d/10.conf", container+reference("plain")+"\n")
		}, "web@plain.syscontainer"},
		{"specifier in an instance", func() { m.unit("web@plain", f.registry.Address+"/%i:1") }, "web@plain.syscontainer"},
		{"running container", func() { m.symlink(image("plain"), "run/syscontainer/web/image") }, "web"},
		{"generation", func() {
			m.unit("web", reference("base"))
			m.generation("web", reference("base"), f.pictures["plain"].digest)
		}, "generation 1 of web"},
		{"older generation", func() {
			m.unit("web", reference("base"))
			m.generation("web", reference("base"), f.pictures["plain"].digest)
			m.generation("web", reference("base"), f.pictures["base"].digest)
		}, "generation 1 of web"},
		{"generation of a unit that is masked", func() {
			m.symlink("/dev/null", unitDir+"/web.syscontainer")
			m.generation("web", reference("base"), f.pictures["plain"].digest)
		}, "generation 1 of web"},
		{"generation without a record", func() {
			m.unit("web", reference("base"))
			m.symlink("../../../images/"+f.pictures["plain"].digest, "var/lib/syscontainer/containers/web/generations/3")
		}, "generation 3 of web"},
		{"update that is not finished", func() {
			m.unit("web", reference("base"))
			locked, err := generation.TryLock(m.root, "web")
			must(m.t, err)
			defer locked.Release()
			_, err = locked.Begin(generation.Update{By: generation.ByAuto, Members: []generation.Member{{Name: "web", Digest: f.pictures["plain"].digest}}})
			must(m.t, err)
		}, "an update of web is not finished"},
		{"pin", func() { m.ok("pin", reference("plain")) }, "pin"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			m.t = t
			c.do()
			m.dry([]string{reference("plain"), c.why}, nil, "--grace=0")
			m.ok("prune", "--grace=0")
			if names := m.stored(f); !slices.Contains(names, "plain") {
				t.Errorf("the image is gone, %v are there", names)
			}
			must(t, m.inspect(f))
			if r := m.run("rmi", reference("plain")); r.code != 1 || !strings.Contains(r.stderr, c.why) {
				t.Errorf("%vwant status 1 and %q", r, c.why)
			}

			for _, dir := range []string{unitDir, "usr/share/containers", "run/containers", "run/syscontainer", "var/lib/syscontainer/containers", "var/lib/syscontainer/updates"} {
				removeAll(t, m.path(dir))
			}
			if c.name == "pin" {
				m.ok("unpin", reference("plain"))
			}
			m.unit("other", reference("base")) // as before but for plain
			m.dry(nil, []string{reference("plain")}, "--grace=0")
			out := m.ok("prune", "--grace=0")
			if names := m.stored(f); slices.Contains(names, "plain") || !strings.Contains(out, reference("plain")) {
				t.Errorf("%v are there after\n%s", names, out)
			}
			must(t, m.inspect(f))
			m.ok("pull", reference("plain"), reference("base"))
			removeAll(t, m.path(unitDir))
		})
	}
}

// generation makes an image the current one of a container, as if it had been found running.
func (m *machine) generation(name, reference, digest string) {
	m.t.Helper()
	locked, err := generation.TryLock(m.root, name)
	must(m.t, err)
	defer locked.Release()
	_, err = locked.Adopt(name, generation.Record{Digest: digest, Reference: reference, For: reference, Outcome: generation.Good})
	must(m.t, err)
}

// dry runs a prune that changes nothing at all; the lines about what stays and about what goes have these words.
func (m *machine) dry(stays, goes []string, options ...string) string {
	m.t.Helper()
	before, err := everything(m.store())
	must(m.t, err)
	out := m.ok(append([]string{"prune", "--dry-run"}, options...)...)
	after, err := everything(m.store())
	must(m.t, err)
	if d := differences(before, after); d != "" {
		m.t.Errorf("a dry run changes\n%s", d)
	}
	var kept, removed string
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "keep") {
			kept += line
		} else {
			removed += line
		}
	}
	for _, word := range stays {
		if !strings.Contains(kept, word) {
			m.t.Errorf("a dry run says\n%swant %q among what stays", out, word)
		}
	}
	for _, word := range goes {
		if !strings.Contains(removed, word) {
			m.t.Errorf("a dry run says\n%swant %q among what goes", out, word)
		}
	}
	return out
}

// A unit that cannot be understood may need any image.
func TestPruneWithBrokenUnits(t *testing.T) {
	m, f, _ := pullAll(t, "base", "plain")
	for name, do := range map[string]func(){
		"no section":  func() { m.write(unitDir+"/web.syscontainer", "Image=x\n") },
		"binary":      func() { m.write(unitDir+"/web.syscontainer", "\x00\xff\x00") },
		"bad image":   func() { m.unit("web", "Not A Reference") },
		"dangling":    func() { m.symlink("/nowhere", unitDir+"/web.syscontainer") },
		"a directory": func() { must(t, os.MkdirAll(m.path(unitDir, "web.syscontainer"), 0o755)) },
		"broken drop-in": func() {
			m.unit("web", f.reference("base"))
			m.write(unitDir+"/web.syscontainer.d/x.conf", "[Container\n")
		},
		"dangling dropin": func() {
			m.unit("web", f.reference("base"))
			m.symlink("/nowhere", unitDir+"/web.syscontainer.d/x.conf")
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			m := &machine{t, m.root}
			m.ok("pull", f.reference("base"), f.reference("plain"))
			do()
			r := m.run("prune", "--grace=0")
			if names := m.stored(f); len(names) != 2 || r.code != 0 || !strings.Contains(r.stderr, "web.syscontainer") {
				t.Errorf("%v are there after %vwant both, and the unit's name on stderr", names, r)
			}
			removeAll(t, m.path(unitDir))
		})
	}
	// What is no unit at all does no harm.
	m.unit("web", f.reference("base"))
	m.symlink("/dev/null", unitDir+"/masked.syscontainer")
	m.write(unitDir+"/quadlet.container", "[Container]\nImage=x\n")
	m.write(unitDir+"/README", "\x00")
	m.ok("prune", "--grace=0")
	if names := m.stored(f); !slices.Equal(names, []string{"base"}) {
		t.Errorf("%v are there, want base", names)
	}
}

// The grace period is counted from the last use: the time of access of config.json.
func TestPruneGrace(t *testing.T) {
	m, f, _ := pullAll(t, "base", "plain")
	used := func(name string, ago time.Duration) {
		t.Helper()
		path := m.store("images", f.pictures[name].digest, "config.json")
		info, err := os.Stat(path)
		must(t, err)
		must(t, os.Chtimes(path, time.Now().Add(-ago), info.ModTime()))
	}
	gone := func(args ...string) bool {
		t.Helper()
		m.ok(append([]string{"prune"}, args...)...)
		names := m.stored(f)
		if !slices.Contains(names, "base") {
			t.Fatalf("%v are there, want base in any case", names)
		}
		gone := !slices.Contains(names, "plain")
		m.ok("pull", f.reference("plain"))
		return gone
	}
	for _, c := range []struct {
		grace string
		ago   time.Duration
		gone  bool
	}{
		{"", 23 * time.Hour, false},
		{"", 25 * time.Hour, true},
		{"90s", time.Minute, false},
		{"90s", 2 * time.Minute, true},
		{"30m", 29 * time.Minute, false},
		{"30m", 31 * time.Minute, true},
		{"48h", 47 * time.Hour, false},
		{"48h", 49 * time.Hour, true},
		{"7d", 6*24*time.Hour + 23*time.Hour, false},
		{"7d", 7*24*time.Hour + time.Hour, true},
		{"0", 0, true},
	} {
		m.unit("base", f.reference("base"))
		used("plain", c.ago)
		var args []string
		if c.grace != "" {
			args = []string{"--grace", c.grace}
		}
		if got := gone(args...); got != c.gone {
			t.Errorf("--grace %q, last used %v ago: gone is %v", c.grace, c.ago, got)
		}
	}
	m.write("etc/containers/syscontainer.conf", "[Store]\nPruneGrace=10m\n")
	used("plain", 9*time.Minute)
	if gone() {
		t.Error("PruneGrace=10m, last used 9 minutes ago: gone")
	}
	used("plain", 11*time.Minute)
	if !gone() {
		t.Error("PruneGrace=10m, last used 11 minutes ago: there")
	}
	for _, bad := range []string{"", "x", "-1h", "5", "1y", "9999999999999h"} {
		m.fails(2, []string{"grace"}, "prune", "--grace="+bad)
	}
	m.fails(2, []string{"argument"}, "prune", f.reference("plain"))
}

// What images share stays as long as one of them does, what only one had comes back, and the refs say the same as the
// directories.
func TestPruneShared(t *testing.T) {
	m, f, d := pullAll(t, "left")
	m.unit("left", f.reference("left"))
	m.ok("prune", "--grace=0")
	blocks, inodes := d.used()
	m.ok("pull", f.reference("right"), f.reference("plain"))
	m.ok("tag", f.reference("right"), "example.org/other:1")
	m.inStep(f, "left", "plain", "right")
	full, _ := d.used()
	said := m.dry([]string{f.reference("left")}, []string{f.reference("right"), "example.org/other:1", f.reference("plain")}, "--grace=0")
	out := m.ok("prune", "--grace=0")
	must(t, m.inspect(f))
	m.inStep(f, "left")
	after, inodesAfter := d.used()
	const few = 8 // directories do not shrink
	if after > blocks+few || inodesAfter > inodes+few {
		t.Errorf("%d blocks and %d inodes before, %d and %d after", blocks, inodes, after, inodesAfter)
	}
	// How much came back is told.
	freed := float64((full - after) * blockSize)
	for what, text := range map[string]string{"would free about ": said, "freed ": out} {
		i := strings.LastIndex(text, what)
		if i < 0 {
			t.Errorf("%q is not in\n%s", what, text)
			continue
		}
		if n := parseSize(t, strings.TrimSpace(text[i+len(what):])); n < 0.9*freed || n > 1.1*freed {
			t.Errorf("%.0f bytes came back, the last line says %s", freed, strings.TrimSpace(text[i:]))
		}
	}
	if out := m.ok("prune", "--grace=0"); strings.Contains(out, "remove") {
		t.Errorf("a second prune says\n%s", out)
	}
	removeAll(t, m.path(unitDir))
	m.ok("prune", "--grace=0")
	m.inStep(f)
}

func parseSize(t *testing.T, text string) float64 {
	var n float64
	var unit string
	fmt.Sscanf(text, "%g %s", &n, &unit)
	factor, ok := map[string]float64{"bytes": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[unit]
	if !ok {
		t.Errorf("size %q", text)
	}
	return n * factor
}

// inStep wants exactly these images, with the refs that the manual gives them and no others.
func (m *machine) inStep(f *fixture, names ...string) {
	m.t.Helper()
	if got := m.stored(f); !slices.Equal(got, names) {
		m.t.Errorf("images %v, want %v", got, names)
	}
	refs := map[string]string{}
	for _, ref := range strings.Fields(tool(m.t, "ostree", "--repo="+m.store("repo"), "refs", "--list")) {
		refs[ref] = strings.TrimSpace(tool(m.t, "ostree", "--repo="+m.store("repo"), "rev-parse", ref))
	}
	want := map[string]bool{}
	for _, name := range names {
		want["deploy/"+f.pictures[name].digest] = true
		for _, id := range diffIDs(m.t, m.store("images", f.pictures[name].digest, "config.json")) {
			want["layer/"+id] = true
		}
	}
	entries, err := os.ReadDir(m.store("references"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name()[0] == '.' {
			continue
		}
		want["image/"+e.Name()] = true
		target, err := os.Readlink(m.store("references", e.Name()))
		must(m.t, err)
		digest := filepath.Base(target)
		if refs["image/"+e.Name()] != refs["deploy/"+digest] {
			m.t.Errorf("ref image/%s is not the commit of deploy/%s", e.Name(), digest)
		}
	}
	for _, ref := range slices.Sorted(maps.Keys(want)) {
		if refs[ref] == "" {
			m.t.Errorf("no ref %s", ref)
		}
	}
	for ref := range refs {
		if !want[ref] {
			m.t.Errorf("ref %s is left", ref)
		}
	}
}

// A layer that an interrupted fetch has stored stays for the next one, for the grace period.
func TestPruneKeepsYoungLayers(t *testing.T) {
	m, f, _ := pullAll(t, "left")
	p := newProxy(t, f, 0)
	m.trust(p.Address)
	layers := func() int {
		found, err := filepath.Glob(m.store("repo/refs/heads/layer/*"))
		must(t, err)
		return len(found)
	}
	// As after a kill before the checkout, and then the name was forgotten.
	removeAll(t, m.store("images", f.pictures["left"].digest))
	must(t, os.Remove(m.link(f.reference("left"))))
	n := layers()
	m.ok("prune", "--grace=1h")
	if n == 0 || layers() != n {
		t.Errorf("%d layers before, %d after", n, layers())
	}
	m.ok("pull", p.reference("left", "1"))
	for _, digest := range f.pictures["left"].layers {
		if p.times(digest) > 0 {
			t.Errorf("layer %s was fetched again", digest)
		}
	}
	must(t, m.inspect(f))
	removeAll(t, m.store("images", f.pictures["left"].digest))
	must(t, os.Remove(m.link(p.reference("left", "1"))))
	found, err := filepath.Glob(m.store("repo/refs/heads/layer/*"))
	must(t, err)
	for _, path := range found {
		must(t, os.Chtimes(path, time.Now().Add(-2*time.Hour), time.Now().Add(-2*time.Hour)))
	}
	m.ok("prune", "--grace=1h")
	if n := layers(); n > 0 {
		t.Errorf("%d layers are left after two hours", n)
	}
	if objects := m.objects(".file", ".dirtree", ".dirmeta", ".commit"); len(objects) > 0 {
		t.Errorf("%d objects are left", len(objects))
	}
}

// Prune removes what interrupted commands left, and nothing that is not the store's.
func TestPruneDebris(t *testing.T) {
	m, f, _ := pullAll(t, "plain")
	m.unit("plain", f.reference("plain"))
	digest := f.pictures["plain"].digest
	m.write("var/lib/syscontainer/images/.tmp-1/rootfs/file", "x")
	m.write("var/lib/syscontainer/images/.old-"+digest+"-X/rootfs/file", "x")
	m.write("var/lib/syscontainer/repo/tmp/txn-X/00/x.file", "x")
	m.write("var/lib/syscontainer/locks/nobody", "")
	m.symlink("../images/"+digest, "var/lib/syscontainer/references/.tmp-x")
	m.symlink("../images/"+strings.Repeat("0", 64), "var/lib/syscontainer/references/example.org_2Fgone_3A1")
	m.write("var/lib/syscontainer/containers/web/data", "a container's own")
	m.write("var/lib/syscontainer/pins/"+strings.Repeat("0", 64), "")
	tool(t, "ostree", "--repo="+m.store("repo"), "commit", "-b", "somebody/else", "--tree=dir="+m.path("etc"))
	m.dry([]string{f.reference("plain")}, []string{"example.org_2Fgone_3A1"}, "--grace=0")
	m.ok("prune", "--grace=0")
	must(t, m.inspect(f))
	if left := m.debris(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	for _, gone := range []string{"locks/nobody", "references/example.org_2Fgone_3A1"} {
		if _, err := os.Lstat(m.store(gone)); err == nil {
			t.Errorf("%s is left", gone)
		}
	}
	if _, err := os.Stat(m.store("containers/web/data")); err != nil {
		t.Error(err)
	}
	tool(t, "ostree", "--repo="+m.store("repo"), "ls", "-R", "somebody/else")
	tool(t, "ostree", "--repo="+m.store("repo"), "fsck", "-q")

	// A store that is not there is no error, and is not made.
	empty := &machine{t, t.TempDir()}
	for _, args := range [][]string{{"prune"}, {"prune", "--dry-run"}, {"images"}, {"verify"}} {
		empty.ok(args...)
	}
	if _, err := os.Stat(empty.store()); err == nil {
		t.Error("a prune has made a store")
	}
}

// In a repository of which something cannot be read, nobody can tell what is needed: nothing of it is removed, and the
// reason is told.
func TestPruneRefusesDamage(t *testing.T) {
	m, f, _ := pullAll(t, "base")
	m.unit("base", f.reference("base"))
	trees := m.objects(".dirtree")
	heads := m.store("repo/refs/heads")
	deploy := heads + "/deploy/" + f.pictures["base"].digest
	commit, err := os.ReadFile(deploy)
	must(t, err)
	object := func(kind string) string { return objectPath(m, strings.TrimSpace(string(commit)), kind) }
	for _, c := range []struct {
		name string
		do   func() error
		undo func() error
		word string
	}{
		{"garbage in a ref", func() error { return os.WriteFile(deploy, []byte("garbage\n"), 0o644) }, nil, "deploy/"},
		{"an empty ref", func() error { return os.WriteFile(deploy, nil, 0o644) }, nil, "deploy/"},
		{"a ref to nothing", func() error { return os.WriteFile(deploy, []byte(strings.Repeat("0", 64)+"\n"), 0o644) }, nil, "00000000"},
		{"a ref nobody needs", func() error { return os.WriteFile(heads+"/somebody", []byte("x"), 0o644) },
			func() error { return os.Remove(heads + "/somebody") }, "somebody"},
		{"a link to nowhere", func() error { return os.Symlink("nowhere", heads+"/link") }, func() error { return os.Remove(heads + "/link") }, "link"},
		{"a damaged commit", func() error { return os.Truncate(object("commit"), 9) }, nil, ".commit"},
		{"no commit", func() error { return os.Remove(object("commit")) }, nil, "commit"},
		{"a damaged tree", func() error { return os.Truncate(trees[0], 1) }, nil, ".dirtree"},
		{"no tree", func() error { return os.Remove(trees[len(trees)-1]) }, nil, "dirtree"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			m := &machine{t, m.root}
			m.ok("pull", f.reference("plain"))
			must(t, c.do())
			before := m.objects(".file", ".dirtree", ".dirmeta", ".commit")
			m.fails(1, []string{c.word}, "prune", "--grace=0")
			if after := m.objects(".file", ".dirtree", ".dirmeta", ".commit"); !slices.Equal(before, after) {
				t.Errorf("%d objects were there, %d are left", len(before), len(after))
			}
			must(t, m.inspectImage(f, f.pictures["base"].digest))
			if c.undo != nil {
				must(t, c.undo())
			}
			m.ok("pull", "--repair", f.reference("base"))
			must(t, m.inspect(f))
			m.ok("verify")
			m.ok("prune", "--grace=0")
			m.inStep(f, "base")
		})
	}
}

func objectPath(m *machine, checksum, kind string) string {
	return m.store("repo/objects", checksum[:2], checksum[2:]+"."+kind)
}
