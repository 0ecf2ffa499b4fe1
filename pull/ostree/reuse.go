package ostree

import (
	"fmt"
	"io/fs"
)

// UseFile makes a file that is stored part of the transaction, as WriteFile
// does with one that is not: trees may name it. One that is not there is
// fs.ErrNotExist and harms nothing.
func (t *Txn) UseFile(sum Checksum) error {
	o := object{sum, kindFile}
	t.mu.Lock()
	_, known := t.known[o]
	t.mu.Unlock()
	if known {
		return nil
	}
	found, err := t.has(o)
	if err != nil {
		return err
	}
	if !found || t.isReplaced(o) {
		return fmt.Errorf("object %v: %w", o, fs.ErrNotExist)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.known[o]; !known { // or another goroutine has just staged it
		t.known[o] = false
	}
	return nil
}
