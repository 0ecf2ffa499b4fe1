package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"

	"syscontainer/pull/generation"
	"syscontainer/pull/store"
	"syscontainer/units"
)

// known is what is known of a container of this machine, as list --json prints it, see syscontainer(1).
type known struct {
	Name       string   `json:"name"`
	Unit       string   `json:"unit"`
	Image      string   `json:"image"`
	Rootfs     string   `json:"rootfs"`
	Digest     *string  `json:"digest"`
	Running    *string  `json:"running"`
	Next       *string  `json:"next"`
	Generation int      `json:"generation"`
	Current    int      `json:"current"`
	Previous   int      `json:"previous"`
	Outcome    string   `json:"outcome"`
	Reason     string   `json:"reason"`
	State      string   `json:"state"`
	Substate   string   `json:"substate"`
	Status     string   `json:"status"`
	Update     string   `json:"update"`
	Available  *string  `json:"available"`
	Held       bool     `json:"held"`
	Pinned     bool     `json:"pinned"`
	Auto       string   `json:"auto"`
	Group      string   `json:"group"`
	Keep       int      `json:"keep"`
	KeepDays   int      `json:"keep_days"`
	Problems   []string `json:"problems"`

	unit        *units.Unit // nil: it has none, or none any more
	wrong       bool        // the unit has errors
	always      bool        // Pull=always
	refused     bool        // its reference leads to an image that failed
	load        string      // systemd's LoadState; "": there is no systemd to ask
	generations *generation.Container
}

// machineState is what containers are looked up in.
type machineState struct {
	root       string
	set        *units.Set
	running    map[string]string // name of a container to the digest of what it was started from
	unfinished map[string]bool   // names of containers
	problems   []string          // of no container, or of several
}

func readMachine(root string) *machineState {
	m := &machineState{root: root, set: units.Load(root, units.SearchPath()), running: map[string]string{}, unfinished: map[string]bool{}}
	for digest, names := range store.Running(root) {
		for _, name := range names {
			if !strings.HasPrefix(name, store.CallerPrefix) {
				m.running[name] = digest
			}
		}
	}
	for _, p := range m.set.Problems {
		m.problems = append(m.problems, p.Error())
	}
	unfinished, err := generation.Unfinished(root)
	for _, u := range unfinished {
		for _, name := range u.Names() {
			m.unfinished[name] = true
		}
	}
	if err != nil {
		m.problems = append(m.problems, strings.Split(err.Error(), "\n")...)
	}
	return m
}

// names are those of all containers: of units, of what runs, and of what keeps something to go back to. Templates are none.
func (m *machineState) names() []string {
	names := map[string]bool{}
	for _, u := range m.set.Units {
		names[u.Name.Full] = !u.Name.Template
	}
	for name := range m.running {
		names[name] = true
	}
	entries, _ := os.ReadDir(filepath.Join("/", m.root, store.Dir, "containers"))
	for _, e := range entries {
		if generation.Recorded(m.root, e.Name()) {
			names[e.Name()] = true
		}
	}
	maps.DeleteFunc(names, func(name string, is bool) bool { return !is || generation.CheckName(name) != nil })
	return slices.Sorted(maps.Keys(names))
}

// unitOf is the unit of a service; nil if there is none. Of a template it is a copy with the instance's name.
func unitOf(set *units.Set, name string) *units.Unit {
	prefix, instance, isInstance := strings.Cut(name, "@")
	for _, u := range set.Units {
		if u.Name.Full == name && !u.Name.Template {
			return u
		}
	}
	for _, u := range set.Units {
		if isInstance && instance != "" && u.Name.Full == prefix+"@" {
			if parsed, err := units.ParseName(name); err == nil {
				of := *u
				of.Name = parsed
				return &of
			}
		}
	}
	return nil
}

// look gathers all that is known of containers.
func (m *machineState) look(ctx context.Context, names []string) []*known {
	all := make([]*known, len(names))
	for i, name := range names {
		all[i] = m.container(name)
	}
	if err := m.askSystemd(ctx, all); err != nil {
		m.problems = append(m.problems, err.Error())
	}
	for _, k := range all {
		k.judge(m)
	}
	return all
}

