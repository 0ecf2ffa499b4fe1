// SPDX-License-Identifier: Apache-2.0

package store

import (
	"testing"
	"time"
)

// Killed at any moment, a command leaves what was there before or what was to be: everything that can be found is whole,
// nothing that was reported is lost, and the next pull removes the debris.
func TestKilled(t *testing.T) {
	w := newWalk(t, 128<<20)
	want := counts(20, 200)
	killed := map[string]int{}
	n := 0
	for tries := 0; n < want && tries < 4*want; tries++ {
		a := w.next(verbs[tries%len(verbs)])
		kill, done := w.start(a)
		started := time.Now()
		var r result
		select {
		case r = <-done:
		case <-time.After(w.when(a)):
			kill()
			r = <-done
		}
		switch r.code {
		case -1:
			killed[a.verb]++
			n++
		case 0:
			w.took[a.verb] = time.Since(started)
		default:
			t.Fatal(r)
		}
		w.note(a, r.code == 0)
		w.finish(a, r)
	}
	t.Logf("killed: %v", killed)
	if n < want {
		t.Errorf("killed %d commands only, want %d", n, want)
	}
	w.end()
}
