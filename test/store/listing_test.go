// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// image is what images --json says of one image of the fixture.
func (m *machine) image(f *fixture, name string) listed {
	m.t.Helper()
	for _, i := range m.images() {
		if i.Digest == "sha256:"+f.pictures[name].digest {
			return i
		}
	}
	m.t.Fatalf("images does not list %s", name)
	return listed{}
}

// Each key of the manual is there, with a value that is true, and no other.
func TestImagesJSON(t *testing.T) {
	before := time.Now().Add(-time.Second)
	m, f, _ := pullAll(t, "kinds", "plain")
	m.unit("web", f.reference("kinds"))
	m.unit("other", f.reference("kinds"))
	m.symlink(m.store("images", f.pictures["kinds"].digest), "run/syscontainer/runs/image")
	m.ok("pin", f.reference("plain"))
	m.ok("tag", f.reference("plain"), "example.org/a:1")

	var raw []map[string]any
	must(t, json.Unmarshal([]byte(m.ok("images", "--json")), &raw))
	keys := []string{"architecture", "containers", "created", "digest", "disk", "own", "pinned", "pulled", "references", "rootfs", "shared", "size", "specials", "used", "vendor"}
	for _, i := range raw {
		if got := slices.Sorted(maps.Keys(i)); !slices.Equal(got, keys) {
			t.Errorf("keys are %q, want %q", got, keys)
		}
		for _, key := range []string{"references", "containers", "specials"} {
			if _, ok := i[key].([]any); !ok {
				t.Errorf("%s is %v, no array", key, i[key])
			}
		}
		for _, key := range []string{"created", "pulled", "used"} {
			if _, err := time.Parse(time.RFC3339, fmt.Sprint(i[key])); err != nil {
				t.Error(err)
			}
		}
	}
	kinds, plain := m.image(f, "kinds"), m.image(f, "plain")
	for _, c := range []struct{ what, got, want any }{
		{"references", plain.References, []string{f.reference("plain"), "example.org/a:1"}},
		{"references", kinds.References, []string{f.reference("kinds")}},
		{"containers", kinds.Containers, []string{"other", "runs", "web"}},
		{"containers", plain.Containers, []string{}},
		{"created", plain.Created.Format(time.RFC3339Nano), created},
		{"pinned", []bool{plain.Pinned, kinds.Pinned}, []bool{true, false}},
		{"vendor", plain.Vendor, false},
		{"architecture", plain.Architecture, runtime.GOARCH},
		{"rootfs", plain.Rootfs, m.store("images", f.pictures["plain"].digest, "rootfs")},
		{"disk", kinds.Disk, kinds.Own + kinds.Shared},
	} {
		if fmt.Sprint(c.got) != fmt.Sprint(c.want) {
			t.Errorf("%s is %v, want %v", c.what, c.got, c.want)
		}
	}
	for _, i := range []listed{kinds, plain} {
		for what, when := range map[string]time.Time{"pulled": i.Pulled, "used": i.Used} {
			if when.Before(before) || when.After(time.Now()) {
				t.Errorf("%s is %v", what, when)
			}
		}
	}
	var specials []string
	for _, s := range kinds.Specials {
		specials = append(specials, fmt.Sprint(s))
	}
	slices.Sort(specials)
	if got := strings.Join(specials, " "); got != "{/kinds/device char 10 229} {/kinds/fifo fifo 0 0}" {
		t.Errorf("specials are %s", got)
	}
	// Looking is no use of an image, reading its config is; a pull is, too.
	config := m.store("images", f.pictures["kinds"].digest, "config.json")
	old := time.Now().Add(-72 * time.Hour)
	must(t, os.Chtimes(config, old, old))
	m.ok("verify")
	m.ok("images")
	m.ok("prune", "--dry-run")
	if used := m.image(f, "kinds").Used; used.Unix() != old.Unix() {
		t.Errorf("looking is a use: %v, want %v", used, old)
	}
	m.ok("pull", f.reference("kinds"))
	if used := m.image(f, "kinds").Used; used.Before(before) {
		t.Errorf("a pull is no use: %v", used)
	}
	// A root that is named from elsewhere.
	cmd := m.command("images", "--json")
	cmd.Args[2], cmd.Dir = filepath.Base(m.root), filepath.Dir(m.root)
	out, err := cmd.Output()
	must(t, err)
	var all []listed
	must(t, json.Unmarshal(out, &all))
	if len(all) != 2 || all[0].Rootfs != kinds.Rootfs && all[0].Rootfs != plain.Rootfs {
		t.Errorf("with a relative root: %+v", all)
	}

	// The same store as part of the operating system.
	removeAll(t, m.path("run/syscontainer"))
	must(t, os.MkdirAll(m.path("usr/lib"), 0o755))
	must(t, os.Rename(m.store(), m.path("usr/lib/syscontainer")))
	vendor := m.image(f, "plain")
	if !vendor.Vendor || vendor.Rootfs != m.path("usr/lib/syscontainer/images", f.pictures["plain"].digest, "rootfs") || len(vendor.References) != 2 {
		t.Errorf("baked in: %+v", vendor)
	}
	m.ok("verify")
	m.ok("prune", "--grace=0")
	m.fails(1, nil, "rmi", f.reference("kinds"))
	m.image(f, "kinds")
}

