package convert

import (
	"strings"

	"syscontainer/units"
)

// write makes NAME.service. What a person put into [Container] stands in the section
// [X-Container], which systemd ignores and render reads.
func (d *draft) write() {
	t := d.t
	d.share()
	d.bridge()

	t.section("Unit")
	for i := range d.unit {
		if line := &d.unit[i]; line.Key != "SourcePath" && d.clean(line) {
			t.set(line.Key, d.translate(line))
		}
	}
	if len(d.bindsTo) > 0 {
		t.set("BindsTo", strings.Join(d.bindsTo, " "))
	}
	if len(d.after) > 0 {
		t.set("After", strings.Join(d.after, " "))
	}
	if d.run() == nil {
		sourcePath(t, d.u)
	}
	if paths := d.mountsNeeded(); paths != "" {
		t.set("RequiresMountsFor", paths)
	}

	t.section(units.GeneratedSection)
	for i := range d.container {
		line := &d.container[i]
		if !cleanKey(line.Key) {
			continue // units warned
		}
		value := line.Value
		if replaced, is := d.replaced[line]; is {
			value = replaced
		}
		t.set(line.Key, value)
	}

	if d.c.Privileged {
		_, line := lastValue(d.container, "Privileged")
		d.warn(line, "Privileged=yes gives the payload all rights over the machine", "AddCapability=, AddDevice=, Unmask= and SeccompProfile= give some of them")
	}

	t.section("Service")
	d.refuse()
	if d.c.RunInit && !d.oneshot() {
		// systemd takes a death by HUP, INT, PIPE or TERM for a good end; an init
		// reports the payload's as 128 and the signal's number.
		t.set("SuccessExitStatus", "129 130 141 143")
	}
	for i := range d.service {
		if line := &d.service[i]; !ours(line.Key) && d.clean(line) {
			t.set(line.Key, line.Value)
		}
	}
	if d.oneshot() {
		t.set("Type", "oneshot")
	} else {
		t.set("Type", "notify")
	}
	t.set("NotifyAccess", "all")
	t.set("Delegate", "yes")
	t.set("KillMode", "mixed")
	d.limits()
	if value, _ := lastValue(d.service, "SyslogIdentifier"); value == "" {
		t.set("SyslogIdentifier", "%N")
	}
	t.set("LogExtraFields", "SYSCONTAINER_NAME=%N")
	if image := d.c.Image; image != "" && !d.startKnowsImage() {
		t.set("LogExtraFields", extraField("SYSCONTAINER_IMAGE="+image))
	}
	d.execLines()
	if t.tooLong != "" {
		d.errs = append(d.errs, &units.Problem{File: d.u.Path, Msg: "the line of " + t.tooLong + "= becomes longer than 1 MiB"})
	}
}

// startKnowsImage tells whether the image depends on what only a start knows.
func (d *draft) startKnowsImage() bool {
	value, _ := lastValue(d.container, "Image")
	return d.u.Name.StartOnly(value)
}

// clean tells whether a line can be handed on to systemd.
func (d *draft) clean(line *units.Line) bool {
	if cleanKey(line.Key) {
		return true
	}
	d.warnings = append(d.warnings, &units.Problem{File: line.File, Line: line.Line, Column: line.Column,
		Msg: "unknown key \"" + units.Printable(line.Key) + "=\", ignoring"})
	return false
}

// cleanKey accepts what systemd's own keys are made of, and X-…; nothing that would
// be a comment or a section on a line of its own.
func cleanKey(key string) bool {
	for _, b := range []byte(key) {
		if !(b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '-' || b == '_' || b == '.' || b == ':') {
			return false
		}
	}
	return key != ""
}

// sourcePath is what makes systemctl say that a reload is due. A path that no unit
// file can hold is left out, and one that is not there, for which a reload would
// always be due.
func sourcePath(t *unitText, u *units.Unit) {
	if units.Printable(u.Path) == u.Path && !u.Dangling {
		t.set("SourcePath", percent(u.Path))
	}
}
