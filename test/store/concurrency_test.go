// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Many processes fetch, one image under several names and different images with the same layers; others prune and verify
// all the time. All succeed, no blob is fetched twice, and what units need stays.
func TestManyAtOnce(t *testing.T) {
	f := setup(t)
	m := newDisk(t, 256<<20).machine(f.registry.Address)
	for round := range counts(2, 25) {
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
		m.ok("verify")
		if left := m.debris(); len(left) > 0 {
			t.Errorf("round %d: left %v", round, left)
		}
		// The next round starts with nothing.
		m.clear()
	}
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
