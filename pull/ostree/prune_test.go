package ostree

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stored lists all files of a repository that a prune could remove.
func stored(t *testing.T, repo string) []string {
	t.Helper()
	var names []string
	for _, below := range []string{"objects", "state", "refs"} {
		err := filepath.WalkDir(filepath.Join(repo, below), func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				name, _ := filepath.Rel(repo, path)
				names = append(names, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// usedRepo holds what was published here, what libostree committed, with
// parents and signatures, and refs of all kinds.
func usedRepo(t *testing.T, seed uint64) *Repo {
	t.Helper()
	r := newRepo(t)
	rnd := rand.New(rand.NewPCG(seed, 2))
	theirs := filepath.Join(t.TempDir(), "tree")
	os.Mkdir(theirs, 0o755)
	repo := "--repo=" + r.Path()
	for i := range 4 {
		txn := begin(t, r)
		dir := filepath.Join(t.TempDir(), "tree")
		os.Mkdir(dir, 0o700)
		tree := randomTree(t, rnd, txn, dir, 2)
		tree.Files["common"] = writeFile(t, txn, Meta{Mode: 0o644}, "in all of them")
		publish(t, txn, tree, fmt.Sprint("ours/", i))

		os.WriteFile(theirs+"/changing", fmt.Append(nil, "round ", i), 0o644)
		run(t, "ostree", repo, "commit", "-b", "theirs", "--tree=dir="+theirs, "--fsync=false", "--add-detached-metadata-string=signed=yes")
	}
	commit := func(ref string) Checksum { return must[Checksum](t)(r.ResolveRef(ref)) }
	os.MkdirAll(r.Path()+"/refs/remotes/origin/a", 0o755)
	os.WriteFile(r.Path()+"/refs/remotes/origin/a/b", []byte(commit("ours/0").String()+"\n"), 0o644)
	os.MkdirAll(r.Path()+"/refs/mirrors/org.example.X", 0o755)
	os.WriteFile(r.Path()+"/refs/mirrors/org.example.X/m", []byte(commit("ours/1").String()), 0o644)
	run(t, "ostree", repo, "refs", "--create=größe", commit("ours/2").String())
	for _, ref := range []string{"ours/0", "ours/1", "ours/2"} {
		if err := r.DeleteRef(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "ostree", repo, "refs", "-A", "--create=alias", "theirs")
	// A commit that goes, with all that belongs to it.
	txn := begin(t, r)
	gone := publish(t, txn, &Tree{Meta: Meta{Mode: 0o711}, Files: map[string]Checksum{"f": writeFile(t, txn, Meta{Mode: 0o644}, "gone")}}, "gone")
	os.WriteFile(filepath.Join(r.Path(), partialMark(gone)), nil, 0o644)
	if err := r.DeleteRef(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	return r
}

// The judge prunes a copy, we prune: the same is left.
func TestPruneKeepsWhatLibostreeKeeps(t *testing.T) {
	for seed := range uint64(3) {
		r := usedRepo(t, seed)
		before := stored(t, r.Path())
		copied := filepath.Join(t.TempDir(), "copy")
		run(t, "cp", "-a", r.Path(), copied)
		run(t, "ostree", "--repo="+copied, "prune", "--refs-only", "--depth=0")
		want := stored(t, copied)

		would := must[Pruned](t)(r.Prune(t.Context(), PruneOptions{DryRun: true}))
		if got := stored(t, r.Path()); !slices.Equal(got, before) {
			t.Errorf("seed %d: a dry run changed something", seed)
		}
		did := must[Pruned](t)(r.Prune(t.Context(), PruneOptions{}))
		got := stored(t, r.Path())
		if !slices.Equal(got, want) {
			t.Errorf("seed %d: left:\n%s", seed, firstDifference(strings.Join(got, "\n"), strings.Join(want, "\n")))
		}
		if len(got) >= len(before) || did.Commits != 4 {
			t.Errorf("seed %d: %d files before, %d after, %+v", seed, len(before), len(got), did)
		}
		if fmt.Sprint(would) != fmt.Sprint(did) {
			t.Errorf("seed %d: would remove %+v, removed %+v", seed, would, did)
		}
		if again := must[Pruned](t)(r.Prune(t.Context(), PruneOptions{})); again.Objects != 0 || again.Bytes != 0 {
			t.Errorf("seed %d: a second prune removed %+v", seed, again)
		}
	}
}

func TestPruneChosenRefs(t *testing.T) {
	r := newRepo(t)
	var commits []Checksum
	for i := range 3 {
		txn := begin(t, r)
		commits = append(commits, publish(t, txn, &Tree{Meta: Meta{Mode: 0o755}, Files: map[string]Checksum{
			"own":    writeFile(t, txn, Meta{Mode: 0o644}, strings.Repeat("x", 10_000*(i+1))),
			"shared": writeFile(t, txn, Meta{Mode: 0o644}, "y"),
		}}, fmt.Sprint("r/", i)))
	}
	out := layOut(t, r, commits[1], CheckoutOptions{}) // keeps the inodes of its files
	stranger := filepath.Join(r.Path(), "objects", filePath(commits[0])[:2], "README")
	if err := os.WriteFile(stranger, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	meta := func(c Checksum) int64 {
		var blocks int64
		for _, o := range []object{{c, kindCommit}, {must[*Commit](t)(r.ReadCommit(c)).Tree, kindDirTree}} {
			var st unix.Stat_t
			if err := unix.Lstat(r.Path()+"/objects/"+o.path(), &st); err != nil {
				t.Fatal(err)
			}
			blocks += st.Blocks
		}
		return blocks * 512
	}
	var own unix.Stat_t
	if err := unix.Lstat(r.Path()+"/objects/"+filePath(FileChecksum(Meta{Mode: 0o644}, []byte(strings.Repeat("x", 10_000)))), &own); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint(Pruned{Refs: []string{"r/0", "r/1"}, Commits: 2, Objects: 6, Bytes: own.Blocks*512 + meta(commits[0]) + meta(commits[1])})
	choose := func(refs map[string]Checksum) ([]string, error) {
		if !maps.Equal(refs, map[string]Checksum{"r/0": commits[0], "r/1": commits[1], "r/2": commits[2]}) {
			t.Errorf("to choose from: %v", refs)
		}
		return []string{"r/1", "r/0", "r/1"}, nil
	}
	for _, dry := range []bool{true, false} {
		if got := must[Pruned](t)(r.Prune(t.Context(), PruneOptions{Choose: choose, DryRun: dry})); fmt.Sprint(got) != want {
			t.Errorf("dry run %v: %+v, want %s", dry, got, want)
		}
	}
	if got := must[map[string]Checksum](t)(r.Refs("")); len(got) != 1 || got["r/2"] != commits[2] {
		t.Errorf("left: %v", got)
	}
	if _, err := os.Stat(stranger); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(out + "/own"); err != nil || len(b) != 20_000 {
		t.Errorf("a file of a checkout: %d bytes, %v", len(b), err)
	}
}

// Whatever a prune cannot account for, it removes nothing.
func TestPruneRemovesNothing(t *testing.T) {
	need(t, "ostree")
	object := func(r *Repo, o object) string { return filepath.Join(r.Path(), "objects", o.path()) }
	for name, c := range map[string]struct {
		break_ func(r *Repo, c *Commit, id Checksum)
		choose func(map[string]Checksum) ([]string, error)
		want   string
	}{
		"empty ref":    {break_: func(r *Repo, _ *Commit, _ Checksum) { os.WriteFile(r.Path()+"/refs/heads/bad", nil, 0o644) }, want: "refs/heads/bad is damaged"},
		"damaged ref":  {break_: func(r *Repo, _ *Commit, _ Checksum) { os.WriteFile(r.Path()+"/refs/heads/ü", []byte("x"), 0o644) }, want: "refs/heads/ü is damaged"},
		"remote ref":   {break_: func(r *Repo, _ *Commit, _ Checksum) { os.WriteFile(r.Path()+"/refs/remotes/bad", nil, 0o644) }, want: "refs/remotes/bad is damaged"},
		"mirrored ref": {break_: func(r *Repo, _ *Commit, _ Checksum) { os.WriteFile(r.Path()+"/refs/mirrors/bad", nil, 0o644) }, want: "refs/mirrors/bad is damaged"},
		"dangling":     {break_: func(r *Repo, _ *Commit, _ Checksum) { os.Symlink("nobody", r.Path()+"/refs/heads/bad") }, want: "refs/heads/bad"},
		"no commit": {break_: func(r *Repo, _ *Commit, _ Checksum) {
			os.WriteFile(r.Path()+"/refs/heads/bad", []byte(idD0+"\n"), 0o644)
		}, want: "refs/heads/bad is damaged: commit " + idD0},
		"damaged commit":                       {break_: func(r *Repo, _ *Commit, id Checksum) { os.Truncate(object(r, objectOf(id, kindCommit)), 9) }, want: "corrupt"},
		"no tree":                              {break_: func(r *Repo, c *Commit, _ Checksum) { os.Remove(object(r, objectOf(c.Tree, kindDirTree))) }, want: c404},
		"damaged tree":                         {break_: func(r *Repo, c *Commit, _ Checksum) { os.Truncate(object(r, objectOf(c.Tree, kindDirTree)), 9) }, want: "corrupt"},
		"no dirmeta":                           {break_: func(r *Repo, c *Commit, _ Checksum) { os.Remove(object(r, objectOf(c.Meta, kindDirMeta))) }, want: c404},
		"Choose fails":                         {choose: func(map[string]Checksum) ([]string, error) { return nil, errors.New("cannot tell") }, want: "cannot tell"},
		"Choose names a ref that is not there": {choose: func(map[string]Checksum) ([]string, error) { return []string{"keep", "nobody"}, nil }, want: "nobody"},
		"Choose names one with an alias":       {choose: func(map[string]Checksum) ([]string, error) { return []string{"keep"}, nil }, want: "alias"},
	} {
		t.Run(name, func(t *testing.T) {
			r := must[*Repo](t)(OpenOrCreate(filepath.Join(t.TempDir(), "repo")))
			defer r.Close()
			r.config.fsync = false
			txn := begin(t, r)
			publish(t, txn, &Tree{Meta: Meta{Mode: 0o700}, Files: map[string]Checksum{"f": writeFile(t, txn, Meta{Mode: 0o644}, "gone")}}, "gone")
			txn = begin(t, r)
			id := publish(t, txn, small(t, txn), "keep")
			if err := r.DeleteRef(t.Context(), "gone"); err != nil {
				t.Fatal(err)
			}
			os.Symlink("keep", r.Path()+"/refs/heads/alias")
			if c.break_ != nil {
				c.break_(r, must[*Commit](t)(r.ReadCommit(id)), id)
			}
			before := stored(t, r.Path())
			pruned, err := r.Prune(t.Context(), PruneOptions{Choose: c.choose})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if after := stored(t, r.Path()); !slices.Equal(before, after) || fmt.Sprint(pruned) != fmt.Sprint(Pruned{}) {
				t.Errorf("removed something: %+v", pruned)
			}
		})
	}
}

const c404 = "no such file or directory"

func objectOf(sum Checksum, k kind) object { return object{sum, k} }

// What libostree marked as partial may lack what it likes.
func TestPruneOfPartialCommits(t *testing.T) {
	need(t, "ostree")
	r := must[*Repo](t)(OpenOrCreate(filepath.Join(t.TempDir(), "repo")))
	defer r.Close()
	r.config.fsync = false
	txn := begin(t, r)
	tree := small(t, txn)
	tree.Dirs["sub"] = &Tree{Meta: Meta{Mode: 0o750}, Files: maps.Clone(tree.Files)}
	id := publish(t, txn, tree, "partial")
	c := must[*Commit](t)(r.ReadCommit(id))
	root := must[*DirTree](t)(r.ReadDirTree(c.Tree))
	os.Remove(r.Path() + "/objects/" + object{root.Dirs[1].Tree, kindDirTree}.path())
	if _, err := r.Prune(t.Context(), PruneOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a tree is missing: %v", err)
	}
	os.WriteFile(filepath.Join(r.Path(), partialMark(id)), nil, 0o644)
	before := stored(t, r.Path())
	if _, err := r.Prune(t.Context(), PruneOptions{}); err != nil {
		t.Error(err)
	}
	if after := stored(t, r.Path()); !slices.Equal(before, after) {
		t.Error("a prune removed what the rest of a partial commit needs")
	}
}

func TestPruneWaitsForTransactions(t *testing.T) {
	r := newRepo(t)
	txn := begin(t, r)
	if _, err := r.Prune(t.Context(), PruneOptions{Quick: true}); !errors.Is(err, ErrBusy) {
		t.Errorf("during a transaction: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Prune(ctx, PruneOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	commit := publish(t, txn, small(t, txn), "x")
	pruned, err := r.Prune(t.Context(), PruneOptions{Quick: true})
	if err != nil || pruned.Objects != 0 {
		t.Errorf("%+v, %v", pruned, err)
	}
	if err := r.Fsck(t.Context(), commit); err != nil {
		t.Error(err)
	}
}

// A mark is its checksum and little else, whatever the number of files.
func TestPruneTakesLittleMemory(t *testing.T) {
	const dirs, files = 64, 2048
	r := newRepo(t)
	p := newPrune(t.Context(), r)
	var trees []object
	for d := range dirs {
		tree := &DirTree{}
		for f := range files { // that are nowhere: a prune does not look
			tree.Files = append(tree.Files, FileEntry{fmt.Sprintf("%06d", f), FileChecksum(Meta{UID: uint32(d), GID: uint32(f)}, nil)})
		}
		data := encodeDirTree(tree)
		sum := writeRaw(t, r, kindDirTree, data)
		trees = append(trees, object{sum, kindDirTree})
	}
	meta := object{writeRaw(t, r, kindDirMeta, encodeDirMeta(Meta{Mode: 0o755})), kindDirMeta}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, tree := range trees {
		if err := p.dir(tree.sum, meta.sum, false, 0); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	perFile := float64(after.HeapAlloc-before.HeapAlloc) / (dirs * files)
	t.Logf("%.0f bytes a file", perFile)
	if len(p.files) != dirs*files || perFile > 50 {
		t.Errorf("%d files marked, %.0f bytes each", len(p.files), perFile)
	}
}

// writeRaw places a metadata object without asking whether it makes sense.
func writeRaw(t *testing.T, r *Repo, k kind, data []byte) Checksum {
	t.Helper()
	o := object{Checksum(sha256.Sum256(data)), k}
	path := filepath.Join(r.Path(), "objects", o.path())
	os.Mkdir(filepath.Dir(path), 0o755)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return o.sum
}

// Writers, readers and prunes at once do not hurt each other.
func TestPruneAmongOthers(t *testing.T) {
	r := newRepo(t)
	const writers, rounds = 3, 6
	var writing, pruning sync.WaitGroup
	done := make(chan struct{})
	for w := range writers {
		writing.Go(func() {
			ref := fmt.Sprint("w/", w)
			for round := range rounds {
				txn, err := r.Begin(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				tree := &Tree{Meta: Meta{Mode: 0o755}, Files: map[string]Checksum{}}
				for i := range 20 { // some of them shared, some of them garbage soon
					content := fmt.Sprint(i*w%5, i%3*round)
					if tree.Files[fmt.Sprint(i)], err = txn.WriteFile(Meta{Mode: 0o644}, int64(len(content)), strings.NewReader(content)); err != nil {
						t.Error(err)
					}
				}
				root, meta, err := txn.WriteTree(tree)
				commit, err2 := txn.WriteCommit(Commit{Subject: ref, Tree: root, Meta: meta})
				if err := errors.Join(err, err2, txn.Publish(map[string]Checksum{ref: commit, fmt.Sprint("gone/", w): commit})); err != nil {
					t.Error(err)
					return
				}
				if err := r.Fsck(t.Context(), commit); err != nil {
					t.Errorf("%s, round %d: %v", ref, round, err)
				}
			}
		})
	}
	removed := 0
	pruning.Go(func() {
		for {
			pruned, err := r.Prune(t.Context(), PruneOptions{Choose: func(refs map[string]Checksum) (del []string, _ error) {
				for name := range refs {
					if strings.HasPrefix(name, "gone/") {
						del = append(del, name)
					}
				}
				return del, nil
			}})
			if err != nil {
				t.Error(err)
			}
			removed += pruned.Objects
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond): // the lock is not fair
			}
		}
	})
	pruning.Go(func() {
		for {
			if _, err := r.Refs(""); err != nil {
				t.Error(err)
			}
			if _, err := r.RefTimes(""); err != nil {
				t.Error(err)
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	writing.Wait()
	close(done)
	pruning.Wait()
	if removed == 0 {
		t.Error("nothing was ever pruned")
	}
	refs := must[map[string]Checksum](t)(r.Refs("w"))
	if len(refs) != writers {
		t.Errorf("refs are %v", refs)
	}
	for ref, commit := range refs {
		if err := r.Fsck(t.Context(), commit); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
}
