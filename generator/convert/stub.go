package convert

import (
	"slices"
	"strconv"
	"strings"

	"syscontainer/units"
)

// stub writes the service of a file with errors. render --fail says them on stderr,
// so that journal and systemctl status show them, and fails.
func (d *draft) stub() {
	t := d.t
	t.begin()
	t.section("Unit")
	if description, _ := lastValue(d.unit, "Description"); description != "" {
		t.set("Description", description)
	}
	sourcePath(t, d.u)
	t.section("X-Error")
	all := slices.Concat(d.errs, d.others)
	for i, p := range all {
		if i == mostErrors {
			t.set("Error", "and "+strconv.Itoa(len(all)-i)+" more")
			break
		}
		for line := range strings.SplitSeq(p.Error(), "\n") {
			t.set("Error", units.Printable(line))
		}
	}
	t.section("Service")
	t.set("Type", "oneshot")
	t.set("NotifyAccess", "main")
	t.set("SyslogIdentifier", "%N")
	t.set("ExecStart", d.Render+" --fail --unit=%y %N")
}

// mostErrors bounds what a start says, and the file.
const mostErrors = 100
