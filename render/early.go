package main

import (
	"errors"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// endBySignals makes every signal that may be KillSignal= of the unit mean what
// SIGTERM does: while it prepares or starts a container, a stop reaches it instead of the
// payload. Go would drop most of them, and dump its stacks for SIGQUIT.
func endBySignals() {
	signals := make(chan os.Signal, 1)
	var all []os.Signal
	for n := unix.Signal(1); n < 65; n++ {
		switch n {
		case unix.SIGHUP, unix.SIGINT, unix.SIGTERM: // which fetch knows, or which end it anyway
		case unix.SIGCHLD, unix.SIGURG, unix.SIGPIPE, unix.SIGCONT, unix.SIGWINCH, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU: // no end to anybody, or Go's own
		default:
			all = append(all, n)
		}
	}
	signal.Notify(signals, all...)
	go func() {
		for range signals {
			unix.Kill(unix.Getpid(), unix.SIGTERM)
		}
	}()
}

// announceSystemd is announce for a systemd in the container, once that can be told to
// stop. Until then a stop ends this program, and all of the container with it; sent
// to a process 1 that has no handler yet, its signal would be lost.
func announceSystemd(o options, pid int) error {
	ended := errors.New("the payload ended before it could have been a systemd")
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return ended
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	number, err := signalNumber(systemdStopSignal)
	if err != nil {
		return err
	}
	awaitReadiness(pid, fd, number, true)
	if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0); n > 0 {
		return ended
	}
	return announce(o, pid)
}