// container reads what units and the store say.
func (m *machineState) container(name string) *known {
	k := &known{Name: name, Auto: "no", Keep: 2, Problems: []string{}, unit: unitOf(m.set, name)}
	if u := k.unit; u != nil {
		c, errs, _ := u.Container()
		k.wrong = len(u.Errors)+len(errs) > 0
		for _, p := range slices.Concat(u.Errors, errs, c.Update.Errors) {
			k.Problems = append(k.Problems, p.Error())
		}
		k.Unit, k.Image, k.Rootfs, k.always = u.Path, c.Image, c.Rootfs, c.Pull == "always"
		k.Pinned = units.ImageDigest(c.Image) != ""
		if len(c.Update.Errors) == 0 && !k.wrong {
			k.Auto, k.Group, k.Keep, k.KeepDays, k.Held = c.Update.Auto, c.Update.Group, c.Update.Keep, c.Update.KeepDays, c.Update.Hold
		}
	}
	if k.unit == nil { // of run, or its file is gone
		if text, err := os.ReadFile(filepath.Join("/", m.root, serviceFile(name))); err == nil {
			if c, err := units.ReadGenerated(strings.NewReader(string(text)), name+".service", nil); err == nil {
				k.Image, k.Rootfs = c.Image, c.Rootfs
			}
		}
	}
	g, err := generation.Read(m.root, name)
	if err != nil {
		k.Problems = append(k.Problems, err.Error())
		g = &generation.Container{Name: name}
	}
	for _, p := range g.Problems {
		k.Problems = append(k.Problems, p.Error())
	}
	k.generations, k.Current, k.Previous, k.Held = g, g.Current, g.Previous, k.Held || g.Held
	if k.Image == "" {
		return k
	}
	image, err := nextImage(m.root, name, k.Image, k.always)
	if err == nil {
		k.Next = &image.Digest
	} else if !errors.Is(err, fs.ErrNotExist) {
		k.Problems = append(k.Problems, err.Error())
	}
	if named, err := store.Lookup(m.root, k.Image); err == nil && k.Next != nil && named.Digest != *k.Next {
		if _, k.refused = g.HasFailed(named.Digest); !k.refused {
			k.Available = &named.Digest
		}
	}
	return k
}

// nextImage is what the next start of a container runs, as far as it is in the store; else fs.ErrNotExist.
func nextImage(root, name, reference string, always bool) (store.Image, error) {
	if !always {
		if image, err := store.Deployed(root, name, reference); err == nil {
			return image, nil
		} // a start says what is wrong, and goes on as here
	}
	return store.Lookup(root, reference)
}

// askSystemd asks for the states of services at once. Units it has not read yet it does not know.
func (m *machineState) askSystemd(ctx context.Context, all []*known) error {
	if !systemdRuns(m.root) || len(all) == 0 {
		return nil
	}
	var names []string
	for _, k := range all {
		names = append(names, k.Name+".service")
	}
	return withSystemdFor(10*time.Second, func(_ context.Context, conn *dbus.Conn) error {
		states, err := conn.ListUnitsByNamesContext(ctx, names)
		if err != nil {
			return fmt.Errorf("ask systemd for the states of services: %w", err)
		}
		for _, s := range states {
			i := slices.Index(names, s.Name)
			if i < 0 { // an alias
				continue
			}
			k := all[i]
			k.load, k.State, k.Substate = s.LoadState, s.ActiveState, s.SubState
		}
		return nil
	})
}

// judge puts together what was gathered.
func (k *known) judge(m *machineState) {
	k.Status = k.status()
	if digest, is := m.running[k.Name]; is && k.State != "inactive" && k.State != "failed" { // else it is what a crash left
		k.Running = &digest
	}
	k.Digest = cmp.Or(k.Running, k.Next)
	var last generation.Record
	for _, r := range k.generations.Generations {
		// Of several of one image that is meant which is current, or else the last.
		if k.Digest != nil && r.Digest == *k.Digest && (k.Generation == 0 || k.Generation != k.Current) {
			k.Generation, k.Outcome, k.Reason = r.Number, string(r.Outcome), r.Reason
		}
		last = r
	}
	switch {
	case m.unfinished[k.Name]:
		k.Update = "unfinished"
	case k.Running != nil && k.Next != nil && *k.Running != *k.Next:
		k.Update = "restart"
	case last.Number > k.Current && last.Outcome == generation.Failed || k.refused:
		k.Update = "failed"
	case k.Available != nil:
		k.Update = "available"
	case k.Pinned:
		k.Update = "pinned"
	}
	for _, digest := range []**string{&k.Digest, &k.Running, &k.Next, &k.Available} {
		if *digest != nil {
			full := "sha256:" + **digest
			*digest = &full
		}
	}
}

// status is a state in one word.
func (k *known) status() string {
	switch {
	case k.load == "":
		return "-"
	case strings.HasPrefix(k.Substate, "auto-restart"):
		return "restarting"
	case k.State == "active" && k.Substate == "exited":
		return "exited"
	case k.State != "inactive":
		return k.State
	case k.wrong:
		return "broken"
	case k.load == "not-found":
		return "not-loaded"
	case k.load == "masked":
		return "masked"
	}
	return k.State
}

// tell says on stderr what is wrong, each once.
func (m *machineState) tell(all []*known) {
	texts := slices.Clone(m.problems)
	for _, k := range all {
		texts = append(texts, k.Problems...)
	}
	said := map[string]bool{}
	for _, text := range texts {
		if !said[text] {
			said[text] = true
			fmt.Fprintf(os.Stderr, "%ssyscontainer: %s\n", priority("4"), units.Printable(text))
		}
	}
}
