package generation

import (
	"path/filepath"
	"testing"

	"syscontainer/pull/store"
)

// An image that goes before there is another one leaves the records, and the number of the next one.
func TestGiveUp(t *testing.T) {
	s := newScene(t)
	s.images("a", "b")
	l := s.lock("web")
	s.adopt(l, "a", "web")
	for range 2 { // also after an interruption
		ok(t, l.GiveUp("web"))
		s.tells("web", "1:a:start:good:-")
		s.runs("web", "", "")
		if kept := store.Generations(s.root); len(kept) > 0 {
			t.Errorf("kept: %v", kept)
		}
	}
	u := must[*Transaction](t)(l.Begin(Update{By: ByUpdate, Members: []Member{{Name: "web", Digest: digest("b"), Reference: reference, For: reference, Active: true}}}))
	ok(t, u.Switch())
	ok(t, u.Good(nil))
	s.tells("web", "1:a:start:good:- 2:b:update:good")
	s.runs("web", "b", "")
	if _, err := filepath.EvalSymlinks(linkPath(containerDir(s.root, "web"), 2)); err != nil {
		t.Error(err)
	}
}
