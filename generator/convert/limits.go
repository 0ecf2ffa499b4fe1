package convert

import (
	"strconv"
	"time"

	"syscontainer/units"
)

// limits writes what keys of [Container] are in systemd's words.
func (d *draft) limits() {
	d.stopping()
	if d.c.Memory > 0 && !d.taken("Memory", "MemoryMax") {
		d.t.set("MemoryMax", strconv.FormatInt(d.c.Memory, 10))
	}
	if d.c.PidsLimit != 0 && !d.taken("PidsLimit", "TasksMax") {
		limit := "infinity"
		if d.c.PidsLimit > 0 {
			limit = strconv.FormatInt(d.c.PidsLimit, 10)
		}
		d.t.set("TasksMax", limit)
	}
	for _, credential := range d.c.Credentials {
		value := credential.Name
		if credential.Source != "" {
			value += ":" + credential.Source
		}
		d.t.set("LoadCredential", value)
	}
}

// taken tells whether [Service] says itself what our key would: then that counts.
func (d *draft) taken(ours, key string) bool {
	value, _ := lastValue(d.service, key)
	if value == "" {
		return false
	}
	if _, line := lastValue(d.container, ours); line != nil {
		d.warn(line, ours+"= is ignored: "+key+"= is set in [Service]", "")
	}
	return true
}

// stopping sets what StopSignal= and StopTimeout= say. Without them a stop may take
// ten seconds, as Quadlet's: a payload that ignores SIGTERM, which process 1 of a
// container does unless it has a handler, shall not take systemd's ninety.
func (d *draft) stopping() {
	twice := func(ours, key string) {
		if value, line := lastValue(d.service, key); value != "" {
			d.warn(line, key+"= in [Service] is ignored: "+ours+"= is set in [Container]", "")
		}
	}
	if d.c.StopSignal != "" {
		twice("StopSignal", "KillSignal")
		d.t.set("KillSignal", d.c.StopSignal)
	}
	if d.c.Systemd {
		d.stoppingSystemd()
	}
	own, _ := lastValue(d.service, "TimeoutStopSec")
	both, _ := lastValue(d.service, "TimeoutSec")
	switch {
	case d.c.StopTimeout != units.NotSet:
		twice("StopTimeout", "TimeoutStopSec")
		d.t.set("TimeoutStopSec", span(d.c.StopTimeout))
	case own == "" && both == "" && !d.c.Systemd:
		d.t.set("TimeoutStopSec", "10s")
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
