package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// chooseUsers fills UIDMap and GIDMap of a unit with UserNS=auto: with numbers of the
// machine that no other container has. What the container writes belongs to them, so they
// are noted, durably, before they are used, and stay the container's.
//
// Nobody knows here which units there are. So the note lasts until the container's directory
// is removed; one of a container that keeps nothing else and does not run makes room for
// others when no number is left.
func chooseUsers(o options, c *units.Container, u user) error {
	if c.UserNSAuto == 0 {
		return nil
	}
	size := uint64(c.UserNSAuto)
	if largest := slices.Max(append([]uint32{u.UID, u.GID}, u.Groups...)); uint64(largest) >= size {
		return withHint(fmt.Errorf("UserNS=auto: the payload runs with the user or group %d, and the container has only those up to %d", largest, size-1),
			"write UserNS=auto:size=%d", uint64(largest)+1)
	}
	spare, err := spareIDs(o.root)
	if err != nil {
		return err
	}
	n := idNotes{o, filepath.Join("/", o.root, store.Dir, "containers")}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return fmt.Errorf("UserNS=auto: %w", err)
	}
	lock, err := lockDirectory(n.dir)
	if err != nil {
		return fmt.Errorf("UserNS=auto: %w", err)
	}
	defer lock.Close()
	r, err := n.rangeOf(size, spare)
	if err != nil {
		return fmt.Errorf("UserNS=auto: %w", err)
	}
	m := r.maps()
	c.UIDMap, c.GIDMap = m.UID, m.GID
	return nil
}

// maps make the range the container's users and groups from 0 on.
func (r idRange) maps() *idMaps {
	list := []units.IDMap{{Container: 0, Host: uint32(r.First), Size: uint32(r.Size)}}
	return &idMaps{list, list}
}

// automatic is the range that maps made by idRange.maps are of.
func (m *idMaps) automatic() (r idRange, ok bool) {
	if m == nil || len(m.UID) != 1 || !slices.Equal(m.UID, m.GID) || m.UID[0].Container != 0 {
		return r, false
	}
	return idRange{uint64(m.UID[0].Host), uint64(m.UID[0].Size)}, true
}

// idNotes are the files DIR/NAME/maps.json of all containers. The directory is locked.
type idNotes struct {
	options
	dir string
}

// lockDirectory waits for others that have it; closing ends the lock.
func lockDirectory(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return f, nil
}

// taken is a range in the note of another container.
type taken struct {
	idRange
	name string
	used time.Time
}

// rangeOf is the container's: the one it has, or a new one.
func (n idNotes) rangeOf(size uint64, spare []idRange) (idRange, error) {
	own := filepath.Join(n.dir, n.name)
	have, err := readMaps(own)
	if err != nil {
		return idRange{}, err
	}
	others, err := n.others()
	if err != nil {
		return idRange{}, err
	}
	why := n.unusable(have, size, spare, others)
	if why == nil {
		r, _ := have.automatic()
		now := time.Now()
		os.Chtimes(filepath.Join(own, mapsNote), now, now) // for takeOver; not where /var is read-only
		return r, nil
	}
	if _, err := os.Lstat(filepath.Join(own, "upper")); !errors.Is(err, os.ErrNotExist) {
		return idRange{}, cmp.Or(err, why)
	}
	for {
		if r, ok := highest(spare, others, size); ok {
			if err := writeMaps(own, r.maps()); err != nil {
				return r, err
			}
			return r, syncDirectory(n.dir)
		}
		if others, err = n.takeOver(others, spare, size); err != nil {
			return idRange{}, err
		}
	}
}

