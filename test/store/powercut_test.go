// SPDX-License-Identifier: Apache-2.0

package store

import (
	"testing"
	"time"
)

// When the power fails at any moment, also right after a command has reported success, everything that can be found is
// whole and nothing that was reported is lost.
func TestPowerCut(t *testing.T) {
	w := newWalk(t, 128<<20)
	cuts := counts(10, 100)
	inside, after := map[string]int{}, map[string]int{}
	for n := range cuts {
		a := w.next(verbs[n%len(verbs)])
		w.d.sync()
		kill, done := w.start(a)
		started := time.Now()
		var r result
		if n%4 == 3 {
			r = <-done
			w.took[a.verb] = time.Since(started)
			w.d.cut()
			after[a.verb]++
		} else {
			select {
			case r = <-done:
				w.took[a.verb] = time.Since(started)
				w.d.cut()
				after[a.verb]++
			case <-time.After(w.when(a)):
				w.d.cut()
				kill()
				r = <-done
				inside[a.verb]++
			}
		}
		w.d.again()
		w.note(a, r.code == 0)
		w.finish(a, r)
	}
	t.Logf("cut inside: %v, right after: %v", inside, after)
	w.end()
}
