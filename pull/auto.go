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
}

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
				decisions[i] = decision{name: all[i].name, why: why, quiet: decisions[keeps].quiet}
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
		return quiet("waits for its window, %s", c.next(now).Format("Mon 15:04"))
	case fetches && network.absent:
		return quiet("waits for a network")
	case fetches && network.metered:
		return quiet("waits for a network that is not metered")
	case !c.asked:
		return decision{name: c.name, update: true}
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
	current := c.asked && (c.offered == c.current || c.offered == "")
	free := c.rules.Auto != "no" && !c.rules.Hold && !c.held
	return c.problem != "" || !constant && !(current && free)
}

// open tells whether an update may begin now.
func (c *candidate) open(now time.Time) bool {
	return len(c.rules.Windows) == 0 || slices.ContainsFunc(c.rules.Windows, func(w units.Window) bool { return w.Open(now) })
}

// next is when the first of the windows opens.
func (c *candidate) next(now time.Time) time.Time {
	first := c.rules.Windows[0].Next(now)
	for _, w := range c.rules.Windows[1:] {
		if at := w.Next(now); at.Before(first) {
			first = at
		}
	}
	return first
}
