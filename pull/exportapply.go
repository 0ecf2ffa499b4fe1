package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// apply carries out a plan. First a record is durable that has both what was and what is to be; then everything new is
// written beside, and only when all of it is on disk do files change, each at once. Whoever is killed on the way leaves what
// settle understands. An error before the first change takes back what was written.
//
// A record whose container wants nothing any more goes.
func (x *exporter) apply(ctx context.Context, w *store.Writer, request store.ExportRequest) error {
	final := &store.Exports{Request: request, Files: x.listed(x.ours)}
	if len(x.steps) > 0 || x.unfinished() {
		before := &store.Exports{Unfinished: true, Files: x.listed(x.have), Next: sorted(maps.Values(x.ours))}
		if x.record != nil {
			before.Request = x.record.Request
		}
		c := &changer{x: x, disks: map[uint64]int{}}
		defer c.close()
		if err := c.sweep(); err != nil {
			return err
		}
		if err := w.WriteExports(x.name, before); err != nil {
			return err
		}
		if err := c.stage(ctx); err != nil {
			return errors.Join(err, c.takeBack(w))
		}
		if err := c.change(); err != nil {
			return fmt.Errorf("%w\nhint: the files are half old, half new: run it again", err)
		}
		final.Files = x.listed(x.ours)
	}
	if x.image == nil {
		return w.RemoveExports(x.name)
	}
	return w.WriteExports(x.name, final)
}

func (x *exporter) unfinished() bool { return x.record != nil && x.record.Unfinished }

// listed is a record's list.
func (x *exporter) listed(entries map[string]store.Exported) []store.Exported {
	return append(sorted(maps.Values(entries)), x.kept...)
}

func sorted(entries func(func(store.Exported) bool)) []store.Exported {
	list := slices.SortedFunc(entries, func(a, b store.Exported) int { return strings.Compare(a.Path, b.Path) })
	if list == nil {
		list = []store.Exported{}
	}
	return list
}

// changer changes the host.
type changer struct {
	x       *exporter
	disks   map[uint64]int // an open directory on each file system that is written to
	made    []string       // directories, in this order
	staged  []string       // paths with something under their temporary name
	cleared bool           // something is gone already
	done    []exportStep
}

func (c *changer) close() {
	for _, fd := range c.disks {
		unix.Close(fd)
	}
}

// in opens the directory that holds a path.
func (c *changer) in(name string, do func(dir int, base string) error) error {
	dir, err := c.x.host.openDir(path.Dir(name))
	if err != nil {
		return fmt.Errorf("open %s: %w", path.Dir(name), err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		unix.Close(dir)
		return fmt.Errorf("look at %s: %w", path.Dir(name), err)
	}
	if _, known := c.disks[st.Dev]; known {
		defer unix.Close(dir)
	} else {
		c.disks[st.Dev] = dir
	}
	return do(dir, path.Base(name))
}

// sync makes what was done durable.
func (c *changer) sync() error {
	for _, fd := range c.disks {
		if err := unix.Syncfs(fd); err != nil {
			return fmt.Errorf("make exported files durable: %w", err)
		}
	}
	return nil
}

// stage writes what is new beside its place.
func (c *changer) stage(ctx context.Context) error {
	for _, step := range c.x.steps {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		var err error
		switch step.kind {
		case stepClear:
			err = c.remove(step)
			c.cleared = true
		case stepMake:
			err = c.makeDir(step)
		case stepReplace:
			err = c.in(step.path, func(dir int, base string) error {
				c.staged = append(c.staged, step.path)
				return c.x.image.write(dir, temporary(step.path), step.file, step.path)
			})
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", units.Printable(step.path), err)
		}
	}
	return c.sync()
}

// sweep removes what a run before left under temporary names, and makes durable what else it did: the record that is written
// next knows nothing of that run.
func (c *changer) sweep() error {
	if !c.x.unfinished() {
		return nil
	}
	for _, entry := range slices.Concat(c.x.record.Files, c.x.record.Next) {
		err := c.in(entry.Path, func(dir int, base string) error { return removeBeside(dir, temporary(entry.Path)) })
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, unix.ELOOP) {
			return fmt.Errorf("remove what was left beside %s: %w", entry.Path, err)
		}
	}
	return c.sync()
}

// makeDir gives a directory its name when it is complete, so that whatever is found by that name is.
func (c *changer) makeDir(step exportStep) error {
	return c.in(step.path, func(dir int, base string) error {
		beside := temporary(step.path)
		if err := removeBeside(dir, beside); err != nil {
			return err
		}
		if err := unix.Mkdirat(dir, beside, 0o700); err != nil {
			return err
		}
		err := c.fillDir(dir, beside, step)
		if err == nil {
			err = unix.Renameat2(dir, beside, dir, base, unix.RENAME_NOREPLACE)
			if err == unix.EINVAL { // a file system that cannot; at most an empty directory goes
				err = unix.Renameat(dir, beside, dir, base)
			}
		}
		switch err {
		case nil:
			c.made = append(c.made, step.path)
			return nil
		case unix.EEXIST: // made by somebody else just now
			delete(c.x.ours, step.path)
			return removeBeside(dir, beside)
		}
		return errors.Join(err, removeBeside(dir, beside))
	})
}

