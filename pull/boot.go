package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"syscontainer/pull/generation"
)

// hidden are verbs for our own services.
var hidden = []verb{{"boot", "", "judge updates at boot", runBoot}}

const bootHelp = `Usage: syscontainer boot [--count]

Judges containers that were updated since the last good boot, for
syscontainer-boot.service; see syscontainer-update(8).

      --count             count the boot, before containers start
  -h, --help              print this text
`

func runBoot(ctx context.Context, root string, args []string) error {
	flags := newFlags("syscontainer boot", func(w io.Writer) { io.WriteString(w, bootHelp) })
	count := flags.Bool("count", false, "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return usagef("boot: no arguments are expected, see syscontainer boot --help")
	}
	u, err := newUpdater(ctx, root, generation.ByBoot)
	if err != nil {
		return err
	}
	defer u.close()
	if *count {
		return u.countBoot(ctx)
	}
	return u.judgeBoot(ctx)
}

// bootAttempts is how often a container may end and be restarted by Restart= before it is not healthy: what it needs
// may come late at boot.
const bootAttempts = 3

// judgeBoot judges what was updated since the last good boot, takes back what is not healthy, and records a good boot. An
// error means that the boot is none: a container is not healthy with any image, or the machine is on its way down. What
// else goes wrong is told.
func (u *updater) judgeBoot(ctx context.Context) error {
	tell := func(err error) {
		if err != nil {
			u.say("3", "%v", err)
		}
	}
	record, err := readBootRecord(u.root)
	tell(err)
	unfinished, err := generation.Unfinished(u.root)
	tell(err)
	var errs []error
	for _, update := range unfinished {
		if err := u.settleAtBoot(ctx, update); err != nil {
			errs = append(errs, err)
		}
	}
	all, err := generation.List(u.root)
	tell(err)
	failed, healthy, err := u.judgePending(ctx, record, all)
	left, leftErr := generation.Unfinished(u.root)
	switch {
	case ctx.Err() != nil || u.systemd != nil && u.systemd.shuttingDown(ctx):
		return errors.New("interrupted: this boot is not judged")
	case err != nil || leftErr != nil || len(left) > 0: // nobody can tell, for example because the machine goes down right now
		return errors.Join(append(errs, err, leftErr, errors.New("this boot is not judged"))...)
	}
	for _, c := range healthy {
		tell(u.recordHealthy(ctx, c))
	}
	for _, c := range all { // what the last good boot had is not what spoils this one
		if _, updated := record.target(c); !updated && failed[c.Name] != "" {
			u.say("4", "%s is not healthy: %s; there is no other image to try", c.Name, failed[c.Name])
			delete(failed, c.Name)
		}
	}
	bad := map[string]bool{}
	for _, together := range failedTogether(all, failed) {
		if err := u.takeBackAtBoot(ctx, record, together, failed); err != nil {
			errs = append(errs, err)
			for _, name := range together {
				bad[name] = true
			}
		}
	}
	tell(u.recordBoot(record, bad))
	return errors.Join(errs...)
}

// settleAtBoot ends an update that a boot found in the middle of being judged, after its members have had time to start.
func (u *updater) settleAtBoot(ctx context.Context, update *generation.Update) error {
	for _, m := range update.Members {
		if _, err := u.arrived(ctx, m.Name); err != nil {
			return err
		}
	}
	var back wentBackError
	err := u.settle(ctx, update.ID)
	if errors.As(err, &back) {
		u.say("4", "%v", err) // the former image is in force again, and healthy
		return nil
	}
	return err
}

// arrived waits until systemd has nothing to do for a service any more.
func (u *updater) arrived(ctx context.Context, name string) (state serviceState, err error) {
	for {
		state, err = u.systemd.state(ctx, name)
		if err != nil || !state.job && state.active != "activating" && state.active != "deactivating" {
			return state, err
		}
		select {
		case <-ctx.Done():
			return state, context.Cause(ctx)
		case <-time.After(lookEvery):
		}
	}
}

// judgePending watches, all at the same time, the containers that have to be judged and that this boot has started.
func (u *updater) judgePending(ctx context.Context, record *bootRecord, all []*generation.Container) (failed map[string]string, healthy []*generation.Container, err error) {
	failed = map[string]string{}
	var mutex sync.Mutex
	var done sync.WaitGroup
	var errs []error
	for _, c := range all {
		m := u.runsGeneration(c)
		if m == nil || !record.pending(c) {
			continue
		}
		done.Go(func() {
			runs, err := u.healthyAtBoot(ctx, m)
			mutex.Lock()
			defer mutex.Unlock()
			var reason unhealthy
			switch {
			case errors.As(err, &reason):
				failed[c.Name] = string(reason)
			case err != nil:
				errs = append(errs, fmt.Errorf("%s: %w", c.Name, err))
			case runs:
				healthy = append(healthy, c)
			}
		})
	}
	done.Wait()
	slices.SortFunc(healthy, func(a, b *generation.Container) int { return strings.Compare(a.Name, b.Name) })
	return failed, healthy, errors.Join(errs...)
}

