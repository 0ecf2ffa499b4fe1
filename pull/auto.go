package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"syscontainer/units"
)

// candidate is what decides whether an unattended run updates a container. Nothing else does.
type candidate struct {
	name    string // of the service, without suffix
	image   string // Image= of the unit, canonical; "" with Rootfs=
	rules   units.Update
	held    bool   // by syscontainer hold
	problem string // why nobody knows what its unit says; "": it is known

	// What is known once the registry, or for Auto=local the store, was asked.
	asked   bool
	away    string // why neither answered, if that may pass by itself; "": one did
	current string // digest; "": it has no image yet
	offered string // digest of the reference now; "": it leads to none
	failed  string // what became of the generation with that digest, if it failed; "": it did not
}

// machineNetwork is what is known of the network.
type machineNetwork struct {
	absent  bool // certainly: no attempt is made
	metered bool
}

// decision is what an unattended run does with a container, and why not.
type decision struct {
	name   string
	update bool
	why    string // if not
	// quiet is a reason that no journal needs to have every day.
	quiet bool
	// again is when another run may do better, before the next day's: at some moment between it and spread later.
	again  time.Time
	spread time.Duration
}

// retryAfter is when a network is tried again that was not there.
const retryAfter = time.Hour

// decide says for each container whether it is updated now. It is asked twice: before a registry is, so that none is asked in
// vain, and after.
//
// A group goes as a whole: one that must not be touched now keeps all from it. A member that has nothing new does not,
// nor does one whose image can never change.
func decide(all []candidate, now time.Time, network machineNetwork) []decision {
	decisions := make([]decision, len(all))
	groups := map[string][]int{}
	for i := range all {
		c := &all[i]
		decisions[i] = c.alone(now, network)
		if c.rules.Group != "" {
			groups[c.rules.Group] = append(groups[c.rules.Group], i)
		}
	}
	for _, members := range groups {
		keeps, due := -1, false
		for _, i := range members {
			switch {
			case decisions[i].update:
				due = true
			case all[i].keepsGroup() && (keeps < 0 || all[i].name < all[keeps].name):
				keeps = i
			}
		}
		if keeps < 0 || !due {
			continue
		}
		why := fmt.Sprintf("waits with its group %s: %s %s", all[keeps].rules.Group, all[keeps].name, decisions[keeps].why)
		for _, i := range members {
			if decisions[i].update {
				decisions[i] = decisions[keeps]
				decisions[i].name, decisions[i].why = all[i].name, why
			}
		}
	}
	slices.SortStableFunc(decisions, func(a, b decision) int { return cmp.Compare(a.name, b.name) })
	return decisions
}

// alone is the decision for a container without its group. Reasons follow the container's name in a sentence.
func (c *candidate) alone(now time.Time, network machineNetwork) decision {
	no := func(format string, args ...any) decision {
		return decision{name: c.name, why: fmt.Sprintf(format, args...)}
	}
	quiet := func(format string, args ...any) decision {
		return decision{name: c.name, why: fmt.Sprintf(format, args...), quiet: true}
	}
	later := func(format string, args ...any) decision {
		d := quiet("waits "+format, args...)
		d.again, d.spread = now.Add(retryAfter), retryAfter/2
		return d
	}
	fetches := c.rules.Auto == "registry" && !strings.Contains(c.image, ":/") // a path needs no network
	switch {
	case c.problem != "":
		return no("is not updated: %s", c.problem)
	case c.rules.Auto == "no":
		return quiet("is not updated by itself: Auto=no")
	case c.image == "":
		return quiet("has no image: it runs from Rootfs=")
	case units.ImageDigest(c.image) != "":
		return quiet("is pinned: Image= names a digest")
	case c.rules.Hold:
		return quiet("is held by Hold=yes")
	case c.held:
		return quiet("is held, see syscontainer unhold")
	case !c.open(now):
		at, spread := c.next(now)
		d := quiet("waits for its window, %s", at.Format("Mon 15:04"))
		d.again, d.spread = at, spread
		return d
	case fetches && network.absent:
		return later("for a network")
	case fetches && network.metered:
		return later("for a network that is not metered")
	case !c.asked:
		return decision{name: c.name, update: true}
	case c.away != "":
		return later("for its image: %s", c.away)
	case c.offered == "":
		return quiet("has no image in the store yet")
	case c.offered == c.current:
		return quiet("is current")
	case c.failed != "":
		return quiet("waits for another image: sha256:%.12s failed (%s)", c.offered, c.failed)
	}
	return decision{name: c.name, update: true}
}

// keepsGroup tells whether a container that is not updated keeps its group from it, too.
func (c *candidate) keepsGroup() bool {
	constant := c.image == "" || units.ImageDigest(c.image) != ""
	current := c.asked && c.away == "" && (c.offered == c.current || c.offered == "")
	free := c.rules.Auto != "no" && !c.rules.Hold && !c.held
	return c.problem != "" || !constant && !(current && free)
}

// open tells whether an update may begin now.
func (c *candidate) open(now time.Time) bool {
	return len(c.rules.Windows) == 0 || slices.ContainsFunc(c.rules.Windows, func(w units.Window) bool { return w.Open(now) })
}

// next is when the first of the windows opens, and how far into it an update may begin: half of it is left for the
// update itself.
func (c *candidate) next(now time.Time) (at time.Time, spread time.Duration) {
	for _, w := range c.rules.Windows {
		if opens := w.Next(now); at.IsZero() || opens.Before(at) {
			at = opens
			spread = min(w.Length()/2, time.Hour)
		}
	}
	return at, spread
}

// nextRun is the first moment at which a run may do more than this one did, and how far from it that may be; zero if the
// next day's is soon enough.
func nextRun(decisions []decision) (at time.Time, spread time.Duration) {
	for _, d := range decisions {
		if !d.update && !d.again.IsZero() && (at.IsZero() || d.again.Before(at)) {
			at, spread = d.again, d.spread
		}
	}
	return at, spread
}
