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

// patienceTimeout bounds the question to systemd, which may be busy.
const patienceTimeout = 5 * time.Second

// renewTimeout gives what follows a fetch the whole TimeoutStartSec= of the unit, as if the
// start began now: with one command for both, systemd has counted from its beginning. Where
// systemd does not say, what the fetch was granted last remains.
func renewTimeout(o options) {
	ctx, stop := context.WithTimeout(context.Background(), patienceTimeout)
	defer stop()
	cmd := exec.CommandContext(ctx, "systemctl", "show", "--property=TimeoutStartUSec", "--value", "--", o.name+".service")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return
	}
	span, err := units.ParseTime(strings.TrimSpace(string(out)))
	if err != nil || span == units.Infinity {
		return
	}
	notify("EXTEND_TIMEOUT_USEC=" + strconv.FormatInt(span.Microseconds(), 10))
}
