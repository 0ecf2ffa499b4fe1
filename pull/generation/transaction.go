package generation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"syscontainer/pull/store"
)

// Transaction is an update that is not done, whose containers are locked. Each of its methods may be called again after
// it was interrupted or failed.
type Transaction struct {
	Update
	locked *Locked
}

// UnfinishedError is returned by Begin while an earlier update of a member is not done: finish that first.
type UnfinishedError struct{ Name, ID string }

func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("update %s of %s was interrupted and is not finished", e.ID, e.Name)
}

// Begin writes the record of an update, durably. Of u it takes By, Group, Reason, and of each member Name, Digest,
// Reference, For, Active, Dependents; the rest it fills in. From here on prune spares the new images, which may still have to be
// fetched. Nothing that a start could see has changed.
func (l *Locked) Begin(u Update) (*Transaction, error) {
	u.Members = slices.Clone(u.Members)
	slices.SortFunc(u.Members, func(a, b Member) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	unfinished, err := Unfinished(l.root)
	if err != nil {
		return nil, fmt.Errorf("nothing is updated while it is unknown what was interrupted: %w", err)
	}
	for i := range u.Members {
		m := &u.Members[i]
		for _, other := range unfinished {
			if slices.Contains(other.Names(), m.Name) {
				return nil, &UnfinishedError{m.Name, other.ID}
			}
		}
		c, err := l.Read(m.Name)
		if err != nil {
			return nil, err
		}
		if c.taken >= maxNumber {
			return nil, fmt.Errorf("%s: no numbers are left: there is a generation %d", m.Name, c.taken)
		}
		m.From, m.To, m.Failed = c.Current, c.taken+1, false
	}
	u.Begun = now()
	u.ID = newID(time.Now())
	u.Phase, u.Boots = Fetching, 0
	if err := u.check(u.ID); err != nil {
		return nil, err
	}
	t := &Transaction{u, l}
	if err := makeDirs(updatesDir(l.root)); err != nil {
		return nil, fmt.Errorf("record the update: %w", err)
	}
	return t, t.enter(Fetching)
}

// Resume goes on with an update that is not done. All its members are locked. Nil: it is done, or gone.
func (l *Locked) Resume(id string) (*Transaction, error) {
	u, err := ReadUpdate(l.root, id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil || u.Phase.Done() {
		return nil, err
	}
	for _, name := range u.Names() {
		if _, err := l.Read(name); err != nil {
			return nil, err
		}
	}
	return &Transaction{*u, l}, nil
}

// enter makes a phase durable.
func (t *Transaction) enter(phase Phase) error {
	was := t.Update
	t.Phase, t.Changed, t.Boot = phase, now(), BootID()
	if err := t.write(); err != nil {
		t.Update = was
		return err
	}
	return nil
}

func (t *Transaction) write() error {
	if err := writeJSON(updatePath(t.locked.root, t.ID), t.Update); err != nil {
		return fmt.Errorf("record the update: %w", err)
	}
	return nil
}

// CountBoot notes that another boot has begun since the phase was entered: once for each ID of a boot.
func (t *Transaction) CountBoot(boot string) error {
	if boot == t.Boot {
		return nil
	}
	t.Boot, t.Boots = boot, t.Boots+1
	return t.write()
}

func (t *Transaction) wants(do string, phases ...Phase) error {
	if !slices.Contains(phases, t.Phase) {
		return fmt.Errorf("%s update %s: it is %s", do, t.ID, t.Phase)
	}
	return nil
}

// Switch makes the new generations and lets the current ones of all members be these. All images must be in the store.
// After an error nothing may have changed, or some members: go back.
func (t *Transaction) Switch() error {
	if err := t.wants("switch", Fetching, Switching); err != nil {
		return err
	}
	for _, m := range t.Members {
		if _, err := store.ByDigest(t.locked.root, m.Digest, m.Reference); err != nil {
			return fmt.Errorf("switch %s: %w", m.Name, err)
		}
	}
	if err := t.enter(Switching); err != nil {
		return err
	}
	for _, m := range t.Members { // all of what can fail for want of space
		err := t.locked.make(m.Name, Record{Number: m.To, Digest: m.Digest, Reference: m.Reference, For: m.For, Time: t.Begun, By: t.By, Outcome: Pending, Update: t.ID})
		if err != nil {
			return fmt.Errorf("make generation %d of %s: %w", m.To, m.Name, err)
		}
	}
	// From here on each image is kept. One that a prune was just removing is gone now, or stays.
	for _, m := range t.Members {
		if err := t.locked.stays(m); err != nil {
			return fmt.Errorf("switch %s: %w", m.Name, err)
		}
	}
	for _, m := range t.Members {
		if err := t.locked.setCurrent(m.Name, m.To); err != nil {
			return err
		}
	}
	return t.enter(Judging)
}

// stays waits until nobody is removing the image of a member, and looks whether it is there.
func (l *Locked) stays(m Member) error {
	w, err := store.OpenWriter(l.root)
	if err != nil {
		return err
	}
	lock, err := w.LockImage(context.Background(), m.Digest, nil)
	if err != nil {
		return err
	}
	defer lock.Release()
	_, err = store.ByDigest(l.root, m.Digest, m.Reference)
	return err
}

// Good makes the new generations good, those that did not run unjudged, and ends the update. publish is called for each
// member that ran, before the update counts as done, and possibly again after an interruption: it lets references name
// the new image. Nil is allowed. If a person or a boot went back, what was current before has failed.
func (t *Transaction) Good(publish func(Member) error) error {
	return t.commit("commit", Committing, Committed, publish, func(m Member) Outcome {
		if m.Active {
			return Good
		}
		return Unjudged
	})
}

// Leave ends the update with its new generations in force and unjudged: nothing was restarted.
func (t *Transaction) Leave() error {
	return t.commit("leave", Leaving, Left, nil, func(Member) Outcome { return Unjudged })
}

func (t *Transaction) commit(do string, doing, done Phase, publish func(Member) error, outcome func(Member) Outcome) error {
	if err := t.wants(do, Judging, doing); err != nil {
		return err
	}
	if t.Phase != doing {
		if err := t.enter(doing); err != nil {
			return err
		}
	}
	for _, m := range t.Members {
		if publish != nil && outcome(m) == Good {
			if err := publish(m); err != nil {
				return err
			}
		}
		if err := t.locked.judge(m.Name, m.To, outcome(m), "", t.Changed); err != nil {
			return err
		}
		if from := m.From; from != 0 && (t.By == ByRollback || t.By == ByBoot) {
			reason := t.Reason
			if reason == "" {
				reason = "rolled back"
			}
			if err := t.locked.judge(m.Name, from, Failed, reason, t.Changed); err != nil {
				return err
			}
		}
		if err := t.locked.setCurrent(m.Name, m.To); err != nil { // and previous
			return err
		}
	}
	return t.enter(done)
}

// Back lets the current generations of all members be the old ones again. Those of the members in failed have failed, for
// this reason; those of others were interrupted, and may be tried again. A member that had no generation has none. Then
// restart what is Active, and call Returned.
func (t *Transaction) Back(reason string, failed ...string) error {
	if err := t.wants("take back", Switching, Judging, Returning); err != nil {
		return err
	}
	if t.Phase != Returning { // else what was said first counts
		for i := range t.Members {
			t.Members[i].Failed = slices.Contains(failed, t.Members[i].Name)
		}
		t.Reason = reason
		if err := t.enter(Returning); err != nil {
			return err
		}
	}
	for _, m := range t.Members {
		if err := t.locked.setCurrent(m.Name, m.From); err != nil {
			return err
		}
		outcome, reason := Failed, t.Reason
		if !m.Failed {
			outcome = Interrupted
			if i := slices.IndexFunc(t.Members, func(m Member) bool { return m.Failed }); i >= 0 {
				reason = "taken back with " + t.Members[i].Name
			}
		}
		err := t.locked.judge(m.Name, m.To, outcome, reason, t.Changed)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it was not made yet
			return err
		}
	}
	return nil
}

// Returned ends an update that went back, after what was active has been restarted.
func (t *Transaction) Returned() error {
	if err := t.wants("end", Returning); err != nil {
		return err
	}
	if slices.ContainsFunc(t.Members, func(m Member) bool { return m.Failed }) {
		return t.enter(Reverted)
	}
	return t.enter(Abandoned)
}

// Abandon ends an update before anything was switched.
func (t *Transaction) Abandon(reason string) error {
	if err := t.wants("abandon", Fetching); err != nil {
		return err
	}
	t.Reason = reason
	return t.enter(Abandoned)
}

// Adopt makes a generation of what a container runs or would run already, and lets it be current. Of r it takes Digest,
// Reference, For, Outcome, Reason, By ("" is ByStart). If the current one is of the same image for the same unit's
// Image=, that is returned instead.
func (l *Locked) Adopt(name string, r Record) (Record, error) {
	c, err := l.Read(name)
	if err != nil {
		return r, err
	}
	if now, ok := c.Now(); ok && now.Kept && now.Digest == r.Digest && now.For == r.For {
		return now, nil
	}
	if r.By == "" {
		r.By = ByStart
	}
	r.Number, r.Time, r.Update, r.Kept = c.taken+1, now(), "", true
	if last, ok := c.Get(c.taken); ok && last.Number > c.Current && last.By == r.By && last.Update == "" && last.Digest == r.Digest {
		r.Number = last.Number // of a run that was interrupted right here
	}
	if r.Number > maxNumber {
		return r, fmt.Errorf("%s: no numbers are left: there is a generation %d", name, c.taken)
	}
	if r.Outcome == Good || r.Outcome == Failed {
		r.Judged = r.Time
	}
	if !isDigest(r.Digest) || r.Outcome == "" {
		return r, fmt.Errorf("adopt an image of %s: %q, %q are no digest and outcome", name, r.Digest, r.Outcome)
	}
	if _, err := store.ByDigest(l.root, r.Digest, r.Reference); err != nil {
		return r, fmt.Errorf("adopt an image of %s: %w", name, err)
	}
	if err := l.make(name, r); err != nil {
		return r, fmt.Errorf("make generation %d of %s: %w", r.Number, name, err)
	}
	return r, l.setCurrent(name, r.Number)
}

// Judge gives a generation an outcome: what was left unjudged, and has been looked at since.
func (l *Locked) Judge(name string, n int, outcome Outcome, reason string) error {
	if err := l.judge(name, n, outcome, reason, now()); err != nil {
		return err
	}
	c, err := l.Read(name)
	if err != nil || c.Current == 0 {
		return err
	}
	return l.setCurrent(name, c.Current) // previous may be another now
}

// make makes a generation's record and link: the record first, so that no link is without.
func (l *Locked) make(name string, r Record) error {
	dir := containerDir(l.root, name)
	if err := makeDirs(containersDir(l.root), dir, generationsDir(dir)); err != nil {
		return err
	}
	if err := writeJSON(recordPath(dir, r.Number), r); err != nil {
		return err
	}
	return writeLink("../../../images/"+r.Digest, linkPath(dir, r.Number))
}

// judge changes what a record says of a generation's outcome.
func (l *Locked) judge(name string, n int, outcome Outcome, reason string, at time.Time) error {
	if _, err := l.Read(name); err != nil {
		return err
	}
	dir := containerDir(l.root, name)
	r, err := readRecord(dir, n)
	if err != nil {
		return err
	}
	if r.Outcome == outcome && r.Reason == reason {
		return nil
	}
	r.Outcome, r.Reason, r.Judged = outcome, reason, at
	if outcome == Unjudged {
		r.Judged = time.Time{}
	}
	return writeJSON(recordPath(dir, n), r)
}

// setCurrent lets a generation be current, 0 none, and previous what to go back to from it: first previous, so that it
// is never missing.
func (l *Locked) setCurrent(name string, n int) error {
	c, err := l.Read(name)
	if err != nil {
		return err
	}
	dir := containerDir(l.root, name)
	for _, link := range []struct {
		name string
		to   int
	}{{"previous", c.before(n)}, {"current", n}} {
		path := filepath.Join(dir, link.name)
		if link.to == 0 {
			err = remove(path)
		} else if r, ok := c.Get(link.to); !ok || !r.Kept {
			err = fmt.Errorf("generation %d keeps no image", link.to)
		} else {
			err = writeLink(filepath.Join("generations", strconv.Itoa(link.to)), path)
		}
		if err != nil {
			return fmt.Errorf("switch %s to generation %d: %w", name, n, err)
		}
	}
	return nil
}
