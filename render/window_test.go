package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestReactionIn(t *testing.T) {
	status := func(ns, blocked, ignored, caught string) string {
		return "Name:\tapp\nNSpid:\t" + ns + "\nSigQ:\t0/1\nSigBlk:\t" + blocked + "\nSigIgn:\t" + ignored + "\nSigCgt:\t" + caught + "\n"
	}
	const none, term, usr1 = "0000000000000000", "0000000000004000", "0000000000000200"
	for _, c := range []struct {
		status string
		want   reaction
	}{
		{status("4711 1", none, none, none), drops},
		{status("4711 1", none, none, usr1), drops},
		{status("4711 1", none, none, term), takes},
		{status("4711 1", term, none, none), blocks},
		{status("4711 1", term, none, term), takes},
		{status("4711 1", none, term, none), takes},
		{status("4711", none, none, none), takes}, // PID=host: it dies of it
		{status("4711 12", none, none, none), takes},
		{status("4711 1", none, none, "what"), takes},
		{"", takes},
	} {
		if got := reactionIn([]byte(c.status), unix.SIGTERM); got != c.want {
			t.Errorf("%q: %v", c.status, got)
		}
	}
	if reactionIn([]byte(status("1", none, none, "8000000000000000")), 64) == drops {
		t.Error("signal 64 is handled, but counts as dropped")
	}
}

// A stop waits for a start that goes on, and for nothing else.
func TestAwaitStart(t *testing.T) {
	b := bundle(t.TempDir())
	if b.awaitStart() || bundle(t.TempDir()+"/absent").awaitStart() {
		t.Error("it waited for nobody")
	}
	fd, err := unix.Open(string(b), unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go func() { done <- b.awaitStart() }()
	select {
	case <-done:
		t.Error("it did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	unix.Close(fd)
	if !<-done {
		t.Error("it does not say that it waited")
	}
	b.lockStart()
	if fd, err = unix.Open(string(b), unix.O_RDONLY, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB); err != unix.EWOULDBLOCK {
		t.Errorf("a start holds no lock: %v", err)
	}
}

// A process that is not process 1 of its namespace, or has a handler, need not be waited for.
func TestReactionOf(t *testing.T) {
	for _, c := range []struct {
		shell string
		want  bool
	}{
		{"exec sleep 1000", false},
		{"trap : TERM; echo; while :; do sleep 0.1; done", true},
	} {
		cmd := exec.Command("unshare", "--pid", "--fork", "--kill-child", "sh", "-c", "echo; "+c.shell)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			need(t, "unshare (util-linux)")
		}
		if n, _ := out.Read(make([]byte, 1)); n == 0 {
			cmd.Wait()
			need(t, "the right to make a pid namespace")
		}
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		pid, _ := strconv.Atoi(strings.Fields(string(children))[0])
		got := false
		for i := 0; i < 200 && got == false; i++ {
			got = reactionOf(pid, unix.SIGTERM) == takes
			time.Sleep(time.Millisecond)
		}
		if got != c.want {
			t.Errorf("%s: %v", c.shell, got)
		}
		if reactionOf(cmd.Process.Pid, unix.SIGTERM) != takes {
			t.Error("a process of the machine dies of SIGTERM, but counts as deaf")
		}
		if a := age(pid); a < 0 || a > time.Minute {
			t.Errorf("age %v", a)
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
	if a := age(1 << 30); a < time.Minute {
		t.Errorf("nobody is %v old", a)
	}
}

func TestStopOptions(t *testing.T) {
	for _, c := range []struct{ args, err string }{
		{"--start --runtime=runc --wait --image-signal web", ""},
		{"--start --runtime=runc --image-signal web", "goes with --wait"},
		{"--stop --image-signal web", "goes with --wait"},
		{"--stop --signal=SIGQUIT web", ""},
		{"--clean --runtime=runc --signal=SIGQUIT web", "a start or a stop"},
		{"--start --runtime=runc --unit=/x --signal=SIGQUIT web", ""},
		{"--unit=/x --signal=SIGQUIT web", ""},
		{"--start --runtime=runc --wait --signal=SIGQUIT web", "a start or a stop"},
	} {
		_, _, err := parse(strings.Fields(c.args))
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", c.args, err, c.err)
		}
	}
}
