package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // not every machine has zones

	"syscontainer/units"
)

// autoOf is a container that is to be updated from its registry.
func autoOf(name string, changes ...func(*candidate)) candidate {
	c := candidate{name: name, image: "q.io/" + name + ":1", rules: units.Update{Auto: "registry"}}
	for _, change := range changes {
		change(&c)
	}
	return c
}

func inUpdate(update string) func(*candidate) { // a section [Update], as the file has it
	return func(c *candidate) {
		u := &units.Unit{Path: "/x.syscontainer", Lines: []units.Line{{Section: "Container", Key: "Image", Value: "q.io/x"}}}
		for line := range strings.SplitSeq(update, "\n") {
			key, value, _ := strings.Cut(line, "=")
			u.Lines = append(u.Lines, units.Line{Section: "Update", Key: key, Value: value})
		}
		container, _, _ := u.Container()
		if len(container.Update.Errors) > 0 {
			panic(container.Update.Errors)
		}
		c.rules = container.Update
	}
}

func from(s string) func(*candidate) { return func(c *candidate) { c.image = s } }
func held(c *candidate)              { c.held = true }
func broken(c *candidate)            { c.problem = "x:4: Hold=: \"ja\" is no boolean" }

// answered is what the registry said: digests that the container has and could have.
func answered(current, offered string) func(*candidate) {
	return func(c *candidate) { c.asked, c.current, c.offered = true, current, offered }
}

func outOfReach(c *candidate) { c.asked, c.away = true, "connection refused" }

func failedBefore(c *candidate) { c.failed = "exited with 1" }

