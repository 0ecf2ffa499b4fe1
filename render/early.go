package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// endBySignal makes the unit's KillSignal= mean what SIGTERM does: while a container is
// prepared and started, a stop reaches this program instead of the payload. Go would drop
// the signal, or dump its stacks for SIGQUIT. "" is one that ends it anyway.
func endBySignal(name string) error {
	if name == "" {
		return nil
	}
	number, err := signalNumber(name)
	if err != nil {
		return fmt.Errorf("--signal=%s: %w", name, err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, number)
	go func() {
		<-signals
		unix.Kill(unix.Getpid(), unix.SIGTERM)
	}()
	return nil
}

// stopping asks systemd whether it wants the service to end. A signal that came before
// endBySignal is lost, and the payload would run on for as long as a stop may take. One that
// ends any program is not lost: then nobody is asked.
func stopping(o options) bool {
	return o.signal != "" && ask(o, "ActiveState") == "deactivating"
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
