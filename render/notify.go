package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// notifySocket is where systemd listens (sd_notify(3)); "" if nobody does.
func notifySocket() string { return os.Getenv("NOTIFY_SOCKET") }

// notify tells systemd assignments, one a line. Without systemd it does nothing.
// Package net would do the same for 2 MB and a millisecond.
func notify(state string) error { return sendNotify(state, nil) }

func sendNotify(state string, rights []byte) error {
	name := notifySocket()
	if name == "" {
		return nil
	}
	if strings.HasPrefix(name, "@") {
		name = "\x00" + name[1:]
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	defer unix.Close(fd)
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Sendmsg(fd, []byte(state), rights, &unix.SockaddrUnix{Name: name}, unix.MSG_NOSIGNAL)
	}
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}

// notifyBarrier returns when systemd has dealt with everything sent before
// (sd_notify_barrier(3)), or with an error after the timeout.
func notifyBarrier(timeout time.Duration) error {
	if notifySocket() == "" {
		return nil
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	defer unix.Close(pipe[0])
	err := sendNotify("BARRIER=1", unix.UnixRights(pipe[1]))
	unix.Close(pipe[1])
	if err != nil {
		return err
	}
	// systemd closes its copy of the writing end: the pipe hangs up.
	deadline := time.Now().Add(timeout)
	for {
		left := time.Until(deadline)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pipe[0])}}, max(0, int(left.Milliseconds())))
		switch {
		case err != nil && err != unix.EINTR:
			return fmt.Errorf("notify systemd: %w", err)
		case n > 0:
			return nil
		case left <= 0:
			return errors.New("notify systemd: no answer in time")
		}
	}
}
