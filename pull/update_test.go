package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"syscontainer/pull/generation"
	"syscontainer/pull/store"
	"syscontainer/test/image"
)

func updateStatus(t *testing.T, root string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return command(t, append([]string{"--root", root, "update"}, args...)...)
}

func generationsOf(t *testing.T, root, name string) *generation.Container {
	t.Helper()
	c, err := generation.Read(root, name)
	if err != nil || len(c.Problems) > 0 {
		t.Fatal(err, c)
	}
	return c
}

// Nothing runs below another root: an update fetches and switches, and the next start takes it. The tag goes on
// naming what it did, for that is nobody's proof.
func TestUpdateOfWhatDoesNotRun(t *testing.T) {
	root, layout, reference := releases(t)
	must(t, root, "pull", reference)
	one, _ := store.Lookup(root, reference)
	release(t, layout, "web", image.Config{}, []image.Entry{image.File("bin/web", 0o755, "two")})
	if out := must(t, root, "update", "web"); !strings.HasPrefix(out, "web: generation 2, sha256:") || !strings.HasSuffix(out, "from the next start on\n") {
		t.Errorf("%q", out)
	}
	two, err := store.Deployed(root, "web", reference)
	if err != nil || two.Digest == one.Digest {
		t.Fatal("not switched", err)
	}
	if now, _ := store.Lookup(root, reference); now.Digest != one.Digest {
		t.Error("the reference names an image that nobody has judged")
	}
	c := generationsOf(t, root, "web")
	if c.Current != 2 || c.Previous != 1 || c.Generations[0].By != generation.ByStart || c.Generations[1].Outcome != generation.Unjudged {
		t.Errorf("%+v", c)
	}
	if out := must(t, root, "update", "--all"); out != "web: up to date, "+short(two.Digest)+"\n" {
		t.Errorf("%q", out)
	}
	must(t, root, "prune", "--grace=0")
	if out := must(t, root, "rollback", "web"); out != "web: generation 3, "+short(one.Digest)+", from the next start on\n" {
		t.Errorf("%q", out)
	}
	if back, err := store.Deployed(root, "web", reference); err != nil || back.Digest != one.Digest {
		t.Error("not back", err)
	}
	// What a person went back from is left alone, until it is named.
	out, said, status := updateStatus(t, root, "--all")
	if status != 0 || out != "" || !strings.Contains(said, "has failed before (rolled back), leaving it alone") {
		t.Errorf("%d %q %q", status, out, said)
	}
	if _, said, status = updateStatus(t, root, "web"); status != 0 || !strings.Contains(said, "trying it again") {
		t.Errorf("%d %q", status, said)
	}
	if _, said, status := command(t, "--root", root, "rollback", "--to", "9", "web"); status != 1 || !strings.Contains(said, "there is no generation 9\nhint: syscontainer history web") {
		t.Errorf("%d %q", status, said)
	}
	must(t, root, "rollback", "--to", "1", "web")
	must(t, root, "verify")
}

func TestUpdateFails(t *testing.T) {
	root, layout, reference := releases(t)
	must(t, root, "pull", reference)
	one, _ := store.Lookup(root, reference)
	for _, args := range []string{"", "--all web", "--image x --all", "--image q.io/x a b", "--json web", "--frob"} {
		if out, said, status := updateStatus(t, root, strings.Fields(args)...); status != 2 || out != "" {
			t.Errorf("update %s: %d %q", args, status, said)
		}
	}
	fails := func(want string, args ...string) {
		t.Helper()
		out, said, status := updateStatus(t, root, args...)
		if status != 1 || out != "" || !strings.Contains(said, want) {
			t.Errorf("update %q: %d %q %q, want %q", args, status, out, said, want)
		}
		if now, err := store.Lookup(root, reference); err != nil || now.Digest != one.Digest {
			t.Error("the reference was moved", err)
		}
		if _, err := store.Deployed(root, "web", reference); err == nil && generationsOf(t, root, "web").Current != 1 {
			t.Error("something was switched")
		}
		if left, err := generation.Unfinished(root); err != nil || len(left) > 0 {
			t.Errorf("left: %+v, %v", left, err)
		}
	}
	fails("there is no unit \"wbe\"\nhint: did you mean web?", "wbe")
	if _, err := layout.Put("web", image.Image{Layers: []image.Layer{{Entries: []image.Entry{image.File("a", 0o644, "a")}}}, Architecture: "s390x"}); err != nil {
		t.Fatal(err)
	}
	fails("web: the image is for linux/s390x", "web")
	if _, err := layout.Put("web", image.Image{Layers: []image.Layer{{Entries: []image.Entry{image.File("a", 0o644, strings.Repeat("a", 9999))}, CutBlob: true}}}); err != nil {
		t.Fatal(err)
	}
	fails("web: layer sha256:", "web")
	release(t, layout, "web", image.Config{}, []image.Entry{image.File("bin/web", 0o755, "two")})
	writeFile(t, root+"/etc/containers/syscontainer.conf", "[Store]\nMinFreeSpace=1000T\n")
	fails("web: not enough space: at least", "web")
	os.Remove(root + "/etc/containers/syscontainer.conf")
	writeFile(t, root+"/etc/containers/systemd/web.syscontainer", "[Container]\nImage="+reference+"\n[Update]\nHealthySec=soon\n")
	fails("web.syscontainer:4", "web")
	writeFile(t, root+"/etc/containers/systemd/web.syscontainer", "[Container]\nImage="+reference+"\nPull=always\n")
	fails("Pull=always takes the newest image at each start", "web")
	writeFile(t, root+"/etc/containers/systemd/web.syscontainer", "[Container]\nRootfs=/srv\n")
	fails("with Rootfs= there is no image", "web")
}

