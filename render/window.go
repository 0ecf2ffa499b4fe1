package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A service is up before its payload is: start tells systemd the process first and lets
// it run then, or an early end would be lost. A stop that comes in between would reach a
// runtime's process, which takes a signal for a failure or drops it, and one that comes a
// moment later a payload that has not said yet which signals it handles, for which the
// kernel drops them if it is process 1 of its namespace. So a stop lets the start finish.

// youth bounds how long a new payload is waited for.
const youth = 2 * time.Second

// lockStart makes stops wait until this program ends, however it does. Where it cannot,
// they do not wait.
func (b bundle) lockStart() {
	fd, err := unix.Open(string(b), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) // the descriptor stays open
	}
}

// awaitStart returns when no start of the container is going on, and whether it waited.
func (b bundle) awaitStart() (waited bool) {
	fd, err := unix.Open(string(b), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if err = unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB); err != unix.EWOULDBLOCK {
		return false
	}
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Flock(fd, unix.LOCK_SH)
	}
	return true
}

// awaitReadiness returns when the process, which pidfd refers to, can be sent the signal,
// when it has ended, or when it is old enough: then a lost signal is its own doing.
func awaitReadiness(pid, pidfd int, signal unix.Signal, justStarted bool) {
	left := youth
	if !justStarted {
		left -= age(pid)
	}
	blocked := 0
	for deadline := time.Now().Add(left); time.Now().Before(deadline); {
		switch reactionOf(pid, signal) {
		case takes:
			return
		case blocks:
			if blocked++; blocked == steadily {
				return
			}
		default:
			blocked = 0
		}
		if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 2); n > 0 {
			return
		}
	}
}

// age is how long ago a process began; of one that is gone, very long.
func age(pid int) time.Duration {
	const ticks = 100 // a second, USER_HZ
	var now unix.Timespec
	began, ok := startTime(pid)
	if !ok || unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return time.Hour
	}
	return time.Duration(now.Nano()) - time.Duration(began)*(time.Second/ticks)
}

// reaction is what a process would do with a signal.
type reaction int

const (
	drops  reaction = iota // it runs the runtime's program yet, or the kernel drops the signal for it
	blocks                 // it may wait for it (sigwait(3), signalfd(2)), or libc is just about to fork
	takes
)

// steadily is how many looks in a row tell a program that waits for a signal from one that forks.
const steadily = 5

func reactionOf(pid int, signal unix.Signal) reaction {
	const forkedNoExec = 0x40 // PF_FORKNOEXEC of linux/sched.h, which ps(1) shows as F
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return takes
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 7 {
		return takes
	}
	if flags, err := strconv.ParseUint(fields[6], 10, 64); err == nil && flags&forkedNoExec != 0 { // field 9 of proc_pid_stat(5)
		return drops
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return takes
	}
	return reactionIn(status, signal)
}

// reactionIn reads proc_pid_status(5). For process 1 of a namespace the kernel drops what
// it has nothing to do with.
func reactionIn(status []byte, signal unix.Signal) reaction {
	first, mentioned, blocked := false, false, false
	for line := range bytes.Lines(status) {
		key, value, _ := strings.Cut(string(line), ":")
		words := strings.Fields(value)
		if len(words) == 0 {
			continue
		}
		last := words[len(words)-1]
		switch key {
		case "NSpid":
			first = last == "1"
		case "SigBlk", "SigIgn", "SigCgt":
			set, err := strconv.ParseUint(last, 16, 64)
			is := err != nil || set>>(signal-1)&1 != 0
			if key == "SigBlk" {
				blocked = is
			} else {
				mentioned = mentioned || is
			}
		}
	}
	switch {
	case !first || mentioned:
		return takes
	case blocked:
		return blocks
	}
	return drops
}
