package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"syscontainer/pull/store"
)

// containerID is the service's name in the alphabet that runc has for containers:
// [A-Za-z0-9_+.-] and the comma. Unit names know neither plus nor comma, so that
// different services keep different names: web@1 is web+1.
func containerID(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		switch c {
		case '@':
			b.WriteByte('+')
		case ':', '\\':
			fmt.Fprintf(&b, ",%02x", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// findRuntime returns the path of an OCI runtime.
func findRuntime(name string) (string, error) {
	file, err := exec.LookPath(name)
	if err != nil {
		err = fmt.Errorf("OCI runtime %s is not installed", name)
		if name == "runc" || name == "crun" {
			err = withHint(err, "apt install %s", name)
		}
		return "", exitStatus{err, exitNotFound}
	}
	return file, nil
}

// runtimeCommand is the runtime for one container. It must not see $NOTIFY_SOCKET,
// or it would put itself between systemd and the payload and stay; nor
// $XDG_RUNTIME_DIR, which moves crun's state elsewhere.
func runtimeCommand(l launch, root string, args ...string) *exec.Cmd {
	cmd := exec.Command(l.Runtime, l.Command(root, args...)...)
	cmd.Env = helperEnvironment()
	return cmd
}

// helperEnvironment is the service's without what systemd means for this program alone.
func helperEnvironment() (environ []string) {
	for _, v := range os.Environ() {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "NOTIFY_SOCKET", "XDG_RUNTIME_DIR", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC":
		default:
			environ = append(environ, v)
		}
	}
	return environ
}

// stateKinds are the directories below /run where runtimes keep their containers.
var stateKinds = [...]string{"runc", "crun"}

// errForeign is a container of our name that is not ours.
var errForeign = errors.New("runs outside of this service")

// removeState deletes what a runtime remembers of a container, killing what is
// left of it. With nothing there it executes nothing. The runtime given is preferred where
// it keeps its state in that place, for it need not be the one that made it: the
// unit may have changed. A container that lives outside of the unit's cgroup is
// left alone: errForeign.
func removeState(o options, l launch, unit string) error {
	id := l.ID
	for _, kind := range stateKinds {
		dir := filepath.Join("/", o.root, "run", kind, id)
		if _, err := os.Lstat(dir); err != nil {
			continue
		}
		if pid, ok := livingContainer(dir); ok {
			// A process that ended meanwhile is below nothing, and harms nothing.
			if where, err := cgroupOf(strconv.Itoa(pid)); err == nil && !below(where, unit) {
				return withHint(fmt.Errorf("a container of the name %s %w: process %d in %s", id, errForeign, pid, where),
					"%s delete --force %s", kind, id)
			}
		}
		caller := launch{Runtime: kind}
		if store.StateKind(l.Runtime) == kind {
			caller = l
		}
		var (
			output []byte
			err    error
		)
		if caller.Runtime, err = exec.LookPath(caller.Runtime); err == nil {
			output, err = runtimeCommand(caller, o.root, "delete", "--force", id).CombinedOutput()
		}
		if _, gone := os.Lstat(dir); gone == nil {
			if pid, ok := livingContainer(dir); ok {
				return fmt.Errorf("process %d of an earlier start cannot be ended: %s delete: %w: %s", pid, kind, err, bytes.TrimSpace(output))
			}
			// Half-written state, or its runtime is not installed any more.
			warn(o.name, "%s delete: %v: %s, removing %s", kind, err, bytes.TrimSpace(output), dir)
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// livingContainer reads the process of a container from the state its runtime
// wrote (runc's state.json, crun's status) and tells whether it still runs. State
// that cannot be read is nobody's: its runtime could not use it either.
func livingContainer(dir string) (pid int, ok bool) {
	var state struct {
		RuncPID   int             `json:"init_process_pid"`
		RuncStart json.RawMessage `json:"init_process_start"`
		CrunPID   int             `json:"pid"`
		CrunStart json.RawMessage `json:"process-start-time"`
	}
	data, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if errors.Is(err, os.ErrNotExist) {
		data, err = os.ReadFile(filepath.Join(dir, "status"))
	}
	if err != nil || json.Unmarshal(data, &state) != nil {
		return 0, false
	}
	pid, start := state.RuncPID, state.RuncStart
	if pid == 0 {
		pid, start = state.CrunPID, state.CrunStart
	}
	ticks, ok := startTime(pid)
	// A number that another process has now is not the container's.
	if recorded, err := strconv.ParseUint(string(start), 10, 64); err == nil && recorded != 0 && recorded != ticks {
		return 0, false
	}
	return pid, ok
}
