package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strconv"
	"time"

	"syscontainer/pull/generation"
	"syscontainer/units"
)

// auto updates what nobody has to be asked for: the rules are those of decide. What waits is no error.
func (u *updater) auto(ctx context.Context) error {
	u.named = false
	network := networkNow(ctx, u.settings)
	renewals, _ := u.renewals(nil) // of those that cannot be read u.broken knows more
	all := u.broken()
	for _, c := range renewals {
		all = append(all, u.candidate(c))
		c.local = c.Update.Auto == "local"
	}
	decisions := decide(all, time.Now(), network)
	for _, c := range renewals { // before anything is asked for, so that one that may not keeps the others from it
		if updates(decisions, c.name) {
			u.ask(ctx, c, candidateOf(all, c.name))
		}
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	decisions = decide(all, time.Now(), network)
	var errs []error
	for _, d := range decisions {
		switch {
		case d.update:
		case d.quiet:
			u.say("6", "%s %s", d.name, d.why)
		default:
			errs = append(errs, fmt.Errorf("%s %s", d.name, d.why))
		}
	}
	for len(renewals) > 0 {
		n := 1
		if group := renewals[0].Update.Group; group != "" {
			for n < len(renewals) && renewals[n].Update.Group == group {
				n++
			}
		}
		var together []*renewal
		for _, c := range renewals[:n] {
			if updates(decisions, c.name) {
				together = append(together, c)
			}
		}
		for _, err := range u.updateAll(ctx, together) {
			if !u.waits(together, err, &decisions) {
				errs = append(errs, err)
			}
		}
		renewals = renewals[n:]
	}
	if err := u.armAgain(ctx, decisions); err != nil {
		u.say("4", "%v", err)
	}
	return outcome(errs)
}

// candidate is a container as decide wants it, before its image was asked for.
func (u *updater) candidate(c *renewal) candidate {
	of := candidate{name: c.name, image: c.Image, rules: c.Update}
	known, err := generation.Read(u.root, c.name)
	if err != nil {
		of.problem = err.Error()
		return of
	}
	of.held = known.Held
	return of
}

// broken are the containers that want to be updated by themselves, and whose units do not let them.
func (u *updater) broken() (all []candidate) {
	for _, unit := range u.set.Units {
		if unit.Name.Template {
			continue
		}
		if _, err := updatedOf(u.root, u.set, unit.Name.Full); err != nil {
			c, _, _ := unit.Container()
			if c.Update.Auto != "no" || len(c.Update.Errors) > 0 {
				all = append(all, candidate{name: unit.Name.Full, image: c.Image, rules: c.Update, problem: err.Error()})
			}
		}
	}
	return all
}

// ask finds out what a container could have.
func (u *updater) ask(ctx context.Context, c *renewal, of *candidate) {
	_, err := u.look(ctx, c)
	if err == nil {
		err = u.resolve(ctx, c)
	}
	c.close()
	c.source = nil // the update asks again, under its lock
	u.progress.done()
	switch {
	case c.local && errors.Is(err, fs.ErrNotExist):
		of.asked = true
		return
	case err != nil && !c.local && waits(c.reference, err):
		of.asked, of.away = true, err.Error()
		return
	case err != nil:
		of.problem = err.Error()
		return
	}
	known, err := generation.Read(u.root, c.name)
	if err != nil {
		of.problem = err.Error()
		return
	}
	of.asked, of.current, of.offered = true, digestOfImage(c.old), c.wanted.Digest
	if record, failed := known.HasFailed(of.offered); failed {
		of.failed = record.Reason
		if of.failed == "" {
			of.failed = "failed"
		}
	}
}

// waits takes an error of a fetch that is cut off for a reason to wait.
func (u *updater) waits(together []*renewal, err error, decisions *[]decision) bool {
	for _, c := range together {
		if !c.local && waits(c.reference, err) {
			u.say("5", "%v, going on later", err)
			*decisions = append(*decisions, decision{name: c.name, why: "waits", quiet: true, again: time.Now().Add(retryAfter), spread: retryAfter / 2})
			return true
		}
	}
	return false
}

func updates(decisions []decision, name string) bool {
	for _, d := range decisions {
		if d.name == name {
			return d.update
		}
	}
	return false
}

func candidateOf(all []candidate, name string) *candidate {
	for i := range all {
		if all[i].name == name {
			return &all[i]
		}
	}
	return nil
}

// againUnit is the transient timer that starts another run before the next day's.
const againUnit = "syscontainer-update-again"

// armAgain has systemd start another run when a window opens or a network may be back, and no other than that.
func (u *updater) armAgain(ctx context.Context, decisions []decision) error {
	if u.systemd == nil || ctx.Err() != nil {
		return nil
	}
	u.systemd.conn.StopUnitContext(ctx, againUnit+".timer", "replace", nil) // of an earlier run; there need not be one
	at, spread := nextRun(decisions)
	if at.IsZero() {
		return nil
	}
	program, err := findProgram("systemd-run")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, "--quiet", "--collect", "--unit="+againUnit,
		"--description=Update containers when their time has come", "--on-calendar=@"+strconv.FormatInt(at.Unix(), 10),
		"--timer-property=AccuracySec=1s", "--timer-property=RandomizedDelaySec="+strconv.Itoa(int(spread/time.Second)),
		"systemctl", "start", "--no-block", "syscontainer-update.service")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("arm %s.timer: %w: %s", againUnit, err, units.Printable(string(out)))
	}
	u.say("6", "going on between %s and %s", at.Format("Mon 15:04"), at.Add(spread).Format("Mon 15:04"))
	return nil
}
