package ostree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// childRepo is a repository whose parent is r.
func childRepo(t *testing.T, r *Repo) *Repo {
	t.Helper()
	child := newRepo(t)
	return reopen(t, child, "parent="+r.Path()+"\n")
}

// reopen opens a repository again, with more in its config.
func reopen(t *testing.T, r *Repo, more string) *Repo {
	t.Helper()
	if err := os.WriteFile(r.Path()+"/config", []byte(newConfig+more), 0o644); err != nil {
		t.Fatal(err)
	}
	again := must[*Repo](t)(Open(r.Path()))
	again.config.fsync = false
	t.Cleanup(func() { again.Close() })
	return again
}

// What is not in a repository is read from its parent, and from the parent's.
func TestParent(t *testing.T) {
	grandparent := newRepo(t)
	txn := begin(t, grandparent)
	tree := small(t, txn)
	inherited := publish(t, txn, tree, "inherited")
	r := childRepo(t, childRepo(t, grandparent))

	if got := must[Checksum](t)(r.ResolveRef("inherited")); got != inherited {
		t.Errorf("ref: %v", got)
	}
	if got := must[map[string]Checksum](t)(r.Refs("")); len(got) != 0 {
		t.Errorf("Refs lists the parent's: %v", got)
	}
	if got := problems(t, r, inherited); got != nil {
		t.Errorf("verify: %q", got)
	}
	out := layOut(t, r, inherited, CheckoutOptions{})
	if got, want := describe(t, out), describe(t, layOut(t, grandparent, inherited, CheckoutOptions{})); got != want {
		t.Errorf("checkout: %s", firstDifference(got, want))
	}
	var ours, theirs unix.Stat_t
	unix.Stat(out+"/hello", &ours)
	unix.Stat(grandparent.Path()+"/objects/"+filePath(tree.Files["hello"]), &theirs)
	if ours.Ino != theirs.Ino {
		t.Error("checkout: a file was not linked from the parent")
	}
	// The judge agrees that all is there.
	run(t, "ostree", "--repo="+r.Path(), "ls", "-R", inherited.String())

	// What is written does not need the parent.
	txn = begin(t, r)
	own := publish(t, txn, small(t, txn), "own")
	if err := begin(t, r).Publish(map[string]Checksum{"of/parent": inherited}); err != nil {
		t.Error(err)
	}
	alone := must[*Repo](t)(Open(r.Path()))
	defer alone.Close()
	alone.parent = nil
	if got := problems(t, alone, own); got != nil {
		t.Errorf("without the parent: %q", got)
	}
	// A prune looks for what its refs need in parents, and removes from none.
	before := stored(t, grandparent.Path())
	if pruned := must[Pruned](t)(r.Prune(t.Context(), PruneOptions{Choose: func(refs map[string]Checksum) ([]string, error) {
		if len(refs) != 2 {
			t.Errorf("to choose from: %v", refs)
		}
		return []string{"own"}, nil
	}})); pruned.Commits != 1 {
		t.Errorf("pruned %+v", pruned)
	}
	if after := stored(t, grandparent.Path()); !slices.Equal(before, after) {
		t.Error("a prune changed the parent")
	}
	// What is damaged in the parent is mended in the child.
	r = childRepo(t, grandparent)
	flip(filepath.Join(grandparent.Path(), "objects", filePath(tree.Files["hello"])))
	var names []string
	if err := r.Verify(t.Context(), []Checksum{inherited}, func(_ Checksum, p Problem) { names = append(names, p.Object) }); err != nil || len(names) != 1 {
		t.Fatalf("%q, %v", names, err)
	}
	txn = begin(t, r)
	txn.Replace(names)
	publish(t, txn, small(t, txn), "again")
	if got := problems(t, r, inherited); got != nil {
		t.Errorf("after a repair: %q", got)
	}
	flip(filepath.Join(grandparent.Path(), "objects", filePath(tree.Files["hello"])))
}

func TestParentPartialCommit(t *testing.T) {
	parent := newRepo(t)
	txn := begin(t, parent)
	commit := publish(t, txn, small(t, txn), "x")
	r := childRepo(t, parent)
	mark := filepath.Join(parent.Path(), partialMark(commit))
	os.WriteFile(mark, nil, 0o644)
	if err := r.checkComplete(commit); err == nil || !strings.Contains(err.Error(), "partial") {
		t.Errorf("partial in the parent: %v", err)
	}
	os.Remove(mark)
}

