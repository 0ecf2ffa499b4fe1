// SPDX-License-Identifier: Apache-2.0

package store

import (
	"strings"
	"testing"
)

// What is there is not fetched again: an image costs one manifest, a layer nothing.
func TestNothingFetchedTwice(t *testing.T) {
	f := setup(t)
	m := newDisk(t, 128<<20).machine(f.registry.Address)
	p := newProxy(t, f, 0)
	m.trust(p.Address)
	asked := func(args ...string) (requests, manifests int) {
		t.Helper()
		before, beforeManifests := p.Asked(""), p.Asked("/manifests/")
		m.ok(append([]string{"pull"}, args...)...)
		must(t, m.inspect(f))
		return p.Asked("") - before, p.Asked("/manifests/") - beforeManifests
	}
	left, right := p.reference("left", "1"), p.reference("right", "1")
	asked(left)
	for _, again := range []string{left, p.reference("left", "2"), p.Address + "/left@sha256:" + f.pictures["left"].digest} {
		if requests, manifests := asked(again); manifests != 1 || requests > 2 { // the other one asks what the registry speaks
			t.Errorf("pull %s again makes %d requests, %d of them for manifests", again, requests, manifests)
		}
	}
	before := p.Asked("/blobs/")
	asked(right)
	if blobs := p.Asked("/blobs/") - before; blobs != 3 { // its config and two layers
		t.Errorf("an image with two new layers costs %d blobs, want 3", blobs)
	}
	for _, digest := range f.pictures["left"].layers {
		if n := p.times(digest); n != 1 {
			t.Errorf("layer %s was fetched %d times", digest, n)
		}
	}
	// Without its directory, an image is made of what the repository has.
	removeAll(t, m.store("images", f.pictures["left"].digest))
	before = p.Asked("/blobs/")
	asked(left)
	if blobs := p.Asked("/blobs/") - before; blobs > 1 { // its config
		t.Errorf("a checkout costs %d blobs", blobs)
	}
}

// Each digest is a line of its own, in the order of the command line, as soon as it is known; what fails says which.
func TestPullSpeaks(t *testing.T) {
	f := setup(t)
	m := newDisk(t, 128<<20).machine(f.registry.Address)
	line := func(name string) string { return "sha256:" + f.pictures[name].digest + "\n" }
	if out := m.ok("pull", f.reference("plain"), f.reference("base"), f.reference("plain")); out != line("plain")+line("base")+line("plain") {
		t.Errorf("pull prints\n%s", out)
	}
	absent := f.reference("absent")
	r := m.fails(1, []string{"syscontainer: pull " + absent + ": "}, "pull", f.reference("plain"), absent)
	if r.stdout != line("plain") || strings.Count(r.stderr, "\n") > 2 {
		t.Errorf("%vwant one digest, one line and a hint", r)
	}
	must(t, m.inspect(f))
	if left := m.debris(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
