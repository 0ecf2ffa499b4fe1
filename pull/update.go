package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"syscontainer/pull/generation"
	"syscontainer/units"
)

const updateHelp = `Usage: syscontainer update [OPTION…] NAME…
       syscontainer update [OPTION…] --all

Gives containers the image that their units name now: fetched while the old one
runs, switched, restarted, watched; and the old one back if it is not healthy.

      --all               every container that has an image
      --auto              with --all: only what Auto= of its unit allows now
      --authfile FILE     credentials, see containers-auth.json(5)
      --dry-run           say what would change, change nothing
      --image IMAGE       this image instead, for one NAME
      --json              with --dry-run: print an array of objects
      --no-restart        switch only: the next start takes the new image
  -h, --help              print this text
`

// wentBack is the exit status of an update whose new image was not good, so that the old one runs again.
const wentBack = 3

func runUpdate(ctx context.Context, root string, args []string) error {
	flags := newFlags("syscontainer update", func(w io.Writer) { io.WriteString(w, updateHelp) })
	all := flags.Bool("all", false, "")
	auto := flags.Bool("auto", false, "")
	authFile := flags.String("authfile", "", "")
	dryRun := flags.Bool("dry-run", false, "")
	image := flags.String("image", "", "")
	asJSON := flags.Bool("json", false, "")
	noRestart := flags.Bool("no-restart", false, "")
	if err := parse(flags, args); err != nil {
		return err
	}
	switch {
	case *all && flags.NArg() > 0:
		return usagef("update: names beside --all, see syscontainer update --help")
	case !*all && flags.NArg() == 0:
		return usagef("update: a name or --all is missing, see syscontainer update --help")
	case *image != "" && (*all || flags.NArg() != 1):
		return usagef("update: --image is for one container, name that")
	case *auto && (!*all || *dryRun || *noRestart):
		return usagef("update: --auto goes with --all, and neither with --dry-run nor with --no-restart")
	case *asJSON && !*dryRun:
		return usagef("update: --json goes with --dry-run")
	}
	reference := ""
	if *image != "" {
		var err error
		if reference, err = canonical(root, *image); err != nil {
			return usagef("update: --image: %w", err)
		}
	}
	u, err := newUpdater(ctx, root, generation.ByUpdate)
	if err != nil {
		return err
	}
	defer u.close()
	u.authFile, u.noRestart, u.named = *authFile, *noRestart, !*all
	if *auto {
		u.by = generation.ByAuto
	}
	if !*dryRun {
		u.finish(ctx)
	}
	if *auto {
		return u.auto(ctx)
	}
	renewals, unreadable := u.renewals(flags.Args())
	if reference != "" {
		for _, m := range renewals {
			m.reference = reference
		}
	}
	if *dryRun {
		return errors.Join(u.show(ctx, renewals, *asJSON), errors.Join(unreadable...))
	}
	return outcome(append(unreadable, u.updateAll(ctx, renewals)...))
}

// updater takes containers from one image to another.
type updater struct {
	root      string
	by        generation.By
	settings  settings
	progress  *progress
	systemd   *systemd // nil: nothing runs
	set       *units.Set
	authFile  string
	noRestart bool
	named     bool // a person named what is updated: what failed before is tried again

	// skip tells why a container is left alone, after it is known which image it would get; "": it is not. nil: none is.
	skip func(c *renewal) string
}

func newUpdater(ctx context.Context, root string, by generation.By) (u *updater, err error) {
	u = &updater{root: root, by: by, set: units.Load(root, units.SearchPath())}
	if u.settings, err = loadSettings(root); err != nil {
		return nil, err
	}
	if u.progress, err = newProgress(-1); err != nil {
		return nil, err
	}
	u.systemd, err = connectSystemd(ctx, root)
	return u, err
}

func (u *updater) close() { u.systemd.close() }

// say is speech: what happens, and what comes next.
func (u *updater) say(level, format string, args ...any) {
	u.progress.done()
	fmt.Fprintf(os.Stderr, priority(level)+"syscontainer: "+format+"\n", args...)
}

// renewals are the containers that words mean, or all, with their groups.
func (u *updater) renewals(words []string) (all []*renewal, errs []error) {
	everything, unreadable := withImages(u.root, u.set)
	named := everything
	if len(words) > 0 {
		named, unreadable = nil, nil
		for _, word := range words {
			m, err := u.find(word)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			named = append(named, m)
			if !slices.ContainsFunc(everything, func(other *updated) bool { return other.name == m.name }) {
				everything = append(everything, m)
			}
		}
	}
	for _, members := range groups(named, everything) {
		for _, m := range members {
			all = append(all, &renewal{updated: m, reference: m.Image})
		}
	}
	return all, append(errs, unreadable...)
}

// find is the container that a word means.
func (u *updater) find(word string) (*updated, error) {
	name, err := serviceOf(u.root, word)
	if err != nil {
		return nil, err
	}
	m, err := updatedOf(u.root, u.set, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if m.Image == "" {
		return nil, fmt.Errorf("%s: with Rootfs= there is no image to update", name)
	}
	return m, nil
}

// updateAll updates containers one group after the other. What fails does not keep the next.
func (u *updater) updateAll(ctx context.Context, renewals []*renewal) (errs []error) {
	for len(renewals) > 0 {
		n := 1
		if group := renewals[0].Update.Group; group != "" && renewals[0].reference == renewals[0].Image {
			for n < len(renewals) && renewals[n].Update.Group == group {
				n++
			}
		}
		if err := u.update(ctx, renewals[:n]); err != nil {
			errs = append(errs, err)
		}
		renewals = renewals[n:]
		if ctx.Err() != nil {
			break
		}
	}
	u.progress.done()
	return errs
}

// show prints what an update would change.
func (u *updater) show(ctx context.Context, renewals []*renewal, asJSON bool) error {
	plans, counted := []*change{}, map[string]bool{}
	var errs []error
	for _, c := range renewals {
		p, err := u.planOf(ctx, c, counted)
		c.close()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
			continue
		}
		plans = append(plans, p)
	}
	u.progress.done()
	if asJSON {
		return errors.Join(append(errs, printJSON(plans))...)
	}
	for _, p := range plans {
		p.print(os.Stdout)
	}
	return errors.Join(errs...)
}

func (u *updater) planOf(ctx context.Context, c *renewal, counted map[string]bool) (*change, error) {
	running, err := u.look(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := u.resolve(ctx, c); err != nil {
		return nil, err
	}
	p, err := c.plan(ctx, u.root, counted)
	if err != nil || p.State != stateUpdate {
		return p, err
	}
	known, err := generation.Read(u.root, c.name)
	if err != nil {
		return nil, err
	}
	_, p.FailedBefore = known.HasFailed(c.wanted.Digest)
	if running && !u.noRestart {
		others, err := u.systemd.dependents(ctx, []string{c.name})
		if err != nil {
			return nil, err
		}
		p.Restart = append([]string{c.name + ".service"}, others...)
	}
	return p, nil
}

// wentBackError is an update that ended well for the machine, though not for the new image.
type wentBackError struct{ error }

// outcome is the error of all, with the exit status that says whether what ran before runs again.
func outcome(errs []error) error {
	var texts []string
	back := true
	for _, err := range errs {
		var one wentBackError
		back = back && errors.As(err, &one)
		texts = append(texts, err.Error())
	}
	if len(texts) == 0 {
		return nil
	}
	err := errors.New(strings.Join(texts, "\n"))
	if back {
		return exitStatus{err, wentBack}
	}
	return err
}
