package main

import (
	"fmt"
	"os"
	"os/signal"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A service of Type=oneshot is done when its payload is, and it is the status of
// ExecStart= that counts: so this program stays as the payload's parent.

// adopt makes this program the parent of what the runtime leaves behind, and collects
// the signals it gets from now on: systemd sends its stop only here.
func adopt() (signals chan os.Signal, err error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become the payload's parent: %w", err)
	}
	var all []os.Signal
	for n := unix.Signal(1); n < 65; n++ {
		switch n {
		case unix.SIGCHLD, unix.SIGURG, unix.SIGPIPE: // the kernel's and Go's own
		default:
			all = append(all, n)
		}
	}
	signals = make(chan os.Signal, 64)
	signal.Notify(signals, all...)
	return signals, nil
}

// stopRequest is a signal that came before there was a payload to hand it to and that
// means its end, else 0. Others are lost, as they would be on a process that has just
// begun.
func stopRequest(signals chan os.Signal) unix.Signal {
	for {
		select {
		case s := <-signals:
			switch s {
			case unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT:
				return s.(unix.Signal)
			}
		default:
			return 0
		}
	}
}

// follow waits for the payload and hands on the signals that reach this program. It
// returns the payload's exit status; if a signal ended it, the same one ends this
// program, so that systemd sees the same. For systemd's SIGTERM, the payload gets another
// one if it is not 0.
func follow(name string, pid int, signals chan os.Signal, instead unix.Signal) int {
	fd, err := unix.PidfdOpen(pid, 0) // its number may be another's as soon as it is reaped
	if err != nil {
		report(priorityError, name, fmt.Errorf("watch process %d: %w", pid, err))
		return exitFailure
	}
	go func() {
		for s := range signals {
			if s == unix.SIGTERM && instead != 0 {
				s = instead
			}
			unix.PidfdSendSignal(fd, s.(unix.Signal), nil, 0)
		}
	}()
	for {
		var status unix.WaitStatus
		ended, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR || err == nil && ended != pid:
			continue
		case err != nil: // it was never our child
			return exitFailure
		case status.Signaled():
			dieOf(status.Signal())
			return 128 + int(status.Signal())
		}
		return status.ExitStatus()
	}
}

// dieOf ends this program by a signal, without a second core file. Go's own handlers
// would make something else of most signals.
func dieOf(s unix.Signal) {
	unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	signal.Reset()
	defaultAction := [4]uint64{} // struct kernel_sigaction: SIG_DFL, no flags, no mask
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&defaultAction)), 0, 8, 0, 0)
	unix.Kill(unix.Getpid(), s)
	time.Sleep(time.Second) // until it is delivered
}