func TestDecide(t *testing.T) {
	const noon = "2026-06-12 12:00:00 +0200" // a Friday
	const group = "Auto=registry\nGroup=g"
	away, metered := machineNetwork{absent: true}, machineNetwork{metered: true}
	for _, c := range []struct {
		what    string
		at      string
		network machineNetwork
		all     []candidate
		want    string
	}{
		{"asked for", noon, machineNetwork{}, []candidate{autoOf("a")}, "a: yes"},
		{"not asked for", noon, machineNetwork{}, []candidate{autoOf("a", inUpdate("Auto=no"))}, "a: is not updated by itself: Auto=no"},
		{"not understood", noon, machineNetwork{}, []candidate{autoOf("a", broken)}, "a: is not updated: x:4: Hold=: \"ja\" is no boolean (told)"},
		{"held by its file", noon, machineNetwork{}, []candidate{autoOf("a", inUpdate("Auto=registry\nHold=yes"))}, "a: is held by Hold=yes"},
		{"held by a person", noon, machineNetwork{}, []candidate{autoOf("a", held)}, "a: is held, see syscontainer unhold"},
		{"digest", noon, machineNetwork{}, []candidate{autoOf("a", from("q.io/a@sha256:"+strings.Repeat("0", 64)))}, "a: is pinned: Image= names a digest"},
		{"path with an @", noon, away, []candidate{autoOf("a", from("oci:/srv/a@b"))}, "a: yes"},
		{"directory", noon, machineNetwork{}, []candidate{autoOf("a", from(""))}, "a: has no image: it runs from Rootfs="},

		{"no network", noon, away, []candidate{autoOf("a"), autoOf("b", inUpdate("Auto=local")), autoOf("c", held)},
			"a: waits for a network|b: yes|c: is held, see syscontainer unhold"},
		{"metered", noon, metered, []candidate{autoOf("a"), autoOf("b", inUpdate("Auto=local"))}, "a: waits for a network that is not metered|b: yes"},

		{"window", "2026-06-12 02:00:00 +0200", machineNetwork{}, []candidate{autoOf("a", inUpdate("Auto=registry\nWindow=02:00-04:00"))}, "a: yes"},
		{"window shut", noon, machineNetwork{}, []candidate{autoOf("a", inUpdate("Auto=registry\nWindow=02:00-04:00"))}, "a: waits for its window, Sat 02:00"},
		{"first of several windows", noon, machineNetwork{}, []candidate{autoOf("a", inUpdate("Auto=registry\nWindow=Mon 02:00-04:00\nWindow=Sun 23:00-02:00"))},
			"a: waits for its window, Sun 23:00"},
		{"one of several windows", noon, machineNetwork{}, []candidate{autoOf("a", inUpdate("Auto=registry\nWindow=Mon 02:00-04:00\nWindow=Fri 11:30-12:30"))}, "a: yes"},
		{"window of another zone's clock", "2026-06-12 00:30:00 +0000", machineNetwork{}, []candidate{autoOf("a", inUpdate("Auto=registry\nWindow=02:00-04:00"))}, "a: yes"},
		{"window that the clock skips", "2026-03-29 03:10:00 +0200", machineNetwork{}, []candidate{autoOf("a", inUpdate("Auto=registry\nWindow=Sun 02:15-02:45"))}, "a: yes"},
		{"window shown twice, second time", "2026-10-25 02:20:00 +0100", machineNetwork{}, []candidate{autoOf("a", inUpdate("Auto=registry\nWindow=Sun 02:15-02:45"))},
			"a: waits for its window, Sun 02:15"},

		{"nothing new", noon, machineNetwork{}, []candidate{autoOf("a", answered("1", "1"))}, "a: is current"},
		{"something new", noon, machineNetwork{}, []candidate{autoOf("a", answered("1", "2"))}, "a: yes"},
		{"first image", noon, machineNetwork{}, []candidate{autoOf("a", answered("", "2"))}, "a: yes"},
		{"nothing pulled yet", noon, machineNetwork{}, []candidate{autoOf("a", inUpdate("Auto=local"), answered("", ""))}, "a: has no image in the store yet"},
		{"failed before", noon, machineNetwork{}, []candidate{autoOf("a", answered("1", "2222222222222222"), failedBefore)},
			"a: waits for another image: sha256:222222222222 failed (exited with 1)"},
		{"registry away", noon, machineNetwork{}, []candidate{autoOf("a", outOfReach), autoOf("b", answered("1", "2"))}, "a: waits for its image: connection refused|b: yes"},
		{"went back to what failed", noon, machineNetwork{}, []candidate{autoOf("a", answered("2", "2"), failedBefore)}, "a: is current"},
		{"held meanwhile", noon, machineNetwork{}, []candidate{autoOf("a", held, answered("1", "2"))}, "a: is held, see syscontainer unhold"},

		{"group", noon, machineNetwork{}, []candidate{autoOf("b", inUpdate(group)), autoOf("a", inUpdate(group)), autoOf("c")}, "a: yes|b: yes|c: yes"},
		{"group of which one is held", noon, machineNetwork{}, []candidate{autoOf("a", inUpdate(group)), autoOf("b", inUpdate(group), held), autoOf("c")},
			"a: waits with its group g: b is held, see syscontainer unhold|b: is held, see syscontainer unhold|c: yes"},
		{"group of which one may not", noon, machineNetwork{}, []candidate{autoOf("a", inUpdate(group)), autoOf("b", inUpdate("Group=g"))},
			"a: waits with its group g: b is not updated by itself: Auto=no|b: is not updated by itself: Auto=no"},
		{"group of which one has another window", noon, machineNetwork{}, []candidate{autoOf("a", inUpdate(group)), autoOf("b", inUpdate(group+"\nWindow=02:00-03:00"))},
			"a: waits with its group g: b waits for its window, Sat 02:00|b: waits for its window, Sat 02:00"},
		{"group of which one needs the network", noon, away, []candidate{autoOf("a", inUpdate("Auto=local\nGroup=g")), autoOf("b", inUpdate(group))},
			"a: waits with its group g: b waits for a network|b: waits for a network"},
		{"group of which one is not understood", noon, machineNetwork{}, []candidate{autoOf("a", inUpdate(group)), autoOf("b", inUpdate(group), broken)},
			"a: waits with its group g: b is not updated: x:4: Hold=: \"ja\" is no boolean (told)|b: is not updated: x:4: Hold=: \"ja\" is no boolean (told)"},
		{"group of which one never changes", noon, machineNetwork{}, []candidate{autoOf("a", inUpdate(group)), autoOf("b", inUpdate(group), from(""))},
			"a: yes|b: has no image: it runs from Rootfs="},
		{"group of which one has nothing new", noon, machineNetwork{}, []candidate{autoOf("a", inUpdate(group), answered("1", "2")), autoOf("b", inUpdate(group), answered("1", "1"))},
			"a: yes|b: is current"},
		{"group of which one has failed before", noon, machineNetwork{}, []candidate{autoOf("a", inUpdate(group), answered("1", "2")), autoOf("b", inUpdate(group), answered("1", "2"), failedBefore)},
			"a: waits with its group g: b waits for another image: sha256:2 failed (exited with 1)|b: waits for another image: sha256:2 failed (exited with 1)"},
		{"group of which one registry is away", noon, machineNetwork{}, []candidate{autoOf("a", inUpdate(group), answered("1", "2")), autoOf("b", inUpdate(group), outOfReach)},
			"a: waits with its group g: b waits for its image: connection refused|b: waits for its image: connection refused"},
		{"group with nothing new", noon, machineNetwork{}, []candidate{autoOf("a", inUpdate(group), answered("1", "1")), autoOf("b", inUpdate(group), held, answered("1", "1"))},
			"a: is current|b: is held, see syscontainer unhold"},
	} {
		berlin, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse("2006-01-02 15:04:05 -0700", c.at)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range decide(c.all, at.In(berlin), c.network) {
			why := d.why
			if d.update {
				why = "yes"
			} else if !d.quiet {
				why += " (told)"
			}
			got = append(got, d.name+": "+why)
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, s, c.want)
		}
	}
}

