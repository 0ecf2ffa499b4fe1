// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

// walk goes from command to command, some of which are interrupted, and knows what the store must have after each.
type walk struct {
	*machine
	f     *fixture
	d     *disk
	rnd   *rand.Rand
	front *image.Front
	moved atomic.Pointer[string] // what the image "moving" of the front is now

	// known is what a reference may lead to: one digest after a command that ended, two after one that did not. "" is none.
	known map[string][]string
	took  map[string]time.Duration // by verb, without interruption
}

// act is a command and what it changes when it ends.
type act struct {
	verb    string
	args    []string
	changes map[string]string // reference to digest, "" for none
	damaged bool              // the store may be inspected only when it has ended
}

func newWalk(t *testing.T, size int64) *walk {
	f := setup(t)
	w := &walk{f: f, d: newDisk(t, size), rnd: random(t), known: map[string][]string{}, took: map[string]time.Duration{}}
	w.move()
	var err error
	w.front, err = image.NewFront(f.registry.Address, nil, func(rw http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		r.URL.Path = strings.Replace(r.URL.Path, "/v2/moving/", "/v2/"+*w.moved.Load()+"/", 1)
		pass(rw, r)
	})
	must(t, err)
	t.Cleanup(w.front.Close)
	w.machine = w.d.machine(f.registry.Address, w.front.Address)
	return w
}

func (w *walk) move() {
	name := w.pick(slices.Sorted(maps.Keys(w.f.pictures)))
	w.moved.Store(&name)
}

func (w *walk) pick(from []string) string { return from[w.rnd.IntN(len(from))] }

// present are references that certainly lead to an image.
func (w *walk) present() (found []string) {
	for _, reference := range slices.Sorted(maps.Keys(w.known)) {
		if may := w.known[reference]; len(may) == 1 && may[0] != "" {
			found = append(found, reference)
		}
	}
	return found
}

var verbs = []string{"pull", "pull", "checkout", "tag", "prune", "rmi", "repair"}

// next prepares a command.
func (w *walk) next(verb string) act {
	w.t.Helper()
	names := slices.Sorted(maps.Keys(w.f.pictures))
	present := w.present()
	if len(present) == 0 {
		verb = "pull"
	}
	switch verb {
	case "checkout": // the commit is there, the directory is not
		digest := w.known[w.pick(present)][0]
		must(w.t, os.RemoveAll(w.store("images", digest)))
		for _, reference := range present {
			if w.known[reference][0] == digest {
				w.forget(reference)
			}
		}
		a := w.pull(w.f.byDigest[digest].name)
		a.verb = "checkout"
		return a
	case "tag":
		from, to := w.pick(present), fmt.Sprintf("example.org/tag/%d:1", w.rnd.IntN(3))
		return act{verb: "tag", args: []string{"tag", from, to}, changes: map[string]string{to: w.known[from][0]}}
	case "rmi":
		removeAll(w.t, w.path(unitDir))
		reference := w.pick(present)
		return act{verb: "rmi", args: []string{"rmi", reference}, changes: map[string]string{reference: ""}}
	case "prune":
		a := act{verb: "prune", args: []string{"prune", "--grace=0"}, changes: map[string]string{}}
		removeAll(w.t, w.path(unitDir))
		kept := map[string]bool{}
		for i, reference := range present {
			if w.rnd.IntN(3) == 0 {
				w.unit(fmt.Sprint("unit", i), reference)
				kept[w.known[reference][0]] = true
			}
		}
		for _, reference := range slices.Sorted(maps.Keys(w.known)) {
			if !slices.ContainsFunc(w.known[reference], func(digest string) bool { return kept[digest] }) {
				a.changes[reference] = ""
			}
		}
		return a
	case "repair":
		a := w.pull(w.pick([]string{"plain", "kinds"})) // nobody shares their files
		a.verb, a.args = "repair", append([]string{"pull", "--repair"}, a.args[1:]...)
		digest := w.f.pictures[strings.TrimSuffix(filepath.Base(a.args[2]), ":1")].digest
		a.damaged = w.damage(digest)
		return a
	}
	if w.rnd.IntN(3) == 0 {
		w.move()
		reference := w.front.Address + "/moving:1"
		return act{verb: "pull", args: []string{"pull", reference}, changes: map[string]string{reference: w.f.pictures[*w.moved.Load()].digest}}
	}
	return w.pull(w.pick(names))
}

func (w *walk) pull(name string) act {
	reference := w.f.reference(name)
	return act{verb: "pull", args: []string{"pull", reference}, changes: map[string]string{reference: w.f.pictures[name].digest}}
}