// Sizes are those du(1) and find(1) see; what two images share is counted as shared by both.
func TestImagesSizes(t *testing.T) {
	m, f, _ := pullAll(t, "left")
	du := func(name string) (n int64) {
		fmt.Sscan(tool(t, "du", "-s", "-B1", m.store("images", f.pictures[name].digest, "rootfs")), &n)
		return n
	}
	alone := m.image(f, "left")
	var size int64
	for _, line := range strings.Fields(tool(t, "find", alone.Rootfs, "-type", "f", "-printf", `%s\n`)) {
		var n int64
		fmt.Sscan(line, &n)
		size += n
	}
	if alone.Size != size || alone.Own != du("left") || alone.Shared != 0 || alone.Disk != alone.Own {
		t.Errorf("alone: size %d own %d shared %d disk %d; find says %d and du %d", alone.Size, alone.Own, alone.Shared, alone.Disk, size, du("left"))
	}
	m.ok("pull", f.reference("right"))
	left, right := m.image(f, "left"), m.image(f, "right")
	// Files of both, each inode once.
	both, err := everything(right.Rootfs)
	must(t, err)
	inodes := map[string]bool{}
	for path := range both {
		if info, err := os.Lstat(left.Rootfs + path); err == nil && !info.IsDir() {
			other, err := os.Lstat(right.Rootfs + path)
			must(t, err)
			if os.SameFile(info, other) {
				inodes[left.Rootfs+path] = true
			}
		}
	}
	args := append([]string{"-c", "-B1"}, slices.Sorted(maps.Keys(inodes))...)
	lines := strings.Split(strings.TrimSpace(tool(t, "du", args...)), "\n")
	var shared int64
	fmt.Sscan(lines[len(lines)-1], &shared)
	for name, i := range map[string]listed{"left": left, "right": right} {
		if i.Disk != du(name) || i.Shared != shared || i.Own != i.Disk-shared || shared == 0 {
			t.Errorf("%s: own %d shared %d disk %d; du says %d, of which %d shared", name, i.Own, i.Shared, i.Disk, du(name), shared)
		}
	}
	if left.Size != size || left.Own >= alone.Own {
		t.Errorf("left: size %d own %d, alone %d and %d", left.Size, left.Own, size, alone.Own)
	}
	m.ok("rmi", f.reference("right"))
	if again := m.image(f, "left"); again.Own != alone.Own || again.Shared != 0 {
		t.Errorf("alone again: own %d shared %d, want %d and 0", again.Own, again.Shared, alone.Own)
	}
}

