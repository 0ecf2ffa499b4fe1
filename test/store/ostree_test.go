// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// ostree(1) prunes and commits in the same repository while images come and go: both keep what is theirs.
func TestOSTreeBeside(t *testing.T) {
	m, f, _ := pullAll(t, "base")
	repo := "--repo=" + m.store("repo")
	var over atomic.Bool
	var others sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	loop := func(args func(n int) []string) {
		others.Go(func() {
			for n := 0; !over.Load(); n++ {
				if out, err := exec.Command("ostree", args(n)...).CombinedOutput(); err != nil {
					mu.Lock()
					errs = append(errs, fmt.Errorf("ostree %v: %w: %s", args(n), err, out))
					mu.Unlock()
				}
			}
		})
	}
	loop(func(int) []string { return []string{"prune", repo, "--refs-only"} })
	loop(func(n int) []string {
		return []string{"commit", repo, "-b", fmt.Sprint("other/", n%3), "--tree=dir=" + m.path("etc"), "--fsync=false"}
	})
	for range counts(2, 20) {
		for _, name := range []string{"left", "right", "kinds"} {
			m.ok("pull", f.reference(name))
		}
		m.ok("rmi", f.reference("left"))
		m.ok("verify")
		m.unit("base", f.reference("base"))
		m.ok("prune", "--grace=0")
	}
	over.Store(true)
	others.Wait()
	must(t, errors.Join(errs...))
	must(t, m.inspect(f))
	for _, ref := range []string{"other/0", "deploy/" + f.pictures["base"].digest} {
		if out := tool(t, "ostree", "ls", repo, "-R", ref); !strings.Contains(out, "/") {
			t.Errorf("ostree ls %s: %s", ref, out)
		}
	}
	// Nothing of ours is garbage in its eyes.
	before := len(m.objects(".file", ".dirtree", ".dirmeta", ".commit"))
	m.ok("prune", "--grace=0")
	tool(t, "ostree", "prune", repo, "--refs-only")
	if after := len(m.objects(".file", ".dirtree", ".dirmeta", ".commit")); after > before || after == 0 {
		t.Errorf("%d objects, then %d", before, after)
	}
	m.ok("verify")
	tool(t, "ostree", "fsck", "-q", repo)
}
