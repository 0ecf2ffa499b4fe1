package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"syscontainer/pull/generation"
	"syscontainer/pull/ostree"
	"syscontainer/pull/store"
)

// refuseSpace refuses what cannot fit, for all members together: unpacked, a layer is hardly smaller than what is
// transferred. more is space that there will be.
func (u *updater) refuseSpace(part []*renewal, more int64) error {
	w, err := store.OpenWriter(u.root)
	if err != nil {
		return err
	}
	counted, needed := map[string]bool{}, int64(0)
	for _, c := range part {
		for _, l := range missing(u.root, c.wanted, counted) {
			needed += l.Size
		}
	}
	free, err := w.Free()
	if err != nil || needed == 0 || free-u.settings.minFreeSpace+more >= needed {
		return err
	}
	s := &space{keeps: u.settings.minFreeSpace}
	return fmt.Errorf("not enough space: at least %s are needed, %s are free%s: %w\nhint: syscontainer prune", size(needed), size(free), s.kept(), unix.ENOSPC)
}

// mayRemoveFirst tells whether the way without a way back is open for want of space: with RemoveFirst=yes, for one
// container, if removing its image helps.
func (u *updater) mayRemoveFirst(part []*renewal, err error) bool {
	return errors.Is(err, unix.ENOSPC) && len(part) == 1 && part[0].Update.RemoveFirst && part[0].old != nil && !u.noRestart
}

// removeFirst stops a container, removes its image, fetches the new one, and starts that. What goes wrong after the first leaves
// the container down: its next start fetches what its reference names.
func (u *updater) removeFirst(ctx context.Context, locked *generation.Locked, c *renewal, running bool, cause error) error {
	fail := func(err error) error { return fmt.Errorf("%s: %w", c.name, err) }
	if why := u.neededElsewhere(c); why != "" {
		return fail(fmt.Errorf("%w\nhint: RemoveFirst=yes does not help: the old image stays, %s", cause, why))
	}
	sizes, err := measure(ctx, c.old.Rootfs())
	if err == nil {
		err = u.refuseSpace([]*renewal{c}, sizes.own)
	}
	if err != nil {
		return fail(fmt.Errorf("%w\nhint: RemoveFirst=yes does not help: the old image has %s that nothing else has", cause, size(sizes.own)))
	}
	u.say("4", "%s: there is no space for two images, and RemoveFirst=yes: stopping it and removing %s before %s is there. There is no way back",
		c.name, short(c.old.Digest), short(c.wanted.Digest))
	member := generation.Member{Name: c.name, Digest: c.wanted.Digest, Reference: c.reference, For: c.Image, Active: running}
	if running {
		if member.Dependents, err = u.systemd.dependents(ctx, []string{c.name}); err != nil {
			return fail(err)
		}
	}
	if err := u.adopt(locked, c); err != nil {
		return fail(err)
	}
	if running {
		if err := u.systemd.stop(ctx, c.name); err != nil {
			return fail(err)
		}
	}
	old := c.old
	if err := u.remove(ctx, locked, c); err != nil {
		return fail(err)
	}
	down := func(err error) error {
		err = fmt.Errorf("the old image is removed, and the new one cannot be had: %w", interrupted(ctx, err))
		event{id: eventNotUpdated, priority: priorityError, name: c.name, image: c.reference, digest: c.wanted.Digest, old: old.Digest,
			message: err.Error()}.tell(u.root)
		return fail(fmt.Errorf("%w\nhint: syscontainer update %s tries again, and so does each start", err, c.name))
	}
	t, err := locked.Begin(generation.Update{By: u.by, Group: c.Update.Group, Members: []generation.Member{member}})
	if err != nil {
		return down(unfinishedOf(err))
	}
	m := &move{updater: u, Transaction: t, locked: locked, of: []*renewal{c}}
	if err := u.refuseSpace(m.of, 0); err != nil {
		return errors.Join(down(err), t.Abandon(err.Error()))
	}
	if err := m.fetch(ctx); err != nil {
		return errors.Join(down(err), t.Abandon(interrupted(ctx, err).Error()))
	}
	return m.carryOutForGood(ctx)
}

