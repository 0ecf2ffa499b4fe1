package convert

import (
	"strings"

	"syscontainer/units"
)

// stub writes the service of a file with errors. render --fail says them on stderr,
// so that journal and systemctl status show them, and fails.
func (c *converter) stub(u *units.Unit, errs units.Problems) *unitText {
	t := newText(1024)
	t.section("Unit")
	if description, at := lastValue(u.Section("Unit"), "Description"); at != nil && description != "" {
		t.set("Description", description)
	}
	sourcePath(t, u)
	t.section("X-Error")
	for _, p := range errs {
		for line := range strings.SplitSeq(p.Error(), "\n") {
			t.set("Error", units.Printable(line))
		}
	}
	t.section("Service")
	t.set("Type", "oneshot")
	t.set("NotifyAccess", "main")
	t.set("SyslogIdentifier", "%N")
	t.set("ExecStart", c.Render+" --fail --unit=%y %N")
	return t
}