// unusable tells why a note is not, or no more, the container's range.
func (n idNotes) unusable(have *idMaps, size uint64, spare []idRange, others []taken) error {
	dir := filepath.Join(n.dir, n.name)
	r, ok := have.automatic()
	if !ok || r.Size != size {
		return otherMaps(dir)
	}
	if !slices.ContainsFunc(spare, func(s idRange) bool { return s.common(r) == r }) {
		return withHint(fmt.Errorf("what the container wrote, in %s, belongs to the users %s, and /etc/subuid and /etc/subgid do not give them to %q", dir, r, idOwner),
			"give them back, or remove %s and lose it", dir)
	}
	for _, other := range others {
		if r.overlaps(other.idRange) {
			return withHint(fmt.Errorf("what the container wrote, in %s, belongs to the users %s, and %s has them too", dir, r, other.name),
				"remove one of the two directories, and lose what is in it")
		}
	}
	return nil
}

// others are the ranges of all other containers, of UIDMap= with ReadOnly=no, too.
func (n idNotes) others() (list []taken, err error) {
	entries, err := os.ReadDir(n.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.IsDir() || e.Name() == n.name {
			continue
		}
		m, err := readMaps(filepath.Join(n.dir, e.Name()))
		if err != nil {
			return nil, err
		}
		if m == nil {
			continue
		}
		var used time.Time
		if info, err := os.Lstat(filepath.Join(n.dir, e.Name(), mapsNote)); err == nil {
			used = info.ModTime()
		}
		for _, r := range slices.Concat(m.UID, m.GID) {
			list = append(list, taken{idRange{uint64(r.Host), uint64(r.Size)}, e.Name(), used})
		}
	}
	return list, nil
}

// highest is the last free range: podman, which may share the lines of subuid(5), gives
// out the first ones.
func highest(spare []idRange, others []taken, size uint64) (best idRange, ok bool) {
	for _, s := range spare {
		for end := s.end(); end >= s.First+size; {
			r := idRange{end - size, size}
			i := slices.IndexFunc(others, func(t taken) bool { return r.overlaps(t.idRange) })
			if i < 0 {
				if !ok || r.First > best.First {
					best, ok = r, true
				}
				break
			}
			end = others[i].First
		}
	}
	return best, ok
}

// takeOver frees the range that nobody has used for the longest time, of a container with
// nothing but the note that does not run. Where that would not do, it leaves all.
func (n idNotes) takeOver(others []taken, spare []idRange, size uint64) ([]taken, error) {
	var idle, rest []taken
	for _, t := range others {
		if n.idle(t.name) {
			idle = append(idle, t)
		} else {
			rest = append(rest, t)
		}
	}
	if _, enough := highest(spare, rest, size); !enough {
		most := slices.MaxFunc(spare, func(a, b idRange) int { return cmp.Compare(a.Size, b.Size) }).Size
		if size > most {
			return nil, withHint(fmt.Errorf("%d users are asked for, and /etc/subuid and /etc/subgid give %q at most %d in a row", size, idOwner, most),
				"write a smaller size, or a longer range into both files")
		}
		return nil, withHint(fmt.Errorf("no %d users in a row are left of those that /etc/subuid and /etc/subgid give to %q", size, idOwner),
			"remove the directories of containers that are gone from %s, or write longer ranges into both files", n.dir)
	}
	oldest := slices.MinFunc(idle, func(a, b taken) int { return a.used.Compare(b.used) })
	dir := filepath.Join(n.dir, oldest.name)
	if err := os.Remove(filepath.Join(dir, mapsNote)); err != nil {
		return nil, err
	}
	os.Remove(filepath.Join(dir, mapsNote+".new"))
	os.Remove(dir) // fails if something has come
	warn(n.name, "no other users are left: taking %s, which were those of %s", oldest.idRange, oldest.name)
	return slices.DeleteFunc(others, func(t taken) bool { return t.name == oldest.name }), nil
}

// idle tells whether a container has no bundle, which each has before it looks for its
// users, and no files.
func (n idNotes) idle(name string) bool {
	if _, err := os.Lstat(string(bundleOf(n.root, name))); !errors.Is(err, os.ErrNotExist) {
		return false
	}
	entries, err := os.ReadDir(filepath.Join(n.dir, name))
	return err == nil && !slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return e.IsDir() || e.Name() != mapsNote && e.Name() != mapsNote+".new"
	})
}
