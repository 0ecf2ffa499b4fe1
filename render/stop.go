package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const defaultStopSignal = "SIGTERM" // KillSignal= of a service that sets none

// recordStopSignal notes the image's StopSignal in the bundle, for the unit leaves the
// choice to it. KillSignal= cannot say it: services are made without looking at images.
func (b bundle) recordStopSignal(o options, signal string) error {
	if signal == "" {
		return nil
	}
	number, err := signalNumber(signal)
	if err != nil {
		warn(o.name, "StopSignal of the image: %v, using %s", err, defaultStopSignal)
		return nil
	}
	if number == unix.SIGTERM {
		return nil
	}
	return os.WriteFile(b.file("stop-signal"), []byte(strconv.Itoa(int(number))), 0o600)
}

// stopSignal is the recorded one; 0: none, the image agrees with SIGTERM.
func (b bundle) stopSignal() (unix.Signal, error) {
	data, err := os.ReadFile(b.file("stop-signal"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	number, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 7)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", b.file("stop-signal"), err)
	}
	return unix.Signal(number), nil
}

// stop is ExecStop=. It lets a start finish that is still going on, until the payload can
// take the signal that systemd sends then. Where the unit sets no signal and the image wants another signal than SIGTERM, it sends that and
// waits for the end: systemd's own, which follows, would cut short what the image's began.
// When TimeoutStopSec= ends the wait, it kills: without that, the time would begin anew.
func stop(o options) error {
	b := bundleOf(o.root, o.name)
	pid, err := strconv.Atoi(os.Getenv("MAINPID"))
	if err != nil || pid <= 1 {
		return nil // it has ended
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return nil
	}
	if err != nil {
		return fmt.Errorf("watch process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	number, err := b.stopSignal()
	if err != nil {
		return err
	}
	sent := number
	switch {
	case o.signal != "": // by systemd
		if sent, err = signalNumber(o.signal); err != nil {
			return err
		}
		number = 0
	case sent == 0:
		sent = unix.SIGTERM // by systemd, too
	}
	awaitReadiness(pid, fd, sent, b.awaitStart())
	if number == 0 {
		return nil
	}
	err = unix.PidfdSendSignal(fd, number, nil, 0)
	if err == unix.ESRCH {
		return nil
	}
	if err != nil {
		return fmt.Errorf("send %s to process %d: %w", unix.SignalName(number), pid, err)
	}
	impatient := make(chan os.Signal, 1)
	signal.Notify(impatient, unix.SIGTERM)
	go func() {
		<-impatient
		unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}()
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if n > 0 {
			return nil
		}
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("wait for process %d: %w", pid, err)
		}
	}
}
