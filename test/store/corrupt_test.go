// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"syscontainer/test/host"
)

// problem is a line of verify --json, with the keys of the manual.
type problem struct {
	Image      string
	References []string
	Path       string
	Object     string
	Problem    string
}

// patient is a store with one image that is about to be damaged.
type patient struct {
	*machine
	f *fixture
	p *picture
}

func newPatient(t *testing.T, name string) *patient {
	f := setup(t)
	x := &patient{newDisk(t, 128<<20).machine(f.registry.Address), f, f.pictures[name]}
	x.ok("pull", f.reference(name))
	if out := x.ok("verify"); out != "" {
		t.Fatalf("verify says %s", out)
	}
	return x
}

func (x *patient) rootfs(path string) string { return x.store("images", x.p.digest, "rootfs", path) }

// paths are those of the checkout, of certain types.
func (x *patient) paths(types string) (found []string) {
	for path, said := range x.p.tree {
		var mode uint32
		fmt.Sscanf(said, "%o", &mode)
		if strings.IndexByte(types, map[uint32]byte{syscall.S_IFREG: 'f', syscall.S_IFDIR: 'd', syscall.S_IFLNK: 'l', syscall.S_IFIFO: 'p'}[mode&syscall.S_IFMT]) >= 0 {
			found = append(found, path)
		}
	}
	slices.Sort(found)
	return found
}

// same are the paths that share a file's inode: damage to one is damage to all.
func (x *patient) same(path string) []string {
	info, err := os.Lstat(x.rootfs(path))
	must(x.t, err)
	var found []string
	for _, other := range x.paths("flp") {
		if o, err := os.Lstat(x.rootfs(other)); err == nil && os.SameFile(info, o) {
			found = append(found, other)
		}
	}
	return append(found, path)
}

// diagnose wants verify to fail and to tell, for the image, of one of each set of names: paths or objects.
func (x *patient) diagnose(what string, names ...[]string) {
	x.t.Helper()
	r := x.run("verify", "--json")
	var problems []problem
	if err := json.Unmarshal([]byte(r.stdout), &problems); err != nil || r.code != 1 || !strings.Contains(r.stderr, "--repair") {
		x.t.Errorf("%s: %vwant status 1, an array and a hint: %v", what, r, err)
		return
	}
	for _, any := range names {
		if !slices.ContainsFunc(problems, func(p problem) bool {
			return strings.TrimPrefix(p.Image, "sha256:") == x.p.digest && slices.Equal(p.References, []string{x.f.reference(x.p.name)}) &&
				(slices.Contains(any, p.Path) || slices.Contains(any, p.Object)) && p.Problem != ""
		}) {
			x.t.Errorf("%s: no problem names one of %q for the image:\n%s", what, any, r.stdout)
		}
	}
	for _, p := range problems {
		if p.Problem == "" || p.Path == "" && p.Object == "" {
			x.t.Errorf("%s: problem without words or place: %+v", what, p)
		}
	}
}

// mend wants pull --repair to make everything good.
func (x *patient) mend(what string) {
	x.t.Helper()
	if r := x.run("pull", "--repair", x.f.reference(x.p.name)); r.code != 0 || r.stdout != "sha256:"+x.p.digest+"\n" || r.stderr != "" {
		x.t.Fatalf("%s: %v", what, r)
	}
	if r := x.run("verify"); r.code != 0 || r.stdout+r.stderr != "" {
		x.t.Fatalf("%s: after the repair: %v", what, r)
	}
	if err := x.inspect(x.f); err != nil {
		x.t.Fatalf("%s: after the repair: %v", what, err)
	}
	if left := x.debris(); len(left) > 0 {
		x.t.Fatalf("%s: the repair left %v", what, left)
	}
}

