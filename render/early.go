package main

import (
	"errors"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// endBySignals makes the signals that units have for KillSignal= mean what SIGTERM does:
// while it prepares or starts a container, a stop reaches it instead of the payload. Go
// would drop them, and dump its stacks for SIGQUIT. Each costs some 40 microseconds; the
// unit's own is one of them, or wanted.
func endBySignals(wanted string) {
	list := []os.Signal{unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH, unix.Signal(37)} // the last is SIGRTMIN+3
	if number, err := signalNumber(wanted); err == nil {
		switch number {
		case unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGKILL, unix.SIGSTOP: // which fetch knows, or which end it anyway
		default:
			list = append(list, number)
		}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, list...)
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
