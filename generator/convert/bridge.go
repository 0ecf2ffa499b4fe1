package convert

import (
	"syscontainer/units"
)

// bridge sees to what a unit with Network=bridge needs of its service, and warns of
// ports that another unit publishes too: only one of them can run at a time.
func (d *draft) bridge() {
	if d.c.Network != "bridge" {
		return
	}
	for i := range bridgeRefusals {
		r := &bridgeRefusals[i]
		if value, line := lastValue(d.service, r.key); value != "" && !r.ok(value) {
			d.fail(line, r.key+"= in [Service] is not possible with Network=bridge: "+r.why, r.hint)
		}
	}
	// What loads the machine's own firewall rules at boot removes all others.
	d.after = addOnce(d.after, "network-pre.target")
	lines := effective(d.container, "PublishPort")
	if len(lines) != len(d.c.Ports) {
		return // there are errors, and no service comes of it
	}
	for i, p := range d.c.Ports {
		if d.u.Name.StartOnly(lines[i].Value) || d.u.Name.Template {
			continue
		}
		for _, other := range d.published {
			if p.Overlaps(other.port) {
				d.warn(lines[i], "PublishPort="+p.String()+": "+other.unit.Path+" publishes "+other.port.String()+", and only one of them can run", "")
				break
			}
		}
	}
	if !d.u.Name.Template {
		for _, p := range d.c.Ports {
			d.published = append(d.published, published{p, d.u})
		}
	}
}

// published is a port of the machine, and the unit that it leads to.
type published struct {
	port units.Port
	unit *units.Unit
}

// bridgeRefusals are keys of [Service] that take from netavark what it needs.
var bridgeRefusals = [...]struct {
	key       string
	ok        func(value string) bool
	why, hint string
}{
	{"PrivateNetwork", off, "the bridge is on the machine's network", "leave it out; the payload has a network of its own"},
	{"NetworkNamespacePath", never, "the bridge is on the machine's network", "leave it out; the payload has a network of its own"},
	{"ProtectKernelTunables", off, "forwarding must be switched on", "leave it out; the payload sees these files read-only"},
}

func never(string) bool { return false }