// Whatever happens to a file of a checkout, verify names it and a repair mends it. The short form does one kind of harm to
// all files at once.
func TestDamagedCheckout(t *testing.T) {
	x := newPatient(t, "kinds")
	for _, h := range harms {
		t.Run(strings.ReplaceAll(h.name, " ", "-"), func(t *testing.T) {
			x := &patient{&machine{t, x.root}, x.f, x.p}
			var named [][]string
			whole := h.name == "remove" || h.name == "replace by a file"
			for _, path := range x.paths(h.to) {
				if path == "/" && whole || whole && !host.Long() && strings.HasPrefix(path, "/kinds/a") {
					continue // below a directory that is not there nothing can be told
				}
				if whole && !host.Long() && path == "/kinds" {
					continue
				}
				same := x.same(path)
				switch err := h.do(x.rootfs(path)); {
				case errors.Is(err, errNothing):
					continue
				case err != nil:
					t.Fatal(err)
				}
				if strings.HasPrefix(h.name, "extra") {
					same = []string{filepath.Join(path, "extra")}
				}
				named = append(named, same)
				if host.Long() {
					x.diagnose(h.name+" "+path, same)
					x.mend(h.name + " " + path)
				}
			}
			if len(named) == 0 {
				t.Fatal("no file was damaged")
			}
			if !host.Long() {
				x.diagnose(h.name, named...)
				x.mend(h.name)
			}
		})
	}
}

// objects are the files of the repository's objects/ with one of these extensions.
func (m *machine) objects(extensions ...string) (found []string) {
	filepath.WalkDir(m.store("repo/objects"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && slices.Contains(extensions, filepath.Ext(path)) {
			found = append(found, path)
		}
		return nil
	})
	return found
}

func objectName(path string) string { return filepath.Base(filepath.Dir(path)) + filepath.Base(path) }

// The same for the objects: trees, attributes of directories, commits, and those that only a layer has.
func TestDamagedObject(t *testing.T) {
	for _, name := range []string{"kinds", "left"} {
		t.Run(name, func(t *testing.T) {
			x := newPatient(t, name)
			rnd := random(t)
			objects := x.objects(".dirtree", ".dirmeta", ".commit")
			for _, path := range x.objects(".file") {
				var st unix.Stat_t
				must(t, unix.Lstat(path, &st))
				if st.Nlink == 1 || name == "kinds" { // else files have had their turn
					objects = append(objects, path)
				}
			}
			if len(objects) < 20 {
				t.Fatalf("%d objects only", len(objects))
			}
			rnd.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
			if !host.Long() {
				objects = objects[:8]
			}
			for i, path := range objects {
				some := objectHarms
				if !host.Long() {
					some = some[i%len(some):][:1]
				}
				for _, h := range some {
					var st unix.Stat_t
					must(t, unix.Lstat(path, &st))
					if st.Mode&unix.S_IFMT == unix.S_IFLNK && (h.name == "flip" || h.name == "truncate" || h.name == "empty") {
						h = objectHarms[4]
					}
					what := h.name + " " + objectName(path)
					switch err := h.do(path); {
					case errors.Is(err, errNothing):
						continue
					case err != nil:
						t.Fatalf("%s: %v", what, err)
					}
					x.diagnose(what, []string{objectName(path)})
					x.mend(what)
				}
			}
		})
	}
}

