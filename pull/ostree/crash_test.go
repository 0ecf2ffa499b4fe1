package ostree

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if repo := os.Getenv("OSTREE_TEST_CRASH_REPO"); repo != "" {
		if err := crashing(repo); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// crashing publishes two commits, each after writing some files, and ends by
// SIGKILL at the step the environment names.
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
	for round := range 2 {
		txn, err := r.Begin(context.Background())
		if err != nil {
			return err
		}
		defer txn.Abort()
		tree := &Tree{Meta: Meta{Mode: 0o755}, Files: map[string]Checksum{}, Dirs: map[string]*Tree{"d": {Meta: Meta{Mode: 0o700}}}}
		for i := range 30 {
			step()
			content := strings.Repeat(fmt.Sprintln(salt, round, i/2), 1+i/29*200_000) // the last one is large
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
		if err := txn.Publish(map[string]Checksum{fmt.Sprint("round/", round): commit, "newest": commit}); err != nil {
			return err
		}
	}
	return nil
}

// Killed at any point, a transaction leaves a repository in which libostree
// finds no fault, refs that lead to whole commits, and nothing that the next
// transaction does not remove.
func TestKilledAnywhere(t *testing.T) {
	need(t, "ostree")
	if testing.Short() {
		t.Skip("starts many processes")
	}
	path := filepath.Join(t.TempDir(), "repo")
	killed := 0
	for n := 1; ; n++ {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "OSTREE_TEST_CRASH_REPO="+path, fmt.Sprint("OSTREE_TEST_CRASH_STEP=", n),
			fmt.Sprint("OSTREE_TEST_CRASH_SALT=", n%3)) // sometimes objects are there already
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
	if killed < 70 {
		t.Errorf("killed at %d points only", killed)
	}
}

// The same at points nobody chose.
func TestKilledAnyTime(t *testing.T) {
	need(t, "ostree")
	if testing.Short() {
		t.Skip("starts many processes")
	}
	path := filepath.Join(t.TempDir(), "repo")
	for n := range 25 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "OSTREE_TEST_CRASH_REPO="+path, fmt.Sprint("OSTREE_TEST_CRASH_SALT=", n))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(5+3*n) * time.Millisecond)
		cmd.Process.Kill()
		cmd.Wait()
		if _, err := os.Stat(path + "/objects"); err == nil {
			inspect(t, path, n)
		}
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
