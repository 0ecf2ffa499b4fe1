package convert

import (
	"strings"

	"syscontainer/units"
)

// execLines writes the commands of the service. No word of a person stands among them
// but names that were checked: the runtime's, the container's.
func (d *draft) execLines() {
	if !d.c.Payload {
		d.noPayload()
		return
	}
	oneshot := d.oneshot()
	t, runtime, start := d.t, " --runtime="+d.c.Runtime, ""
	if d.c.Notify && !oneshot {
		start = " --notify"
	}
	if oneshot {
		start += " --wait"
		d.refuseInnerSystemd()
		if _, line := lastValue(d.container, "Notify"); d.c.Notify {
			d.warn(line, "Notify= means nothing with Type=oneshot, ignoring", "")
		}
	}
	signal := d.killSignal()
	asImage := signal == "" && (d.c.Image != "" || d.c.Systemd) // which says what the unit does not
	if oneshot && asImage {
		start += " --image-signal"
	}
	early := d.earlySignal()
	id := d.id()
	unit, attach, leave := d.runOptions()
	if d.startsAtOnce() {
		t.set("ExecStart", d.Render+" --start --unit="+d.unitFile()+runtime+early+start+id+attach+" %N")
	} else {
		t.set("ExecStartPre", d.Render+" --unit="+unit+early+" %N")
		for _, line := range effective(d.service, "ExecStartPre") {
			t.set(line.Key, line.Value)
		}
		if oneshot {
			early = "" // it hands all signals to the payload
		}
		t.set("ExecStart", d.Render+" --start"+runtime+early+start+id+attach+" %N")
	}
	if d.c.ReloadSignal != "" || len(d.c.ReloadCmd) > 0 {
		if oneshot {
			key := "ReloadCmd"
			if d.c.ReloadSignal != "" {
				key = "ReloadSignal"
			}
			_, line := lastValue(d.container, key)
			d.warn(line, key+"= means nothing with Type=oneshot: while the service is active, the payload has ended", "")
		}
		for _, line := range effective(d.service, "ExecReload") {
			d.fail(line, "ExecReload= in [Service] is not possible: [Container] says how to reload", "leave out one of them")
		}
		t.set("ExecReload", d.Render+" --reload --unit="+d.unitFile()+" %N")
	} else {
		for _, line := range effective(d.service, "ExecReload") {
			t.set(line.Key, line.Value)
		}
	}
	for _, line := range effective(d.service, "ExecStop") {
		t.set(line.Key, line.Value)
	}
	switch {
	case oneshot, signal == "SIGKILL", signal == "" && !asImage:
	case signal != "":
		t.set("ExecStop", "-"+d.Render+" --stop --signal="+signal+" %N")
	default:
		t.set("ExecStop", "-"+d.Render+" --stop %N")
	}
	for _, line := range effective(d.service, "ExecStopPost") {
		t.set(line.Key, line.Value)
	}
	t.set("ExecStopPost", "-"+d.Render+" --clean"+runtime+id+leave+" %N")
}

// startsAtOnce tells whether one command prepares the container and starts it: each takes
// systemd some milliseconds, from version 255 on some 15. There are two if the unit wants
// something done in between, or if it matters which of them failed: exit statuses that
// the unit tells apart are the payload's.
func (d *draft) startsAtOnce() bool {
	if d.oneshot() || len(effective(d.service, "ExecStartPre")) > 0 {
		return false
	}
	for _, key := range [...]string{"SuccessExitStatus", "RestartPreventExitStatus", "RestartForceExitStatus"} {
		if value, _ := lastValue(d.service, key); value != "" {
			return false
		}
	}
	return true
}

// killSignal is the unit's own signal for a stop; "" if it says none, or what systemd will
// not understand either.
func (d *draft) killSignal() string {
	own, _ := lastValue(d.service, "KillSignal")
	if own == "" {
		own = d.c.StopSignal
	}
	own, _ = units.ParseSignal(own)
	return own
}

// earlySignal is the option with a signal that systemd may send while the container is being
// started, and that a program in Go would not end by.
func (d *draft) earlySignal() string {
	signal := d.killSignal()
	if signal == "" && d.c.Systemd {
		signal = innerHalt
	}
	switch signal {
	case "", "SIGTERM", "SIGINT", "SIGHUP", "SIGKILL":
		return ""
	}
	return " --signal=" + signal
}

// ours are keys of [Service] that are not passed on where they stand.
func ours(key string) bool {
	switch key {
	case "Type", "NotifyAccess", "Delegate", "KillMode", "ExecStart", "ExecStartPre", "ExecReload", "ExecStop", "ExecStopPost":
		return true
	}
	return false
}

// oneshot tells whether the service is done when the payload ends well.
func (d *draft) oneshot() bool {
	value, _ := lastValue(d.service, "Type")
	return value == "oneshot" || !d.c.Payload
}

// id is the option with the name of the runtime's container; "" if it is called like
// the service.
func (d *draft) id() string {
	written, line := lastValue(d.container, "ContainerName")
	if written == "" || d.c.Name == "" {
		return ""
	}
	same := func(s string) string { return s }
	id, err := d.u.Name.Rewrite(unquoted(written), units.AllSpecifiers, same, same)
	if err != nil {
		return "" // told already
	}
	if other := d.claimID(id); other != "" {
		d.fail(line, "ContainerName=: the container of "+other+" is called "+id+" too", "")
	}
	return " --id=" + id
}

// claimID makes the name the unit's; or says whose it is. A container without
// ContainerName= is called like its service.
func (c *converter) claimIDs() {
	c.ids = make(map[string]*units.Unit)
	for _, u := range c.set.Units {
		if written, _ := lastValue(u.Lines, "ContainerName"); written == "" && !strings.ContainsAny(u.Name.Full, `@:\`) {
			c.ids[u.Name.Full] = u // with these characters it is not a ContainerName=
		}
	}
}

func (d *draft) claimID(id string) (taken string) {
	if d.ids == nil {
		d.claimIDs()
	}
	if other := d.ids[id]; other != nil && other != d.u {
		return other.Path
	}
	d.ids[id] = d.u
	return ""
}
