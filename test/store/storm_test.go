// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"syscontainer/test/host"
)

// refused are the words of commands that came too late, or too early, for what others did meanwhile.
var refused = []string{"is not in the store", "no image has a digest", "has just been removed", "has just been given another image", "still needed"}

// hesitate runs a command; in the long form some commands wait where they change or look at something, so that others come
// between.
func (m *machine) hesitate(rnd *rand.Rand, args ...string) result {
	calls := []string{"renameat", "renameat2", "flock", "fcntl", "syncfs", "fsync", "symlinkat", "unlinkat", "linkat", "mkdirat", "getdents64", "readlinkat"}
	call, wait := calls[rnd.IntN(len(calls))], time.Duration(1+rnd.IntN(40))*time.Millisecond
	if !host.Long() || rnd.IntN(3) > 0 {
		return m.run(args...)
	}
	return m.delayed(call+":when=1..6", "", wait, args...)
}

// All verbs at once, on the same few images and names: no command fails but for what another one did, and nothing is ever
// seen half done.
func TestStorm(t *testing.T) {
	f := setup(t)
	host.Need(t, "strace")
	m := newDisk(t, 256<<20).machine(f.registry.Address)
	base := f.reference("base")
	m.ok("pull", base)
	m.unit("base", base)
	rnd := random(t)
	names := []string{"base", "left", "plain", "right"}
	places := []string{"example.org/a:1", "example.org/b:1", longName}
	for _, name := range names {
		places = append(places, f.reference(name))
	}
	// Each process has its own words, chosen beforehand.
	command := func(rnd *rand.Rand) []string {
		place, image := places[rnd.IntN(len(places))], names[rnd.IntN(len(names))]
		digest := f.pictures[image].digest[:12]
		return [][]string{
			{"pull", f.reference(image)}, {"pull", f.reference(image)}, {"pull", "--repair", f.reference(image)}, {"pull", "oci:" + f.layout() + ":" + image},
			{"tag", f.reference(image), place}, {"tag", digest, place}, {"rmi", place}, {"rmi", digest},
			{"prune", "--grace=0"}, {"verify"}, {"verify", place}, {"images"}, {"images", "--json"}, {"pin", digest}, {"unpin", digest},
		}[rnd.IntN(15)]
	}
	for round := range counts(1, 6) {
		var all sync.WaitGroup
		var mu sync.Mutex
		said := map[string]int{}
		for worker := range 6 {
			seed := rnd.Uint64()
			all.Go(func() {
				rnd := rand.New(rand.NewPCG(seed, 0))
				for range counts(12, 60) {
					args := command(rnd)
					if slices.Contains(args, base) && (args[0] == "tag" && args[2] == base || args[0] == "rmi") {
						continue // the unit's image shall stay what it is
					}
					r := m.hesitate(rnd, args...)
					mu.Lock()
					said[fmt.Sprint(args[0], " ", r.code)]++
					mu.Unlock()
					if r.code != 0 && !slices.ContainsFunc(refused, func(words string) bool { return strings.Contains(r.stderr, words) }) {
						t.Errorf("round %d, process %d: %v", round, worker, r)
					}
				}
			})
		}
		all.Wait()
		t.Logf("round %d: %v", round, said)
		if err := m.inspect(f); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if m.leads(base) != f.pictures["base"].digest {
			t.Fatalf("round %d: the unit's image is %q", round, m.leads(base))
		}
		if r := m.run("verify"); r.code != 0 {
			t.Fatalf("round %d: %v", round, r)
		}
	}
	for _, name := range names {
		m.run("unpin", f.pictures[name].digest)
	}
	m.ok("prune", "--grace=0")
	m.inStep(f, "base")
	if left := m.debris(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	m.clear()
	m.inStep(f)
}
