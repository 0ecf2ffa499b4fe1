package ostree

import "strings"

// Replace tells that stored objects are damaged, by the names that a Problem
// gives them; other names are ignored. Until Publish they count as not stored:
// what has the same content is written again, and Publish renames it over the
// damaged one, so that at any instant one of the two is there. An object that
// nothing was written for stays as it is.
//
// Checkouts keep the old inode: lay them out again. Call it before the writes.
func (t *Txn) Replace(objects []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.replaced == nil {
		t.replaced = map[object]bool{}
	}
	for _, name := range objects {
		stem, ext, _ := strings.Cut(name, ".")
		sum, err := ParseChecksum(stem)
		kind, known := kindOf("." + ext)
		if err != nil || !known || "."+ext == extDetached {
			continue
		}
		o := object{sum, kind}
		t.replaced[o] = true
		if written, met := t.known[o]; met && !written {
			delete(t.known, o)
		}
	}
}

// has tells whether an object is stored in the repository itself and need not
// be written again.
func (t *Txn) has(o object) (bool, error) {
	if t.isReplaced(o) {
		return false, nil
	}
	return t.repo.hasOwn(o)
}

func (t *Txn) isReplaced(o object) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.replaced[o]
}
