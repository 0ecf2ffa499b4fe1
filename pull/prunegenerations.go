package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"syscontainer/pull/generation"
	"syscontainer/units"
)

// pruneGenerations gives up the images of generations beyond what units keep, and forgets containers whose unit is gone.
// It returns the links that go, as store.Generations has them. An update that is not done is somebody else's.
func pruneGenerations(root string, dryRun bool) (gone []string, err error) {
	all, listErr := generation.List(root)
	if len(all) == 0 {
		return nil, listErr
	}
	m := readMachine(root)
	errs := []error{listErr}
	for _, c := range all {
		p := &generationPruner{m, c, dryRun}
		links, err := p.prune()
		if err != nil {
			errs = append(errs, fmt.Errorf("prune the generations of %s: %w", c.Name, err))
		}
		gone = append(gone, links...)
	}
	if !dryRun {
		errs = append(errs, generation.SweepUpdates(root))
	}
	return gone, errors.Join(errs...)
}

type generationPruner struct {
	*machineState
	*generation.Container
	dryRun bool
}

func (p *generationPruner) prune() (links []string, err error) {
	retention, forget, stays := p.rule()
	if stays != "" {
		if p.dryRun && len(p.Generations) > 0 {
			fmt.Printf("keep the generations of %s: %s\n", p.Name, stays)
		}
		return nil, nil
	}
	locked := (*generation.Locked)(nil)
	if !p.dryRun {
		locked, err = generation.TryLock(p.root, p.Name)
		if errors.Is(err, generation.ErrBusy) {
			return nil, nil // an update of it has just begun
		}
		if err != nil {
			return nil, err
		}
		defer locked.Release()
	}
	var given []generation.Record
	switch {
	case forget && p.dryRun:
		given = p.Generations
	case forget:
		if given, err = p.Generations, locked.Forget(p.Name); err != nil {
			return nil, err
		}
	case p.dryRun:
		running := map[string]bool{p.running[p.Name]: true}
		given = slices.DeleteFunc(p.Beyond(retention, time.Now(), running), func(generation.Record) bool { return p.unfinished[p.Name] })
	default:
		if given, err = locked.Retain(p.Name, retention); err != nil {
			return nil, err
		}
	}
	verb, why := "give up", fmt.Sprintf("Keep=%d", retention.Keep)
	if retention.KeepDays > 0 {
		why += fmt.Sprintf(", KeepDays=%d", retention.KeepDays)
	}
	if forget {
		verb, why = "forget", "its unit is gone"
	}
	if p.dryRun {
		verb = "would " + verb
	}
	for _, r := range given {
		fmt.Printf("%s generation %d of %s (sha256:%s): %s\n", verb, r.Number, p.Name, r.Digest[:12], why)
		links = append(links, p.Name+"/generations/"+strconv.Itoa(r.Number))
	}
	return links, nil
}

// rule is what the unit of a container keeps, or that there is no unit, or why nothing goes.
func (p *generationPruner) rule() (r generation.Retention, forget bool, stays string) {
	if p.unfinished[p.Name] {
		return r, false, "an update of it is not finished"
	}
	u := unitOf(p.set, p.Name)
	if u == nil {
		prefix, _, _ := strings.Cut(p.Name, "@")
		switch {
		case p.running[p.Name] != "":
			return r, false, "it runs, though its unit is gone"
		case len(p.set.Problems) > 0:
			return r, false, "its unit may be where nothing can be read: " + p.set.Problems[0].Error()
		case slices.Contains(p.set.Masked, p.Name) || slices.Contains(p.set.Masked, prefix+"@"):
			return r, false, "its unit is masked"
		}
		return r, true, ""
	}
	c, errs, _ := u.Container()
	for _, problems := range []units.Problems{u.Errors, errs, c.Update.Errors} {
		if len(problems) > 0 {
			return r, false, "how many is not known: " + problems[0].Error()
		}
	}
	return generation.Retention{Keep: c.Update.Keep, KeepDays: c.Update.KeepDays}, false, ""
}
