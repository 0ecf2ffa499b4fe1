package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
)

// barrierTimeout bounds the wait for systemd, which may be busy reloading.
const barrierTimeout = 10 * time.Second

// start is ExecStart= of a Type=notify service: create the container, tell
// systemd its process, let it run, exit. When the payload executes its first
// instruction, systemd already knows it as the unit's main process, so that no
// exit status is lost, however soon it comes; and as the runtime has left, the
// payload is systemd's own child.
//
// stdin, stdout and stderr of the unit become the payload's. On error no container and
// no runtime state is left.
//
// With --unit it prepares first. With --wait, for Type=oneshot, this program stays the main
// process instead, and ends as the payload does.
func start(o options) error {
	if notifySocket() == "" && !o.wait {
		return errors.New("--start must be run by systemd, from a service with Type=notify")
	}
	if err := endBySignal(o.signal); err != nil {
		return err
	}
	passed, err := handedOver(o)
	if err == nil && o.unit != "" {
		err = prepare(o)
	}
	if err != nil {
		return err
	}
	s, err := readStart(o, passed)
	if err != nil {
		return err
	}
	if err := s.create(); err != nil {
		return err
	}
	if err := s.letRun(); err != nil {
		s.takeBack()
		return err
	}
	tellCaller(o, store.CallerStarted)
	if o.wait {
		return s.follow()
	}
	return nil
}

// starting is a container on its way from the bundle to a running payload.
type starting struct {
	options
	b       bundle
	l       launch
	cgroup  string // of the unit
	plan    rootPlan
	bridge  *bridgePlan // nil: it is on none
	passed  handover
	signals chan os.Signal // with --wait: to stop
	pid     int            // of the payload, once it is created
}

// readStart takes what prepare left, and adds what systemd handed over.
func readStart(o options, passed handover) (s *starting, err error) {
	s = &starting{options: o, b: bundleOf(o.root, o.name), passed: passed}
	s.l = given(o, s.b)
	if s.l.Runtime, err = findRuntime(o.runtime); err != nil {
		return nil, err
	}
	if s.cgroup, err = unitCgroup(); err != nil {
		return nil, err
	}
	if s.plan, err = s.b.plan(); err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	if s.bridge, err = s.b.bridgePlan(); err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	return s, passed.tell(s.b)
}

// create has the runtime make the container in the unit's cgroup, all but the payload's
// first instruction. On error nothing is left of it.
func (s *starting) create() (err error) {
	give, err := unitStreams()
	if err == nil && s.attach {
		give, err = attach(s.options)
	}
	if err != nil {
		return err
	}
	give.files = s.passed.files
	if err := leaveUnitCgroup(s.cgroup); err != nil {
		return err
	}
	release, err := s.plan.assemble(s.b.rootfs())
	if err != nil {
		return err
	}
	if s.wait {
		if s.signals, err = adopt(); err != nil {
			release()
			return err
		}
	}
	defer func() {
		if err != nil {
			removeState(s.options, s.l, s.cgroup)
		}
	}()
	args := append([]string{"create", "--bundle", string(s.b), "--pid-file", s.b.file("pid")}, s.passed.options()...)
	if s.terminal {
		args = append(args, "--console-socket", filepath.Join(s.caller, store.ConsoleSocket))
	}
	err = call(s.l, s.options, s.b, give, append(args, s.l.ID)...)
	release()
	if s.attach {
		give.close()
	}
	if err == nil && s.terminal {
		_, err = attach(s.options)
	}
	if err == nil {
		err = s.plan.delegate(s.cgroup)
	}
	if err == nil {
		s.pid, err = s.b.pid()
	}
	if err == nil && s.bridge != nil {
		err = connect(s.options, s.b, s.bridge, s.pid)
	}
	return err
}

// letRun tells systemd whom to watch and lets the payload go, in this order, but for
// a systemd: see announceSystemd.
func (s *starting) letRun() error {
	number := stopRequest(s.signals)
	if stopping(s.options) {
		number = unix.SIGTERM
	}
	if number != 0 {
		removeState(s.options, s.l, s.cgroup)
		dieOf(number)
		return fmt.Errorf("stopped by %v", number)
	}
	if !s.wait {
		s.b.lockStart()
		if !s.plan.Delegate {
			if err := announce(s.options, s.pid); err != nil {
				return err
			}
		}
	}
	if err := call(s.l, s.options, s.b, streams{out: os.Stdout, err: os.Stderr}, "start", s.l.ID); err != nil {
		return err
	}
	if s.plan.Delegate {
		return announceSystemd(s.options, s.pid)
	}
	return nil
}

// takeBack removes a container that was not to run. This program is the main process
// again, so that its exit status, not the signal that ends the payload, becomes the
// unit's result.
func (s *starting) takeBack() {
	if !s.wait {
		notify("MAINPID=" + strconv.Itoa(os.Getpid()))
		notifyBarrier(barrierTimeout)
	}
	removeState(s.options, s.l, s.cgroup)
}

// follow stays until the payload ends, and ends as it does.
func (s *starting) follow() error {
	var translated unix.Signal
	if s.imageSignal {
		var err error
		if translated, err = s.b.stopSignal(); err != nil {
			warn(s.name, "%v", err)
		}
	}
	if status := follow(s.name, s.pid, s.signals, translated); status != 0 {
		return exitStatus{nil, status}
	}
	return nil
}

// pid is the payload's process, as the runtime wrote it.
func (b bundle) pid() (int, error) {
	data, err := os.ReadFile(b.file("pid"))
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(data)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("%s: %q is no process", b.file("pid"), data)
	}
	return pid, nil
}

// announce tells systemd the payload's process. Unless the payload itself will say
// when it is ready, it says so now: a payload that ends at once with status 0 has
// then done its work instead of broken the protocol.
func announce(o options, pid int) error {
	state := "STATUS=\nMAINPID=" + strconv.Itoa(pid)
	if !o.notify {
		state += "\nREADY=1"
	}
	if err := notify(state); err != nil {
		return err
	}
	if err := notifyBarrier(barrierTimeout); err != nil {
		warn(o.name, "%v, the payload's exit status may get lost", err)
	}
	return nil
}

// call runs the runtime with streams that the payload inherits. Its errors are read from
// a log of its own.
func call(l launch, o options, b bundle, give streams, args ...string) error {
	// crun takes what stands before a colon for the kind of log, and a path may
	// hold one: so a relative name.
	cmd := runtimeCommand(l, o.root, append([]string{"--log", "runtime.log", "--log-format", "json"}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = string(b), give.out, give.err, give.files
	if give.in != nil {
		cmd.Stdin = give.in
	}
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); !exited {
		return err // none, or it could not be executed
	}
	what := filepath.Base(l.Runtime) + " " + args[0]
	if text := lastError(b.file("runtime.log")); text != "" {
		if _, rest, repeats := strings.Cut(text, args[0]+" failed: "); repeats {
			text = rest
		}
		return fmt.Errorf("%s: %s", what, text)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// lastError is the last error in a log of JSON lines; "" if there is none.
func lastError(log string) (text string) {
	data, err := os.ReadFile(log)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(data) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(line, &entry) == nil && entry.Level == "error" && entry.Msg != "" {
			text = entry.Msg
		}
	}
	return strings.TrimSpace(text)
}