// carryOutForGood is carryOut where there is nothing to go back to: healthy or not, it stays.
func (m *move) carryOutForGood(ctx context.Context) error {
	before, err := m.invocations(ctx)
	if err == nil {
		err = m.Switch()
	}
	if err != nil {
		return err
	}
	active := m.active()
	if len(active) == 0 {
		return m.leave()
	}
	if err := m.systemd.restartAll(ctx, active, m.dependents()); err != nil {
		return errors.Join(err, m.Leave())
	}
	member := m.Members[0]
	m.tell(member.Name, eventSwitched, priorityInfo, "switched to "+short(member.Digest))
	m.progress.phase("watching " + member.Name)
	failed, err := m.judge(ctx, before)
	if err == nil && len(failed) == 0 && ctx.Err() == nil {
		return m.end(ctx)
	}
	err = errors.Join(interrupted(ctx, err), m.Leave())
	if reason, bad := failed[member.Name]; bad {
		m.tell(member.Name, eventNotUpdated, priorityError, "not healthy with "+short(member.Digest)+", and there is nothing to go back to: "+reason)
		err = errors.Join(err, m.locked.Judge(member.Name, member.To, generation.Failed, reason),
			fmt.Errorf("%s: not healthy with %s, and there is nothing to go back to: %s", member.Name, short(member.Digest), reason))
	}
	return err
}

// neededElsewhere is why a container's image would stay without the container, "" if it would not.
func (u *updater) neededElsewhere(c *renewal) string {
	listing, err := store.List(u.root)
	if err != nil {
		return err.Error()
	}
	image, err := listing.ByDigest(c.old.Digest)
	if err != nil {
		return err.Error()
	}
	if image.Vendor {
		return "it is the operating system's"
	}
	others := usersOf(u.root)
	for reference, names := range others.units {
		others.units[reference] = slices.DeleteFunc(names, func(name string) bool { return name == c.unit.Stem.Full })
	}
	others.running[image.Digest] = slices.DeleteFunc(others.running[image.Digest], func(name string) bool { return name == c.name })
	others.generations[image.Digest] = slices.DeleteFunc(others.generations[image.Digest], func(link string) bool {
		return strings.HasPrefix(link, c.name+"/")
	})
	return others.need(image)
}

// remove removes a container's image with all that only it has.
func (u *updater) remove(ctx context.Context, locked *generation.Locked, c *renewal) error {
	if err := locked.GiveUp(c.name); err != nil {
		return err
	}
	w, err := store.OpenWriter(u.root)
	if err != nil {
		return err
	}
	lock, err := w.LockImage(ctx, c.old.Digest, nil)
	if err != nil {
		return err
	}
	listing, err := store.List(u.root)
	if err == nil {
		var image *store.Stored
		if image, err = listing.ByDigest(c.old.Digest); err == nil {
			err = removeImage(w, image)
		}
	}
	lock.Release()
	if err != nil {
		return err
	}
	c.old = nil
	p := &pruner{root: u.root, writer: w, users: usersOf(u.root), now: time.Now()}
	if err := p.repository(ctx); err != nil && !errors.Is(err, ostree.ErrBusy) {
		return err
	}
	return nil
}

// stop stops a service and waits until it has.
func (s *systemd) stop(ctx context.Context, name string) error {
	done := make(chan string, 1)
	if _, err := s.conn.StopUnitContext(ctx, name+".service", "replace", done); err != nil {
		return fmt.Errorf("stop %s: %w", name, err)
	}
	select {
	case result := <-done:
		if result != "done" {
			return fmt.Errorf("stop %s: %s", name, result)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
