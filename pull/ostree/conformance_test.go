package ostree

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// rootTree is a copy of a real tree: of a Debian root if there is one on this
// machine, else of the one that it runs from; of a few directories only unless
// there is time. libostree refuses devices, so there are none.
func rootTree(t *testing.T) string {
	t.Helper()
	root := os.Getenv("SYSCONTAINER_TEST_CACHE")
	if root == "" {
		root = "/var/cache/syscontainer-test"
	}
	root += "/minbase"
	parts := []string{"etc", "usr/bin", "usr/sbin"}
	if _, err := os.Stat(root); err != nil {
		root = "/"
	} else if os.Getenv("SYSCONTAINER_TEST_LONG") != "" {
		parts = []string{"."}
	}
	t.Logf("the tree is %q of %s", parts, root)
	dir := filepath.Join(t.TempDir(), "root")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		from, to := filepath.Join(root, part), filepath.Join(dir, strings.ReplaceAll(part, "/", "-")+"-")
		if exec.Command("cp", "-al", from, to).Run() != nil { // another file system
			os.RemoveAll(to)
			run(t, "cp", "-a", from, to)
		}
	}
	run(t, "find", dir, "!", "-type", "d", "!", "-type", "f", "!", "-type", "l", "-delete")
	return dir
}

// storeDir writes what is on disk below dir.
func storeDir(t *testing.T, txn *Txn, dir string) *Tree {
	t.Helper()
	meta := func(path string) (Meta, uint32) {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			t.Fatal(err)
		}
		xattrs, err := xattrsOfPath(path).read()
		if err != nil {
			t.Fatal(path, err)
		}
		return Meta{UID: st.Uid, GID: st.Gid, Mode: st.Mode & 0o7777, Xattrs: xattrs}, st.Mode & typeMask
	}
	tree := &Tree{Files: map[string]Checksum{}, Dirs: map[string]*Tree{}}
	tree.Meta, _ = meta(dir)
	for _, e := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
		path := filepath.Join(dir, e.Name())
		switch m, kind := meta(path); kind {
		case typeDir:
			tree.Dirs[e.Name()] = storeDir(t, txn, path)
		case typeSymlink:
			tree.Files[e.Name()] = must[Checksum](t)(txn.WriteSymlink(m, must[string](t)(os.Readlink(path))))
		default:
			f := must[*os.File](t)(os.Open(path))
			tree.Files[e.Name()] = must[Checksum](t)(txn.WriteFile(m, must[fs.FileInfo](t)(f.Stat()).Size(), f))
			f.Close()
		}
	}
	return tree
}

// libostree and we store a whole root, and each reads what the other wrote:
// the same commit, the same objects, the same listing, the same checkouts.
func TestRealRoot(t *testing.T) {
	ours := newRepo(t)
	dir := rootTree(t)
	txn := begin(t, ours)
	tree := storeDir(t, txn, dir)
	root, meta, err := txn.WriteTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	commit := must[Checksum](t)(txn.WriteCommit(Commit{Subject: "root", Timestamp: 5, Tree: root, Meta: meta}))
	if err := txn.Publish(map[string]Checksum{"root": commit}); err != nil {
		t.Fatal(err)
	}

	theirs := must[*Repo](t)(OpenOrCreate(filepath.Join(t.TempDir(), "theirs")))
	defer theirs.Close()
	got := run(t, "ostree", "--repo="+theirs.Path(), "commit", "-b", "root", "--tree=dir="+dir, "--no-bindings", "--fsync=false", "--timestamp=@5", "-s", "root")
	if strings.TrimSpace(got) != commit.String() {
		t.Errorf("our commit of %s is %v, libostree's is %s", dir, commit, got)
	}
	stored, want := stored(t, ours.Path()), stored(t, theirs.Path())
	if !slices.Equal(stored, want) {
		t.Errorf("objects differ: %s", firstDifference(strings.Join(stored, "\n"), strings.Join(want, "\n")))
	}
	t.Logf("%d objects", len(stored))
	list := func(r *Repo) string {
		return run(t, "ostree", "--repo="+r.Path(), "ls", "-R", "-C", "-d", "-X", "root")
	}
	if a, b := list(ours), list(theirs); a != b || len(a) == 0 {
		t.Errorf("listings differ: %s", firstDifference(a, b))
	}
	if got := problems(t, theirs, commit); got != nil {
		t.Errorf("what libostree wrote: %q", got)
	}
	compareCheckouts(t, ours, commit)
}