func (w *walk) forget(reference string) {
	links, err := os.ReadDir(w.store("references"))
	must(w.t, err)
	for _, e := range links {
		if unescape(e.Name()) == reference {
			must(w.t, os.Remove(w.store("references", e.Name())))
		}
	}
	delete(w.known, reference)
}

// damage hurts some files of an image that no other image has.
func (w *walk) damage(digest string) bool {
	var paths []string
	filepath.WalkDir(w.store("images", digest, "rootfs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			paths = append(paths, path)
		}
		return nil
	})
	if len(paths) == 0 {
		return false
	}
	for range 3 {
		path := w.pick(paths)
		harms := []func() error{
			func() error { return os.Truncate(path, 7) },
			func() error { return unix.Chmod(path, 0o123) },
			func() error { return os.Remove(path) },
		}
		if err := harms[w.rnd.IntN(len(harms))](); err != nil && !errors.Is(err, fs.ErrNotExist) { // the last one may have met it
			w.t.Fatal(err)
		}
	}
	return true
}

// start runs a command that somebody else is about to interrupt; done tells how it ended.
func (w *walk) start(a act) (kill func(), done <-chan result) {
	w.t.Helper()
	cmd := w.command(a.args...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	must(w.t, cmd.Start())
	ended := make(chan result, 1)
	go func() {
		cmd.Wait()
		ended <- result{a.args, stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	}()
	return func() { unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }, ended
}

// when is a random moment of a command of that kind.
func (w *walk) when(a act) time.Duration {
	whole := w.took[a.verb]
	if whole == 0 {
		whole = 100 * time.Millisecond
	}
	return time.Duration(w.rnd.Int64N(int64(whole + whole/8)))
}

// note remembers what a command has changed, or may have.
func (w *walk) note(a act, ended bool) {
	for reference, digest := range a.changes {
		before, ok := w.known[reference]
		if !ok {
			before = []string{""}
		}
		if ended {
			before = nil
		}
		w.known[reference] = append(slices.Clone(before), digest)
	}
}

// check compares the store with what is known of it, and learns what was open.
func (w *walk) check() error {
	references, err := w.references()
	if err != nil {
		return err
	}
	for reference, may := range w.known {
		if !slices.Contains(may, references[reference]) {
			return fmt.Errorf("reference %s leads to %q, want one of %q", reference, references[reference], may)
		}
		w.known[reference] = []string{references[reference]}
	}
	for reference := range references {
		if w.known[reference] == nil {
			return fmt.Errorf("reference %s came from nowhere", reference)
		}
	}
	return nil
}

// finish is what comes after an interruption: all that is published is whole and nothing is lost; then a pull succeeds and
// removes what the interrupted command left.
func (w *walk) finish(a act, r result) {
	w.t.Helper()
	fatal := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatalf("after %v%v", r, err)
		}
	}
	fatal(w.check())
	if a.damaged && r.code != 0 {
		w.ok(a.args...)
		w.note(a, true)
		fatal(w.check())
	}
	fatal(w.inspect(w.f))
	next := w.pull(w.pick(slices.Sorted(maps.Keys(w.f.pictures))))
	if out := w.run(next.args...); out.code != 0 {
		fatal(fmt.Errorf("the next pull: %v", out))
	}
	w.note(next, true)
	fatal(w.check())
	if left := w.debris(); len(left) > 0 {
		fatal(fmt.Errorf("the next pull left %v", left))
	}
	if out := w.run("verify"); out.code != 0 {
		fatal(fmt.Errorf("then: %v", out))
	}
}

// end runs the last prune: nothing may be left that nothing needs.
func (w *walk) end() {
	w.t.Helper()
	removeAll(w.t, w.path(unitDir))
	w.ok("prune", "--grace=0")
	must(w.t, w.inspect(w.f))
	for _, place := range []string{"images", "references", "locks", "repo/refs/heads/image", "repo/refs/heads/deploy", "repo/refs/heads/layer"} {
		entries, err := os.ReadDir(w.store(place))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != ".staging" {
				w.t.Errorf("prune of everything leaves %s/%s", place, e.Name())
			}
		}
	}
	if objects, _ := filepath.Glob(w.store("repo/objects/*/*")); len(objects) > 0 {
		w.t.Errorf("prune of everything leaves %d objects", len(objects))
	}
}

// counts are the short and the long number of interruptions.
func counts(short, long int) int {
	if host.Long() {
		return long
	}
	return short
}
