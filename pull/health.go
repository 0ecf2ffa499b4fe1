package main

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"

	"syscontainer/units"
)

// health is how a container is judged after it was restarted.
type health struct {
	root   string
	name   string // of the service, without suffix
	before string // invocation that was to end; "": it did not run
	notify bool   // the payload says when it is ready
	rules  *units.Update

	restarts uint32 // by Restart= that were there before, and do not count
}

// unhealthy is a reason why a container is not healthy. Every other error means that nobody can tell.
type unhealthy string

func (u unhealthy) Error() string { return string(u) }

const (
	lookEvery = 50 * time.Millisecond
	// longestStart is how long a start may take that systemd does not bound.
	longestStart = 10 * time.Minute
)

// watch waits for a service that is being restarted, and watches it for HealthySec=. nil: it is healthy. It returns as soon as
// it is not, whatever is left of the time. A moment between two looks hides nothing: each start has an invocation of
// its own.
func (h *health) watch(ctx context.Context, conn *dbus.Conn) error {
	state, err := h.started(ctx, conn)
	if err != nil {
		return err
	}
	if !state.up() {
		return nil // Type=oneshot, done
	}
	end := time.Now().Add(h.rules.HealthySec)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	verdict := make(chan error, 1)
	go func() { verdict <- h.probe(ctx, end) }()
	for {
		now, err := stateOf(ctx, conn, h.name+".service")
		if err != nil {
			return err
		}
		if err := h.same(ctx, &state, &now); err != nil {
			return err
		}
		select {
		case err := <-verdict:
			if err != nil || ctx.Err() != nil {
				return err
			}
			if now, err = stateOf(ctx, conn, h.name+".service"); err != nil {
				return err
			}
			return h.same(ctx, &state, &now)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lookEvery):
		}
	}
}

// same wants a service to run on as it did.
func (h *health) same(ctx context.Context, before, now *serviceState) error {
	switch {
	case now.invocation != before.invocation:
		return unhealthy(whyRestarted(ctx, h.name, before.invocation))
	case !now.up():
		return unhealthy(now.why(ctx, h.name, h.notify))
	}
	return nil
}

// started waits until the service has started: it runs, or of Type=oneshot has ended well.
func (h *health) started(ctx context.Context, conn *dbus.Conn) (s serviceState, err error) {
	began, first := time.Now(), true
	idle := 0
	for {
		if s, err = stateOf(ctx, conn, h.name+".service"); err != nil {
			return s, err
		}
		if first || s.job { // of what was there before, too
			h.restarts = max(h.restarts, s.restarts)
		}
		first = false
		fresh := s.invocation != h.before
		switch {
		case s.job: // until it is done, a failure may be that of what was there before, which Restart= goes on with
			idle = 0
		case fresh && (s.active == "failed" || s.sub == "auto-restart" || s.sub == "auto-restart-queued"):
			return s, unhealthy(s.why(ctx, h.name, h.notify))
		case fresh && s.restarts > h.restarts:
			return s, unhealthy("did not start, and Restart= began again")
		case s.active == "activating" || s.active == "deactivating":
			idle = 0
		case fresh && s.up():
			return s, nil
		case fresh && s.kind == "oneshot" && s.result == "success":
			return s, nil
		default:
			// Between the job's end and the state's there may be a moment.
			if idle++; idle < 4 {
				break
			}
			switch {
			case s.load != "loaded":
				return s, fmt.Errorf("%s.service is %s\nhint: systemctl daemon-reload", h.name, s.load)
			case !fresh && s.active == "failed":
				return s, unhealthy(s.why(ctx, h.name, h.notify))
			case !fresh:
				return s, unhealthy("was not started: a unit that it requires did not start, or a condition of it does not hold")
			}
			return s, unhealthy(s.why(ctx, h.name, h.notify))
		}
		if s.startTimeout == noTimeout && time.Since(began) > longestStart {
			return s, unhealthy("not READY within " + seconds(longestStart))
		}
		select {
		case <-ctx.Done():
			return s, context.Cause(ctx)
		case <-time.After(lookEvery):
		}
	}
}
