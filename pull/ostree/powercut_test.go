package ostree

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// shutDown cuts a file system off from its disk at once, without writing its
// log: what was not made durable is lost, as in a power cut. See
// linux/fs.h, FS_IOC_SHUTDOWN.
func shutDown(t *testing.T, path string) {
	t.Helper()
	const request, noLogFlush = 0x8004587d, 2
	dir := must[*os.File](t)(os.Open(path))
	defer dir.Close()
	if err := unix.IoctlSetPointerInt(int(dir.Fd()), request, noLogFlush); err != nil {
		t.Fatal(err)
	}
}

// When the power fails, refs that were published are there, each with all its
// objects, and those that were deleted are not.
func TestPowerCut(t *testing.T) {
	need(t, "ostree", "mkfs.ext4", "mount", "umount")
	work := t.TempDir()
	disk, mnt := work+"/disk", work+"/mnt"
	if err := os.WriteFile(disk, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(disk, 128<<20); err != nil {
		t.Fatal(err)
	}
	run(t, "mkfs.ext4", "-q", "-F", disk)
	if err := os.Mkdir(mnt, 0o755); err != nil {
		t.Fatal(err)
	}
	// In a mount namespace of its own: a process elsewhere that copies the machine's
	// would keep the dead file system, and mounting the disk again would find it.
	if os.Getenv("OSTREE_TEST_NAMESPACE") == "" {
		cmd := exec.Command("unshare", "--mount", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), "OSTREE_TEST_NAMESPACE=1")
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if strings.Contains(string(out), "--- SKIP") {
			t.Skip("as the namespace's log says")
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	mount := func() error { return exec.Command("mount", "-o", "loop", disk, mnt).Run() }
	if err := mount(); err != nil {
		if os.Getenv("SYSCONTAINER_TEST_STRICT") == "1" {
			t.Fatalf("needs loop devices: %v", err)
		}
		t.Skipf("needs loop devices: %v", err)
	}
	defer exec.Command("umount", "-l", mnt).Run()
	path := filepath.Join(mnt, "repo")
	cuts, finished, seed := 14, 0, uint64(time.Now().UnixNano())
	if os.Getenv("SYSCONTAINER_TEST_LONG") != "" {
		cuts = 100
	}
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	whole := 30 * time.Millisecond
	for n := range cuts {
		cmd := crash(path, n, "OSTREE_TEST_CRASH_FSYNC=1")
		start := time.Now()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		var published bool
		if n%3 == 2 { // right after it returned
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			whole = time.Since(start)
			published = true
			shutDown(t, mnt)
		} else {
			time.Sleep(time.Duration(rnd.Int64N(int64(whole))))
			shutDown(t, mnt)
			cmd.Process.Kill()
			published = <-done == nil
		}
		run(t, "umount", mnt)
		if err := mount(); err != nil {
			t.Fatalf("mount again: %v", err)
		}
		if _, err := os.Stat(path + "/objects"); err != nil {
			if published {
				t.Fatal("the repository is gone")
			}
			continue
		}
		inspect(t, path, n)
		if published {
			finished++
			r := must[*Repo](t)(Open(path))
			refs := must[map[string]Checksum](t)(r.Refs(""))
			if len(refs) != 1 {
				t.Errorf("cut %d: refs are %v: what was deleted is back", n, refs)
			}
			if c := must[*Commit](t)(r.ReadCommit(refs["newest"])); c.Subject != fmt.Sprint(n) {
				t.Errorf("cut %d: the newest commit is %q", n, c.Subject)
			}
			r.Close()
		}
	}
	t.Logf("%d of %d had returned", finished, cuts)
}
