package convert

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"syscontainer/units"
)

const store = "/var/lib/syscontainer"

// service writes NAME.service. What a person put into [Container] stands in the
// section [X-Container], which systemd ignores and render reads; no word of it comes
// onto an Exec line, but for the checked name of the runtime.
func (conv *converter) service(u *units.Unit, c *units.Container) (text *unitText, errs, warnings units.Problems) {
	t := newText(2048)

	t.section("Unit")
	for _, line := range u.Section("Unit") {
		if line.Key != "SourcePath" {
			pass(t, &line, &warnings)
		}
	}
	sourcePath(t, u)
	t.set("RequiresMountsFor", strings.Join(mountsNeeded(u, c), " "))

	t.section(units.GeneratedSection)
	for _, line := range u.Section("Container") {
		if cleanKey(line.Key) {
			t.set(line.Key, line.Value)
		}
	}

	t.section("Service")
	lines := u.Section("Service")
	for i := range lines {
		line := &lines[i]
		if p := refuse(line); p != nil {
			errs = append(errs, p)
		} else if !ours(line.Key) {
			pass(t, line, &warnings)
		}
	}
	t.set("Type", "notify")
	t.set("NotifyAccess", "all")
	t.set("Delegate", "yes")
	t.set("KillMode", "mixed")
	stopping(t, c, lines, &warnings)
	if value, _ := lastValue(lines, "SyslogIdentifier"); value == "" {
		t.set("SyslogIdentifier", "%N")
	}
	runtime, notify := " --runtime="+c.Runtime, ""
	if c.Notify {
		notify = " --notify"
	}
	t.set("ExecStartPre", conv.Render+" --unit=%y %N")
	passList(t, lines, "ExecStartPre")
	t.set("ExecStart", conv.Render+" --start"+runtime+notify+" %N")
	passList(t, lines, "ExecStopPost")
	t.set("ExecStopPost", "-"+conv.Render+" --clean"+runtime+" %N")
	return t, errs, warnings
}

// mountsNeeded are the store and all paths of the host that the container sees or that
// are made for it, as words with specifiers.
func mountsNeeded(u *units.Unit, c *units.Container) []string {
	needed := []string{store}
	add := func(written string) {
		if s, err := u.Name.Rewrite(written, units.AllSpecifiers, pathWord, pathWord); err == nil && s != "" && !slices.Contains(needed, s) {
			needed = append(needed, s)
		}
	}
	for _, v := range c.Volumes {
		add(v.Written)
	}
	for _, line := range c.Tmpfiles {
		add(units.TmpfilesPath(line))
	}
	return needed
}

// ours are keys of [Service] that are not passed on where they stand.
func ours(key string) bool {
	switch key {
	case "Type", "NotifyAccess", "Delegate", "KillMode", "ExecStart", "ExecStartPre", "ExecStopPost":
		return true
	}
	return false
}

// stopping sets what StopSignal= and StopTimeout= say. Without them a stop may take
// ten seconds, as Quadlet's: a payload that ignores SIGTERM, which process 1 of a
// container does unless it has a handler, shall not take systemd's ninety.
func stopping(t *unitText, c *units.Container, lines []units.Line, warnings *units.Problems) {
	twice := func(ours, key string) {
		if value, at := lastValue(lines, key); value != "" {
			*warnings = append(*warnings, &units.Problem{File: at.File, Line: at.Line, Msg: key + "= in [Service] is ignored: " + ours + "= is set in [Container]"})
		}
	}
	if c.StopSignal != "" {
		twice("StopSignal", "KillSignal")
		t.set("KillSignal", c.StopSignal)
	}
	own, _ := lastValue(lines, "TimeoutStopSec")
	both, _ := lastValue(lines, "TimeoutSec")
	switch {
	case c.StopTimeout != units.NotSet:
		twice("StopTimeout", "TimeoutStopSec")
		t.set("TimeoutStopSec", span(c.StopTimeout))
	case own == "" && both == "":
		t.set("TimeoutStopSec", "10s")
	}
}

// span writes a time span for systemd, to which 0 would mean infinity.
func span(d time.Duration) string {
	switch {
	case d == units.Infinity:
		return "infinity"
	case d < time.Microsecond:
		return "1us"
	case d%time.Second == 0:
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	return strconv.FormatInt(int64(d/time.Microsecond), 10) + "us"
}

// dependencies are the keys of [Unit] that list units.
var dependencies = []string{"After", "Before", "Wants", "Requires", "Requisite", "BindsTo", "PartOf", "Upholds",
	"Conflicts", "OnFailure", "OnSuccess", "PropagatesReloadTo", "ReloadPropagatedFrom", "PropagatesStopTo",
	"StopPropagatedFrom", "JoinsNamespaceOf"}

// pass hands a line on to systemd. Where units are listed, a file of ours or of
// Quadlet stands for its service.
func pass(t *unitText, line *units.Line, warnings *units.Problems) {
	if !cleanKey(line.Key) {
		*warnings = append(*warnings, &units.Problem{File: line.File, Line: line.Line, Msg: "unknown key \"" + units.Printable(line.Key) + "=\", ignoring"})
		return
	}
	value := line.Value
	if strings.Contains(value, "container") && slices.Contains(dependencies, line.Key) {
		words := strings.Fields(value)
		for i, w := range words {
			for _, suffix := range []string{".syscontainer", ".container"} {
				if name, ok := strings.CutSuffix(w, suffix); ok {
					words[i] = name + ".service"
				}
			}
		}
		value = strings.Join(words, " ")
	}
	t.set(line.Key, value)
}

// passList hands on the lines of a list that no later line takes back.
func passList(t *unitText, lines []units.Line, key string) {
	for i := range lines {
		if lines[i].Key == key && lines[i].Value != "" && !isReset(lines[i+1:], key) {
			t.set(key, lines[i].Value)
		}
	}
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
