// SPDX-License-Identifier: Apache-2.0

package store

import (
	"strings"
	"syscall"
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

// Asked to end, a command says so, and leaves nothing behind.
func TestInterrupted(t *testing.T) {
	f := setup(t)
	m := newDisk(t, 128<<20).machine(f.registry.Address)
	p := newProxy(t, f, 5*time.Millisecond)
	m.trust(p.Address)
	rnd := random(t)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		for range counts(1, 10) {
			cmd := m.command("pull", p.reference("big", "1"))
			var stdout, stderr strings.Builder
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			before := p.Asked("/blobs/")
			must(t, cmd.Start())
			for tries := 0; p.Asked("/blobs/") == before && tries < 10_000; tries++ { // it is about to fetch, and that takes a while
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Duration(rnd.IntN(60)) * time.Millisecond)
			cmd.Process.Signal(signal)
			cmd.Wait()
			r := result{[]string{"pull"}, stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
			switch {
			case r.code == 0 && m.leads(p.reference("big", "1")) != "": // it was faster
				m.ok("rmi", p.reference("big", "1"))
			case r.code != 1 || !strings.Contains(r.stderr, "interrupted") || r.stdout != "":
				t.Errorf("%v: %vwant status 1 and the word interrupted", signal, r)
			}
			if left := m.debris(); len(left) > 0 {
				t.Errorf("%v leaves %v", signal, left)
			}
			must(t, m.inspect(f))
			m.clear()
		}
	}
}