// exchange makes two repositories, one by each implementation, each with two
// commits a and b of random trees.
func exchange(t *testing.T, seed uint64) (ours, theirs *Repo, a, b Checksum) {
	t.Helper()
	ours = newRepo(t)
	theirs = must[*Repo](t)(OpenOrCreate(filepath.Join(t.TempDir(), "theirs")))
	t.Cleanup(func() { theirs.Close() })
	theirs.config.fsync = false
	rnd := rand.New(rand.NewPCG(seed, 3))
	dir := filepath.Join(t.TempDir(), "tree")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, commit := range []*Checksum{&a, &b} {
		txn := begin(t, ours)
		below := filepath.Join(dir, fmt.Sprint("round", i))
		if err := os.Mkdir(below, 0o700); err != nil {
			t.Fatal(err)
		}
		randomTree(t, rnd, txn, below, 2)
		big := bytes.Repeat([]byte{byte(i)}, 5<<20*i+10) // a fallback object, were it not for --min-fallback-size
		edited := strings.Repeat("line\n", 9000) + fmt.Sprint(i)
		if err := errors.Join(os.WriteFile(dir+"/big", big, 0o644), os.WriteFile(dir+"/edited", []byte(edited), 0o644)); err != nil {
			t.Fatal(err)
		}
		txn.Abort()
		txn = begin(t, ours)
		tree := storeDir(t, txn, dir)
		*commit = publish(t, txn, tree, fmt.Sprint("r/", i))
		run(t, "ostree", "--repo="+theirs.Path(), "commit", "-b", fmt.Sprint("r/", i), "--tree=dir="+dir, "--no-bindings", "--fsync=false", "--timestamp=@0", "-s", fmt.Sprint("r/", i))
	}
	for i, commit := range []Checksum{a, b} {
		if got := must[Checksum](t)(theirs.ResolveRef(fmt.Sprint("r/", i))); got != commit {
			t.Errorf("seed %d: commit %v, libostree's %v", seed, commit, got)
		}
	}
	return ours, theirs, a, b
}

// libostree pulls from our repository and into it.
func TestPullLocal(t *testing.T) {
	ours, theirs, a, b := exchange(t, 1)
	for _, from := range []*Repo{ours, theirs} {
		path := filepath.Join(t.TempDir(), "pulled")
		run(t, "ostree", "--repo="+path, "init", "--mode=bare")
		run(t, "ostree", "--repo="+path, "pull-local", "--untrusted", "--disable-fsync", from.Path(), "r/0", "r/1")
		run(t, "ostree", "--repo="+path, "fsck", "-q")
		if got, want := stored(t, path), stored(t, from.Path()); !slices.Equal(got, want) {
			t.Errorf("pulled from %s: %s", from.Path(), firstDifference(strings.Join(got, "\n"), strings.Join(want, "\n")))
		}
		into := newRepo(t) // of ours
		run(t, "ostree", "--repo="+into.Path(), "pull-local", "--untrusted", "--disable-fsync", "--remote=origin", from.Path(), "r/1")
		if got := must[Checksum](t)(into.ResolveRef("origin:r/1")); got != b {
			t.Errorf("pulled into ours: %v", got)
		}
		if got := problems(t, into, b); got != nil {
			t.Errorf("pulled into ours: %q", got)
		}
		if got := problems(t, into, a); len(got) != 1 {
			t.Errorf("the other commit came along: %q", got)
		}
		if pruned := must[Pruned](t)(into.Prune(t.Context(), PruneOptions{})); pruned.Objects != 0 {
			t.Errorf("a prune removed %+v of what was pulled from a remote", pruned)
		}
	}
}

// Static deltas go from our repository and into it.
func TestStaticDeltas(t *testing.T) {
	ours, theirs, a, b := exchange(t, 2)
	for _, from := range []*Repo{ours, theirs} {
		for _, base := range []string{"--empty", "--from=" + a.String()} {
			delta := filepath.Join(t.TempDir(), "delta")
			run(t, "ostree", "--repo="+from.Path(), "static-delta", "generate", base, "--to="+b.String(), "--inline", "--min-fallback-size=0", "--filename="+delta)
			into := newRepo(t)
			if base != "--empty" {
				run(t, "ostree", "--repo="+into.Path(), "pull-local", "--disable-fsync", from.Path(), "r/0")
			}
			run(t, "ostree", "--repo="+into.Path(), "static-delta", "apply-offline", delta)
			if got := problems(t, into, b); got != nil {
				t.Errorf("%s: %q", base, got)
			}
			if err := begin(t, into).Publish(map[string]Checksum{"applied": b}); err != nil {
				t.Error(err)
			}
			before := len(stored(t, into.Path()))
			must[Pruned](t)(into.Prune(t.Context(), PruneOptions{Choose: func(refs map[string]Checksum) (del []string, _ error) {
				for name := range refs {
					if name != "applied" {
						del = append(del, name)
					}
				}
				return del, nil
			}}))
			if after := len(stored(t, into.Path())); base != "--empty" && after >= before {
				t.Errorf("%s: %d objects before the prune, %d after", base, before, after)
			}
			compareCheckouts(t, into, b)
		}
	}
	// Those in the repository itself outlive a prune.
	run(t, "ostree", "--repo="+ours.Path(), "static-delta", "generate", "--empty", "--to="+b.String())
	must[Pruned](t)(ours.Prune(t.Context(), PruneOptions{}))
	if deltas := run(t, "ostree", "--repo="+ours.Path(), "static-delta", "list"); !strings.Contains(deltas, b.String()) {
		t.Errorf("deltas after a prune: %s", deltas)
	}
}
