package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"syscontainer/pull/generation"
	"syscontainer/pull/store"
)

const rollbackHelp = `Usage: syscontainer rollback [OPTION…] NAME

Puts the last good generation of a container back and restarts its service.

      --no-restart        switch only: the next start takes the old image
      --to N              go to generation N, see syscontainer history
  -h, --help              print this text
`

func runRollback(ctx context.Context, root string, args []string) error {
	flags := newFlags("syscontainer rollback", func(w io.Writer) { io.WriteString(w, rollbackHelp) })
	noRestart := flags.Bool("no-restart", false, "")
	to := flags.Int("to", 0, "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return usagef("rollback: the name of one container is needed, see syscontainer rollback --help")
	}
	if *to < 0 {
		return usagef("rollback: --to %d is no generation", *to)
	}
	u, err := newUpdater(ctx, root, generation.ByRollback)
	if err != nil {
		return err
	}
	defer u.close()
	u.noRestart = *noRestart
	u.finish(ctx)
	c, err := u.find(flags.Arg(0))
	if err != nil {
		return err
	}
	return u.rollback(ctx, c, *to)
}

// rollback takes a container back, to a generation of a number, or with to 0 to the last good one; then with those that were
// updated together with it.
func (u *updater) rollback(ctx context.Context, first *updated, to int) error {
	members, err := u.backTogether(first, to)
	if err != nil {
		return err
	}
	var names []string
	for _, c := range members {
		names = append(names, c.name)
	}
	locked, err := generation.Lock(ctx, u.root, func() {
		u.progress.phase("waiting for an update of " + strings.Join(names, ", "))
	}, names...)
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(names, ", "), interrupted(ctx, err))
	}
	defer locked.Release()
	record := generation.Update{By: generation.ByRollback, Group: first.Update.Group, Reason: "rolled back"}
	for _, c := range members {
		member, err := u.backMember(ctx, locked, c, to)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		record.Members = append(record.Members, member)
	}
	t, err := locked.Begin(record)
	if err != nil {
		return unfinishedOf(err)
	}
	m := &move{updater: u, Transaction: t, locked: locked, of: members}
	return m.goBack(ctx)
}

// backTogether are the containers that a rollback of one concerns.
func (u *updater) backTogether(first *updated, to int) ([]*renewal, error) {
	members := []*renewal{{updated: first, reference: first.Image}}
	if first.Update.Group == "" || to != 0 {
		return members, nil
	}
	known, err := generation.Read(u.root, first.name)
	if err != nil {
		return nil, err
	}
	now, _ := known.Now()
	all, _ := withImages(u.root, u.set)
	for _, other := range all {
		if other.Update.Group != first.Update.Group || other.name == first.name {
			continue
		}
		its, err := generation.Read(u.root, other.name)
		if err != nil {
			return nil, err
		}
		if current, ok := its.Now(); ok && now.Update != "" && current.Update == now.Update {
			members = append(members, &renewal{updated: other, reference: other.Image})
		}
	}
	return members, nil
}

// backMember chooses the generation that a container goes back to.
func (u *updater) backMember(ctx context.Context, locked *generation.Locked, c *renewal, to int) (member generation.Member, err error) {
	if c.Pull == "always" {
		return member, errors.New("Pull=always takes the newest image at each start, whatever is put back\nhint: write Pull=missing")
	}
	running, err := u.look(ctx, c)
	if err != nil {
		return member, err
	}
	if c.old == nil {
		return member, errors.New("it has no image yet")
	}
	if err := u.adopt(locked, c); err != nil {
		return member, err
	}
	known, err := locked.Read(c.name)
	if err != nil {
		return member, err
	}
	hint := "\nhint: syscontainer history " + c.name
	target, ok := known.Before()
	if to != 0 {
		if target, ok = known.Get(to); !ok {
			return member, fmt.Errorf("there is no generation %d%s", to, hint)
		}
		if _, err := store.ByDigest(u.root, target.Digest, ""); err != nil { // another generation may keep it
			return member, fmt.Errorf("the image of generation %d is not kept any more, %s%s", to, short(target.Digest), hint)
		}
	}
	if !ok {
		return member, fmt.Errorf("there is no good generation to go back to%s", hint)
	}
	if target.Digest == c.old.Digest {
		return member, fmt.Errorf("generation %d is the image that it has, %s", target.Number, short(target.Digest))
	}
	member = generation.Member{Name: c.name, Digest: target.Digest, Reference: target.Reference, For: c.Image, Active: running && !u.noRestart}
	if member.Active {
		member.Dependents, err = u.systemd.dependents(ctx, []string{c.name})
	}
	return member, err
}

// goBack is carryOut for a rollback: a person has decided, so it stays, healthy or not.
func (m *move) goBack(ctx context.Context) error {
	before, err := m.invocations(ctx)
	if err != nil {
		return errors.Join(err, m.Abandon(err.Error()))
	}
	if err := m.Switch(); err != nil {
		return errors.Join(err, m.takeBack(ctx, err.Error()))
	}
	active := m.active()
	if len(active) > 0 {
		err = m.systemd.restartAll(ctx, active, m.dependents())
	}
	for _, member := range m.Members {
		m.tell(member.Name, eventRolledBack, priorityWarning, "rolled back to "+short(member.Digest)+" by hand")
	}
	var failed map[string]string
	if err == nil && len(active) > 0 {
		m.progress.phase("watching " + strings.Join(active, ", "))
		failed, err = m.judge(ctx, before)
	}
	m.progress.done()
	if len(active) == 0 || err != nil || ctx.Err() != nil || len(failed) > 0 {
		err = errors.Join(interrupted(ctx, err), m.Leave())
	} else {
		err = m.Good(nil)
	}
	m.revive(context.WithoutCancel(ctx))
	for _, member := range m.Members {
		reason, bad := failed[member.Name]
		switch {
		case bad:
			m.tell(member.Name, eventNotUpdated, priorityError, "rolled back to "+short(member.Digest)+", which is not healthy either: "+reason)
			err = errors.Join(err, m.locked.Judge(member.Name, member.To, generation.Failed, reason),
				fmt.Errorf("%s: rolled back to %s, which is not healthy either: %s\nhint: syscontainer history %s", member.Name, short(member.Digest), reason, member.Name))
		case !member.Active:
			fmt.Printf("%s: generation %d, %s, from the next start on\n", member.Name, member.To, short(member.Digest))
		default:
			fmt.Printf("%s: generation %d, %s\n", member.Name, member.To, short(member.Digest))
		}
	}
	m.retain()
	return err
}
