package ostree

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// repair finds and mends damage as callers do, until nothing is found: what a
// damaged directory hides is seen only when that is mended.
func repair(t *testing.T, r *Repo, commit Checksum, write func(*Txn) Checksum) (replaced []string) {
	t.Helper()
	for range 9 {
		var names []string
		if err := r.Verify(t.Context(), []Checksum{commit}, func(_ Checksum, p Problem) { names = append(names, p.Object) }); err != nil {
			t.Fatal(err)
		}
		if names == nil {
			return replaced
		}
		replaced = append(replaced, names...)
		txn := begin(t, r)
		txn.Replace(names)
		if got := write(txn); got != commit {
			t.Fatalf("wrote commit %v instead of %v", got, commit)
		}
	}
	t.Errorf("still damaged after replacing %q", replaced)
	return replaced
}

// Whatever was damaged is mended by writing it again.
func TestReplaceMendsDamage(t *testing.T) {
	need(t, "ostree")
	pristine := filepath.Join(t.TempDir(), "pristine")
	r := must[*Repo](t)(OpenOrCreate(pristine))
	commits, all := twoCommits(t, r)
	r.Close()
	for name, damage := range damages {
		path := filepath.Join(t.TempDir(), "repo")
		run(t, "cp", "-a", pristine, path)
		r := must[*Repo](t)(Open(path))
		r.config.fsync = false
		out := layOut(t, r, commits[0], CheckoutOptions{})
		for _, p := range all {
			if !p.suffers(name) {
				continue
			}
			object := filepath.Join(path, "objects", p.object.path())
			if err := damage(object); err != nil {
				t.Fatal(err)
			}
			var before, after unix.Stat_t
			unix.Lstat(object, &before)
			replaced := repair(t, r, commits[0], func(txn *Txn) Checksum { return publish(t, txn, oneOfTwo(t, txn, 0), "c/0") })
			if !slices.Equal(replaced, []string{p.object.String()}) {
				t.Errorf("%s of %v: replaced %q", name, p.object, replaced)
			}
			if unix.Lstat(object, &after); after.Ino == before.Ino {
				t.Errorf("%s of %v: the inode is the same", name, p.object)
			}
		}
		run(t, "ostree", "--repo="+path, "fsck", "-q")
		if got := problems(t, r, commits[:]...); got != nil {
			t.Errorf("%s: the other commit: %q", name, got)
		}
		if got := describe(t, layOut(t, r, commits[0], CheckoutOptions{})); name == "mode" && got == describe(t, out) {
			t.Errorf("%s: an old checkout has changed", name)
		}
		r.Close()
	}
}

// All at once, with garbage among the names.
func TestReplaceAll(t *testing.T) {
	r := newRepo(t)
	commits, all := twoCommits(t, r)
	names := []string{"", "x", idD0, idD0 + ".file", idD0 + ".commitmeta", strings.ToUpper(idD0) + ".file", "../../" + idD0 + ".file", idD0 + ".nothing"}
	for _, p := range all {
		if p.suffers("byte") {
			flip(filepath.Join(r.Path(), "objects", p.object.path()))
		}
		names = append(names, p.object.String())
	}
	txn := begin(t, r)
	hello := object{FileChecksum(Meta{Mode: 0o644}, []byte("hello\n")), kindFile}
	if err := txn.UseFile(hello.sum); err != nil {
		t.Error(err)
	}
	txn.Replace(names)
	if err := txn.UseFile(hello.sum); err == nil {
		t.Error("a damaged file may be used")
	}
	publish(t, txn, oneOfTwo(t, txn, 0), "c/0")
	if got := problems(t, r, commits[:]...); got != nil {
		t.Errorf("still damaged: %q", got)
	}
}

// Killed at any step, a repair leaves each object as it was or as it should be.
func TestKilledWhileReplacing(t *testing.T) {
	need(t, "ostree")
	path := filepath.Join(t.TempDir(), "repo")
	r := must[*Repo](t)(OpenOrCreate(path))
	defer r.Close()
	r.config.fsync = false
	if err := publishRound(r, "0", 0); err != nil {
		t.Fatal(err)
	}
	commit := must[Checksum](t)(r.ResolveRef("newest"))
	sound, damaged := map[string][]byte{}, map[string][]byte{}
	var names []string
	objects, err := filepath.Glob(path + "/objects/*/*")
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range objects {
		sound[o] = must[[]byte](t)(os.ReadFile(o))
		if i%3 != 0 || strings.HasSuffix(o, ".commit") {
			flip(o)
			names = append(names, filepath.Base(filepath.Dir(o))+filepath.Base(o))
		}
		damaged[o] = must[[]byte](t)(os.ReadFile(o))
	}
	killed, mixed := 0, 0
	for n := 1; ; n++ {
		cmd := crash(path, 0, "OSTREE_TEST_CRASH_REPLACE="+strings.Join(names, " "), fmt.Sprint("OSTREE_TEST_CRASH_STEP=", n))
		out, err := cmd.CombinedOutput()
		if err == nil {
			break
		}
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			t.Fatalf("step %d: %v: %s", n, err, out)
		}
		killed++
		mended := 0
		for _, o := range objects {
			switch b := must[[]byte](t)(os.ReadFile(o)); {
			case bytes.Equal(b, sound[o]):
				mended++
			case !bytes.Equal(b, damaged[o]):
				t.Errorf("step %d: %s is neither old nor new", n, o)
			}
		}
		if mended > len(objects)-len(names) && mended < len(objects) {
			mixed++
		}
		for _, o := range objects { // damaged again for the next
			os.WriteFile(o, damaged[o], 0)
		}
		if got := must[Checksum](t)(r.ResolveRef("newest")); got != commit {
			t.Errorf("step %d: the ref changed", n)
		}
	}
	t.Logf("killed at %d points, at %d with some objects mended", killed, mixed)
	if mixed < 10 {
		t.Errorf("at %d points only was the repair half done", mixed)
	}
	if err := r.Fsck(t.Context(), commit); err != nil {
		t.Error(err)
	}
	run(t, "ostree", "--repo="+path, "fsck", "-q")
}