func (c *changer) fillDir(dir int, name string, step exportStep) error {
	fd, err := openAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Fchown(fd, step.file.UID, step.file.GID); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, modeBits(step.file.Mode)); err != nil {
		return err
	}
	return c.x.image.label(dir, name, step.path)
}

// removeBeside removes what is under a temporary name; nothing is no error.
func removeBeside(dir int, name string) error {
	err := unix.Unlinkat(dir, name, 0)
	if err == unix.EISDIR || err == unix.EPERM {
		err = unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
	}
	if err == unix.ENOENT {
		return nil
	}
	return err
}

// takeBack undoes stage, and with it the record, unless something had to go already: the next run goes on then.
func (c *changer) takeBack(w *store.Writer) error {
	var errs []error
	for _, name := range c.staged {
		if err := c.in(name, func(dir int, base string) error { return removeBeside(dir, temporary(name)) }); err != nil {
			errs = append(errs, err)
		}
	}
	for _, name := range slices.Backward(c.made) {
		if err := c.in(name, func(dir int, base string) error { return unix.Unlinkat(dir, base, unix.AT_REMOVEDIR) }); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 || c.cleared || c.x.unfinished() {
		return errors.Join(errs...)
	}
	if err := c.sync(); err != nil {
		return err
	}
	if c.x.record == nil {
		return w.RemoveExports(c.x.name)
	}
	return w.WriteExports(c.x.name, c.x.record)
}

// change lets what is old go and what is new appear.
func (c *changer) change() error {
	for _, step := range c.x.steps {
		var err error
		switch step.kind {
		case stepRemove:
			err = c.remove(step)
		case stepReplace:
			err = c.replace(step)
		case stepMake:
			c.done = append(c.done, step)
		}
		if err != nil {
			return fmt.Errorf("change %s: %w", units.Printable(step.path), err)
		}
	}
	if err := c.sync(); err != nil {
		return err
	}
	c.x.steps = c.done
	return nil
}

// remove takes one of ours away, if it is still what the plan has seen. A directory stays if something is in it: the
// machine's, or changed by the admin.
func (c *changer) remove(step exportStep) error {
	return c.in(step.path, func(dir int, base string) error {
		if step.before.Kind != store.ExportedDir {
			if !still(dir, base, step.before) {
				c.note(step, "has just been changed and stays")
				return nil
			}
			err := unix.Unlinkat(dir, base, 0)
			if err == nil || err == unix.ENOENT {
				c.done = append(c.done, step)
				return nil
			}
			return err
		}
		switch err := unix.Unlinkat(dir, base, unix.AT_REMOVEDIR); err {
		case nil, unix.ENOENT:
			c.done = append(c.done, step)
			return nil
		case unix.ENOTEMPTY, unix.EEXIST, unix.EBUSY:
			if _, becomes := c.x.ours[step.path]; becomes || c.x.image == nil {
				c.note(step, "is not empty and stays")
			} else {
				c.x.ours[step.path] = c.x.have[step.path]
			}
			return nil
		default:
			return err
		}
	})
}

// replace gives what was written beside its name. What the plan has not seen there stays.
func (c *changer) replace(step exportStep) error {
	return c.in(step.path, func(dir int, base string) error {
		beside := temporary(step.path)
		var err error
		switch {
		case !still(dir, base, step.before):
			err = unix.EEXIST
		case step.before != nil:
			err = unix.Renameat(dir, beside, dir, base)
		default:
			err = unix.Renameat2(dir, beside, dir, base, unix.RENAME_NOREPLACE)
			if err == unix.EINVAL { // a file system that cannot
				if err = unix.Linkat(dir, beside, dir, base, 0); err == nil {
					err = unix.Unlinkat(dir, beside, 0)
				}
			}
		}
		switch err {
		case nil:
			// Nothing is renamed if both were one file.
			if err := unix.Unlinkat(dir, beside, 0); err != nil && err != unix.ENOENT {
				return err
			}
			c.done = append(c.done, step)
			return nil
		case unix.EEXIST:
			if err := unix.Unlinkat(dir, beside, 0); err != nil && err != unix.ENOENT {
				return err
			}
			kept := step.wanted
			kept.Kept = true
			c.x.kept = append(c.x.kept, kept)
			delete(c.x.ours, step.path)
			c.note(step, "has just been made or changed: kept as it is")
			return nil
		}
		return err
	})
}

func (c *changer) note(step exportStep, text string) {
	c.x.notes = append(c.x.notes, units.Printable(step.path)+" "+text)
}
