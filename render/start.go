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
// With --wait, for Type=oneshot, this program stays the main process instead, and ends
// as the payload does.
func start(o options) error {
	if notifySocket() == "" && !o.wait {
		return errors.New("--start must be run by systemd, from a service with Type=notify")
	}
	if !o.wait {
		endBySignals()
	}
	b := bundleOf(o.root, o.name)
	l := given(o, b)
	var err error
	if l.Runtime, err = findRuntime(o.runtime); err != nil {
		return err
	}
	unit, err := unitCgroup()
	if err != nil {
		return err
	}
	plan, err := b.plan()
	if err != nil {
		return fmt.Errorf("read the bundle: %w", err)
	}
	bridge, err := b.bridgePlan()
	if err != nil {
		return fmt.Errorf("read the bundle: %w", err)
	}
	passed, err := handedOver(o)
	if err != nil {
		return err
	}
	if err := passed.tell(b); err != nil {
		return err
	}
	give, err := unitStreams()
	if err == nil && o.attach {
		give, err = attach(o)
	}
	if err != nil {
		return err
	}
	if err := leaveUnitCgroup(unit); err != nil {
		return err
	}
	release, err := plan.assemble(b.rootfs())
	if err != nil {
		return err
	}
	var signals chan os.Signal
	if o.wait {
		if signals, err = adopt(); err != nil {
			release()
			return err
		}
	}
	give.files = passed.files
	create := append([]string{"create", "--bundle", string(b), "--pid-file", b.file("pid")}, passed.options()...)
	if o.terminal {
		create = append(create, "--console-socket", filepath.Join(o.caller, store.ConsoleSocket))
	}
	err = call(l, o, b, give, append(create, l.ID)...)
	release()
	if o.attach {
		give.close()
	}
	if err == nil && o.terminal {
		_, err = attach(o)
	}
	if err == nil {
		err = plan.delegate(unit)
	}
	if err != nil {
		removeState(o, l, unit)
		return err
	}
	pid, err := b.pid()
	if err == nil && bridge != nil {
		if err = connect(o, b, bridge, pid); err != nil {
			removeState(o, l, unit)
			return err
		}
	}
	if err == nil && !o.wait {
		b.lockStart()
		if !plan.Delegate {
			err = announce(o, pid)
		}
	}
	if s := stopRequest(signals); err == nil && s != 0 {
		removeState(o, l, unit)
		dieOf(s)
		err = fmt.Errorf("stopped by %v", s)
	}
	if err == nil {
		err = call(l, o, b, streams{out: os.Stdout, err: os.Stderr}, "start", l.ID)
	}
	if err == nil && plan.Delegate {
		err = announceSystemd(o, pid)
	}
	if err != nil && o.wait {
		removeState(o, l, unit)
		return err
	}
	if err != nil {
		// This program is the main process again, so that its exit status, not
		// the signal that ends the payload, becomes the unit's result.
		notify("MAINPID=" + strconv.Itoa(os.Getpid()))
		notifyBarrier(barrierTimeout)
		removeState(o, l, unit)
		return err
	}
	tellCaller(o, store.CallerStarted)
	if o.wait {
		var translated unix.Signal
		if o.imageSignal {
			if translated, err = b.stopSignal(); err != nil {
				warn(o.name, "%v", err)
			}
		}
		if status := follow(o.name, pid, signals, translated); status != 0 {
			return exitStatus{nil, status}
		}
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
