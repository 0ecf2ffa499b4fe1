package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"syscontainer/pull/generation"
	"syscontainer/units"
)

// countBoot runs before containers start. It ends what was cut off in the middle, so that each container starts from an image
// that somebody chose; and if boots keep ending before they are judged, it chooses the last good ones. Nothing is
// started or stopped here.
func (u *updater) countBoot(ctx context.Context) error {
	record, err := readBootRecord(u.root)
	errs := []error{err}
	unfinished, err := generation.Unfinished(u.root)
	errs = append(errs, err)
	updated, err := u.updatedSince(record)
	errs = append(errs, err)
	if len(updated)+len(unfinished) == 0 {
		return errors.Join(errs...)
	}
	if record.count(generation.BootID()); record.Boots > 1 {
		u.say("5", "boot %d since the last one that was judged", record.Boots)
	}
	errs = append(errs, record.write(u.root)) // before anything else: what follows may be what hangs
	enough := record.Boots > u.settings.bootTries
	reason := fmt.Sprintf("%d boots with it ended before they could be judged", u.settings.bootTries)
	for _, update := range unfinished {
		if err := u.endCutOff(ctx, update.ID, enough, reason); err != nil {
			errs = append(errs, err)
		}
	}
	if !enough {
		return errors.Join(errs...)
	}
	updated, _ = u.updatedSince(record) // some have gone back just now
	for _, names := range updatedTogether(updated) {
		errs = append(errs, u.goBackAtBoot(ctx, record, names, names, nil, reason))
	}
	record.Boots = 0
	return errors.Join(append(errs, record.write(u.root))...)
}

// updatedSince are the containers that have another image than after the last good boot, and one to go back to.
func (u *updater) updatedSince(record *bootRecord) (updated []*generation.Container, err error) {
	all, err := generation.List(u.root)
	for _, c := range all {
		if _, ok := record.target(c); ok && u.runsGeneration(c) != nil {
			updated = append(updated, c)
		}
	}
	return updated, err
}

// endCutOff ends an update that a crash or a power cut interrupted, as far as that can be done before anything runs. New
// images that were all in force stay so, to be judged when they run: unless there were enough attempts.
func (u *updater) endCutOff(ctx context.Context, id string, enough bool, reason string) error {
	update, err := generation.ReadUpdate(u.root, id)
	if err != nil {
		return err
	}
	names := strings.Join(update.Names(), ", ")
	locked, err := generation.TryLock(u.root, update.Names()...)
	if errors.Is(err, generation.ErrBusy) {
		return nil // a living process is at it
	}
	if err != nil {
		return err
	}
	defer locked.Release()
	t, err := locked.Resume(id)
	if t == nil || err != nil {
		return err
	}
	switch t.Phase {
	case generation.Fetching:
		return t.Abandon("interrupted")
	case generation.Committing:
		return t.Good(func(m generation.Member) error { return publishReference(ctx, u.root, m) })
	case generation.Leaving:
		return t.Leave()
	case generation.Judging:
		if err := t.CountBoot(generation.BootID()); err != nil || !enough {
			return err
		}
		var failed []string
		for _, m := range t.Members {
			if m.Active {
				failed = append(failed, m.Name)
			}
		}
		if t.By == generation.ByRollback {
			return t.Leave() // a person chose it, and there may be nothing better
		}
		err = t.Back(reason, failed...)
	default:
		reason = "interrupted"
		err = t.Back(reason)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", names, err)
	}
	for _, m := range t.Members {
		event{id: eventRolledBack, priority: priorityWarning, name: m.Name, image: m.Reference, digest: m.Digest,
			message: "not updated to " + short(m.Digest) + ": " + reason}.tell(u.root)
	}
	u.say("4", "%s: not updated: %s", names, reason)
	return t.Returned()
}

// updatedTogether puts the names of containers together that one update brought to where they are. What it brought a
// container to beside others goes alone if the others have moved on.
func updatedTogether(all []*generation.Container) (together [][]string) {
	place := map[string]int{}
	for _, c := range all {
		now, _ := c.Now()
		if i, ok := place[now.Update]; ok && now.Update != "" {
			together[i] = append(together[i], c.Name)
			continue
		}
		place[now.Update] = len(together)
		together = append(together, []string{c.Name})
	}
	return together
}

// runsGeneration is the unit of a container that starts from its current generation; nil if it does not: its unit is gone, or
// wrong, or has another Image= by now, or takes whatever is newest.
func (u *updater) runsGeneration(c *generation.Container) *updated {
	now, ok := c.Now()
	m, err := updatedOf(u.root, u.set, c.Name)
	if err != nil || !ok || now.For != m.Image || m.Pull == "always" {
		return nil
	}
	return m
}

// goBackAtBoot lets the former images of containers that were updated together be in force: links and records only, if
// active is nil; else the services in it, which have the invocations that end, are restarted and watched. Those of
// blamed have failed, the others only came along. An error means that a container has no image that is known to be good.
func (u *updater) goBackAtBoot(ctx context.Context, record *bootRecord, names, blamed []string, active map[string]string, reason string) error {
	locked, err := generation.Lock(ctx, u.root, nil, names...)
	if err != nil {
		return err
	}
	defer locked.Release()
	update := generation.Update{By: generation.ByBoot, Reason: reason}
	m := &move{updater: u, locked: locked}
	for _, name := range names {
		c, err := locked.Read(name)
		if err != nil {
			return err
		}
		now, _ := c.Now()
		target, ok := record.target(c)
		if !ok {
			target, ok = c.Before()
		}
		if !ok {
			return fmt.Errorf("%s: there is no good generation to go back to from %s", name, short(now.Digest))
		}
		_, runs := active[name]
		member := generation.Member{Name: name, Digest: target.Digest, Reference: target.Reference, For: now.For, Active: runs}
		if runs {
			if member.Dependents, err = u.systemd.dependents(ctx, []string{name}); err != nil {
				return err
			}
		}
		update.Members = append(update.Members, member)
		m.of = append(m.of, u.renewalOf(member))
	}
	update.Group = m.of[0].Update.Group
	if m.Transaction, err = locked.Begin(update); err != nil {
		return err
	}
	if err := m.Switch(); err != nil {
		return errors.Join(err, m.Back(err.Error()), m.Returned())
	}
	for _, member := range m.Members {
		m.tell(member.Name, eventRolledBack, priorityWarning, "rolled back to "+short(member.Digest)+" at boot: "+reason)
		u.say("4", "%s: rolled back to generation %d, %s: %s", member.Name, member.To, short(member.Digest), units.Printable(reason))
	}
	if active == nil {
		err = m.Leave()
	} else {
		err = m.comeBack(ctx, active)
	}
	for _, member := range m.Members {
		if !slices.Contains(blamed, member.Name) {
			err = errors.Join(err, locked.Judge(member.Name, member.From, generation.Interrupted, "taken back with "+blamed[0]))
		}
	}
	return err
}
