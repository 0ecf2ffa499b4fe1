package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// accompany runs crun for a command with a terminal, and ends with its status; it
// returns if crun cannot be executed. Before 1.8.7 crun does not pass on a new size,
// and before 1.8.5 it leaves the caller's terminal changed (its NEWS). So this
// program stays beside it and does both.
func accompany(program string, argv, env []string) error {
	before, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("read the settings of the terminal: %w", err)
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGWINCH, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2)
	runtime.LockOSThread() // whose end Pdeathsig means
	cmd := exec.Cmd{Path: program, Args: argv, Env: env, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Pdeathsig: unix.SIGHUP}}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("execute %s: %w", program, err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			if s == unix.SIGWINCH {
				resize(cmd.Process.Pid)
			} else {
				cmd.Process.Signal(s)
			}
		case <-done:
			unix.IoctlSetTermios(0, unix.TCSETS, before)
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if status.Signaled() {
				os.Exit(128 + int(status.Signal()))
			}
			os.Exit(status.ExitStatus())
		}
	}
}

// resize gives the terminal that a runtime holds the size of the caller's. It takes the
// runtime's descriptor of the master: any path to the terminal is in the container,
// where the payload might have put something else.
func resize(pid int) {
	size, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
	if err != nil {
		return
	}
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(process)
	entries, _ := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "fd"))
	for _, e := range entries {
		number, err := strconv.Atoi(e.Name())
		if err != nil || number <= 2 {
			continue
		}
		fd, err := unix.PidfdGetfd(process, number, 0)
		if err != nil {
			continue
		}
		if _, err := unix.IoctlGetInt(fd, unix.TIOCGPTN); err == nil { // only a master has a number
			unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size)
		}
		unix.Close(fd)
	}
}
