package ostree

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be the process that is killed, or that lives
// in a namespace of its own.
func TestMain(m *testing.M) {
	for name, play := range map[string]func(repo string) error{"OSTREE_TEST_CRASH_REPO": crashing, "OSTREE_TEST_READ_ONLY": readOnly} {
		if repo := os.Getenv(name); repo != "" {
			if err := play(repo); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(3)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// crashing publishes two commits, each after writing some files, removes the
// first in a prune and a ref to the second, and ends by SIGKILL at the step the
// environment names.
func crashing(path string) error {
	last, _ := strconv.Atoi(os.Getenv("OSTREE_TEST_CRASH_STEP"))
	salt := os.Getenv("OSTREE_TEST_CRASH_SALT")
	step = func() {
		if last--; last == 0 {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			time.Sleep(time.Minute)
		}
	}
	r, err := OpenOrCreate(path)
	if err != nil {
		return err
	}
	r.config.fsync = os.Getenv("OSTREE_TEST_CRASH_FSYNC") != "" // a killed process loses nothing that it has written
	if replaced := os.Getenv("OSTREE_TEST_CRASH_REPLACE"); replaced != "" {
		return publishRound(r, salt, 0, strings.Fields(replaced)...)
	}
	for round := range 2 {
		if err := publishRound(r, salt, round); err != nil {
			return err
		}
	}
	_, err = r.Prune(context.Background(), PruneOptions{Choose: func(refs map[string]Checksum) ([]string, error) {
		if refs["newest"] != refs["round/1"] {
			return nil, fmt.Errorf("refs are %v", refs)
		}
		return []string{"round/0"}, nil
	}})
	if err != nil {
		return err
	}
	step()
	return r.DeleteRef(context.Background(), "round/1")
}

func publishRound(r *Repo, salt string, round int, replaced ...string) error {
	txn, err := r.Begin(context.Background())
	if err != nil {
		return err
	}
	defer txn.Abort()
	txn.Replace(replaced)
	tree := &Tree{Meta: Meta{Mode: 0o755}, Files: map[string]Checksum{}, Dirs: map[string]*Tree{"d": {Meta: Meta{Mode: 0o700 + uint32(round)}}}}
	for i := range 18 {
		if i%6 == 0 { // nothing is published meanwhile
			step()
		}
		content := strings.Repeat(fmt.Sprintln(salt, round, i/2), 1+i/17*200_000) // the last one is large
		name := fmt.Sprint(i)
		if tree.Files[name], err = txn.WriteFile(Meta{Mode: 0o644}, int64(len(content)), strings.NewReader(content)); err != nil {
			return err
		}
	}
	root, meta, err := txn.WriteTree(tree)
	if err != nil {
		return err
	}
	commit, err := txn.WriteCommit(Commit{Subject: salt, Tree: root, Meta: meta})
	if err != nil {
		return err
	}
	return txn.Publish(map[string]Checksum{fmt.Sprint("round/", round): commit, "newest": commit})
}

// crash starts a process that does so.
func crash(path string, salt int, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "OSTREE_TEST_CRASH_REPO="+path, fmt.Sprint("OSTREE_TEST_CRASH_SALT=", salt))
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// Killed at any point, a transaction and a prune leave a repository in which
// libostree finds no fault, refs that lead to whole commits, and nothing that
// the next transaction and the next prune do not remove.
func TestKilledAnywhere(t *testing.T) {
	need(t, "ostree")
	path := filepath.Join(t.TempDir(), "repo")
	killed := 0
	for n := 1; ; n++ {
		cmd := crash(path, n%3, fmt.Sprint("OSTREE_TEST_CRASH_STEP=", n)) // sometimes objects are there already
		out, err := cmd.CombinedOutput()
		if err == nil {
			break
		}
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			t.Fatalf("step %d: %v: %s", n, err, out)
		}
		killed++
		inspect(t, path, n)
	}
	t.Logf("killed at %d points", killed)
	if killed < 75 {
		t.Errorf("killed at %d points only", killed)
	}
	// One more prune, and what is left is as if there had been no killing.
	r := must[*Repo](t)(Open(path))
	defer r.Close()
	must[Pruned](t)(r.Prune(t.Context(), PruneOptions{}))
	left := stored(t, path)
	if out := run(t, "ostree", "--repo="+path, "prune", "--refs-only"); len(left) != 1+10+2+2+1 || len(stored(t, path)) != len(left) {
		t.Errorf("%d files are left, and libostree still says %s", len(left), out)
	}
}

// The same at points nobody chose.
func TestKilledAnyTime(t *testing.T) {
	need(t, "ostree")
	path := filepath.Join(t.TempDir(), "repo")
	times, seed := 25, uint64(time.Now().UnixNano())
	if os.Getenv("SYSCONTAINER_TEST_LONG") != "" {
		times = 200
	}
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	start := time.Now()
	if out, err := crash(path, -1).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	whole := time.Since(start)
	for n := range times {
		cmd := crash(path, n)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rnd.Int64N(int64(whole))))
		cmd.Process.Kill()
		cmd.Wait()
		inspect(t, path, n)
	}
}

func inspect(t *testing.T, path string, n int) {
	t.Helper()
	run(t, "ostree", "--repo="+path, "fsck", "-q")
	r, err := Open(path)
	if err != nil {
		t.Fatalf("step %d: %v", n, err)
	}
	defer r.Close()
	refs, err := r.Refs("")
	if err != nil {
		t.Fatalf("step %d: %v", n, err)
	}
	for ref, commit := range refs {
		if err := r.Fsck(t.Context(), commit); err != nil {
			t.Fatalf("step %d: %s: %v", n, ref, err)
		}
	}
	txn, err := r.Begin(t.Context())
	if err != nil {
		t.Fatalf("step %d: %v", n, err)
	}
	left, _ := filepath.Glob(path + "/tmp/txn-*")
	txn.Abort()
	if len(left) != 1 { // its own
		t.Fatalf("step %d: in tmp/ after the next Begin: %v", n, left)
	}
}
