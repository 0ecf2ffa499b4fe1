// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fullDisk is a small file system on which one image works already and another one is about to find no room.
type fullDisk struct {
	*machine
	d *disk
	f *fixture

	blocks, inodes         int64 // taken before
	needBlocks, needInodes int64 // by the second image
	before                 func()
	stages                 map[string]int
}

const (
	blockSize  = 4096
	oldPicture = "plain"
	newPicture = "big"
)

func newFullDisk(t *testing.T, options ...string) *fullDisk {
	t.Helper()
	f := setup(t)
	d := newDisk(t, 48<<20, options...)
	x := &fullDisk{machine: d.machine(f.registry.Address), d: d, f: f, before: func() {}}
	x.ok("pull", f.reference(oldPicture))
	// The kernel shall be the one to say that nothing is left.
	config := x.store("repo/config")
	text, err := os.ReadFile(config)
	must(t, err)
	must(t, os.WriteFile(config, append(text, "min-free-space-percent=0\n"...), 0o644))
	x.unit("old", f.reference(oldPicture))
	// How much the second one takes; directories of the store that it makes grow stay as large as they get.
	x.ok("pull", f.reference(newPicture))
	fullBlocks, fullInodes := d.used()
	x.ok("prune", "--grace=0")
	x.blocks, x.inodes = d.used()
	x.needBlocks, x.needInodes = fullBlocks-x.blocks, fullInodes-x.inodes
	t.Logf("the image takes %d blocks and %d inodes", x.needBlocks, x.needInodes)
	return x
}

// leave fills the disk but for so many blocks or inodes; the negative of either is no limit. free undoes it.
func (x *fullDisk) leave(blocks, inodes int64) (free func()) {
	x.t.Helper()
	dir := x.path("filler")
	must(x.t, os.Mkdir(dir, 0o755))
	var st unix.Statfs_t
	if inodes >= 0 {
		must(x.t, unix.Statfs(x.root, &st))
		for i := range int64(st.Ffree) - inodes {
			if i == 0 {
				must(x.t, os.WriteFile(filepath.Join(dir, "inode"), nil, 0o644))
				continue
			}
			must(x.t, unix.Mknod(filepath.Join(dir, fmt.Sprint(i)), unix.S_IFIFO, 0))
		}
	}
	if blocks >= 0 {
		x.d.sync()
		must(x.t, unix.Statfs(x.root, &st))
		file, err := os.Create(filepath.Join(dir, "blocks"))
		must(x.t, err)
		// Not Bfree: without -m, too, ext4 keeps some for itself. The file's own extents take a block now and then.
		if size := (int64(st.Bavail) - blocks) * blockSize; size > 0 {
			for ; ; size -= blockSize {
				err := unix.Fallocate(int(file.Fd()), 0, 0, size)
				if err == nil {
					break
				}
				if !errors.Is(err, unix.ENOSPC) {
					x.t.Fatal(err)
				}
			}
		}
		file.Close()
		x.d.sync()
	}
	return func() { removeAll(x.t, dir) }
}

// try pulls the second image while only so much is left, which must work or fail cleanly, and returns whether it worked.
// Meanwhile the first image is good, and afterwards everything is.
func (x *fullDisk) try(what string, blocks, inodes int64) bool {
	x.t.Helper()
	reference, old := x.f.reference(newPicture), x.f.reference(oldPicture)
	free := x.leave(blocks, inodes)
	r := x.run("pull", reference)
	switch {
	case r.code == 0:
	case r.code != 1 || !strings.Contains(r.stderr, "space") && !strings.Contains(r.stderr, "inode"):
		x.t.Errorf("%s: %vwant status 1 and words about space", what, r)
	case strings.Count(r.stderr, "\n") > 2:
		x.t.Errorf("%s: %vwant one line and a hint", what, r)
	}
	if x.stages != nil && r.code != 0 {
		x.stages[stage(r.stderr)]++
	}
	for _, args := range [][]string{{"images"}, {"verify", old}} {
		if r := x.run(args...); r.code != 0 {
			x.t.Errorf("%s: %v", what, r)
		}
	}
	if err := x.inspectImage(x.f, x.f.pictures[oldPicture].digest); err != nil {
		x.t.Errorf("%s: the old image: %v", what, err)
	}
	free()
	if err := x.inspect(x.f); err != nil { // ostree itself needs some room
		x.t.Errorf("%s: after %v%v", what, r, err)
	}
	references, err := x.references()
	must(x.t, err)
	if references[old] != x.f.pictures[oldPicture].digest {
		x.t.Errorf("%s: the old image is gone", what)
	}
	if got := references[reference] != ""; got != (r.code == 0) {
		x.t.Errorf("%s: status %d, but the reference is there: %v", what, r.code, got)
	}
	return r.code == 0
}

// stage is an error without what is different each time.
func stage(message string) string {
	message = regexp.MustCompile(`^\S+ pull \S+ |txn-[A-Z0-9]{26}|[0-9a-f]{32,}|[0-9]+|entry "[^"]*"|/\S*/`).ReplaceAllString(strings.TrimSpace(message), "…")
	return message
}

// swept checks that a prune gives back everything.
func (x *fullDisk) swept(what string) {
	x.t.Helper()
	x.ok("prune", "--grace=0")
	blocks, inodes := x.d.used()
	const few = 8
	if blocks > x.blocks+few || inodes > x.inodes+few {
		x.t.Errorf("%s: %d blocks and %d inodes were taken, afterwards %d and %d are", what, x.blocks, x.inodes, blocks, inodes)
	}
	if left := x.debris(); len(left) > 0 {
		x.t.Errorf("%s: left %v", what, left)
	}
}