// So for the files around the checkout, and for refs.
func TestDamagedStore(t *testing.T) {
	x := newPatient(t, "kinds")
	reference := x.f.reference("kinds")
	image := x.store("images", x.p.digest)
	link := x.link(reference)
	ref := func(kind string) string {
		found, err := filepath.Glob(x.store("repo/refs/heads", kind, "*"))
		if err != nil || len(found) != 1 {
			t.Fatalf("refs of kind %s: %v, %v", kind, found, err)
		}
		return found[0]
	}
	write := func(path, content string) func() error {
		return func() error { return os.WriteFile(path, []byte(content), 0o644) }
	}
	relink := func(target string) func() error {
		return func() error { return errors.Join(os.Remove(link), os.Symlink(target, link)) }
	}
	for _, c := range []struct {
		name string
		do   func() error
		said string // on stdout of verify, "" if there is no saying
	}{
		{"manifest flipped", func() error { return flip(image + "/manifest.json") }, "manifest.json"},
		{"manifest cut", func() error { return resize(image+"/manifest.json", -1) }, "manifest.json"},
		{"manifest gone", func() error { return os.Remove(image + "/manifest.json") }, "manifest.json"},
		{"config flipped", func() error { return flip(image + "/config.json") }, "config.json"},
		{"config empty", write(image+"/config.json", ""), "config.json"},
		{"config gone", func() error { return os.Remove(image + "/config.json") }, "config.json"},
		{"config a link", func() error {
			return errors.Join(os.Remove(image+"/config.json"), os.Symlink("/etc/passwd", image+"/config.json"))
		}, "config.json"},
		{"rootfs gone", func() error { return os.RemoveAll(image + "/rootfs") }, "rootfs"},
		{"rootfs a link", func() error {
			return errors.Join(os.RemoveAll(image+"/rootfs"), os.Symlink("/", image+"/rootfs"))
		}, "rootfs"},
		{"image gone", func() error { return os.RemoveAll(image) }, link},
		{"image a file", func() error { return errors.Join(os.RemoveAll(image), os.WriteFile(image, nil, 0o600)) }, x.p.digest},
		{"reference gone", func() error { return os.Remove(link) }, ""},
		{"reference bent", relink("/etc"), link},
		{"reference to nothing", relink("../images/" + strings.Repeat("0", 64)), link},
		{"reference a file", func() error { return errors.Join(os.Remove(link), os.WriteFile(link, nil, 0o644)) }, link},
		{"image ref empty", write(ref("image"), ""), "image/"},
		{"image ref garbage", write(ref("image"), "garbage\n"), "image/"},
		{"image ref gone", func() error { return os.Remove(ref("image")) }, "image/"},
		{"image ref to a layer", func() error { return copyFile(ref("layer"), ref("image")) }, "image/"},
		{"deploy ref empty", write(ref("deploy"), ""), "deploy/"},
		{"deploy ref gone", func() error { return os.Remove(ref("deploy")) }, "deploy/"},
		{"deploy ref to a layer", func() error { return copyFile(ref("layer"), ref("deploy")) }, "deploy/"},
		{"deploy ref to nothing", write(ref("deploy"), strings.Repeat("0", 64)+"\n"), "000000"},
		{"layer ref garbage", write(ref("layer"), "garbage\n"), "layer/"},
		{"layer ref to the image", func() error { return copyFile(ref("deploy"), ref("layer")) }, "layer/"},
		{"layer ref gone", func() error { return os.Remove(ref("layer")) }, ""}, // it only costs a fetch
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			x := &patient{&machine{t, x.root}, x.f, x.p}
			must(t, c.do())
			r := x.run("verify")
			if c.said != "" && (r.code != 1 || !strings.Contains(r.stdout, c.said)) {
				t.Errorf("%vwant status 1 and %q", r, c.said)
			}
			x.mend(c.name)
		})
	}
}

// Refs that lead to the wrong layer, a whole one, are no way to make a wrong image.
func TestSwappedLayers(t *testing.T) {
	x := newPatient(t, "left")
	swap := func() {
		layers, err := filepath.Glob(x.store("repo/refs/heads/layer/*"))
		if err != nil || len(layers) != len(x.p.layers) {
			t.Fatalf("layers are %v, %v", layers, err)
		}
		for i, layer := range layers {
			must(t, os.Rename(layer, fmt.Sprint(x.root, "/", i)))
		}
		for i, layer := range layers {
			must(t, os.Rename(fmt.Sprint(x.root, "/", (i+1)%len(layers)), layer))
		}
	}
	swap()
	if r := x.run("verify"); r.code != 1 || !strings.Contains(r.stdout, "layer/") {
		t.Errorf("%vwant status 1 and layer/", r)
	}
	x.mend("layers swapped")
	removeAll(t, x.store("repo"))
	x.mend("the repository gone")
	swap()
	r := x.run("pull", x.f.reference("right"))
	if err := x.inspect(x.f); err != nil {
		t.Errorf("%v%v", r, err)
	}
}

// link is the path of the symbolic link that is a reference.
func (m *machine) link(reference string) string {
	m.t.Helper()
	entries, err := os.ReadDir(m.store("references"))
	must(m.t, err)
	for _, e := range entries {
		if unescape(e.Name()) == reference {
			return m.store("references", e.Name())
		}
	}
	m.t.Fatalf("no reference %s", reference)
	return ""
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644)
}

