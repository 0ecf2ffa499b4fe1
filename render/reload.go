package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"syscontainer/units"
)

// reload is ExecReload=: the unit's signal to the main process, or its command inside
// the container, whose status is ours.
func reload(o options) error {
	c, err := readUnit(o)
	if err != nil {
		return err
	}
	switch {
	case c.ReloadSignal != "":
		return reloadSignal(c.ReloadSignal)
	case len(c.ReloadCmd) > 0:
		return reloadCommand(o, c)
	}
	return errors.New("the unit says neither ReloadCmd= nor ReloadSignal=")
}

func reloadSignal(name string) error {
	number, err := signalNumber(name)
	if err != nil {
		return fmt.Errorf("ReloadSignal=: %w", err)
	}
	pid, err := strconv.Atoi(os.Getenv("MAINPID"))
	if err != nil || pid <= 1 {
		return errors.New("systemd names no main process to send ReloadSignal= to")
	}
	if err := unix.Kill(pid, number); err != nil {
		return fmt.Errorf("send %s to process %d: %w", name, pid, err)
	}
	return nil
}

func reloadCommand(o options, c *units.Container) error {
	l, ok := bundleOf(o.root, o.name).launch()
	if !ok {
		return errors.New("the container does not run")
	}
	var err error
	if l.Runtime, err = findRuntime(l.Runtime); err != nil {
		return err
	}
	cmd := runtimeCommand(l, o.root, append([]string{"exec", l.ID}, c.ReloadCmd...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return exitStatus{fmt.Errorf("ReloadCmd= (%s exec) ended with status %d", filepath.Base(l.Runtime), exit.ExitCode()), exit.ExitCode()}
	}
	return err
}

// signalNumber reads a signal as KillSignal= takes it: a name with or without SIG, a
// number, or a real-time signal counted from either end (signal(7)).
func signalNumber(name string) (unix.Signal, error) {
	const first, last = 34, 64 // SIGRTMIN and SIGRTMAX of libc
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n <= last {
		return unix.Signal(n), nil
	}
	short := strings.TrimPrefix(name, "SIG")
	for _, base := range []struct {
		name       string
		from, sign int
	}{{"RTMIN", first, 1}, {"RTMAX", last, -1}} {
		if rest, ok := strings.CutPrefix(short, base.name); ok {
			n := 0
			if rest != "" {
				var err error
				if n, err = strconv.Atoi(rest); err != nil || n*base.sign < 0 {
					return 0, fmt.Errorf("%q is no signal", name)
				}
			}
			if n += base.from; n < first || n > last {
				return 0, fmt.Errorf("%q is no signal", name)
			}
			return unix.Signal(n), nil
		}
	}
	if n := unix.SignalNum("SIG" + short); n != 0 {
		return n, nil
	}
	return 0, fmt.Errorf("%q is no signal", name)
}