// A group goes together, whichever member was named; one whose image is not to be had keeps all.
func TestUpdateOfAGroup(t *testing.T) {
	root, layout, reference := releases(t)
	must(t, root, "pull", reference)
	for _, name := range []string{"a", "b"} {
		writeFile(t, root+"/etc/containers/systemd/"+name+".syscontainer", "[Container]\nImage=oci:"+layout.Dir+":"+name+"\n[Update]\nGroup=pair\n")
		release(t, layout, name, image.Config{}, []image.Entry{image.File("bin/"+name, 0o755, "one")})
		must(t, root, "pull", "oci:"+layout.Dir+":"+name)
	}
	release(t, layout, "a", image.Config{}, []image.Entry{image.File("bin/a", 0o755, "two")})
	if _, err := layout.Put("b", image.Image{Layers: []image.Layer{{Entries: []image.Entry{image.File("b", 0o644, strings.Repeat("b", 9999))}, CutBlob: true}}}); err != nil {
		t.Fatal(err)
	}
	if _, said, status := updateStatus(t, root, "a"); status != 1 || !strings.Contains(said, "b: layer sha256:") {
		t.Errorf("%d %q", status, said)
	}
	if now := generationsOf(t, root, "a"); now.Current != 1 || now.Generations[0].By != generation.ByStart || len(now.Generations) != 1 {
		t.Errorf("half a group was switched: %+v", now)
	}
	release(t, layout, "b", image.Config{}, []image.Entry{image.File("bin/b", 0o755, "two")})
	if out := must(t, root, "update", "b"); strings.Count(out, "\n") != 2 || !strings.Contains(out, "a: generation 2") || !strings.Contains(out, "b: generation 2") {
		t.Errorf("%q", out)
	}
	updates, err := generation.Updates(root)
	last := updates[len(updates)-1]
	if err != nil || last.Group != "pair" || !slices.Equal(last.Names(), []string{"a", "b"}) {
		t.Errorf("one record: %+v, %v", last, err)
	}
	if out := must(t, root, "rollback", "a"); !strings.Contains(out, "a: generation 3") || !strings.Contains(out, "b: generation 3") {
		t.Errorf("%q", out)
	}
	if out := must(t, root, "rollback", "--to", "2", "a"); strings.Contains(out, "b:") {
		t.Errorf("--to is for one: %q", out)
	}
	if generationsOf(t, root, "web").Current != 0 {
		t.Error("a stranger was touched")
	}
}

