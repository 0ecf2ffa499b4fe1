package generation

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Phase is how far an update is. Each is durable before what it names begins.
type Phase string

const (
	Fetching   Phase = "fetching"   // nothing has changed yet; interrupted there: Abandon
	Switching  Phase = "switching"  // each member is old or new; interrupted there: Back
	Judging    Phase = "judging"    // all are new, and restarted; interrupted there: judge again, or Back
	Committing Phase = "committing" // all were found good; interrupted there: Good
	Leaving    Phase = "leaving"    // the new ones stay without being judged; interrupted there: Leave
	Returning  Phase = "returning"  // each member is new or old; interrupted there: Back, restart, Returned

	Committed Phase = "good"      // done: the new ones are in force
	Left      Phase = "unjudged"  // done: the new ones are in force, and nobody looked
	Reverted  Phase = "failed"    // done: the old ones are in force, the new ones that failed are not tried again
	Abandoned Phase = "abandoned" // done: nothing was changed, or all was taken back for no fault of the new ones
)

// Done tells whether there is nothing more to do.
func (p Phase) Done() bool {
	return p == Committed || p == Left || p == Reverted || p == Abandoned
}

// Update is one update, of a container or of a group.
type Update struct {
	ID      string    `json:"id"` // the time and something random; sorts by time
	By      By        `json:"by"`
	Group   string    `json:"group,omitempty"`
	Members []Member  `json:"members"` // by name
	Phase   Phase     `json:"phase"`
	Reason  string    `json:"reason,omitempty"` // why it went back, or why it was made, for people
	Boot    string    `json:"boot"`             // ID of the boot in which it came into this phase, see BootID
	Boots   int       `json:"boots"`            // how many boots were counted since, see CountBoot
	Begun   time.Time `json:"begun"`
	Changed time.Time `json:"changed"` // when it came into this phase
}

// Member is a container of an update.
type Member struct {
	Name      string `json:"name"`
	From      int    `json:"from"`      // generation; 0: it had none
	To        int    `json:"to"`        // generation
	Digest    string `json:"digest"`    // of the new image, 64 hex digits
	Reference string `json:"reference"` // canonical, what that is fetched as
	For       string `json:"for"`       // canonical, Image= of the unit
	Active    bool   `json:"active"`    // it ran when the update began, and is restarted

	// Dependents are units, with suffix, that were active when the update began and a stop of the container stops, too.
	Dependents []string `json:"dependents,omitempty"`
	// Failed says that the update goes back because of this member.
	Failed bool `json:"failed,omitempty"`
}

// BootID tells boots apart (proc(5), random/boot_id); "" where that cannot be read.
func BootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

func newID(at time.Time) string {
	at = at.UTC()
	return fmt.Sprintf("%s-%06d-%s", at.Format("20060102T150405Z"), at.Nanosecond()/1000, strings.ToLower(rand.Text()[:8]))
}

func checkID(id string) error {
	if id == "" || len(id) > 100 || strings.Trim(strings.ToLower(id), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("%q is no ID of an update", id)
	}
	return nil
}

func updatePath(root, id string) string { return filepath.Join(updatesDir(root), id+".json") }

// ReadUpdate reads the record of an update; none is fs.ErrNotExist.
func ReadUpdate(root, id string) (*Update, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	u, file := new(Update), updatePath(root, id)
	if err := readJSON(file, u); err != nil {
		return nil, err
	}
	if err := u.check(id); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return u, nil
}

// check looks for what a record must not have: each name becomes part of a path.
func (u *Update) check(id string) error {
	if u.ID != id {
		return fmt.Errorf("it is of update %q", u.ID)
	}
	if !u.Phase.Done() && !slices.Contains([]Phase{Fetching, Switching, Judging, Committing, Leaving, Returning}, u.Phase) {
		return fmt.Errorf("%q is no phase", u.Phase)
	}
	if len(u.Members) == 0 {
		return errors.New("it has no members")
	}
	for i, m := range u.Members {
		if err := CheckName(m.Name); err != nil {
			return err
		}
		if i > 0 && u.Members[i-1].Name >= m.Name {
			return fmt.Errorf("its members are not in order: %q", m.Name)
		}
		if m.From < 0 || m.To <= m.From || m.To > maxNumber || !isDigest(m.Digest) {
			return fmt.Errorf("%s: from %d to %d, %q are no generations of an image", m.Name, m.From, m.To, m.Digest)
		}
	}
	return nil
}

// Names are those of the members, sorted.
func (u *Update) Names() (names []string) {
	for _, m := range u.Members {
		names = append(names, m.Name)
	}
	return names
}

// Updates reads the records of all updates below root, the oldest first. What cannot be read are errors, and the others
// are returned all the same.
func Updates(root string) ([]*Update, error) {
	if err := checkDir(updatesDir(root)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return nil, err
	}
	entries, err := os.ReadDir(updatesDir(root))
	if err != nil {
		return nil, err
	}
	var all []*Update
	var errs []error
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		u, err := ReadUpdate(root, id)
		if errors.Is(err, fs.ErrNotExist) { // just removed
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, u)
	}
	return all, errors.Join(errs...)
}

// Unfinished are the updates that are not done: each is of a process that lives and holds the locks of its members, or
// was interrupted.
func Unfinished(root string) ([]*Update, error) {
	all, err := Updates(root)
	return slices.DeleteFunc(all, func(u *Update) bool { return u.Phase.Done() }), err
}

// Needed are the images of updates that are not done: digest to the name of a container. They are needed before a
// generation keeps them.
func Needed(root string) (map[string]string, error) {
	all, err := Unfinished(root)
	needed := map[string]string{}
	for _, u := range all {
		for _, m := range u.Members {
			needed[m.Digest] = m.Name
		}
	}
	return needed, err
}