// healthyAtBoot judges a service that this boot has started; runs is false of one that it has not.
func (u *updater) healthyAtBoot(ctx context.Context, m *updated) (runs bool, err error) {
	if u.systemd != nil {
		properties, err := u.systemd.conn.GetUnitPropertiesContext(ctx, m.name+".service")
		if err != nil {
			return false, fmt.Errorf("ask systemd for %s: %w", m.name, err)
		}
		if after, _ := properties["After"].([]string); slices.Contains(after, "boot-complete.target") {
			return false, nil // each would wait for the other
		}
	}
	for attempt := 1; ; attempt++ {
		state, err := u.arrived(ctx, m.name)
		switch {
		case err != nil || state.invocation == "":
			return false, err
		case state.active == "inactive" && state.result == "success": // it has done its work, or somebody stopped it
			return state.kind == "oneshot", nil
		}
		h := &health{root: u.root, name: m.name, notify: m.Notify, rules: &m.Update, restarts: state.restarts}
		err = h.watch(ctx, u.systemd.conn)
		var reason unhealthy
		if !errors.As(err, &reason) || attempt == bootAttempts {
			return true, err
		}
		if state, stateErr := u.systemd.state(ctx, m.name); stateErr != nil || !state.wanted() {
			return true, err
		}
		u.say("5", "%s: %v, looking again", m.name, err)
	}
}

// recordHealthy makes a generation good that nobody had judged.
func (u *updater) recordHealthy(ctx context.Context, c *generation.Container) error {
	now, ok := c.Now()
	if !ok || now.Outcome == generation.Good {
		return nil
	}
	locked, err := generation.TryLock(u.root, c.Name)
	if errors.Is(err, generation.ErrBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	defer locked.Release()
	if again, err := locked.Read(c.Name); err != nil || again.Current != c.Current {
		return err
	}
	if now.For == now.Reference {
		if err := publishReference(ctx, u.root, generation.Member{Name: c.Name, Digest: now.Digest, Reference: now.Reference}); err != nil {
			return err
		}
	}
	event{id: eventHealthy, priority: priorityInfo, name: c.Name, image: now.Reference, digest: now.Digest, message: "healthy with " + short(now.Digest)}.tell(u.root)
	return locked.Judge(c.Name, c.Current, generation.Good, "")
}

// failedTogether puts those that failed together with those that came with them in one update.
func failedTogether(all []*generation.Container, failed map[string]string) (together [][]string) {
	for _, names := range updatedTogether(all) {
		if slices.ContainsFunc(names, func(name string) bool { return failed[name] != "" }) {
			together = append(together, names)
		}
	}
	return together
}

// takeBackAtBoot gives containers their former images, once. nil: they are healthy with them.
func (u *updater) takeBackAtBoot(ctx context.Context, record *bootRecord, names []string, failed map[string]string) error {
	reasons, active := map[string]string{}, map[string]string{}
	for _, name := range names {
		state, err := u.systemd.state(ctx, name)
		if err != nil {
			return err
		}
		if why := failed[name]; why != "" {
			reasons[name] = why
		}
		if failed[name] != "" || state.wanted() || state.active == "failed" { // one that failed may not have ended yet
			active[name] = state.invocation
		}
	}
	blamed := blame(reasons)
	reason := reasons[blamed[0]]
	if err := u.goBackAtBoot(ctx, record, names, blamed, active, reason); err != nil {
		return fmt.Errorf("%s is not healthy: %s\n%w", blamed[0], reason, err)
	}
	return nil
}

// comeBack restarts what ran and judges it: the former images stay, healthy or not, for there is nothing better.
func (m *move) comeBack(ctx context.Context, before map[string]string) error {
	active := m.active()
	if err := m.systemd.restartAll(ctx, active, m.dependents()); err != nil {
		return errors.Join(err, m.Leave())
	}
	failed, err := m.judge(ctx, before)
	if err != nil || len(failed) > 0 {
		err = errors.Join(err, m.Leave())
		for _, name := range slices.Sorted(maps.Keys(failed)) {
			i := slices.IndexFunc(m.Members, func(member generation.Member) bool { return member.Name == name })
			digest := short(m.Members[i].Digest)
			m.tell(name, eventNotUpdated, priorityError, "not healthy with its former image "+digest+" either: "+failed[name])
			err = errors.Join(err, fmt.Errorf("%s: not healthy with its former image %s either: %s\nhint: systemctl status %s", name, digest, failed[name], name))
		}
		return err
	}
	if err := m.Good(nil); err != nil {
		return err
	}
	m.revive(ctx)
	return nil
}

// recordBoot notes what containers have after a boot that was judged. Those that are bad keep what the last good boot
// had.
func (u *updater) recordBoot(record *bootRecord, bad map[string]bool) error {
	all, err := generation.List(u.root)
	good := map[string]string{}
	for _, c := range all {
		if now, ok := c.Now(); ok && !bad[c.Name] {
			good[c.Name] = now.Digest
		} else if before := record.Good[c.Name]; before != "" {
			good[c.Name] = before
		}
	}
	if err != nil || record.Boots == 0 && maps.Equal(good, record.Good) {
		return err
	}
	record.Good, record.Boots, record.Boot = good, 0, ""
	if len(bad) == 0 {
		record.Time = time.Now().UTC().Truncate(time.Second)
	}
	return record.write(u.root)
}