// What an update left that was killed, the next command ends.
func TestUpdateGoesOn(t *testing.T) {
	root, layout, reference := releases(t)
	must(t, root, "pull", reference)
	one, _ := store.Lookup(root, reference)
	release(t, layout, "next", image.Config{}, []image.Entry{image.File("bin/web", 0o755, "two")})
	must(t, root, "pull", "oci:"+layout.Dir+":next")
	two, _ := store.Lookup(root, "oci:"+layout.Dir+":next")
	for i, until := range []generation.Phase{generation.Fetching, generation.Judging, generation.Returning,
		generation.Fetching, generation.Judging, generation.Returning} {
		active := i >= 3 // on the machine that this root is of, which is off
		locked, err := generation.Lock(context.Background(), root, nil, "web")
		if err != nil {
			t.Fatal(err)
		}
		_, err = locked.Adopt("web", generation.Record{Digest: one.Digest, Reference: reference, For: reference, Outcome: generation.Good})
		if err != nil {
			t.Fatal(err)
		}
		begun, err := locked.Begin(generation.Update{By: generation.ByUpdate, Members: []generation.Member{
			{Name: "web", Digest: two.Digest, Reference: reference, For: reference, Active: active}}})
		if err == nil && until != generation.Fetching {
			err = begun.Switch()
		}
		if err == nil && until == generation.Returning {
			err = begun.Back("killed")
		}
		locked.Release()
		if err != nil {
			t.Fatal(until, err)
		}
		_, said, status := updateStatus(t, root, "--all") // of what the tag names: the same, so that there is nothing else to do
		if status != 0 || !strings.Contains(said, "web: going on with an update that was interrupted") {
			t.Errorf("%s: %d %q", until, status, said)
		}
		if left, err := generation.Unfinished(root); err != nil || len(left) > 0 {
			t.Errorf("%s: left: %+v, %v", until, left, err)
		}
		if now, err := store.Deployed(root, "web", reference); err != nil || now.Digest != one.Digest && now.Digest != two.Digest {
			t.Errorf("%s: neither old nor new: %v", until, err)
		}
		must(t, root, "verify")
	}
	// One that another process is at is nobody else's.
	locked, err := generation.Lock(context.Background(), root, nil, "web")
	if err == nil {
		_, err = locked.Begin(generation.Update{By: generation.ByUpdate, Members: []generation.Member{{Name: "web", Digest: two.Digest, Reference: reference, For: reference}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	u, err := newUpdater(context.Background(), root, generation.ByUpdate)
	if err != nil {
		t.Fatal(err)
	}
	u.finish(context.Background())
	if left, _ := generation.Unfinished(root); len(left) != 1 {
		t.Error("it was ended under the hands of a living process")
	}
	locked.Release()
	u.finish(context.Background())
}

func TestBlame(t *testing.T) {
	names := blame(map[string]string{"a": "was not started: a unit", "z": "exited with 3", "y": "exited with 4"})
	if !slices.Equal(names, []string{"y", "z"}) {
		t.Errorf("%q", names)
	}
	if names := blame(map[string]string{"a": "was not started: a unit"}); !slices.Equal(names, []string{"a"}) {
		t.Errorf("%q", names)
	}
}

func TestOutcome(t *testing.T) {
	back := wentBackError{errors.New("back")}
	for _, c := range []struct {
		errs []error
		want int
	}{{nil, 0}, {[]error{back}, wentBack}, {[]error{back, back}, wentBack}, {[]error{back, errors.New("x")}, 1}} {
		if got := report(outcome(c.errs)); got != c.want {
			t.Errorf("%v: %d, want %d", c.errs, got, c.want)
		}
	}
}

func TestWhy(t *testing.T) {
	for _, c := range []struct {
		state  serviceState
		notify bool
		want   string
	}{
		{serviceState{result: "exit-code", code: cldExited, status: 3, lived: 180 * time.Millisecond}, false, "exited with 3 after 0.2 s"},
		{serviceState{result: "signal", code: cldKilled, status: 11, lived: 95 * time.Second}, false, "was killed by SIGSEGV after 95 s"},
		{serviceState{result: "success", code: cldExited, lived: time.Second}, false, "exited with 0 after 1 s"},
		{serviceState{result: "timeout", startTimeout: 90 * time.Second}, true, "not READY within 90 s"},
		{serviceState{result: "timeout", startTimeout: 90 * time.Second}, false, "did not start within 90 s"},
		{serviceState{result: "protocol", code: cldExited, status: 9}, true, "ended before it was READY, exited with 9"},
		{serviceState{result: "watchdog", code: cldDumped, status: 6}, true, "gave no sign of life to the watchdog"},
		{serviceState{result: "oom-kill", code: cldKilled, status: 9, lived: time.Second}, false, "ran out of memory after 1 s"},
		{serviceState{active: "inactive", result: "success"}, false, "does not run: inactive (success)"},
	} {
		if got := c.state.why(context.Background(), "web", c.notify); got != c.want {
			t.Errorf("%+v: %q, want %q", c.state, got, c.want)
		}
	}
}
