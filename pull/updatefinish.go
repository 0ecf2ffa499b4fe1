package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"syscontainer/pull/generation"
	"syscontainer/pull/store"
	"syscontainer/units"
)

// finish ends what interrupted updates and rollbacks have left, of all containers. What a living process is at is not
// touched. Errors are told: they keep nobody else's update.
func (u *updater) finish(ctx context.Context) {
	unfinished, err := generation.Unfinished(u.root)
	if err != nil {
		u.say("4", "what was interrupted is not known: %v", err)
	}
	for _, update := range unfinished {
		if err := u.settle(ctx, update.ID); err != nil {
			u.say("4", "%v", err)
		}
	}
}

// settle ends one update that was interrupted: images that were not switched to are left; new ones that run are judged as if nothing
// had happened; else all members go back. nil: it is done, its new images are good, or a living process is at it. The error is
// a wentBackError if the old ones are in force again.
func (u *updater) settle(ctx context.Context, id string) error {
	update, err := generation.ReadUpdate(u.root, id)
	if err != nil {
		return err
	}
	locked, err := generation.TryLock(u.root, update.Names()...)
	if errors.Is(err, generation.ErrBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	defer locked.Release()
	t, err := locked.Resume(id)
	if t == nil || err != nil {
		return err
	}
	m := &move{updater: u, Transaction: t, locked: locked}
	for _, member := range t.Members {
		m.of = append(m.of, u.renewalOf(member))
	}
	u.say("5", "%s: going on with an update that was interrupted", strings.Join(t.Names(), ", "))
	switch t.Phase {
	case generation.Fetching:
		return t.Abandon("interrupted")
	case generation.Committing:
		return m.end(ctx)
	case generation.Leaving:
		return t.Leave()
	case generation.Judging:
		return m.judgeLate(ctx)
	}
	return m.undo(ctx, nil, "interrupted")
}

// judgeLate judges new images that nobody has judged, where all that ran runs from them.
func (m *move) judgeLate(ctx context.Context) error {
	failed := map[string]string{}
	all := true
	for _, member := range m.Members {
		if !member.Active {
			continue
		}
		state, err := m.systemd.state(ctx, member.Name)
		if err != nil {
			return err
		}
		if state.active == "failed" {
			failed[member.Name] = state.why(ctx, member.Name, m.renewal(member.Name).Notify)
		}
		all = all && state.wanted() && slices.Contains(store.Running(m.root)[member.Digest], member.Name)
	}
	chosen := m.By == generation.ByRollback // a person wanted it, good or not
	switch {
	case len(m.active()) == 0 || chosen && !all:
		return m.Leave()
	case len(failed) > 0:
		return m.undo(ctx, failed, "")
	case !all:
		return m.undo(ctx, nil, "interrupted")
	}
	failed, err := m.judge(ctx, map[string]string{})
	switch {
	case chosen && (err != nil || len(failed) > 0):
		return m.Leave()
	case ctx.Err() != nil:
		return errors.New("interrupted") // it stays to be judged
	case err != nil:
		return m.undo(ctx, nil, err.Error())
	case len(failed) > 0:
		return m.undo(ctx, failed, "")
	}
	return m.end(ctx)
}

// renewalOf is a member as its unit has it now. A unit that is gone, or wrong, has the defaults.
func (u *updater) renewalOf(member generation.Member) *renewal {
	m, err := updatedOf(u.root, u.set, member.Name)
	if err != nil {
		m = &updated{name: member.Name, Container: &units.Container{Image: member.For, Update: units.Update{Keep: 2, HealthySec: 10 * time.Second}}}
	}
	return &renewal{updated: m, reference: member.Reference}
}

// unfinishedOf refuses a container of which an update cannot be ended.
func unfinishedOf(err error) error {
	var other *generation.UnfinishedError
	if errors.As(err, &other) {
		return fmt.Errorf("%w\nhint: its record is updates/%s.json in %s", err, other.ID, store.Dir)
	}
	return err
}