func TestParentRefuses(t *testing.T) {
	need(t, "ostree")
	make_ := func(parent string) string {
		path := filepath.Join(t.TempDir(), "repo")
		if err := Create(path); err != nil {
			t.Fatal(err)
		}
		os.WriteFile(path+"/config", []byte(newConfig+"parent="+parent+"\n"), 0o644)
		return path
	}
	self := make_("/nowhere")
	os.WriteFile(self+"/config", []byte(newConfig+"parent="+self+"\n"), 0o644)
	chain := make_("/nowhere")
	os.WriteFile(chain+"/config", []byte(newConfig), 0o644)
	for range maxParents + 1 {
		chain = make_(chain)
	}
	archive := filepath.Join(t.TempDir(), "archive")
	run(t, "ostree", "--repo="+archive, "init", "--mode=archive")
	for path, want := range map[string]string{
		make_("/nowhere/at/all"):    "no such file",
		self:                        "its own parent",
		make_(self):                 "its own parent",
		chain:                       "more than",
		make_("relative"):           "absolute",
		make_(archive):              "mode=archive",
		make_("/proc/self/cmdline"): "not a directory",
	} {
		r, err := OpenOrCreate(path)
		if err == nil {
			r.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Files that another repository has are linked, if they look right.
func TestBorrow(t *testing.T) {
	lender := newRepo(t)
	large := strings.Repeat("large ", 1<<19)
	write := func(txn *Txn) *Tree {
		tree := small(t, txn)
		tree.Files["large"] = writeFile(t, txn, Meta{UID: 4, Mode: 0o4755, Xattrs: map[string]string{"user.a": "b"}}, large)
		tree.Files["damaged"] = writeFile(t, txn, Meta{Mode: 0o600}, "damaged")
		return tree
	}
	txn := begin(t, lender)
	tree := write(txn)
	commit := publish(t, txn, tree, "host")
	damaged := filepath.Join(lender.Path(), "objects", filePath(tree.Files["damaged"]))
	os.Chmod(damaged, 0o644)
	defer os.Chmod(damaged, 0o600)

	archive := filepath.Join(t.TempDir(), "archive")
	run(t, "ostree", "--repo="+archive, "init", "--mode=archive")
	path := filepath.Join(t.TempDir(), "repo")
	options := OpenOptions{Create: true, Borrow: []string{"/nowhere", archive, "/proc", path, lender.Path()}}
	r := must[*Repo](t)(OpenWith(path, options))
	defer r.Close()
	r.config.fsync = false
	if len(r.lenders) != 1 {
		t.Errorf("%d repositories to borrow from", len(r.lenders))
	}
	txn = begin(t, r)
	if got := publish(t, txn, write(txn), "host"); got != commit {
		t.Errorf("commit %v, the lender's %v", got, commit)
	}
	// hello, the empty file and the large one
	if objects, bytes := txn.Borrowed(); objects != 3 || bytes != int64(len(large)+len("hello\n")) {
		t.Errorf("borrowed %d objects, %d bytes", objects, bytes)
	}
	for name, borrowed := range map[string]bool{"hello": true, "large": true, "link": false, "damaged": false} {
		var ours, theirs unix.Stat_t
		unix.Lstat(filepath.Join(path, "objects", filePath(tree.Files[name])), &ours)
		unix.Lstat(filepath.Join(lender.Path(), "objects", filePath(tree.Files[name])), &theirs)
		if (ours.Ino == theirs.Ino) != borrowed {
			t.Errorf("%s: inodes %d and %d", name, ours.Ino, theirs.Ino)
		}
	}
	if got := problems(t, r, commit); got != nil {
		t.Errorf("verify: %q", got)
	}
	run(t, "ostree", "--repo="+path, "fsck", "-q")
	if left, _ := filepath.Glob(path + "/tmp/txn-*"); left != nil {
		t.Errorf("left: %q", left)
	}
	// A repair takes nothing from where the damage may come from.
	for _, repo := range []string{path, lender.Path()} {
		appendTo(filepath.Join(repo, "objects", filePath(tree.Files["hello"])), "")
	}
	hello := object{tree.Files["hello"], kindFile}
	flip(filepath.Join(lender.Path(), "objects", hello.path()))
	txn = begin(t, r)
	txn.Replace([]string{hello.String()})
	publish(t, txn, write(txn), "host")
	if got := problems(t, r, commit); got != nil {
		t.Errorf("after a repair: %q", got)
	}
	flip(filepath.Join(lender.Path(), "objects", hello.path()))
}

// What cannot be linked is written: on another file system, beyond the limit
// of links.
func TestBorrowFromElsewhere(t *testing.T) {
	lender := newRepo(t)
	txn := begin(t, lender)
	commit := publish(t, txn, small(t, txn), "x")
	other := must[string](t)(os.MkdirTemp("/dev/shm", "ostree-"))
	t.Cleanup(func() { os.RemoveAll(other) })
	var here, there unix.Stat_t
	unix.Stat(lender.Path(), &here)
	if unix.Stat(other, &there); here.Dev == there.Dev {
		t.Skip("there is one file system only")
	}
	r := must[*Repo](t)(OpenWith(other+"/repo", OpenOptions{Create: true, Borrow: []string{lender.Path()}}))
	defer r.Close()
	txn = begin(t, r)
	publish(t, txn, small(t, txn), "x")
	if objects, _ := txn.Borrowed(); objects != 0 || problems(t, r, commit) != nil {
		t.Errorf("borrowed %d objects from another file system", objects)
	}
	// A parent there is read, and its files are copied.
	os.WriteFile(r.Path()+"/config", []byte(newConfig), 0o644)
	child := childRepo(t, r)
	if got, want := describe(t, layOut(t, child, commit, CheckoutOptions{})), describe(t, layOut(t, lender, commit, CheckoutOptions{})); got != want {
		t.Errorf("checkout: %s", firstDifference(got, want))
	}
}

// libostree takes an old directory in tmp/ for debris; that of a transaction
// does not get old.
func TestLongTransactionSurvivesLibostree(t *testing.T) {
	r := reopen(t, newRepo(t), "tmp-expiry-secs=4000\n")
	if r.config.tmpExpiry != 4000*time.Second || r.config.refresh() != 10*time.Minute {
		t.Errorf("expiry %v, refresh %v", r.config.tmpExpiry, r.config.refresh())
	}
	r.config.tmpExpiry = 0
	txn := begin(t, r)
	writeFile(t, txn, Meta{Mode: 0o644}, "early")
	staging := filepath.Join(r.Path(), txn.name)
	old := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(staging, old, old); err != nil {
		t.Fatal(err)
	}
	foreign := r.Path() + "/tmp/foreign"
	os.Mkdir(foreign, 0o755)
	os.Chtimes(foreign, old, old)
	for {
		info := must[os.FileInfo](t)(os.Stat(staging))
		if time.Since(info.ModTime()) < time.Hour {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	dir := t.TempDir()
	os.WriteFile(dir+"/f", nil, 0o644)
	run(t, "ostree", "--repo="+r.Path(), "commit", "-b", "theirs", "--tree=dir="+dir)
	if _, err := os.Stat(foreign); err == nil {
		t.Error("libostree let an old directory be: this test shows nothing")
	}
	publish(t, txn, &Tree{Meta: Meta{Mode: 0o755}, Files: map[string]Checksum{"f": writeFile(t, txn, Meta{Mode: 0o644}, "early")}}, "x")
}

// A repository that cannot be written can be read, with its lock if it has one.
func TestReadOnlyFileSystem(t *testing.T) {
	r := newRepo(t)
	txn := begin(t, r)
	commit := publish(t, txn, small(t, txn), "x")
	for _, locked := range []bool{true, false} {
		if !locked {
			os.Remove(r.Path() + "/.lock")
		}
		script := fmt.Sprintf("mount --bind %s %[1]s && mount -o remount,bind,ro %[1]s && exec %s", r.Path(), os.Args[0])
		cmd := exec.Command("unshare", "--mount", "sh", "-c", script)
		cmd.Env = append(os.Environ(), "OSTREE_TEST_READ_ONLY="+r.Path())
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != commit.String()+"\n" {
			t.Errorf("lock file %v: %v\n%s", locked, err, out)
		}
	}
}

// readOnly verifies a repository that it cannot write.
func readOnly(path string) error {
	r, err := Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	commit, err := r.ResolveRef("x")
	if err == nil {
		err = r.Fsck(context.Background(), commit)
	}
	if err != nil {
		return err
	}
	if _, err := r.Prune(context.Background(), PruneOptions{}); !errors.Is(err, unix.EROFS) {
		return fmt.Errorf("prune: %w", err)
	}
	fmt.Println(commit)
	return nil
}
