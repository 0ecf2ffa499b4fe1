package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"
)

// serviceState is what systemd says of a service (org.freedesktop.systemd1(5)).
type serviceState struct {
	load, active, sub string
	job               bool   // one is queued or being carried out
	invocation        string // another one for each start; "": it was never started
	kind              string // Type=
	result            string
	code, status      int // of the main process: CLD_EXITED and so on, and status or signal
	lived             time.Duration
	restarts          uint32 // by Restart=
	startTimeout      time.Duration
	stale             bool // its files were changed since systemd has read them
}

// noTimeout is systemd's infinity.
const noTimeout = time.Duration(1<<63 - 1)

// stateOf asks for all of it; a unit that is not there has the load state "not-found".
func stateOf(ctx context.Context, conn *dbus.Conn, service string) (s serviceState, err error) {
	properties, err := conn.GetAllPropertiesContext(ctx, service)
	if err != nil {
		return s, fmt.Errorf("ask systemd for %s: %w", service, err)
	}
	text := func(name string) string { v, _ := properties[name].(string); return v }
	number := func(name string) int { v, _ := properties[name].(int32); return int(v) }
	moment := func(name string) uint64 { v, _ := properties[name].(uint64); return v }
	s = serviceState{load: text("LoadState"), active: text("ActiveState"), sub: text("SubState"), kind: text("Type"),
		result: text("Result"), code: number("ExecMainCode"), status: number("ExecMainStatus")}
	if id, ok := properties["InvocationID"].([]byte); ok {
		s.invocation = hex.EncodeToString(id)
	}
	if job, ok := properties["Job"].([]any); ok && len(job) > 0 {
		id, _ := job[0].(uint32)
		s.job = id != 0
	}
	s.restarts, _ = properties["NRestarts"].(uint32)
	if from, to := moment("ExecMainStartTimestampMonotonic"), moment("ExecMainExitTimestampMonotonic"); from > 0 && to > from {
		s.lived = time.Duration(to-from) * time.Microsecond
	}
	s.stale, _ = properties["NeedDaemonReload"].(bool)
	s.startTimeout = noTimeout
	if usec := moment("TimeoutStartUSec"); usec < uint64(noTimeout/time.Microsecond) {
		s.startTimeout = time.Duration(usec) * time.Microsecond
	}
	return s, nil
}

// up tells whether the service runs. A reload is part of that.
func (s *serviceState) up() bool {
	return s.active == "active" || s.active == "reloading" || s.active == "refreshing"
}

// wanted tells whether the service is there to run: a start that goes on, or comes again after a crash, counts.
func (s *serviceState) wanted() bool { return s.up() || s.active == "activating" }

// why tells why a service does not run, for people. notify: its payload says when it is ready.
func (s *serviceState) why(ctx context.Context, name string, notify bool) string {
	if text := startFailure(ctx, name, s.invocation); text != "" {
		return "cannot start: " + text
	}
	after := ""
	if s.lived > 0 {
		after = " after " + seconds(s.lived)
	}
	ended := ""
	switch s.code {
	case cldExited:
		ended = fmt.Sprintf("exited with %d%s", s.status, after)
	case cldKilled, cldDumped:
		ended = fmt.Sprintf("was killed by %s%s", unix.SignalName(syscall.Signal(s.status)), after)
	}
	switch s.result {
	case "timeout":
		switch {
		case s.startTimeout == noTimeout: // a stop
			return "did not stop in time"
		case notify:
			return "not READY within " + seconds(s.startTimeout)
		}
		return "did not start within " + seconds(s.startTimeout)
	case "watchdog":
		return "gave no sign of life to the watchdog"
	case "oom-kill":
		return "ran out of memory" + after
	case "start-limit-hit":
		return "was started too often in a short time"
	case "protocol":
		if notify {
			return strings.TrimSuffix("ended before it was READY, "+ended, ", ")
		}
		return "ended before it had started"
	case "resources":
		return "systemd could not start it for want of resources"
	}
	if ended != "" {
		return ended
	}
	return "does not run: " + s.active + " (" + s.result + ")"
}

// Codes of siginfo_t.
const (
	cldExited = 1
	cldKilled = 2
	cldDumped = 3
)

// whyRestarted tells why an invocation ended that systemd has followed with another one: the service's properties are
// those of the new one by now.
func whyRestarted(ctx context.Context, name, invocation string) string {
	if text := startFailure(ctx, name, invocation); text != "" {
		return "cannot start: " + text
	}
	const processExit = "98e322203f7a4ed290d09fe03c09fe15" // sd-messages.h
	var entry struct {
		Code   string `json:"EXIT_CODE"`
		Status string `json:"EXIT_STATUS"`
	}
	if json.Unmarshal(journalOf(ctx, "MESSAGE_ID="+processExit, "INVOCATION_ID="+invocation), &entry) == nil && entry.Code != "" {
		if entry.Code == "exited" {
			return "exited with " + entry.Status + ", and Restart= began again"
		}
		return "was killed by SIG" + entry.Status + ", and Restart= began again"
	}
	return "ended, and Restart= began again"
}

// startFailure is what render said of a start that failed; "" if it did not fail there. The numbers are those of
// render/journal.go.
func startFailure(ctx context.Context, name, invocation string) string {
	const startFailed = "53dafc3ab99a4e5a8a9f70f0e0a4a4fc"
	if invocation == "" {
		return ""
	}
	var entry struct {
		Message string `json:"MESSAGE"`
	}
	if json.Unmarshal(journalOf(ctx, "MESSAGE_ID="+startFailed, "_SYSTEMD_INVOCATION_ID="+invocation), &entry) != nil {
		return ""
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(entry.Message, name+": "), "\n")
	return text
}

// journalOf is the last entry that has all fields, as JSON. nil: there is none.
func journalOf(ctx context.Context, fields ...string) []byte {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	program, err := findProgram("journalctl")
	if err != nil {
		return nil
	}
	exec.CommandContext(ctx, program, "--sync").Run() // what was just written counts
	out, err := exec.CommandContext(ctx, program, append([]string{"-q", "-b", "-n", "1", "-o", "json"}, fields...)...).Output()
	if err != nil {
		return nil
	}
	return out
}

// seconds is a duration as people read it: 0.2 s, 90 s.
func seconds(d time.Duration) string {
	if d < 10*time.Second && d%time.Second != 0 {
		return strconv.FormatFloat(max(0.1, d.Seconds()), 'f', 1, 64) + " s"
	}
	return strconv.Itoa(int(d.Round(time.Second).Seconds())) + " s"
}
