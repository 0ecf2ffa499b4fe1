package ostree

import (
	"context"
	"strings"
)

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

// Mistrust makes the transaction read every object that is stored before it
// relies on it: a damaged one is replaced, as Replace has it. Unlike Verify it
// finds what lies below a damaged directory. Call it before the writes.
func (t *Txn) Mistrust() { t.mistrust = true }

// has tells whether an object is stored in the repository itself and need not
// be written again.
func (t *Txn) has(o object) (bool, error) {
	if t.isReplaced(o) {
		return false, nil
	}
	found, err := t.repo.hasOwn(o)
	if err != nil || !found || !t.mistrust {
		return found, err
	}
	if t.repo.verifyObject(context.Background(), o) == nil {
		return true, nil
	}
	t.Replace([]string{o.String()})
	return false, nil
}

// verifyObject compares one object with its name.
func (r *Repo) verifyObject(ctx context.Context, o object) error {
	if o.kind == kindFile {
		return r.verifyFile(ctx, o.sum)
	}
	_, err := r.loadMeta(o)
	return err
}

func (t *Txn) isReplaced(o object) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.replaced[o]
}
