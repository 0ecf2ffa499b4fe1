package generation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"syscontainer/pull/store"
)

// Retention is how many generations of a container keep their images.
type Retention struct {
	Keep     int // images, the current one among them; less than 1 means 2
	KeepDays int // and all that were made in so many days; 0: none
}

const (
	// keptRecords is how many generations of a container are remembered, kept or not.
	keptRecords = 100
	// keptUpdates is how many updates that are done are remembered.
	keptUpdates = 200
)

// Beyond are the generations whose images retention would give up: neither the current one, nor what can be gone back
// to. With Keep=1 nothing can be gone back to once the
// current one is good. spare has the digests of images that must stay, nil is allowed.
func (c *Container) Beyond(r Retention, at time.Time, spare map[string]bool) (beyond []Record) {
	if r.Keep < 1 {
		r.Keep = 2
	}
	images, stays := map[string]bool{}, map[int]bool{}
	keep := func(g Record) { images[g.Digest], stays[g.Number] = true, true }
	now, _ := c.Now()
	keep(now)
	if before, ok := c.Get(c.Previous); ok && (r.Keep > 1 || now.Outcome != Good) {
		keep(before)
	}
	for _, g := range slices.Backward(c.Generations) { // of several of an image the last
		if !g.Kept || g.Outcome != Good && g.Outcome != Unjudged || images[g.Digest] {
			continue
		}
		if recent := at.Sub(g.Time) < time.Duration(r.KeepDays)*24*time.Hour; recent || len(images) < r.Keep {
			keep(g)
		}
	}
	for _, g := range c.Generations {
		if g.Kept && !stays[g.Number] && !spare[g.Digest] && g.Outcome != Pending {
			beyond = append(beyond, g)
		}
	}
	return beyond
}

// Retain gives up the images of generations beyond a retention, but for what the container runs, and forgets the oldest
// records. It returns whose images are kept no longer; the images themselves prune removes. While an update of the
// container is not done it does nothing.
func (l *Locked) Retain(name string, r Retention) (given []Record, err error) {
	c, err := l.Read(name)
	if err != nil {
		return nil, err
	}
	busy, err := l.busy(name)
	if err != nil || busy {
		return nil, err
	}
	dir, running := containerDir(l.root, name), map[string]bool{}
	for digest, containers := range store.Running(l.root) {
		running[digest] = slices.Contains(containers, name)
	}
	for _, g := range c.Beyond(r, now(), running) {
		if g.Number == c.Previous { // nothing leads to what is gone
			if err := remove(filepath.Join(dir, "previous")); err != nil {
				return given, fmt.Errorf("give up generation %d of %s: %w", g.Number, name, err)
			}
		}
		if err := remove(linkPath(dir, g.Number)); err != nil {
			return given, fmt.Errorf("give up generation %d of %s: %w", g.Number, name, err)
		}
		given = append(given, g)
	}
	if err := sweep(dir, time.Time{}); err != nil {
		return given, err
	}
	if err := sweep(generationsDir(dir), time.Time{}); err != nil {
		return given, err
	}
	for i, g := range c.Generations {
		if len(c.Generations)-i <= keptRecords {
			break
		}
		_, err := os.Lstat(linkPath(dir, g.Number))
		if !errors.Is(err, fs.ErrNotExist) || g.Number == c.taken { // numbers never come again
			continue
		}
		if err := remove(recordPath(dir, g.Number)); err != nil {
			return given, fmt.Errorf("forget generation %d of %s: %w", g.Number, name, err)
		}
	}
	return given, nil
}

// busy tells whether an update of a container is not done.
func (l *Locked) busy(name string) (bool, error) {
	unfinished, err := Unfinished(l.root)
	if err != nil {
		return true, fmt.Errorf("no generation goes while it is unknown what was interrupted: %w", err)
	}
	return slices.ContainsFunc(unfinished, func(u *Update) bool { return slices.Contains(u.Names(), name) }), nil
}

// Forget removes all that is recorded of a container's generations, and its name from updates that are not done. What
// else the container keeps stays; its directory goes if nothing does.
func (l *Locked) Forget(name string) error {
	if err := l.forget(name); err != nil {
		return fmt.Errorf("forget the generations of %s: %w", name, err)
	}
	return nil
}

func (l *Locked) forget(name string) error {
	if !slices.Contains(l.names, name) || len(l.locks) == 0 {
		return errors.New("it is not locked")
	}
	unfinished, err := Unfinished(l.root)
	if err != nil {
		return err
	}
	dir := containerDir(l.root, name)
	if err := checkDir(dir); errors.Is(err, fs.ErrNotExist) {
		err = nil
	} else if err != nil {
		return err
	}
	for _, u := range unfinished {
		before := len(u.Members)
		u.Members = slices.DeleteFunc(u.Members, func(m Member) bool { return m.Name == name })
		switch {
		case len(u.Members) == before:
		case len(u.Members) == 0:
			err = remove(updatePath(l.root, u.ID))
		default:
			err = writeJSON(updatePath(l.root, u.ID), u)
		}
		if err != nil {
			return err
		}
	}
	// First what leads to them, then the generations: a start sees them whole or not at all.
	for _, link := range []string{"current", "previous", "hold"} {
		if err := remove(filepath.Join(dir, link)); err != nil {
			return err
		}
		if err := removeIfThere(filepath.Join(dir, temporary+link)); err != nil {
			return err
		}
	}
	generations := generationsDir(dir)
	switch err := checkDir(generations); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if err := removeLinks(generations); err != nil {
			return err
		}
		step()
		if err := os.RemoveAll(generations); err != nil {
			return err
		}
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	step()
	if os.Remove(dir) != nil { // it holds something else, or is gone
		return nil
	}
	return syncDir(containersDir(l.root))
}

// removeLinks removes the links in a directory of generations: no link is ever without its record.
func removeLinks(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, ok := parseNumber(e.Name()); ok {
			if err := removeIfThere(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return syncDir(dir)
}

// SweepUpdates forgets the oldest updates that are done, and what was being written when its process died.
func SweepUpdates(root string) error {
	all, err := Updates(root)
	all = slices.DeleteFunc(all, func(u *Update) bool { return !u.Phase.Done() })
	for i, u := range all {
		if len(all)-i > keptUpdates {
			err = errors.Join(err, remove(updatePath(root, u.ID)))
		}
	}
	return errors.Join(err, sweep(updatesDir(root), now().Add(-24*time.Hour))) // nobody takes so long
}

// sweep removes what was being written, before a time unless that is zero.
func sweep(dir string, before time.Time) error {
	left, err := filepath.Glob(filepath.Join(globbed.Replace(dir), temporary+"*"))
	for _, file := range left {
		info, err := os.Lstat(file)
		if err != nil || !before.IsZero() && info.ModTime().After(before) {
			continue
		}
		if err := removeIfThere(file); err != nil {
			return err
		}
	}
	return err
}

// globbed hides what filepath.Match has a meaning for: names of units may have a backslash, roots anything.
var globbed = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)
