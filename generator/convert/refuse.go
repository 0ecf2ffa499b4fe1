package convert

import (
	"strings"

	"syscontainer/units"
)

// refusals are the keys of [Service] that break the start of every container, or
// that the service needs as it sets them itself. Anything is allowed that ok accepts.
var refusals = [...]struct {
	key       string
	list      bool // every line counts, not the last alone
	ok        func(value string) bool
	why, hint string
}{
	{"ExecStart", true, nil, "the service runs the container", "write Exec= in [Container]"},
	{"Type", false, func(v string) bool { return v == "notify" || v == "oneshot" }, "the service is of Type=notify, or of Type=oneshot",
		"leave it out; with Notify=yes in [Container] the payload says when it is ready, and ReloadSignal= asks it to reload"},
	{"NotifyAccess", false, is("all"), "the service needs NotifyAccess=all", "leave it out"},
	{"Delegate", true, is("yes", "true", "on", "1"), "the runtime needs Delegate=yes", "leave it out"},
	{"DelegateSubgroup", false, nil, "the service arranges its cgroup itself", "leave it out"},
	{"KillMode", false, is("mixed"), "the service needs KillMode=mixed", "leave it out"},
	{"PIDFile", false, nil, "systemd is told the main process", "leave it out"},
	{"ExitType", false, is("main"), "the exit status of the payload would be lost", "leave it out"},
	{"User", false, nil, "the runtime must run as root", "write User= in [Container]"},
	{"Group", false, nil, "the runtime must run as root", "write User=USER:GROUP in [Container]"},
	{"DynamicUser", false, off, "the runtime must run as root", "write User= in [Container]"},
	{"ProtectSystem", false, not("strict"), "the runtime must write below /run", "ProtectSystem=full is possible; ReadOnly=yes in [Container] protects the image"},
	{"ReadOnlyPaths", true, spares, "the runtime must write below /run, and a fetch below /var/lib/syscontainer", "ReadOnly=yes in [Container] protects the image"},
	{"ProtectControlGroups", false, off, "the runtime must make cgroups", "leave it out"},
	{"RestrictNamespaces", true, off, "the runtime must make namespaces", "leave it out"},
	{"SystemCallFilter", true, func(v string) bool { return strings.HasPrefix(v, "~") }, "the runtime needs more system calls than its payload", "leave it out; the payload has a filter of its own"},
	{"DevicePolicy", false, not("strict"), "the runtime must make device nodes", "DevicePolicy=closed is possible"},
	{"CapabilityBoundingSet", true, nil, "the runtime needs more rights than its payload", "write AddCapability= and DropCapability= in [Container]"},
	{"RootDirectory", false, is("/"), "the runtime is not there", "leave it out"},
	{"RootImage", false, nil, "the runtime is not there", "leave it out"},
}

func is(values ...string) func(string) bool {
	return func(v string) bool {
		for _, one := range values {
			if strings.EqualFold(v, one) {
				return true
			}
		}
		return false
	}
}

func not(value string) func(string) bool {
	return func(v string) bool { return v != value }
}

func off(v string) bool {
	on, err := units.ParseBool(v)
	return err == nil && !on
}

// spares tells whether read-only paths leave alone what a start writes.
func spares(v string) bool {
	for _, word := range strings.Fields(v) {
		path := strings.TrimRight(strings.TrimLeft(word, `-+"'`), `/"'`)
		for _, needed := range []string{"/run/", "/var/lib/syscontainer/"} {
			if strings.HasPrefix(needed, path+"/") {
				return false
			}
		}
	}
	return true
}

// refuse finds the lines of [Service] that are not possible. Those that a later one
// replaces are none.
func (d *draft) refuse() {
	for i := range refusals {
		r := &refusals[i]
		lines := effective(d.service, r.key)
		if !r.list && len(lines) > 0 {
			lines = lines[len(lines)-1:]
		}
		for _, line := range lines {
			if r.ok == nil || !r.ok(line.Value) {
				d.fail(line, r.key+"= in [Service] is not possible: "+r.why, r.hint)
			}
		}
	}
	if value, line := lastValue(d.service, "Restart"); d.oneshot() && (value == "always" || value == "on-success") {
		d.fail(line, "Restart="+value+" in [Service] is not possible: with Type=oneshot systemd refuses it", "Restart=on-failure is possible")
	}
}
