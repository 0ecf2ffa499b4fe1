// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"syscontainer/test/host"
)

// Many processes fetch, one image under several names and different images with the same layers; others prune and verify
// all the time. All succeed, no blob is fetched twice, and what units need stays.
func TestManyAtOnce(t *testing.T) {
	f := setup(t)
	m := newDisk(t, 256<<20).machine(f.registry.Address)
	for round := range counts(1, 25) {
		p := newProxy(t, f, time.Duration(round%3)*time.Millisecond)
		m.trust(p.Address)
		big := f.pictures["big"].digest
		kept := map[string]string{
			p.reference("big", "1"):          big,
			p.reference("big", "2"):          big,
			p.Address + "/big@sha256:" + big: big,
			p.reference("left", "1"):         f.pictures["left"].digest,
			p.reference("left", "2"):         f.pictures["left"].digest,
			p.reference("right", "1"):        f.pictures["right"].digest,
			p.reference("kinds", "1"):        f.pictures["kinds"].digest,
		}
		for reference := range kept {
			m.unit(fmt.Sprintf("unit%d-%x", round, reference), reference)
		}
		pulls := []string{p.reference("plain", "1"), p.reference("left", "1")} // nobody needs plain; left is wanted twice
		for reference := range kept {
			pulls = append(pulls, reference)
		}
		if err := m.atOnce(pulls, []string{"prune", "--grace=0"}, []string{"verify"}); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		must(t, m.inspect(f))
		have, err := m.references()
		must(t, err)
		for reference, digest := range kept {
			if have[reference] != digest {
				t.Errorf("round %d: %s leads to %q, want %s", round, reference, have[reference], digest)
			}
		}
		blobs := map[string]bool{}
		for _, name := range []string{"big", "left", "right", "kinds"} {
			for _, digest := range f.pictures[name].layers {
				blobs[digest] = true
			}
		}
		for digest := range blobs {
			if n := p.times(digest); n != 1 {
				t.Errorf("round %d: layer %s was fetched %d times", round, digest, n)
			}
		}
		t.Logf("round %d: the config of one image was fetched %d times by three pulls", round, p.times(f.pictures["big"].config))
		m.ok("verify")
		if left := m.debris(); len(left) > 0 {
			t.Errorf("round %d: left %v", round, left)
		}
		// The next round starts with nothing.
		m.clear()
	}
}

// A command that looks at the store while it changes may see the old or the new, but no damage, and removes nothing that
// came meanwhile. strace makes it slow where it looks.
func TestChangeWhileLooking(t *testing.T) {
	f := setup(t)
	host.Need(t, "strace")
	m := newDisk(t, 128<<20).machine(f.registry.Address)
	m.ok("pull", f.reference("base"))
	m.unit("base", f.reference("base"))
	m.unit("plain", f.reference("plain"))
	places := []string{"references"}
	if host.Long() {
		places = append(places, "images")
	}
	for _, args := range [][]string{{"images", "--json"}, {"verify"}, {"prune", "--grace=0"}} {
		for _, place := range places {
			for _, change := range [][]string{{"pull", f.reference("plain")}, {"tag", f.reference("base"), f.reference("plain")}, {"rmi", f.reference("plain")}} {
				t.Run(args[0]+"/"+place+"/"+change[0], func(t *testing.T) {
					m := &machine{t, m.root}
					removeAll(t, m.path(unitDir, "plain.syscontainer"))
					if m.run("rmi", f.reference("plain")); change[0] == "rmi" {
						m.ok("pull", f.reference("plain"))
					} else {
						m.unit("plain", f.reference("plain"))
					}
					var looked, changed result
					var both sync.WaitGroup
					both.Go(func() { looked = m.slowly(m.store(place), args...) })
					time.Sleep(100 * time.Millisecond)
					both.Go(func() { changed = m.run(change...) })
					both.Wait()
					if looked.code != 0 || changed.code != 0 {
						t.Errorf("%v%v", looked, changed)
					}
					have, err := m.references()
					must(t, err)
					if want := change[0] != "rmi"; (have[f.reference("plain")] != "") != want {
						t.Errorf("%vbeside %vreferences are now %v", looked, changed, have)
					}
					must(t, m.inspect(f))
				})
			}
		}
	}
}

// An image that is given a name while it is about to be removed stays, or goes with that name.
func TestNamedWhileRemoved(t *testing.T) {
	f := setup(t)
	host.Need(t, "strace")
	m := newDisk(t, 128<<20).machine(f.registry.Address)
	reference, name := f.reference("plain"), "example.org/meanwhile:1"
	for _, args := range [][]string{{"prune", "--grace=0"}, {"rmi", reference}} {
		t.Run(args[0], func(t *testing.T) {
			m := &machine{t, m.root}
			m.ok("pull", reference)
			var removed, tagged result
			var both sync.WaitGroup
			both.Go(func() { removed = m.slowly(m.store("locks/.image-"+f.pictures["plain"].digest), args...) })
			time.Sleep(100 * time.Millisecond)
			both.Go(func() { tagged = m.run("tag", reference, name) })
			both.Wait()
			if removed.code != 0 {
				t.Error(removed)
			}
			if err := m.inspect(f); err != nil {
				t.Errorf("%vbeside %v%v", removed, tagged, err)
			}
			m.clear()
		})
	}
}

