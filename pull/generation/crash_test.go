package generation

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
)

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if root := os.Getenv("GENERATION_TEST_CRASH_ROOT"); root != "" {
		if err := crashing(root); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// crashing goes on with what was interrupted, plays all that is done to two containers, and says what is done. It ends by
// SIGKILL at the step that the environment names.
func crashing(root string) error {
	last, _ := strconv.Atoi(os.Getenv("GENERATION_TEST_CRASH_STEP"))
	step = func() {
		if last--; last == 0 {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			time.Sleep(time.Minute)
		}
	}
	l, err := TryLock(root, "db", "web")
	if err != nil {
		return err
	}
	if err := recoverAll(root, l); err != nil {
		return err
	}
	if os.Getenv("GENERATION_TEST_CRASH_ONLY") == "recover" {
		return nil
	}
	for _, name := range []string{"db", "web"} {
		if err := l.Hold(name, true); err != nil {
			return err
		}
		if _, err := l.Adopt(name, Record{Digest: digest("a"), Reference: reference, For: reference, Outcome: Good}); err != nil {
			return err
		}
	}
	begin := func(by By, letter string) (*Transaction, error) {
		u, err := l.Begin(Update{By: by, Group: "both", Members: members(letter, "web", "db")})
		if err != nil {
			return nil, err
		}
		step()
		return u, u.Switch()
	}
	say := func(what string) { fmt.Println(what) }
	// Good, back, left, back by a person, given up.
	u, err := begin(ByUpdate, "b")
	if err == nil {
		err = u.Good(func(m Member) error { step(); return nil })
	}
	if err != nil {
		return err
	}
	say("b")
	if u, err = begin(ByAuto, "c"); err == nil {
		err = u.Back("it exits", "web")
	}
	step()
	if err == nil {
		err = u.Returned()
	}
	if err != nil {
		return err
	}
	say("b again")
	if u, err = begin(ByUpdate, "d"); err == nil {
		err = u.Leave()
	}
	if err != nil {
		return err
	}
	say("d")
	if err := l.Judge("web", u.Members[1].To, Good, ""); err != nil {
		return err
	}
	if u, err = begin(ByRollback, "b"); err == nil {
		err = u.Good(nil)
	}
	if err != nil {
		return err
	}
	say("b at last")
	for _, name := range []string{"db", "web"} {
		if _, err := l.Retain(name, Retention{Keep: 1}); err != nil {
			return err
		}
		if err := l.Hold(name, false); err != nil {
			return err
		}
	}
	if u, err = l.Begin(Update{By: ByAuto, Members: members("e", "db")}); err == nil {
		err = u.Abandon("no network")
	}
	if err != nil {
		return err
	}
	if err := l.Forget("db"); err != nil {
		return err
	}
	say("no db")
	return l.Forget("web")
}

// recoverAll finishes what was interrupted, as an update that finds it would.
func recoverAll(root string, l *Locked) error {
	unfinished, err := Unfinished(root)
	if err != nil {
		return err
	}
	for _, found := range unfinished {
		u, err := l.Resume(found.ID)
		if err != nil || u == nil {
			return errors.Join(err, errors.New("it was done meanwhile"))
		}
		switch u.Phase {
		case Fetching:
			err = u.Abandon("interrupted")
		case Committing:
			err = u.Good(func(Member) error { step(); return nil })
		case Leaving:
			err = u.Leave()
		default:
			if err = u.Back("interrupted"); err == nil {
				err = u.Returned()
			}
		}
		if err != nil {
			return fmt.Errorf("resume at %s: %w", found.Phase, err)
		}
	}
	for _, name := range []string{"db", "web"} {
		if _, err := l.Retain(name, Retention{Keep: 9}); err != nil {
			return err
		}
	}
	return SweepUpdates(root)
}

func crash(root string, at int, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "GENERATION_TEST_CRASH_ROOT="+root, fmt.Sprint("GENERATION_TEST_CRASH_STEP=", at))
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

func killed(cmd *exec.Cmd) bool {
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signal() == syscall.SIGKILL
}

// whole checks what a start and a person find after an interruption: a container runs an image it was given, and each link
// leads to a whole record. done is what was reported as done.
func (s *scene) whole(what, done string) {
	s.t.Helper()
	var images []string
	for _, name := range []string{"db", "web"} {
		c, err := Read(s.root, name)
		if err != nil {
			s.t.Fatalf("%s: %v", what, err)
		}
		for _, p := range c.Problems {
			s.t.Errorf("%s: %v", what, p)
		}
		now, has := c.Now()
		image, err := store.Deployed(s.root, name, reference)
		if has != (err == nil) || has && image.Digest != now.Digest {
			s.t.Errorf("%s: %s runs %+v, %v, and is at %+v", what, name, image, err, now)
		}
		if has && !now.Kept {
			s.t.Errorf("%s: generation %d of %s keeps no image", what, now.Number, name)
		}
		images = append(images, (now.Digest + "-")[:1])
	}
	if _, err := Updates(s.root); err != nil {
		s.t.Errorf("%s: %v", what, err)
	}
	// What each member of the group may be at after what was reported.
	last := done[strings.LastIndex(strings.TrimSuffix(done, "\n"), "\n")+1:]
	may := map[string]string{"": "-ab", "b\n": "bc", "b again\n": "bd", "d\n": "db", "b at last\n": "b-", "no db\n": "b-"}[last]
	for i, image := range images {
		if !strings.Contains(may, image) || last == "no db\n" && i == 0 && image != "-" {
			s.t.Errorf("%s, after %q: db and web run %v", what, done, images)
		}
	}
}

// recovered checks that the group is of one image after an interrupted update was finished, and nothing half done is there.
func (s *scene) recovered(what, done string) {
	s.t.Helper()
	if unfinished, err := Unfinished(s.root); len(unfinished) > 0 || err != nil {
		s.t.Errorf("%s: unfinished are %v, %v", what, unfinished, err)
	}
	db, web := s.read("db"), s.read("web")
	one, hasOne := db.Now()
	two, hasTwo := web.Now()
	single := done == "" && len(must[[]*Update](s.t)(Updates(s.root))) == 0 || strings.Contains(done, "b at last") // adopted, forgotten one by one
	if !single && (hasOne != hasTwo || one.Digest != two.Digest) {
		s.t.Errorf("%s: db is at %+v, web at %+v", what, one, two)
	}
	for _, c := range []*Container{db, web} {
		for _, r := range c.Generations {
			if r.Outcome == Pending {
				s.t.Errorf("%s: generation %d of %s is pending", what, r.Number, c.Name)
			}
		}
		given := c.Previous == 0 && strings.Contains(done, "b at last") // and its image is about to be
		if c.Previous != c.before(c.Current) && c.Current != 0 && !given {
			s.t.Errorf("%s: previous of %s is %d", what, c.Name, c.Previous)
		}
	}
	left, _ := filepath.Glob(filepath.Join(s.root, store.Dir, "containers/*/"+temporary+"*"))
	more, _ := filepath.Glob(filepath.Join(s.root, store.Dir, "containers/*/generations/"+temporary+"*"))
	if len(left)+len(more) > 0 {
		s.t.Errorf("%s: left are %v %v", what, left, more)
	}
}

// play lets everything be killed at one step, cuts the power if cut is not nil, lets the recovery be killed, too, at a step
// that wanders, and recovers. It tells whether there was such a step.
func (s *scene) play(n int, cut func()) bool {
	s.t.Helper()
	what := fmt.Sprintf("killed at step %d", n)
	cmd := crash(s.root, n)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	hit := killed(cmd)
	if err != nil && !hit {
		s.t.Fatalf("%s: %v: %s", what, err, stderr.String())
	}
	if cut != nil {
		cut()
	}
	if hit {
		s.whole(what, stdout.String())
	}
	for _, at := range []int{1 + n%13, 0} {
		cmd := crash(s.root, at, "GENERATION_TEST_CRASH_ONLY=recover")
		if out, err := cmd.CombinedOutput(); err != nil && !killed(cmd) {
			s.t.Fatalf("%s, recovered: %v: %s", what, err, out)
		}
		if at != 0 && cut != nil {
			cut()
		}
		if hit {
			s.whole(what+", recovered", stdout.String())
		}
	}
	s.recovered(what, stdout.String())
	return hit
}

func TestKilledAtEachStep(t *testing.T) {
	stride, steps := strides(19), 0
	for n := 1 + int(time.Now().UnixNano())%stride; ; n += stride {
		s := newScene(t)
		s.images("a", "b", "c", "d", "e")
		if !s.play(n, nil) {
			break
		}
		steps++
		os.RemoveAll(s.root)
	}
	t.Logf("killed at %d steps", steps)
	if steps < 300/stride {
		t.Errorf("killed at %d steps only", steps)
	}
}

// What was made durable is there after a power cut, and what was not is not half there.
func TestPowerCutAtEachStep(t *testing.T) {
	const request, noLogFlush = 0x8004587d, 2 // linux/fs.h, FS_IOC_SHUTDOWN
	work := t.TempDir()
	disk, mnt := work+"/disk", work+"/mnt"
	ok(t, os.WriteFile(disk, nil, 0o600))
	ok(t, os.Truncate(disk, 32<<20))
	ok(t, os.Mkdir(mnt, 0o755))
	for _, program := range []string{"mkfs.ext4", "mount", "umount", "unshare"} {
		if _, err := exec.LookPath(program); err != nil {
			skip(t, "needs "+program)
		}
	}
	// In a mount namespace of its own: a process elsewhere that copies the machine's would keep the dead file system.
	if os.Getenv("GENERATION_TEST_NAMESPACE") == "" {
		cmd := exec.Command("unshare", "--mount", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), "GENERATION_TEST_NAMESPACE=1")
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if strings.Contains(string(out), "--- SKIP") {
			t.Skip("as the namespace's log says")
		}
		ok(t, err)
		return
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", disk).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	mount := func() error { return exec.Command("mount", "-o", "loop", disk, mnt).Run() }
	if err := mount(); err != nil {
		skip(t, fmt.Sprintf("needs loop devices: %v", err))
	}
	defer exec.Command("umount", "-l", mnt).Run()
	cut := func() {
		dir := must[*os.File](t)(os.Open(mnt))
		ok(t, unix.IoctlSetPointerInt(int(dir.Fd()), request, noLogFlush))
		dir.Close()
		ok(t, exec.Command("umount", mnt).Run())
		ok(t, mount())
	}
	s := &scene{t, mnt}
	stride, steps := strides(37), 0
	for n := 1 + int(time.Now().UnixNano())%stride; ; n += stride {
		ok(t, os.RemoveAll(filepath.Join(mnt, "var")))
		s.images("a", "b", "c", "d", "e")
		dir := must[*os.File](t)(os.Open(mnt))
		ok(t, unix.Syncfs(int(dir.Fd())))
		dir.Close()
		if !s.play(n, cut) {
			break
		}
		steps++
	}
	t.Logf("cut at %d steps", steps)
	if steps < 300/stride {
		t.Errorf("cut at %d steps only", steps)
	}
}

// strides is how many steps are left out, but in the long form.
func strides(short int) int {
	if os.Getenv("SYSCONTAINER_TEST_LONG") != "" {
		return 1
	}
	return short
}

func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("SYSCONTAINER_TEST_STRICT") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}
