// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// peak is the most that a run of a command of its own has resident. What wait4(2) says would be at least what this process
// has, for a child begins as its copy: so the child is stopped at its end, to look.
func peak(cmd *exec.Cmd) (string, error) {
	runtime.LockOSThread() // who traces is a thread
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	pid := cmd.Process.Pid
	defer cmd.Wait()
	peak := "none"
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		return "", err
	}
	if err := syscall.PtraceSetOptions(pid, unix.PTRACE_O_TRACEEXIT); err != nil {
		return "", err
	}
	for signal := 0; ; {
		if err := syscall.PtraceCont(pid, signal); err != nil {
			return "", err
		}
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
			return "", err
		}
		if status.Exited() || status.Signaled() {
			return peak, nil
		}
		if signal = int(status.StopSignal()); status.TrapCause() == unix.PTRACE_EVENT_EXIT {
			signal = 0
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if err != nil {
				return "", err
			}
			for line := range strings.Lines(string(data)) {
				if rest, is := strings.CutPrefix(line, "VmHWM:"); is {
					peak = strings.TrimSpace(rest)
				}
			}
		}
	}
}