// Files that the operating system has in its own repository are its own: they take no space, and are shared.
func TestSharedWithTheSystem(t *testing.T) {
	f := setup(t)
	d := newDisk(t, 128<<20)
	m := d.machine(f.registry.Address)
	system := m.path("ostree/repo")
	must(t, os.MkdirAll(m.path("ostree"), 0o755))
	tool(t, "ostree", "init", "--mode=bare", "--repo="+system)
	other := &machine{t, m.path("other")}
	other.trust(f.registry.Address)
	other.ok("pull", f.reference("left"))
	tool(t, "ostree", "commit", "--repo="+system, "-b", "system", "--tree=dir="+other.store("images", f.pictures["left"].digest, "rootfs"))
	removeAll(t, other.root)

	before, _ := d.used()
	m.ok("pull", f.reference("left"))
	must(t, m.inspect(f))
	left := m.image(f, "left")
	if after, _ := d.used(); (after-before)*blockSize > left.Disk/2 || left.Own > left.Disk/2 {
		t.Errorf("the image took %d bytes; own %d shared %d", (after-before)*blockSize, left.Own, left.Shared)
	}
	m.ok("verify")
	tool(t, "ostree", "fsck", "-q", "--repo="+system)
	m.ok("prune", "--grace=0")
	tool(t, "ostree", "fsck", "-q", "--repo="+system)
}

// The table for people.
func TestImagesTable(t *testing.T) {
	m, f, _ := pullAll(t, "base", "plain")
	if out := (&machine{t, t.TempDir()}).ok("images"); strings.Count(out, "\n") > 1 {
		t.Errorf("of an empty store: %s", out)
	}
	m.ok("tag", f.reference("base"), "example.org/b:1")
	m.ok("tag", f.reference("plain"), "example.org/b:1") // base keeps its first name
	m.ok("tag", f.reference("plain"), f.reference("base"))
	m.unit("web", "example.org/b:1")
	out := m.ok("images")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 5 {
		t.Fatalf("%d lines, want a head, three references and an image without one:\n%s", len(lines), out)
	}
	for i, want := range [][]string{
		{"REFERENCE", "DIGEST", "CREATED", "SIZE", "OWN", "CONTAINERS"},
		{f.reference("base"), f.pictures["plain"].digest[:12], "years ago", "KiB", "web"},
		{f.reference("plain"), f.pictures["plain"].digest[:12]},
		{"example.org/b:1", f.pictures["plain"].digest[:12]},
		{"- ", f.pictures["base"].digest[:12], "MiB"},
	} {
		for _, word := range want {
			if !strings.Contains(lines[i], word) {
				t.Errorf("line %d is %q, want %q in it", i, lines[i], word)
			}
		}
	}
	if i := m.image(f, "base"); len(i.References) != 0 {
		t.Errorf("base is still called %v", i.References)
	}
}

// Images are found by reference, digest, and the beginning of one.
func TestFindImages(t *testing.T) {
	m, f, _ := pullAll(t, "base", "plain")
	digest := f.pictures["plain"].digest
	other := f.pictures["base"].digest
	for _, word := range []string{
		f.reference("plain"), "docker://" + f.reference("plain"), "sha256:" + digest, digest, digest[:4], "sha256:" + digest[:4], digest[:63],
	} {
		m.ok("pin", word)
		if i := m.image(f, "plain"); !i.Pinned {
			t.Errorf("pin %s does not pin", word)
		}
		m.ok("unpin", word)
	}
	m.fails(1, []string{"4 digits"}, "pin", "sha256:"+digest[:3])
	m.fails(1, []string{"no image"}, "pin", strings.Repeat("0", 8))
	m.fails(1, []string{"no image"}, "pin", "sha256:"+strings.Repeat("0", 64))
	m.fails(1, []string{"not in the store"}, "pin", "example.org/absent:1")
	m.fails(1, []string{"not in the store"}, "pin", "example.org/plain")
	for _, bad := range []string{"", "sha256:" + digest + "0", "UPPER/case:1", "example.org/x:", "example.org/x@sha256:1"} {
		for _, verb := range []string{"pin", "unpin", "rmi", "verify"} {
			if r := m.run(verb, bad); r.code == 0 || strings.Count(r.stderr, "\n") > 2 {
				t.Errorf("%vwant an error of one line and a hint", r)
			}
		}
	}
	// One that begins like another.
	twin := digest[:16] + strings.Repeat("0", 48)
	must(t, os.Mkdir(m.store("images", twin), 0o700))
	must(t, os.Mkdir(m.store("images", twin, "rootfs"), 0o755))
	for _, verb := range []string{"pin", "unpin", "rmi", "verify"} {
		m.fails(1, []string{digest[:16], twin[:20], digest[:20]}, verb, digest[:16])
	}
	m.ok("pin", digest[:17])
	m.ok("unpin", digest)
	removeAll(t, m.store("images", twin))
	if i := m.image(f, "base"); i.Pinned || i.Digest != "sha256:"+other {
		t.Errorf("base: %+v", i)
	}
	must(t, m.inspect(f))
}

