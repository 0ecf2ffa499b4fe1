package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"syscontainer/pull/generation"
	"syscontainer/pull/registry"
	"syscontainer/pull/store"
	"syscontainer/units"
)

// look finds the image that a container has: what it runs from, or would start from. running tells whether its service is
// there to run.
func (u *updater) look(ctx context.Context, c *renewal) (running bool, err error) {
	state, err := u.systemd.state(ctx, c.name)
	if err != nil {
		return false, err
	}
	running = state.wanted()
	if running && state.stale {
		return running, fmt.Errorf("its unit was changed since systemd has read it\nhint: systemctl daemon-reload")
	}
	if target, err := os.Readlink(filepath.Join(store.Bundle(u.root, c.name), store.BundleLink)); err == nil && running {
		if image, err := store.ByDigest(u.root, filepath.Base(target), c.Image); err == nil {
			c.old, c.up = &image, state.up()
			return running, nil
		}
	}
	image, err := store.Deployed(u.root, c.name, c.Image)
	if errors.Is(err, fs.ErrNotExist) {
		image, err = store.Lookup(u.root, c.Image)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return running, nil
	}
	if err != nil {
		return running, err
	}
	c.old = &image
	return running, nil
}

// resolve asks for the image that a container would get. What is pinned and there is not asked for.
func (u *updater) resolve(ctx context.Context, c *renewal) error {
	if c.Pull == "always" {
		return errors.New("Pull=always takes the newest image at each start, so nothing can be tried or taken back\nhint: write Pull=missing")
	}
	if digest := units.ImageDigest(c.reference); digest != "" && c.reference == c.Image && c.old != nil {
		return nil
	}
	if c.local {
		return resolveLocal(u.root, c)
	}
	u.progress.still("asking for " + c.reference)
	options := registry.Options{Root: u.root, AuthFile: u.authFile, RateLimit: u.settings.rateLimit}
	if c.Update.RateLimit != units.NoRate {
		options.RateLimit = c.Update.RateLimit
	}
	return resolve(ctx, u.root, c, options)
}

// update takes containers that belong together to their new images: all, or none. What is up to date takes no part.
func (u *updater) update(ctx context.Context, members []*renewal) error {
	var names []string
	for _, c := range members {
		names = append(names, c.name)
	}
	locked, err := generation.Lock(ctx, u.root, func() {
		u.progress.phase("waiting for another update of " + strings.Join(names, ", "))
	}, names...)
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(names, ", "), interrupted(ctx, err))
	}
	defer locked.Release()
	running := map[string]bool{}
	var part []*renewal
	kept := false // by a member whose new image is not to be taken: the others go with it or not at all
	for _, c := range members {
		defer c.close()
		if running[c.name], err = u.look(ctx, c); err == nil {
			err = u.resolve(ctx, c)
		}
		if err != nil {
			event{id: eventNotUpdated, priority: priorityError, name: c.name, image: c.reference, old: digestOfImage(c.old),
				message: "cannot be updated: " + err.Error()}.tell(u.root)
			return fmt.Errorf("%s: %w", c.name, interrupted(ctx, err))
		}
		takes, keeps, err := u.takesPart(c)
		if err != nil {
			return err
		}
		if takes {
			part = append(part, c)
		}
		kept = kept || keeps
	}
	if len(part) == 0 || kept {
		return nil
	}
	if err := u.refuseSpace(part, 0); u.mayRemoveFirst(part, err) {
		return u.removeFirst(ctx, locked, part[0], running[part[0].name], err)
	} else if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(names, ", "), err)
	}
	t, err := u.begin(ctx, locked, part, running)
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(names, ", "), unfinishedOf(err))
	}
	m := &move{updater: u, Transaction: t, locked: locked, of: part}
	if err := m.fetch(ctx); u.mayRemoveFirst(part, err) { // more than its layers had let expect
		if ended := t.Abandon(err.Error()); ended != nil {
			return ended
		}
		return u.removeFirst(ctx, locked, part[0], running[part[0].name], err)
	} else if err != nil {
		err = interrupted(ctx, err)
		for _, c := range part {
			event{id: eventNotUpdated, priority: priorityError, name: c.name, image: c.reference, digest: c.wanted.Digest,
				old: digestOfImage(c.old), message: "cannot be updated: " + err.Error()}.tell(u.root)
		}
		return errors.Join(err, t.Abandon(err.Error()))
	}
	return m.carryOut(ctx)
}

// takesPart tells whether there is something to do for a container, and says why not. keeps: and others of its group
// have to wait.
func (u *updater) takesPart(c *renewal) (takes, keeps bool, err error) {
	switch {
	case c.wanted == nil:
		fmt.Printf("%s: pinned: Image= names the digest %s\n", c.name, units.ImageDigest(c.reference))
		return false, false, nil
	case c.upToDate():
		fmt.Printf("%s: up to date, %s\n", c.name, short(c.wanted.Digest))
		return false, false, nil
	}
	if u.skip != nil {
		if why := u.skip(c); why != "" {
			u.say("6", "%s: %s", c.name, why)
			return false, true, nil
		}
	}
	known, err := generation.Read(u.root, c.name)
	if err != nil {
		return false, false, err
	}
	switch held := known.Held || c.Update.Hold; {
	case held && u.by == generation.ByUpdate && !u.named:
		u.say("6", "%s: held, leaving it alone; syscontainer update %s updates it all the same", c.name, c.name)
		return false, true, nil
	case held && u.named:
		u.say("5", "%s: held, updating it because that was asked for by name", c.name)
	}
	if record, failed := known.HasFailed(c.wanted.Digest); failed && !u.named {
		u.say("6", "%s: %s has failed before (%s), leaving it alone; syscontainer update %s tries it again", c.name, short(record.Digest), record.Reason, c.name)
		return false, true, nil
	} else if failed {
		u.say("5", "%s: %s has failed before (%s), trying it again", c.name, short(record.Digest), record.Reason)
	}
	return true, false, nil
}

// begin writes down what is going to be done.
func (u *updater) begin(ctx context.Context, locked *generation.Locked, part []*renewal, running map[string]bool) (*generation.Transaction, error) {
	record := generation.Update{By: u.by, Group: part[0].Update.Group}
	for _, c := range part {
		if c.old != nil {
			if err := u.adopt(locked, c); err != nil {
				return nil, err
			}
		}
		member := generation.Member{Name: c.name, Digest: c.wanted.Digest, Reference: c.reference, For: c.Image, Active: running[c.name] && !u.noRestart}
		if member.Active {
			var err error
			if member.Dependents, err = u.systemd.dependents(ctx, []string{c.name}); err != nil {
				return nil, err
			}
		}
		record.Members = append(record.Members, member)
	}
	return locked.Begin(record)
}

// adopt makes a generation of what a container has, unless it is one: there must be something to go back to.
func (u *updater) adopt(locked *generation.Locked, c *renewal) error {
	outcome := generation.Unjudged
	if c.up {
		outcome = generation.Good
	}
	_, err := locked.Adopt(c.name, generation.Record{Digest: c.old.Digest, Reference: c.Image, For: c.Image, Outcome: outcome})
	return err
}

// interrupted is what people understand of a context that has ended.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

func digestOfImage(image *store.Image) string {
	if image == nil {
		return ""
	}
	return image.Digest
}
