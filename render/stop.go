package main

import (
	"errors"
	"fmt"
	"os"
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

// stop is ExecStop= of a service whose unit sets no signal. Where the image wants another
// than SIGTERM, it sends that and waits for the end: systemd's own signal, which follows,
// would cut short what the image's began. TimeoutStopSec= ends the wait.
func stop(o options) error {
	data, err := os.ReadFile(bundleOf(o.root, o.name).file("stop-signal"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(os.Getenv("MAINPID"))
	if err != nil || pid <= 1 {
		return nil // it has ended
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		defer unix.Close(fd)
		err = unix.PidfdSendSignal(fd, unix.Signal(number), nil, 0)
	}
	if err == unix.ESRCH {
		return nil
	}
	if err != nil {
		return fmt.Errorf("send %s to process %d: %w", unix.SignalName(unix.Signal(number)), pid, err)
	}
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