// An image that is added while a prune runs has all it needs afterwards, also where the prune has just removed it, or has not
// seen it.
func TestAddedWhilePruned(t *testing.T) {
	f := setup(t)
	host.Need(t, "strace")
	m := newDisk(t, 128<<20).machine(f.registry.Address)
	reference, digest := f.reference("plain"), f.pictures["plain"].digest
	const ms = time.Millisecond
	for _, c := range []struct {
		name         string
		missing      bool // the image, not its commit
		pull, prune  func(m *machine, args ...string) result
		first, later func(both *sync.WaitGroup, do func())
	}{
		{"removed and added", false, (*machine).run, func(m *machine, args ...string) result {
			return m.delayed("openat:when=1", m.store("repo"), 400*ms, args...)
		}, later(100 * ms), later(0)},
		{"not yet there", true, func(m *machine, args ...string) result { return m.delayed("syncfs", "", 500*ms, args...) },
			func(m *machine, args ...string) result {
				return m.delayed("openat", m.store("locks/.image-"+digest), 800*ms, args...)
			}, later(0), later(250 * ms)},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			m := &machine{t, m.root}
			m.ok("pull", reference)
			if c.missing {
				removeAll(t, m.store("images", digest))
				removeAll(t, m.link(reference))
			}
			var pulled, pruned result
			var both sync.WaitGroup
			c.first(&both, func() { pulled = c.pull(m, "pull", reference) })
			c.later(&both, func() { pruned = c.prune(m, "prune", "--grace=0") })
			both.Wait()
			if pulled.code != 0 || pruned.code != 0 {
				t.Errorf("%v%v", pulled, pruned)
			}
			must(t, m.inspect(f))
			if r := m.run("verify"); r.code != 0 {
				t.Errorf("%vbeside %v%v", pulled, pruned, r)
			}
			if m.leads(reference) != "" {
				m.inStep(f, "plain")
			}
			m.clear()
		})
	}
}

// later does something in the background after a while.
func later(wait time.Duration) func(all *sync.WaitGroup, do func()) {
	return func(all *sync.WaitGroup, do func()) {
		all.Go(func() { time.Sleep(wait); do() })
	}
}

// slowly runs a command that waits each time before it opens a file.
func (m *machine) slowly(path string, args ...string) result {
	return m.delayed("openat:when=1..2", path, 300*time.Millisecond, args...)
}

// delayed runs a command that waits before each call of a kind, such as "openat", or only some of them, "openat:when=1..3"; of
// a certain path if one is given.
func (m *machine) delayed(call, path string, wait time.Duration, args ...string) result {
	cmd := m.command(args...)
	name, _, _ := strings.Cut(call, ":")
	words := []string{"strace", "-f", "-qqq", "-o", "/dev/null", "-e", "trace=" + name, "-e", fmt.Sprintf("inject=%s:delay_enter=%d", call, wait.Microseconds())}
	if path != "" {
		words = append(words, "-P", path)
	}
	cmd.Args = append(append(words, cmd.Path), cmd.Args[1:]...)
	cmd.Path, _ = exec.LookPath("strace")
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Run()
	return result{args, stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// Who starts a container takes no lock: while a reference moves and an image is made anew, both are there each time.
func TestReadWithoutLock(t *testing.T) {
	m, f, _ := pullAll(t, "base", "plain")
	reference := f.reference("base")
	m.unit("base", reference)
	link, image := m.link(reference), m.store("images", f.pictures["base"].digest)
	var over atomic.Bool
	var reader sync.WaitGroup
	var seen, missed int
	reader.Go(func() {
		for !over.Load() {
			for _, path := range []string{link + "/config.json", link + "/rootfs/.", image + "/rootfs/bin/busybox"} {
				seen++
				if _, err := os.Stat(path); err != nil {
					missed++
				}
			}
		}
	})
	for i := range counts(6, 60) {
		m.ok("tag", f.pictures[[]string{"plain", "base"}[i%2]].digest, reference)
		if i%2 == 1 {
			must(t, os.Remove(image+"/rootfs/etc/passwd"))
			m.ok("pull", "--repair", reference)
			m.ok("prune")
		}
	}
	over.Store(true)
	reader.Wait()
	if missed > 0 || seen == 0 {
		t.Errorf("%d of %d looks found nothing", missed, seen)
	}
	must(t, m.inspect(f))
}

// clear removes all units and with them all images.
func (m *machine) clear() {
	m.t.Helper()
	removeAll(m.t, m.path(unitDir))
	m.ok("prune", "--grace=0")
	if digests, err := m.published(); err != nil || len(digests) > 0 {
		m.t.Fatalf("prune of everything leaves %v, %v", digests, err)
	}
}

// atOnce runs one pull for each reference, and the other commands again and again until the pulls have ended.
func (m *machine) atOnce(references []string, beside ...[]string) error {
	var mu sync.Mutex
	var errs []error
	check := func(r result) {
		if r.code != 0 {
			mu.Lock()
			errs = append(errs, fmt.Errorf("%v", r))
			mu.Unlock()
		}
	}
	var pulls, others sync.WaitGroup
	var over atomic.Bool
	for _, args := range beside {
		others.Go(func() {
			for !over.Load() {
				check(m.run(args...))
			}
		})
	}
	for _, reference := range references {
		pulls.Go(func() { check(m.run("pull", reference)) })
	}
	pulls.Wait()
	over.Store(true)
	others.Wait()
	return errors.Join(errs...)
}