// What waits for a moment before the next day's run gets a run of its own, and nothing else does.
func TestNextRun(t *testing.T) {
	noon := time.Date(2026, 6, 12, 12, 0, 0, 0, time.UTC)
	window := func(s string) func(*candidate) { return inUpdate("Auto=registry\nGroup=\nWindow=" + s) }
	for _, c := range []struct {
		what    string
		network machineNetwork
		all     []candidate
		want    string
	}{
		{"nothing waits", machineNetwork{}, []candidate{autoOf("a"), autoOf("b", held), autoOf("c", answered("1", "1")), autoOf("d", broken)}, ""},
		{"a window", machineNetwork{}, []candidate{autoOf("a", window("14:00-15:00"))}, "14:00 30m0s"},
		{"the first of several windows", machineNetwork{}, []candidate{autoOf("a", window("20:00-23:00")), autoOf("b", window("18:00-06:00")), autoOf("c", window("02:00-03:00"))}, "18:00 1h0m0s"},
		{"one that is open", machineNetwork{}, []candidate{autoOf("a", window("11:00-15:00"))}, ""},
		{"one of what is held", machineNetwork{}, []candidate{autoOf("a", window("14:00-15:00"), held)}, ""},
		{"no network", machineNetwork{absent: true}, []candidate{autoOf("a"), autoOf("b", window("14:00-15:00"))}, "13:00 30m0s"},
		{"a registry", machineNetwork{}, []candidate{autoOf("a", outOfReach)}, "13:00 30m0s"},
		{"a group", machineNetwork{}, []candidate{autoOf("a", inUpdate("Auto=registry\nGroup=g")), autoOf("b", inUpdate("Auto=registry\nGroup=g\nWindow=16:00-16:10"))}, "16:00 5m0s"},
	} {
		got := ""
		if at, spread := nextRun(decide(c.all, noon, c.network)); !at.IsZero() {
			got = at.Format("15:04 ") + spread.String()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

func TestNetworkManagerIsAsked(t *testing.T) {
	for _, c := range []struct {
		setting string
		state   uint32 // 0: it does not run
		metered uint32
		want    machineNetwork
	}{
		{"", 0, 0, machineNetwork{}},
		{"", 70, 2, machineNetwork{}},              // connected
		{"", 70, 4, machineNetwork{}},              // probably not metered
		{"", 70, 1, machineNetwork{metered: true}}, // somebody said so
		{"", 70, 3, machineNetwork{metered: true}}, // a telephone, probably
		{"no", 70, 1, machineNetwork{}},            // the setting counts
		{"yes", 0, 0, machineNetwork{metered: true}},
		{"yes", 20, 2, machineNetwork{absent: true, metered: true}}, // disconnected
		{"", 10, 0, machineNetwork{absent: true}},
		{"", 40, 0, machineNetwork{}}, // connecting: an attempt does no harm
	} {
		s := settings{metered: c.setting}
		n := machineNetwork{metered: s.metered == "yes"}
		n.ask(s, func(property string) uint32 {
			return map[string]uint32{"State": c.state, "Metered": c.metered}[property]
		})
		if n != c.want {
			t.Errorf("%+v: %+v", c, n)
		}
	}
}

// A medium that is not plugged in is as a registry that is out of reach; a broken one is not.
func TestWaitsForAMedium(t *testing.T) {
	gone := fmt.Errorf("read: %w", fs.ErrNotExist)
	if !waits("oci:/media/usb/web", gone) || waits("oci:/media/usb/web", errors.New("not valid")) || waits("q.io/web:1", gone) {
		t.Error("wrong")
	}
}
