package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"syscontainer/pull/generation"
	"syscontainer/pull/store"
)

// bootRecord is what is remembered from boot to boot: boot.json, see syscontainer-store(5).
type bootRecord struct {
	// Good has, for each container with generations, the digest that the last good boot ended with.
	Good map[string]string `json:"good"`
	Time time.Time         `json:"time"` // of that boot's end
	// Boots have begun since, and none of them came to be judged. Boot is the last of them.
	Boots int    `json:"boots"`
	Boot  string `json:"boot"`
}

func bootRecordPath(root string) string { return filepath.Join(root, store.Dir, "boot.json") }

// readBootRecord returns an empty record if there is none. So it does beside an error, for a boot has to go on.
func readBootRecord(root string) (*bootRecord, error) {
	r := new(bootRecord)
	data, err := os.ReadFile(bootRecordPath(root))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(data, r)
	}
	if err != nil {
		return new(bootRecord), fmt.Errorf("read %s: %w", bootRecordPath(root), err)
	}
	return r, nil
}

// write replaces the record, durably.
func (r *bootRecord) write(root string) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	file := bootRecordPath(root)
	beside := file + ".new"
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(beside, file)
	}
	if err == nil {
		err = syncDirectory(filepath.Dir(file))
	}
	if err != nil {
		return fmt.Errorf("record the boot: %w", err)
	}
	return nil
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// count notes that a boot has begun, once for each.
func (r *bootRecord) count(boot string) {
	if r.Boot != boot {
		r.Boot, r.Boots = boot, r.Boots+1
	}
}

// target is the generation that a container goes back to at boot: what the last good boot ended with, if that is kept; else
// the last good one before. False: it has not been updated since, or there is nothing to go back to.
func (r *bootRecord) target(c *generation.Container) (generation.Record, bool) {
	now, ok := c.Now()
	good := r.Good[c.Name]
	if !ok || now.Digest == good {
		return generation.Record{}, false
	}
	for i := len(c.Generations) - 1; i >= 0 && good != ""; i-- {
		if g := c.Generations[i]; g.Digest == good && g.Kept && g.Outcome != generation.Failed {
			return g, true
		}
	}
	return c.Before()
}

// pending tells whether a boot has something to say about a container.
func (r *bootRecord) pending(c *generation.Container) bool {
	now, ok := c.Now()
	_, updated := r.target(c)
	return ok && (updated || now.Outcome == generation.Unjudged)
}
