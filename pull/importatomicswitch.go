package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/coreos/go-systemd/v22/dbus"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// takenOver is where what Atomic had put into the system goes, by name of the container and with its path.
const takenOver = store.Dir + "/atomic"

// moves are the files, below root, of the old installation that are in the new one's way.
func (t *takeover) moves() (files []string, err error) {
	tmpfiles := path.Join("/etc/tmpfiles.d", t.old.name+".conf")
	for _, slot := range []string{".0", ".1"} { // of either version: one without did not remove the other's
		copied := path.Join(path.Dir(t.old.slot), t.old.name+slot, "tmpfiles-"+t.old.name+".conf")
		if isFile(filepath.Join(t.root, copied)) && isFile(filepath.Join(t.root, tmpfiles)) {
			files = append(files, tmpfiles)
			break
		}
	}
	if t.service != "" {
		files = append(files, t.service) // before its links: without them it would be a disabled one
	}
	return append(files, t.links...), nil
}

// switchOver stops the old service, takes its files away, and starts the new one if the old one ran. All is kept in a
// directory first, and whether it ran is noted; whoever is killed on the way finds the rest done by the next run.
func (t *takeover) switchOver(ctx context.Context, in *installation, changed bool) error {
	files, err := t.moves()
	if err != nil {
		return err
	}
	if len(files) == 0 && t.begun == "" {
		inherited, err := t.inherit(ctx, in)
		if err == nil && !inherited && !changed {
			fmt.Printf("%s: nothing to do, it is taken over\n", t.old.name)
		}
		return err
	}
	if _, err := store.OpenWriter(t.root); err != nil { // its directory has to be there, for all to see
		return err
	}
	backup := path.Join(takenOver, t.old.name)
	for _, file := range files {
		if err := keepCopy(filepath.Join(t.root, file), filepath.Join(t.root, backup, file)); err != nil {
			return fmt.Errorf("keep %s: %w", file, err)
		}
	}
	if err := t.stopOld(); err != nil {
		return err
	}
	if _, err := t.inherit(ctx, in); err != nil {
		return err
	}
	for _, file := range files {
		if err := os.Remove(filepath.Join(t.root, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := syncPath(filepath.Dir(filepath.Join(t.root, file))); err != nil {
			return err
		}
		fmt.Printf("%s: moved %s to %s%s\n", t.old.name, file, backup, file)
	}
	if err := reloadSystemd(t.root); err != nil {
		return err
	}
	if t.begun == oldRan && systemdRuns(t.root) {
		if err := startService(t.old.name); err != nil {
			return fmt.Errorf("%w\nthe old service's files are below %s, with their paths", err, backup)
		}
		fmt.Printf("%s: started\n", t.old.name)
	}
	if err := t.end(); err != nil {
		return err
	}
	checkouts := path.Dir(t.old.slot)
	fmt.Printf("stays %s: Atomic's checkout\n    rm -r %s %s.[01]\n", t.old.slot, path.Join(checkouts, t.old.name), path.Join(checkouts, t.old.name))
	return nil
}

// A switch that has begun leaves a note of whether the old service ran, until it has ended: once that is stopped, systemd
// does not know any more.
const (
	oldRan     = "ran\n"
	oldDidNot  = "did not run\n"
	switchNote = "switching"
)

func (t *takeover) note() string { return filepath.Join(t.root, takenOver, t.old.name, switchNote) }

// lookAtNote finds a switch that was begun and not ended.
func (t *takeover) lookAtNote() error {
	text, err := readPlain(t.note())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	t.begun = string(text)
	return nil
}

// stopOld stops the old service. If one that was begun has come as far as to remove its file, that was done, and what runs
// under the name is the new one.
func (t *takeover) stopOld() error {
	if t.begun != "" && t.service == "" {
		return nil
	}
	runs := systemdRuns(t.root)
	if t.begun == "" {
		t.begun = oldDidNot
		if runs {
			ran, err := isActive(t.old.name)
			if err != nil {
				return err
			}
			if ran {
				t.begun = oldRan
			}
		}
		if err := writeDurably(t.note(), func(file string) error { return writePlain(file, []byte(t.begun), 0o644) }); err != nil {
			return fmt.Errorf("note that the switch begins: %w", err)
		}
	}
	if !runs {
		return nil
	}
	return stopService(t.old.name)
}

func (t *takeover) end() error {
	if err := os.Remove(t.note()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	t.begun = ""
	return syncPath(filepath.Dir(t.note()))
}

// keepCopy copies a file or link, durably; one that was kept before is replaced.
func keepCopy(from, to string) error {
	return writeDurably(to, func(temporary string) error {
		info, err := os.Lstat(from)
		if err != nil {
			return err
		}
		if info.Mode().Type() == fs.ModeSymlink {
			target, err := os.Readlink(from)
			if err != nil {
				return err
			}
			return os.Symlink(target, temporary)
		}
		text, err := readPlain(from)
		if err != nil {
			return err
		}
		return writePlain(temporary, text, info.Mode().Perm())
	})
}

// writeDurably makes a file under a temporary name, then gives it its own; directories above it are made.
func writeDurably(to string, write func(temporary string) error) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	temporary := to + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := write(temporary)
	if err == nil {
		err = os.Rename(temporary, to)
	}
	for dir := filepath.Dir(to); err == nil && dir != "/" && filepath.Base(dir) != "lib"; dir = filepath.Dir(dir) {
		err = syncPath(dir)
	}
	return err
}

func writePlain(file string, text []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
}

// inherit makes files that Atomic put on the host the container's own, as far as they are unchanged: from then on the
// next start replaces them, and the unit's end removes them. Only what the image itself brings is taken.
func (t *takeover) inherit(ctx context.Context, in *installation) (done bool, err error) {
	if len(in.exported) == 0 {
		return false, nil
	}
	w, err := store.OpenWriter(t.root)
	if err != nil {
		return false, err
	}
	lock, err := w.LockExports(ctx, nil)
	if err != nil {
		return false, err
	}
	defer lock.Release()
	all, err := store.ListExports(t.root)
	if err != nil {
		return false, err
	}
	host := openMachine(t.root)
	defer host.close()
	record, started := all[t.old.name]
	if !started {
		record = &store.Exports{Files: []store.Exported{}}
	} else if record.Unfinished {
		return false, nil
	}
	delete(all, t.old.name)
	for _, file := range in.exported {
		sum, recorded := t.old.files[file]
		if !recorded || sum == "" { // Atomic itself would not have removed it
			continue
		}
		dir, _ := host.resolve(path.Dir(file))
		if dir == "" {
			continue
		}
		real := path.Join(dir, path.Base(file))
		at := slices.IndexFunc(record.Files, func(x store.Exported) bool { return x.Path == real })
		if started && (at < 0 || !record.Files[at].Kept) {
			continue
		}
		entry, err := t.asItIs(host, real, file, sum)
		if err != nil {
			return false, err
		}
		taken := ""
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if entry != nil && slices.ContainsFunc(slices.Concat(all[name].Files, all[name].Next), func(x store.Exported) bool { return x.Path == entry.Path && !x.Kept }) {
				taken = name
			}
		}
		switch {
		case entry == nil && started: // told then
		case entry == nil:
			fmt.Fprintf(os.Stderr, "syscontainer: %s: %s is not as Atomic left it: it stays, and is nobody's\n", t.old.name, units.Printable(file))
		case taken != "":
			fmt.Fprintf(os.Stderr, "syscontainer: %s: %s is %s's\n", t.old.name, units.Printable(file), taken)
		case at >= 0: // a start had found it in its way
			record.Files[at], done = *entry, true
		default:
			record.Files, done = append(record.Files, *entry), true
		}
	}
	if !done {
		return false, nil
	}
	record.Request = store.ExportRequest{} // the next start carries out what the unit says
	return true, w.WriteExports(t.old.name, record)
}

// asItIs describes a path of the machine if it is what Atomic recorded: a file with that sum, a link to such a file, and
// with the sum "0" a directory, or a link that leads nowhere. Else it is nil.
func (t *takeover) asItIs(host *machine, real, file, sum string) (*store.Exported, error) {
	found, err := host.lookAt(real)
	if err != nil || found == nil {
		return nil, err
	}
	entry := found.Exported
	entry.Path = real
	switch entry.Kind {
	case store.ExportedFile:
		if entry.Sum != sum {
			return nil, nil
		}
	case store.ExportedLink:
		there, err := readPlain(filepath.Join(t.root, host.followed(file)))
		if at := host.followed(file); at == "" && sum != "0" || at != "" && (err != nil || digestOf(there) != "sha256:"+sum) {
			return nil, nil
		}
	case store.ExportedDir:
		if sum != "0" {
			return nil, nil
		}
	default:
		return nil, nil
	}
	return &entry, nil
}

// followed is where a path leads on the machine, "" if nowhere.
func (m *machine) followed(name string) string {
	real, _ := m.resolve(name)
	return real
}

// isActive tells whether a service runs, or is about to.
func isActive(name string) (active bool, err error) {
	err = withSystemdFor(reloadTime, func(ctx context.Context, conn *dbus.Conn) error {
		property, err := conn.GetUnitPropertyContext(ctx, name+".service", "ActiveState")
		if err == nil {
			active = slices.Contains([]string{"active", "activating", "reloading"}, fmt.Sprint(property.Value.Value()))
		}
		return err
	})
	return active, err
}

// startService starts one and waits for that.
func startService(name string) error {
	return withSystemdFor(stopTime, func(ctx context.Context, conn *dbus.Conn) error {
		done := make(chan string, 1)
		if _, err := conn.StartUnitContext(ctx, name+".service", "replace", done); err != nil {
			return fmt.Errorf("start %s: %w", name, err)
		}
		select {
		case result := <-done:
			if result != "done" {
				return fmt.Errorf("start %s: systemd says: %s\nhint: systemctl status %s", name, result, name)
			}
			return nil
		case <-ctx.Done():
			return fmt.Errorf("start %s: %w", name, ctx.Err())
		}
	})
}
