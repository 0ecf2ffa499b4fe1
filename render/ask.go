package main

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"syscontainer/units"
)

// askTimeout bounds a question to systemd, which may be busy.
const askTimeout = 5 * time.Second

// renewTimeout gives what follows a fetch the whole TimeoutStartSec= of the unit, as if the
// start began now: with one command for both, systemd has counted from its beginning. Where
// systemd does not say, what the fetch was granted last remains.
func renewTimeout(o options) {
	span, err := units.ParseTime(ask(o, "TimeoutStartUSec"))
	if err != nil || span == units.Infinity {
		return
	}
	notify("EXTEND_TIMEOUT_USEC=" + strconv.FormatInt(span.Microseconds(), 10))
}

// ask returns a property of the service as systemctl(1) shows it; "" if there is no answer.
func ask(o options, property string) string {
	ctx, stop := context.WithTimeout(context.Background(), askTimeout)
	defer stop()
	cmd := exec.CommandContext(ctx, "systemctl", "show", "--property="+property, "--value", "--", o.name+".service")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