// steps are amounts up to most: close to each other at the end, where directories, refs and documents are written.
func steps(most int64, n int) (all []int64) {
	for i := range int64(n) {
		all = append(all, most*i/int64(n))
	}
	for i := range int64(n) {
		all = append(all, most-most*i/int64(n)/8)
	}
	return all
}

// A disk that gets full, at whichever stage, is a clear error, nothing half done, and no space lost.
func TestDiskFull(t *testing.T) {
	x := newFullDisk(t)
	x.fill("blocks", steps(x.needBlocks+x.needBlocks/32, counts(4, 80)), func(left int64) (blocks, inodes int64) { return left, -1 })
}

// So are inodes that run out.
func TestInodesFull(t *testing.T) {
	x := newFullDisk(t, "-N", "1024")
	x.fill("inodes", steps(x.needInodes+x.needInodes/4, counts(4, 60)), func(left int64) (blocks, inodes int64) { return -1, left })
}

// So is a checkout that finds no room: directories, then documents.
func TestDiskFullInCheckout(t *testing.T) {
	x := newFullDisk(t)
	x.before = func() {
		x.ok("pull", x.f.reference(newPicture))
		removeAll(t, x.store("images", x.f.pictures[newPicture].digest))
		removeAll(t, x.link(x.f.reference(newPicture)))
	}
	const most = 64 // more than its directories and documents
	x.fill("blocks", steps(most, counts(3, 64)), func(left int64) (blocks, inodes int64) { return left, -1 })
}

func (x *fullDisk) fill(unit string, amounts []int64, split func(int64) (blocks, inodes int64)) {
	x.t.Helper()
	x.stages = map[string]int{}
	for _, left := range amounts {
		what := fmt.Sprintf("%d %s left", left, unit)
		blocks, inodes := split(left)
		x.before()
		x.try(what, blocks, inodes)
		x.swept(what)
	}
	for said, n := range x.stages {
		x.t.Logf("%d times: %s", n, said)
	}
	if len(x.stages) < 2 {
		x.t.Errorf("the disk was full at %d stages only", len(x.stages))
	}
	if !x.try("enough "+unit, -1, -1) {
		x.t.Error("no pull works any more")
	}
}

// On a disk without a free block or inode, room can be made.
func TestRemoveOnFullDisk(t *testing.T) {
	for what, left := range map[string][2]int64{"blocks": {0, -1}, "inodes": {-1, 0}} {
		for _, args := range [][]string{{"prune", "--grace=0"}, {"rmi", "NEW"}} {
			t.Run(what+"/"+args[0], func(t *testing.T) {
				x := newFullDisk(t, "-N", "1024")
				reference := x.f.reference(newPicture)
				x.ok("pull", reference)
				free := x.leave(left[0], left[1])
				for i := range args {
					args[i] = strings.Replace(args[i], "NEW", reference, 1)
				}
				x.ok(args...)
				if _, err := os.Stat(x.store("images", x.f.pictures[newPicture].digest)); err == nil {
					t.Error("the image is still there")
				}
				free()
				must(t, x.inspect(x.f))
				x.swept("the image removed")
				x.ok("pull", reference)
				must(t, x.inspect(x.f))
			})
		}
	}
}

// What is to stay free stays free, whether syscontainer.conf or the repository's config says so, and nothing is fetched in
// vain.
func TestMinFreeSpace(t *testing.T) {
	x := newFullDisk(t)
	p := newProxy(t, x.f, 0)
	x.trust(x.f.registry.Address, p.Address)
	free := x.leave(x.needBlocks+1024, -1)
	x.write("etc/containers/syscontainer.conf", "[Store]\nMinFreeSpace=8M\n")
	reference := p.reference(newPicture, "1")
	x.fails(1, []string{"space", "MinFreeSpace"}, "pull", reference)
	for _, layer := range x.f.pictures[newPicture].layers {
		if n := p.times(layer); n > 0 {
			t.Errorf("layer %s was fetched %d times, in vain", layer, n)
		}
	}
	must(t, x.inspect(x.f))
	must(t, os.Remove(x.path("etc/containers/syscontainer.conf")))

	config := x.store("repo/config")
	text, err := os.ReadFile(config)
	must(t, err)
	for _, line := range []string{"min-free-space-percent=60", "min-free-space-size=40MB"} {
		must(t, os.WriteFile(config, []byte(strings.Replace(string(text), "min-free-space-percent=0", line, 1)), 0o644))
		x.fails(1, []string{"space", "min-free-space"}, "pull", reference)
		must(t, x.inspect(x.f))
	}
	free()
	x.swept("the limits")
	must(t, os.WriteFile(config, text, 0o644))
	x.ok("pull", reference)
	must(t, x.inspect(x.f))
}

// What only reads also works on a file system that cannot be written.
func TestReadOnly(t *testing.T) {
	x := newFullDisk(t)
	x.ok("prune", "--grace=0") // with the files of locks
	must(t, unix.Mount("", x.root, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	defer unix.Mount("", x.root, "", unix.MS_REMOUNT, "")
	for _, args := range [][]string{{"images"}, {"images", "--json"}, {"verify"}, {"verify", x.f.reference(oldPicture)}, {"prune", "--dry-run"}} {
		if r := x.run(args...); r.code != 0 {
			t.Error(r)
		}
	}
	for _, args := range [][]string{{"pull", x.f.reference(newPicture)}, {"rmi", x.f.reference(oldPicture)}, {"prune"}, {"pin", x.f.reference(oldPicture)}, {"tag", x.f.reference(oldPicture), "x.org/y:1"}} {
		x.fails(1, []string{"read-only file system"}, args...)
	}
}
