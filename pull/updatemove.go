package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/journal"

	"syscontainer/pull/generation"
	"syscontainer/pull/registry"
	"syscontainer/pull/store"
)

// move is an update that has begun: what a process does between its record and its end.
type move struct {
	*updater
	*generation.Transaction
	locked *generation.Locked
	of     []*renewal // the members, as their units have them; without a source if it goes on after an interruption
}

// renewal is that of a member.
func (m *move) renewal(name string) *renewal {
	for _, c := range m.of {
		if c.name == name {
			return c
		}
	}
	return nil
}

// fetch brings all images into the store. No reference names them yet.
func (m *move) fetch(ctx context.Context) error {
	w, err := store.OpenWriter(m.root)
	if err != nil {
		return err
	}
	if err := w.Sweep(); err != nil {
		return err
	}
	for _, c := range m.of {
		if c.source == nil {
			continue
		}
		f := fetcher{root: m.root, reference: c.reference, settings: m.settings, progress: m.progress, beside: true,
			options: registry.Options{Root: m.root, AuthFile: m.authFile}}
		_, err := f.add(ctx, w, c.source, c.wanted)
		m.progress.done()
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		m.tell(c.name, eventFetched, priorityInfo, "the image "+short(c.wanted.Digest)+" of "+c.reference+" is in the store")
	}
	for _, c := range m.of {
		if err := m.hasValues(c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// hasValues refuses an image whose templates want values that the unit does not give: its start could only fail.
func (m *move) hasValues(c *renewal) error {
	if !c.Template {
		return nil
	}
	image, err := store.ByDigest(m.root, c.wanted.Digest, c.reference)
	if err != nil {
		return err
	}
	missing := missingValues(m.root, c.name, c.reference, image, c.Container)
	if missing == nil {
		return nil
	}
	hint := ""
	for _, name := range missingIn(missing) {
		hint += " Set=" + name + "=…"
	}
	return fmt.Errorf("%w\nhint: write into [Container]:%s", missing, hint)
}

// tell logs an event of a member.
func (m *move) tell(name, id string, priority journal.Priority, message string) {
	i := slices.IndexFunc(m.Members, func(member generation.Member) bool { return member.Name == name })
	e := event{id: id, priority: priority, name: name, image: m.Members[i].Reference, digest: m.Members[i].Digest, message: message}
	if c, err := generation.Read(m.root, name); err == nil {
		if from, ok := c.Get(m.Members[i].From); ok {
			e.old = from.Digest
		}
	}
	e.tell(m.root)
}

// carryOut switches, restarts what ran, judges, and ends the update one way or the other.
func (m *move) carryOut(ctx context.Context) error {
	if ctx.Err() != nil {
		return errors.Join(errors.New("interrupted"), m.Abandon("interrupted"))
	}
	before, err := m.invocations(ctx)
	if err != nil {
		return errors.Join(err, m.Abandon(err.Error()))
	}
	if err := m.Switch(); err != nil {
		return errors.Join(err, m.takeBack(ctx, err.Error()))
	}
	active := m.active()
	if len(active) == 0 {
		return m.leave()
	}
	if err := m.systemd.restartAll(ctx, active, nil); err != nil {
		return m.undo(ctx, map[string]string{}, err.Error())
	}
	for _, member := range m.Members {
		m.tell(member.Name, eventSwitched, priorityInfo, "switched to "+short(member.Digest))
	}
	m.progress.phase("watching " + strings.Join(active, ", "))
	failed, err := m.judge(ctx, before)
	switch {
	case ctx.Err() != nil:
		return m.undo(ctx, nil, "interrupted")
	case err != nil:
		return m.undo(ctx, nil, err.Error())
	case len(failed) > 0:
		return m.undo(ctx, failed, "")
	}
	return m.end(ctx)
}

// leave is the end of an update of what does not run.
func (m *move) leave() error {
	if err := m.Leave(); err != nil {
		return err
	}
	for _, member := range m.Members {
		m.tell(member.Name, eventSwitched, priorityInfo, "the next start takes "+short(member.Digest))
		fmt.Printf("%s: generation %d, %s, from the next start on\n", member.Name, member.To, short(member.Digest))
	}
	m.retain()
	return nil
}

// end is that of an update whose new images are good.
func (m *move) end(ctx context.Context) error {
	if err := m.Good(func(member generation.Member) error { return publishReference(ctx, m.root, member) }); err != nil {
		return err
	}
	for _, member := range m.Members {
		m.tell(member.Name, eventHealthy, priorityInfo, "healthy with "+short(member.Digest))
		fmt.Printf("%s: generation %d, %s, healthy\n", member.Name, member.To, short(member.Digest))
	}
	m.revive(ctx)
	m.retain()
	return nil
}

// active are the members that are restarted.
func (m *move) active() (names []string) {
	for _, member := range m.Members {
		if member.Active {
			names = append(names, member.Name)
		}
	}
	return names
}

// dependents are the units that have to be active when it is over.
func (m *move) dependents() (all []string) {
	for _, member := range m.Members {
		for _, unit := range member.Dependents {
			if !slices.Contains(all, unit) && !slices.ContainsFunc(m.Members, func(o generation.Member) bool { return o.Name+".service" == unit }) {
				all = append(all, unit)
			}
		}
	}
	return all
}

// invocations are what a restart will end.
func (m *move) invocations(ctx context.Context) (map[string]string, error) {
	before := map[string]string{}
	for _, name := range m.active() {
		state, err := m.systemd.state(ctx, name)
		if err != nil {
			return nil, err
		}
		before[name] = state.invocation
	}
	return before, nil
}

// judge watches all members at the same time. failed has the reason of each that is not healthy: one is enough, but who fails
// because of another one often says so first, so a moment is given to all.
func (m *move) judge(ctx context.Context, before map[string]string) (failed map[string]string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type verdict struct {
		name string
		err  error
	}
	active := m.active()
	verdicts := make(chan verdict, len(active))
	for _, name := range active {
		c := m.renewal(name)
		h := &health{root: m.root, name: name, before: before[name], notify: c.Notify, rules: &c.Update}
		go func() {
			err := h.watch(ctx, m.systemd.conn)
			if err == nil {
				err = m.runsNew(name)
			}
			verdicts <- verdict{name, err}
		}()
	}
	failed = map[string]string{}
	var late sync.Once
	var others error
	for range active {
		v := <-verdicts
		var reason unhealthy
		switch {
		case v.err == nil:
		case errors.As(v.err, &reason):
			failed[v.name] = string(reason)
		case ctx.Err() == nil && others == nil:
			others = v.err
		}
		if v.err != nil {
			late.Do(func() { time.AfterFunc(500*time.Millisecond, cancel) })
		}
	}
	if len(failed) > 0 {
		return failed, nil
	}
	return nil, others
}

// runsNew wants a container that runs to do so from its new image.
func (m *move) runsNew(name string) error {
	target, err := os.Readlink(filepath.Join(store.Bundle(m.root, name), store.BundleLink))
	i := slices.IndexFunc(m.Members, func(member generation.Member) bool { return member.Name == name })
	if err != nil || filepath.Base(target) == m.Members[i].Digest {
		return nil
	}
	return fmt.Errorf("%s runs %s all the same: is Image= another one than when systemd has read its unit?\nhint: systemctl daemon-reload", name, short(filepath.Base(target)))
}

// undo takes all members back, because some failed, or for another reason if none did, and tells what became of it.
func (m *move) undo(ctx context.Context, failed map[string]string, other string) error {
	blamed := blame(failed)
	reason := other
	if len(blamed) > 0 {
		reason = failed[blamed[0]]
	}
	m.progress.phase("going back")
	back := m.takeBack(ctx, reason, blamed...)
	var text strings.Builder
	for i, member := range m.Members {
		if i > 0 {
			text.WriteString("\n")
		}
		why := reason
		switch {
		case slices.Contains(blamed, member.Name):
			why = failed[member.Name]
		case len(blamed) > 0:
			why = "taken back with " + blamed[0]
		}
		id, level := eventRolledBack, priorityWarning
		if back != nil {
			id, level = eventNotUpdated, priorityError
		}
		m.tell(member.Name, id, level, "not updated to "+short(member.Digest)+": "+why+m.nowRuns(member))
		fmt.Fprintf(&text, "%s: not updated to %s: %s%s", member.Name, short(member.Digest), why, m.nowRuns(member))
	}
	if back != nil {
		return fmt.Errorf("%s\n%w", text.String(), back)
	}
	return wentBackError{errors.New(text.String())}
}

// nowRuns tells what a member is back at.
func (m *move) nowRuns(member generation.Member) string {
	if member.From == 0 {
		return "; it has no image again"
	}
	return fmt.Sprintf("; back at generation %d", member.From)
}

// blame sorts who failed: first who did so by itself.
func blame(failed map[string]string) (names []string) {
	for name := range failed {
		names = append(names, name)
	}
	follows := func(name string) bool { return strings.HasPrefix(failed[name], "was not started") }
	slices.SortFunc(names, func(a, b string) int {
		if follows(a) != follows(b) {
			if follows(b) {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	if len(names) > 0 && !follows(names[0]) {
		names = slices.DeleteFunc(names, follows)
	}
	return names
}

// takeBack lets the old images be in force again and starts them where something ran. Nothing interrupts it. An error: what
// ran does not run now.
func (m *move) takeBack(ctx context.Context, reason string, failed ...string) error {
	ctx = context.WithoutCancel(ctx)
	if err := m.Back(reason, failed...); err != nil {
		return err
	}
	if active := m.active(); len(active) > 0 && m.systemd != nil && !m.systemd.shuttingDown(ctx) {
		if err := m.restore(ctx, active); err != nil {
			return err
		}
	}
	return m.Returned()
}

// restore restarts what has not got its old image, and waits until that has started. One that runs it undisturbed is left
// alone.
func (m *move) restore(ctx context.Context, active []string) error {
	var again []string
	for _, name := range active {
		state, err := m.systemd.state(ctx, name)
		if err != nil {
			return err
		}
		if !state.up() || state.job || !m.runsOld(name) {
			again = append(again, name)
		}
	}
	before, err := m.invocations(ctx)
	if err != nil {
		return err
	}
	if err := m.systemd.restartAll(ctx, again, m.dependents()); err != nil {
		return err
	}
	var errs []error
	for _, name := range again {
		c := m.renewal(name)
		h := &health{root: m.root, name: name, before: before[name], notify: c.Notify, rules: &c.Update}
		if _, err := h.started(ctx, m.systemd.conn); err != nil {
			errs = append(errs, fmt.Errorf("%s: the old image does not start either: %w\nhint: systemctl status %s", name, err, name))
		}
	}
	return errors.Join(errs...)
}

// runsOld tells whether a container runs from the image of the generation it came from.
func (m *move) runsOld(name string) bool {
	c, err := generation.Read(m.root, name)
	if err != nil {
		return false
	}
	now, ok := c.Now()
	return ok && slices.Contains(store.Running(m.root)[now.Digest], name)
}

// revive starts what depended on a member and was stopped with it. systemd restarts such units itself; but those that
// a failed start in between took along, or that were still stopping, stay down.
func (m *move) revive(ctx context.Context) {
	if m.systemd == nil {
		return
	}
	var jobs []job
	for _, unit := range m.dependents() {
		if state, err := stateOf(ctx, m.systemd.conn, unit); err == nil && !state.wanted() && !state.job {
			jobs = append(jobs, job{"StartUnit", unit})
		}
	}
	if err := queue(ctx, jobs); err != nil {
		m.say("4", "%v", err)
	}
}

// retain gives up what is beyond Keep= and KeepDays=.
func (m *move) retain() {
	for _, member := range m.Members {
		c := m.renewal(member.Name)
		if c == nil {
			continue
		}
		if _, err := m.locked.Retain(member.Name, generation.Retention{Keep: c.Update.Keep, KeepDays: c.Update.KeepDays}); err != nil {
			m.say("4", "%s: %v", member.Name, err)
		}
	}
}

// publishReference lets a reference name the image that was fetched as it.
func publishReference(ctx context.Context, root string, member generation.Member) error {
	w, err := store.OpenWriter(root)
	if err != nil {
		return err
	}
	image, complete := w.Has(member.Digest)
	if !complete {
		return nil // the operating system's
	}
	lock, err := w.LockReference(ctx, member.Reference, nil)
	if err != nil {
		return err
	}
	defer lock.Release()
	err = moveReference(ctx, w, member.Reference, image)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w\nhint: syscontainer pull --repair %s", err, member.Reference)
	}
	return err
}
