package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"syscontainer/units"
)

const (
	probeEvery = time.Second
	// shortestProbe is what the last probe gets at least: the time of HealthySec= is over when it begins.
	shortestProbe = 5 * time.Second
)

// probe runs HealthExec= and HealthExecHost= each second. What they say in the end counts: a program that needs a while to come up
// is no failure. Without them it only waits for the end.
func (h *health) probe(ctx context.Context, end time.Time) error {
	for {
		last := !time.Now().Before(end)
		var err error
		if last || len(h.rules.HealthExec)+len(h.rules.HealthExecHost) > 0 {
			err = h.ask(ctx, max(time.Until(end), shortestProbe))
		}
		if ctx.Err() != nil || last {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(min(probeEvery, max(0, time.Until(end)))):
		}
	}
}

func (h *health) ask(ctx context.Context, timeout time.Duration) error {
	if words := h.rules.HealthExec; len(words) > 0 {
		if err := h.inside(ctx, words, timeout); err != nil {
			return unhealthy("HealthExec= failed: " + err.Error())
		}
	}
	if words := h.rules.HealthExecHost; len(words) > 0 {
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Env = append(runtimeEnvironment(os.Environ()), "SYSCONTAINER_NAME="+h.name)
		if err := patient(ctx, cmd, timeout, func() {}); err != nil {
			return unhealthy("HealthExecHost= failed: " + err.Error())
		}
	}
	return nil
}

// inside runs a command in the container, with the payload's rights, as exec does.
func (h *health) inside(ctx context.Context, words []string, timeout time.Duration) error {
	c, err := findRunning(h.root, h.name)
	if err != nil {
		return errors.New("the container does not run")
	}
	process, err := (&execOptions{args: words}).process(c)
	if err != nil {
		return err
	}
	path, err := processFile(process)
	if err != nil {
		return err
	}
	fd, err := strconv.Atoi(path[strings.LastIndexByte(path, '/')+1:])
	if err != nil {
		return err
	}
	memory := os.NewFile(uintptr(fd), "process.json")
	defer memory.Close()
	program, err := findProgram(c.launch.Runtime)
	if err != nil {
		return err
	}
	record, err := os.CreateTemp("", "syscontainer-health-")
	if err != nil {
		return err
	}
	record.Close()
	defer os.Remove(record.Name())
	cmd := exec.Command(program, c.launch.Command(h.root, "exec", "--pid-file", record.Name(), "--process", "/proc/self/fd/3", c.launch.ID)...)
	cmd.ExtraFiles = []*os.File{memory}
	cmd.Env = runtimeEnvironment(os.Environ())
	return patient(ctx, cmd, timeout, func() {
		// The runtime's end is not that of what it has put into the container.
		text, _ := os.ReadFile(record.Name())
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil || pid <= 1 {
			return
		}
		process, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return
		}
		defer unix.Close(process)
		if inCgroup(pid, c.spec.Linux.CgroupsPath) {
			unix.PidfdSendSignal(process, unix.SIGKILL, nil, 0)
		}
	})
}

// patient runs a command, at most that long, and not beyond ctx; over is called before it is killed with all that it started.
// The error is for people: its status, and the last line of what it said.
func patient(ctx context.Context, cmd *exec.Cmd, timeout time.Duration, over func()) error {
	said := new(tail)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // what it left running may hold the pipe
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	end := time.NewTimer(timeout)
	defer end.Stop()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-end.C:
		err = fmt.Errorf("no answer within %s", seconds(timeout))
	}
	var status *exec.ExitError
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return nil
	case errors.As(err, &status):
		if status.ExitCode() < 0 {
			err = errors.New(status.String())
		} else {
			err = fmt.Errorf("status %d", status.ExitCode())
		}
	default:
		over()
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-done
	}
	if line := said.lastLine(); line != "" {
		err = fmt.Errorf("%w: %s", err, line)
	}
	return err
}

// tail keeps the end of what is written.
type tail struct{ data []byte }

func (t *tail) Write(p []byte) (int, error) {
	const most = 4 << 10
	t.data = append(t.data, p...)
	if len(t.data) > most {
		t.data = bytes.Clone(t.data[len(t.data)-most:])
	}
	return len(p), nil
}

func (t *tail) lastLine() string {
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(t.data), "?")), "\n")
	line := units.Printable(strings.TrimSpace(lines[len(lines)-1]))
	if len(line) > 200 {
		line = line[:200] + "…"
	}
	return line
}
