// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"syscontainer/pull/generation"
	"syscontainer/pull/store"
	"syscontainer/test/host"
)

// steps of a command are the system calls by which the store changes, and those that make it last.
const (
	changingCalls = "mkdirat,linkat,symlinkat,unlinkat,renameat,renameat2,?mknodat,fchownat,fchmodat"
	lastingCalls  = "syncfs,fsync"
)

// never is a step that no command has, of those strace can count.
const never = 65_000

// strace makes a command one that is hurt at its nth call of some kind, counted in each thread: killed, or told an error.
// The log has the calls, and says (INJECTED) where an error was.
func strace(cmd *exec.Cmd, calls, harm string, nth int, log string) {
	path, err := exec.LookPath("strace")
	if err != nil {
		return // host.Need has seen it
	}
	inject := fmt.Sprintf("inject=%s:%s:when=%d", calls, harm, nth)
	cmd.Args = append([]string{"strace", "-f", "-qqq", "-o", log, "-e", "trace=" + calls, "-e", inject, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = path
	cmd.Env = append(cmd.Env, "GOMAXPROCS=1") // most calls from one thread
}

// scene is a command in a store that is set up for it. The image base is there, and a unit needs it.
type scene struct {
	name    string
	prepare func(m *machine, f *fixture)
	args    func(f *fixture) []string
	done    func(m *machine, f *fixture) bool // what success means
}

const (
	newName  = "example.org/new:1"
	longName = "example.org/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/" +
		"long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/x:1"
)

// scenes are all ways in which the store is changed.
var scenes = []scene{
	{"pull", func(*machine, *fixture) {}, pullPlain, hasPlain},
	{"pull again", havePlain, pullPlain, hasPlain},
	{"checkout", func(m *machine, f *fixture) {
		havePlain(m, f)
		removeAll(m.t, m.store("images", f.pictures["plain"].digest))
		removeAll(m.t, m.link(f.reference("plain")))
	}, pullPlain, hasPlain},
	{"move", func(m *machine, f *fixture) {
		m.ok("pull", f.reference("kinds"))
		m.ok("tag", f.reference("kinds"), f.reference("plain"))
	}, pullPlain, hasPlain},
	{"repair", func(m *machine, f *fixture) {
		havePlain(m, f)
		must(m.t, flip(m.store("images", f.pictures["plain"].digest, "rootfs/plain/data")))
	}, func(f *fixture) []string { return []string{"pull", "--repair", f.reference("plain")} }, hasPlain},
	{"tag", func(*machine, *fixture) {}, func(f *fixture) []string { return []string{"tag", f.reference("base"), newName} },
		func(m *machine, f *fixture) bool { return m.leads(newName) == f.pictures["base"].digest }},
	{"tag long", func(*machine, *fixture) {}, func(f *fixture) []string { return []string{"tag", f.reference("base"), longName} },
		func(m *machine, f *fixture) bool { return m.leads(longName) == f.pictures["base"].digest }},
	{"rmi", havePlain, func(f *fixture) []string { return []string{"rmi", f.reference("plain")} }, hasNoPlain},
	{"rmi name", func(m *machine, f *fixture) { m.ok("tag", f.reference("base"), longName) },
		func(f *fixture) []string { return []string{"rmi", longName} },
		func(m *machine, f *fixture) bool { return m.leads(longName) == "" }},
	{"prune", havePlain, func(f *fixture) []string { return []string{"prune", "--grace=0"} }, hasNoPlain},
	{"update", oldWeb, func(*fixture) []string { return []string{"update", "web"} },
		func(m *machine, f *fixture) bool { return m.deployed(f, "plain") }},
	{"rollback", newWeb, func(*fixture) []string { return []string{"rollback", "web"} },
		func(m *machine, f *fixture) bool { return m.deployed(f, "kinds") }},
	{"retire", func(m *machine, f *fixture) {
		newWeb(m, f)
		locked, err := generation.TryLock(m.root, "web")
		must(m.t, err)
		defer locked.Release()
		must(m.t, locked.Judge("web", 2, generation.Good, ""))
		m.ok("pull", f.reference("plain"))
		m.write(unitDir+"/web.syscontainer", "[Container]\nImage="+f.reference("plain")+"\n[Update]\nKeep=1\n")
	}, func(*fixture) []string { return []string{"prune", "--grace=0"} }, func(m *machine, f *fixture) bool {
		_, err := os.Stat(m.store("images", f.pictures["kinds"].digest))
		return m.deployed(f, "plain") && errors.Is(err, fs.ErrNotExist)
	}},
	{"uninstall", newWeb, func(*fixture) []string { return []string{"uninstall", "web"} }, func(m *machine, f *fixture) bool {
		_, err := os.Stat(m.store("containers/web"))
		return errors.Is(err, fs.ErrNotExist)
	}},
	{"pin", func(*machine, *fixture) {}, func(f *fixture) []string { return []string{"pin", f.reference("base")} },
		func(m *machine, f *fixture) bool { return m.image(f, "base").Pinned }},
	{"unpin", func(m *machine, f *fixture) { m.ok("pin", f.reference("base")) },
		func(f *fixture) []string { return []string{"unpin", f.reference("base")} },
		func(m *machine, f *fixture) bool { return !m.image(f, "base").Pinned }},
}

// oldWeb is a container that a unit wants to be plain, and that is kinds for now; newWeb was updated, but nobody looked.
func oldWeb(m *machine, f *fixture) {
	m.ok("pull", f.reference("kinds"))
	m.ok("tag", f.reference("kinds"), f.reference("plain"))
	m.ok("rmi", f.reference("kinds"))
	m.unit("web", f.reference("plain"))
}

func newWeb(m *machine, f *fixture) {
	oldWeb(m, f)
	m.ok("update", "web")
}

// deployed tells whether the next start of web takes an image.
func (m *machine) deployed(f *fixture, name string) bool {
	image, err := store.Deployed(m.root, "web", f.reference("plain"))
	return err == nil && image.Digest == f.pictures[name].digest
}

// wholeWeb checks that a start of web takes the old image or the new one, and that records can be read, whatever happened.
func (m *machine) wholeWeb(f *fixture) error {
	c, err := generation.Read(m.root, "web")
	if err != nil {
		return err
	}
	if _, err := generation.Updates(m.root); err != nil {
		return err
	}
	if now, ok := c.Now(); ok && !m.deployed(f, "plain") && !m.deployed(f, "kinds") {
		return fmt.Errorf("web is at %+v, which is not there", now)
	}
	return errors.Join(c.Problems...)
}

func havePlain(m *machine, f *fixture) { m.ok("pull", f.reference("plain")) }
func pullPlain(f *fixture) []string    { return []string{"pull", f.reference("plain")} }
func hasPlain(m *machine, f *fixture) bool {
	return m.leads(f.reference("plain")) == f.pictures["plain"].digest
}
func hasNoPlain(m *machine, f *fixture) bool { return m.leads(f.reference("plain")) == "" }

// leads is the digest that a reference leads to.
func (m *machine) leads(reference string) string {
	references, err := m.references()
	must(m.t, err)
	return references[reference]
}

// hurt plays a scene whose command is hurt at its nth step, and after that, if so, by a power cut. It checks what is left and
// returns what the command said, and whether it has so many steps.
func (s scene) hurt(t *testing.T, d *disk, m *machine, f *fixture, calls, harm string, nth int, cut bool) (r result, hit bool) {
	t.Helper()
	base := f.reference("base")
	m.ok("pull", base)
	m.unit("base", base)
	s.prepare(m, f)
	before, err := m.references()
	must(t, err)
	if cut {
		d.sync()
	}
	args := s.args(f)
	cmd := m.command(args...)
	log := filepath.Join(t.TempDir(), "strace")
	strace(cmd, calls, harm, nth, log)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	must(t, cmd.Start())
	late := time.AfterFunc(2*time.Minute, func() { cmd.Process.Kill() })
	cmd.Wait()
	late.Stop()
	r = result{args, stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	if cut {
		d.cut()
		d.again()
	}
	said, err := os.ReadFile(log)
	must(t, err)
	hit = r.code == -1 || strings.Contains(string(said), "(INJECTED)")
	what := fmt.Sprintf("%s, %s at call %d of %s: %v", s.name, harm, nth, calls, r)
	after, err := m.references()
	must(t, err)
	changed := map[string]bool{}
	for _, reference := range []string{newName, longName, f.reference("plain")} {
		changed[reference] = true
	}
	for reference, digest := range before {
		if after[reference] != digest && !changed[reference] {
			t.Fatalf("%sreference %s was %s and is %q", what, reference, digest, after[reference])
		}
	}
	if s.name == "repair" && r.code != 0 {
		m.ok(args...) // until then what was damaged is
	}
	if err := errors.Join(m.inspect(f), m.wholeWeb(f)); err != nil {
		t.Fatalf("%s%v", what, err)
	}
	if r.code == 0 && !s.done(m, f) {
		t.Fatalf("%sthat was reported, but references are %v", what, after)
	}
	if v := m.run("verify"); v.code != 0 { // unfinished is not damaged
		t.Fatalf("%s%v", what, v)
	}
	// The same once more is fine, and so is the next pull, which leaves nothing of this.
	if again := m.run(args...); again.code != 0 && !(args[0] == "rmi" && strings.Contains(again.stderr, "not in the store")) &&
		!(slices.Contains([]string{"rollback", "uninstall"}, args[0]) && s.done(m, f)) {
		t.Fatalf("%sonce more: %v", what, again)
	}
	if !s.done(m, f) {
		t.Fatalf("%sonce more, and not done", what)
	}
	m.ok("pull", base)
	if left := m.debris(); len(left) > 0 {
		t.Fatalf("%sthe next pull leaves %v", what, left)
	}
	m.run("unpin", base)
	m.clear()
	return r, hit
}

// each plays all scenes with a harm at each step, or in the short form at one of them, and checks what the command says that
// was hurt.
func each(t *testing.T, calls, harm string, cut bool, check func(t *testing.T, r result)) {
	f := setup(t)
	host.Need(t, "strace")
	d := newDisk(t, 64<<20)
	m := d.machine(f.registry.Address)
	rnd := random(t)
	for _, s := range scenes {
		t.Run(strings.ReplaceAll(s.name, " ", "-"), func(t *testing.T) {
			m, d := &machine{t, m.root}, &disk{t, d.file, d.dir}
			removeAll(t, m.store()) // whatever the one before has left
			if !host.Long() {
				nth := 1 + int(math.Pow(40, rnd.Float64())) // most commands have few steps
				if cut {                                    // right after success, too
					s.hurt(t, d, m, f, calls, harm, never, cut)
				}
				if r, hit := s.hurt(t, d, m, f, calls, harm, nth, cut); hit {
					check(t, r)
				}
				return
			}
			hurt, misses := 0, 0
			for nth := 1; misses < 3 && nth < 400; nth++ {
				if r, hit := s.hurt(t, d, m, f, calls, harm, nth, cut); hit {
					hurt++
					check(t, r)
				} else {
					misses++
				}
			}
			t.Logf("hurt at %d steps", hurt)
			if hurt == 0 && s.name != "pull again" { // which may have nothing to write
				t.Error("no step was hurt")
			}
		})
	}
}

// Killed at each step, and the power cut with it.
func TestKilledAtEachStep(t *testing.T) {
	each(t, changingCalls+","+lastingCalls, "signal=KILL", false, func(t *testing.T, r result) {})
}

func TestPowerCutAtEachStep(t *testing.T) {
	each(t, changingCalls+","+lastingCalls, "signal=KILL", true, func(t *testing.T, r result) {})
}

// A disk that is full, for once, at each step: status 1 and a word about space, or success all the same.
func TestNoSpaceAtEachStep(t *testing.T) {
	each(t, "mkdirat,linkat,symlinkat,renameat,renameat2,?mknodat", "error=ENOSPC", false, func(t *testing.T, r result) {
		if r.code != 0 && (r.code != 1 || !strings.Contains(r.stderr, "space")) {
			t.Errorf("%vwant status 1 and a word about space", r)
		}
	})
}

// A disk that fails when things are to last: nothing is reported as done.
func TestSyncFails(t *testing.T) {
	each(t, lastingCalls, "error=EIO", false, func(t *testing.T, r result) {
		if r.code != 1 || !strings.Contains(r.stderr, "input/output error") {
			t.Errorf("%vwant status 1 and the error", r)
		}
	})
}