// References of any length, with any byte that one may have, are kept, listed, found and removed.
func TestOddReferences(t *testing.T) {
	m, f, _ := pullAll(t, "plain")
	long := "example.org/" + strings.Repeat("long/", 45) + "x:" + strings.Repeat("t", 126)
	layout := filepath.Join(f.dir, "oci with space, ünïcode_and+more")
	if _, err := os.Stat(layout); err != nil {
		must(t, os.Symlink("oci", layout))
	}
	references := []string{
		long + "1", long + "2",
		"example.org/a_b:1", "example.org/a__b:1", "example.org/a-b:1", "example.org/a.b/c:1", "example.org/a/b.c:1",
		"example.org/a:T_A.G-1", "example.org/a:t_a.g-1", "example.org:5000/a:1", "localhost/a:1",
		"example.org/a@sha256:" + f.pictures["plain"].digest,
		"docker.io/library/busybox:latest",
	}
	if n := len(references[0]); n < 300 {
		t.Fatalf("%d bytes are not long", n)
	}
	for _, reference := range references {
		m.ok("tag", f.reference("plain"), reference)
	}
	for _, source := range []string{"oci:" + f.layout() + ":plain", "oci:" + layout + ":plain"} {
		m.ok("pull", source)
		references = append(references, source)
	}
	references = append(references, f.reference("plain"))
	slices.Sort(references)
	if got := m.image(f, "plain").References; !slices.Equal(got, references) {
		t.Errorf("references are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(references, "\n"))
	}
	must(t, m.inspect(f))
	m.inStep(f, "plain")
	m.ok("verify")
	out := m.ok("images")
	for _, reference := range references {
		if !strings.Contains(out, reference+" ") {
			t.Errorf("images does not list %s", reference)
		}
	}
	m.unit("web", references[len(references)-1])
	m.ok("prune", "--grace=0")
	m.inStep(f, "plain")
	removeAll(t, m.path(unitDir))
	for i, reference := range references {
		m.ok("verify", reference)
		m.ok("rmi", reference)
		if i < len(references)-1 {
			if got := m.image(f, "plain").References; slices.Contains(got, reference) || len(got) != len(references)-1-i {
				t.Errorf("after rmi %s there are %d references", reference, len(got))
			}
		}
	}
	m.inStep(f)
	if left, _ := filepath.Glob(m.store("references/.*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	// A tag that goes without saying.
	m.ok("pull", f.reference("plain"))
	m.ok("tag", f.reference("plain"), "example.org/a")
	m.ok("rmi", "example.org/a:latest")
}

// What rmi, tag, pin and unpin say, and what they leave.
func TestNames(t *testing.T) {
	m, f, _ := pullAll(t, "base", "plain")
	plain, base := f.reference("plain"), f.reference("base")
	quiet := func(args ...string) {
		t.Helper()
		if out := m.ok(args...); out != "" {
			t.Errorf("syscontainer %s says %q", strings.Join(args, " "), out)
		}
	}
	// Two names: the first goes alone.
	quiet("tag", plain, "example.org/two:1")
	quiet("rmi", plain)
	if got := m.image(f, "plain").References; !slices.Equal(got, []string{"example.org/two:1"}) {
		t.Errorf("references are %v", got)
	}
	quiet("rmi", "example.org/two:1")
	m.inStep(f, "base")
	m.fails(1, []string{"rmi example.org/two:1", "not in the store"}, "rmi", "example.org/two:1")

	// A digest stands for all names.
	m.ok("pull", plain)
	quiet("tag", plain, "example.org/two:1")
	quiet("rmi", f.pictures["plain"].digest[:10])
	m.inStep(f, "base")

	// One failure does not keep the others.
	m.ok("pull", plain)
	m.fails(1, []string{"example.org/absent:1"}, "rmi", "example.org/absent:1", plain)
	m.inStep(f, "base")

	// A name that moves leaves the image it named.
	m.ok("pull", plain)
	quiet("tag", plain, base)
	m.inStep(f, "base", "plain")
	if got := m.image(f, "plain").References; !slices.Equal(got, slices.Sorted(slices.Values([]string{plain, base}))) {
		t.Errorf("references are %v", got)
	}
	quiet("tag", f.pictures["base"].digest[:8], base)
	quiet("tag", base, base)
	quiet("rmi", plain)
	m.inStep(f, "base")

	// A pin holds the image, not the name.
	m.ok("pull", plain)
	quiet("pin", base)
	quiet("pin", base)
	if info, err := os.Stat(m.store("pins", f.pictures["base"].digest)); err != nil || info.Size() != 0 {
		t.Errorf("pin: %v, %v", info, err)
	}
	quiet("tag", plain, base)
	m.fails(1, []string{"pinned"}, "rmi", "sha256:"+f.pictures["base"].digest)
	m.ok("prune", "--grace=0")
	m.inStep(f, "base")
	quiet("unpin", f.pictures["base"].digest)
	quiet("unpin", f.pictures["base"].digest)
	quiet("rmi", f.pictures["base"].digest)
	m.inStep(f)
	if pins, err := os.ReadDir(m.store("pins")); err != nil || len(pins) > 0 {
		t.Errorf("pins: %v, %v", pins, err)
	}

	// Needed images stay; names beside the needed one go.
	m.ok("pull", plain)
	m.unit("web", plain)
	quiet("tag", plain, "example.org/two:1")
	m.fails(1, []string{"still needed", "web.syscontainer"}, "rmi", plain)
	m.fails(1, []string{"still needed", "web.syscontainer"}, "rmi", f.pictures["plain"].digest)
	quiet("rmi", "example.org/two:1")
	m.inStep(f, "plain")

	for _, args := range [][]string{
		{"rmi"}, {"pin"}, {"unpin"}, {"tag"}, {"tag", plain}, {"tag", plain, "a.org/b:1", "a.org/c:1"}, {"tag", plain, "Not/Good"},
		{"images", plain}, {"images", "--wrong"}, {"verify", "--wrong"}, {"rmi", "--wrong", plain}, {"tag", "--wrong"}, {"pin", "--wrong"}, {"prune", "--wrong"}, {"pull"}, {"pull", "--wrong"},
	} {
		r := m.fails(2, nil, args...)
		if strings.Count(r.stderr, "\n") > 2 || !strings.HasPrefix(r.stderr, "syscontainer: ") || r.stdout != "" {
			t.Errorf("%vwant one line on stderr", r)
		}
	}
	m.fails(1, []string{"tag example.org/absent:1", "not in the store"}, "tag", "example.org/absent:1", "example.org/new:1")
	m.fails(1, []string{"pin example.org/absent:1", "not in the store"}, "pin", "example.org/absent:1")
	for _, verb := range []string{"pull", "images", "verify", "prune", "rmi", "tag", "pin", "unpin"} {
		if out := m.ok(verb, "--help"); !strings.HasPrefix(out, "Usage: syscontainer "+verb) {
			t.Errorf("%s --help says %s", verb, out)
		}
	}
	m.inStep(f, "plain")
}
