// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"syscontainer/pull/generation"
	"syscontainer/pull/store"
)

// Updates of the same containers at once wait for each other, and a prune takes no image from under one.
func TestUpdatesAtOnce(t *testing.T) {
	f := setup(t)
	m := newDisk(t, 128<<20).machine(f.registry.Address)
	plain, kinds, base := f.reference("plain"), f.reference("kinds"), f.reference("base")
	m.ok("pull", plain)
	for _, name := range []string{"web", "db"} {
		m.unit(name, plain)
	}
	for round := range counts(3, 30) {
		var all sync.WaitGroup
		results := make(chan result, 20)
		for _, args := range [][]string{
			{"update", "--image", kinds, "web"}, {"update", "--image", base, "web"}, {"update", "web", "db"}, {"update", "--image", kinds, "db"},
			{"hold", "web"}, {"prune", "--grace=0"}, {"prune", "--grace=0"}, {"list", "--json"}, {"history", "web", "db"}, {"verify"},
		} {
			all.Go(func() { results <- m.run(args...) })
		}
		all.Wait()
		close(results)
		for r := range results {
			var listed []struct{ Name string }
			if r.code != 0 || r.args[0] == "list" && (json.Unmarshal([]byte(r.stdout), &listed) != nil || len(listed) != 2) {
				t.Errorf("round %d: %v", round, r)
			}
		}
		if left, err := generation.Unfinished(m.root); len(left) > 0 || err != nil {
			t.Fatalf("round %d: unfinished are %v, %v", round, left, err)
		}
		for _, name := range []string{"web", "db"} {
			c, err := generation.Read(m.root, name)
			must(t, err)
			now, ok := c.Now()
			image, err := store.Deployed(m.root, name, plain)
			if err != nil || !ok || image.Digest != now.Digest || len(c.Problems) > 0 {
				t.Fatalf("round %d: %s is at %+v, and starts from %+v, %v, %v", round, name, now, image, err, c.Problems)
			}
			for i, r := range c.Generations {
				if r.Number != i+1 || r.Outcome == generation.Pending {
					t.Errorf("round %d: generation %d of %s is %+v", round, i+1, name, r)
				}
			}
		}
		must(t, m.inspect(f))
		m.ok("unhold", "web")
	}
	web, err := generation.Read(m.root, "web")
	must(t, err)
	if web.Current < 2 {
		t.Error(fmt.Sprint("web had only ", web.Current, " generations"))
	}
}