// A line for people names image, path and what is wrong. Only what is damaged is fetched anew, and a container that runs
// keeps its files.
func TestVerifyAndRepairSpeak(t *testing.T) {
	f := setup(t)
	m := newDisk(t, 128<<20).machine(f.registry.Address)
	p := newProxy(t, f, 0)
	m.trust(p.Address)
	left, right := p.reference("left", "1"), p.reference("right", "1")
	m.ok("pull", left, right)
	if r := m.run("verify"); r.code != 0 || r.stdout+r.stderr != "" {
		t.Errorf("%vwant silence", r)
	}
	if r := m.run("verify", "--json"); r.code != 0 || strings.TrimSpace(r.stdout) != "[]" {
		t.Errorf("%vwant an empty array", r)
	}
	fetched := func(name string) (n int) {
		for _, digest := range f.pictures[name].layers {
			n += p.times(digest)
		}
		return n
	}
	before := fetched("left")
	m.ok("pull", "--repair", left)
	if now := fetched("left"); now != before {
		t.Errorf("a repair of nothing fetched %d layers", now-before)
	}

	// The file of left alone.
	must(t, flip(m.store("images", f.pictures["left"].digest, "rootfs/srv/data")))
	for _, args := range [][]string{{"verify"}, {"verify", left}, {"verify", "sha256:" + f.pictures["left"].digest}, {"verify", f.pictures["left"].digest[:12]}} {
		r := m.fails(1, []string{"syscontainer: "}, args...)
		lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
		if !strings.HasPrefix(lines[0], left+": /srv/data ") {
			t.Errorf("%vwant a line that starts with %s: /srv/data", r, left)
		}
	}
	if out := m.ok("verify", right); out != "" {
		t.Errorf("verify %s says %s", right, out)
	}
	// A file that both have.
	must(t, flip(m.store("images", f.pictures["left"].digest, "rootfs/bin/busybox")))
	r := m.fails(1, nil, "verify")
	for _, reference := range []string{left, right} {
		if !strings.Contains(r.stdout, reference+": /bin/busybox ") {
			t.Errorf("%vwant a line for %s: /bin/busybox", r, reference)
		}
	}
	before = fetched("left")
	m.ok("pull", "--repair", left)
	if now := fetched("left"); now == before || p.times(f.pictures["left"].layers[1]) > 2 {
		t.Errorf("the repair fetched %d layers", now-before)
	}
	if out := m.ok("verify", left); out != "" {
		t.Errorf("after the repair of %s: %s", left, out)
	}
	m.ok("pull", "--repair", right)
	if out := m.ok("verify"); out != "" {
		t.Errorf("after both repairs: %s", out)
	}
	must(t, m.inspect(f))
	m.fails(1, []string{"is not in the store"}, "verify", "example.org/absent:1")
	m.fails(1, []string{"no image has a digest"}, "verify", strings.Repeat("0", 64))
}

// A container that runs goes on with the files that it has, damaged or not, until it ends; then they go.
func TestRepairBesideContainer(t *testing.T) {
	x := newPatient(t, "kinds")
	image := x.store("images", x.p.digest)
	bundle := x.path("run/syscontainer/web")
	must(t, os.MkdirAll(bundle, 0o700))
	must(t, os.Symlink(image, bundle+"/image"))
	held, err := os.Open(image + "/rootfs")
	must(t, err)
	defer held.Close()
	must(t, os.Remove(image+"/rootfs/kinds/text"))
	x.ok("pull", "--repair", x.f.reference("kinds"))
	if _, err := os.Stat(image + "/rootfs/kinds/text"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/self/fd/%d/kinds/script", held.Fd())); err != nil {
		t.Errorf("the container lost its files: %v", err)
	}
	x.ok("pull", x.f.reference("kinds"))
	x.ok("prune")
	if _, err := os.Stat(fmt.Sprintf("/proc/self/fd/%d/kinds/script", held.Fd())); err != nil {
		t.Errorf("the container lost its files: %v", err)
	}
	removeAll(t, bundle)
	x.ok("prune")
	if left := x.debris(); len(left) > 0 {
		t.Errorf("when the container has ended, prune leaves %v", left)
	}
	x.mend("afterwards")
}
