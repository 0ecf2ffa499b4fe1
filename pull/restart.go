package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

// systemd is the manager of this machine's services, as updates need it.
type systemd struct{ conn *dbus.Conn }

// connectSystemd is nil for another root than this machine's, and for a machine that does not run systemd: nothing runs
// there.
func connectSystemd(ctx context.Context, root string) (*systemd, error) {
	if root != "/" {
		return nil, nil
	}
	if _, err := os.Stat(ownUnits); err != nil { // sd_booted(3)
		return nil, nil
	}
	conn, err := dbus.NewSystemdConnectionContext(context.WithoutCancel(ctx)) // it has to outlive an interruption
	if err != nil {
		return nil, fmt.Errorf("ask systemd: %w", err)
	}
	return &systemd{conn}, nil
}

func (s *systemd) close() {
	if s != nil {
		s.conn.Close()
	}
}

// state of a service, by its name without suffix. Where no systemd is, nothing runs.
func (s *systemd) state(ctx context.Context, name string) (serviceState, error) {
	if s == nil {
		return serviceState{load: "not-found", active: "inactive"}, nil
	}
	return stateOf(ctx, s.conn, name+".service")
}

// shuttingDown tells whether the machine is on its way down: no job of ours may get in the way of that, and the next boot
// starts everything.
func (s *systemd) shuttingDown(ctx context.Context) bool {
	state, err := s.conn.SystemStateContext(ctx)
	return err == nil && state.Value.Value() == "stopping"
}

// dependents are the units that are active and that a stop of these services stops, too, with all that a stop of those does:
// they depend on them by Requires=, BindsTo=, Requisite=, PartOf= or StopPropagatedFrom=. The services themselves are not
// among them.
func (s *systemd) dependents(ctx context.Context, names []string) (units []string, err error) {
	if s == nil {
		return nil, nil
	}
	var services []string
	for _, name := range names {
		services = append(services, name+".service")
	}
	seen := slices.Clone(services)
	for i := 0; i < len(seen); i++ {
		properties, err := s.conn.GetUnitPropertiesContext(ctx, seen[i])
		if err != nil {
			return nil, fmt.Errorf("ask systemd what depends on %s: %w", seen[i], err)
		}
		active, _ := properties["ActiveState"].(string)
		if active == "inactive" || active == "failed" || active == "deactivating" {
			continue
		}
		if !slices.Contains(services, seen[i]) {
			units = append(units, seen[i])
		}
		for _, key := range []string{"RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf", "PropagatesStopTo"} {
			others, _ := properties[key].([]string)
			for _, other := range others {
				if !slices.Contains(seen, other) {
					seen = append(seen, other)
				}
			}
		}
	}
	slices.Sort(units)
	return units, nil
}

// ordered sorts services so that each comes before those that it is ordered after: the last to start comes first.
func (s *systemd) ordered(ctx context.Context, names []string) ([]string, error) {
	after := map[string][]string{}
	for _, name := range names {
		properties, err := s.conn.GetUnitPropertiesContext(ctx, name+".service")
		if err != nil {
			return nil, fmt.Errorf("ask systemd for the order of %s: %w", name, err)
		}
		after[name], _ = properties["After"].([]string)
	}
	return sortLastFirst(names, after), nil
}

// sortLastFirst puts each name before those in after, which have the suffix of services. Of a circle the order is any.
func sortLastFirst(names []string, after map[string][]string) (sorted []string) {
	var visit func(name string, path []string)
	visit = func(name string, path []string) {
		if slices.Contains(sorted, name) || slices.Contains(path, name) {
			return
		}
		for _, other := range names {
			if slices.Contains(after[other], name+".service") {
				visit(other, append(path, name))
			}
		}
		sorted = append(sorted, name)
	}
	for _, name := range slices.Sorted(slices.Values(names)) {
		visit(name, nil)
	}
	return sorted
}

// job is what systemd is asked for.
type job struct{ method, unit string }

// restartAll has systemd restart services, or start those that do not run, and start other units behind them.
// systemd has no call for several jobs at once, but it orders all jobs that it has: the last to start is asked for first, so
// that it stops before what it needs does; and all calls are sent before an answer is awaited, so that systemd has
// them all before it carries out the first. When this returns the jobs are queued: from here on they need
// nobody.
func (s *systemd) restartAll(ctx context.Context, names, others []string) error {
	names, err := s.ordered(ctx, names)
	if err != nil {
		return err
	}
	var jobs []job
	for _, name := range names {
		// Crashes of what was there before do not count for what comes, nor against StartLimitBurst=.
		s.conn.ResetFailedUnitContext(ctx, name+".service")
		jobs = append(jobs, job{"RestartUnit", name + ".service"})
	}
	for _, unit := range others {
		s.conn.ResetFailedUnitContext(ctx, unit)
		jobs = append(jobs, job{"StartUnit", unit})
	}
	return queue(ctx, jobs)
}

// privateSocket is systemd's own: no broker is in between that could be restarted, too.
const privateSocket = "unix:path=/run/systemd/private"

func queue(ctx context.Context, jobs []job) error {
	conn, err := godbus.Dial(privateSocket)
	if err != nil {
		return fmt.Errorf("ask systemd: %w", err)
	}
	defer conn.Close()
	if err := conn.Auth([]godbus.Auth{godbus.AuthExternal(fmt.Sprint(os.Getuid()))}); err != nil {
		return fmt.Errorf("ask systemd: %w", err)
	}
	manager := conn.Object("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
	calls := make([]*godbus.Call, len(jobs))
	for i, j := range jobs {
		calls[i] = manager.GoWithContext(ctx, "org.freedesktop.systemd1.Manager."+j.method, 0, make(chan *godbus.Call, 1), j.unit, "replace")
	}
	var errs []error
	for i, call := range calls {
		if err := (<-call.Done).Err; err != nil {
			errs = append(errs, fmt.Errorf("restart %s: %w", jobs[i].unit, err))
		}
	}
	return errors.Join(errs...)
}
