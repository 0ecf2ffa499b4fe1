package convert

import (
	"strings"

	"syscontainer/units"
)

// refusals are the keys of [Service] that break the start of every container, or
// that the service needs as it sets them itself. Anything is allowed that ok accepts.
var refusals = [...]struct {
	key       string
	ok        func(value string) bool
	why, hint string
}{
	{"ExecStart", nil, "the service runs the container", "write Exec= in [Container]"},
	{"Type", is("notify"), "the service is always of Type=notify", "leave it out; with Notify=yes in [Container] the payload says when it is ready"},
	{"NotifyAccess", is("all"), "the service needs NotifyAccess=all", "leave it out"},
	{"Delegate", is("yes", "true", "on", "1"), "the runtime needs Delegate=yes", "leave it out"},
	{"DelegateSubgroup", nil, "the service arranges its cgroup itself", "leave it out"},
	{"KillMode", is("mixed"), "the service needs KillMode=mixed", "leave it out"},
	{"PIDFile", nil, "systemd is told the main process", "leave it out"},
	{"ExitType", is("main"), "the exit status of the payload would be lost", "leave it out"},
	{"User", nil, "the runtime must run as root", "write User= in [Container]"},
	{"Group", nil, "the runtime must run as root", "write User=USER:GROUP in [Container]"},
	{"DynamicUser", off, "the runtime must run as root", "write User= in [Container]"},
	{"ProtectSystem", not("strict"), "the runtime must write below /run", "ProtectSystem=full is possible; ReadOnly=yes in [Container] protects the image"},
	{"ReadOnlyPaths", spares, "the runtime must write below /run, and a fetch below /var/lib/syscontainer", "ReadOnly=yes in [Container] protects the image"},
	{"ProtectControlGroups", off, "the runtime must make cgroups", "leave it out"},
	{"RestrictNamespaces", off, "the runtime must make namespaces", "leave it out"},
	{"SystemCallFilter", func(v string) bool { return strings.HasPrefix(v, "~") }, "the runtime needs more system calls than its payload", "leave it out; the payload has a filter of its own"},
	{"DevicePolicy", not("strict"), "the runtime must make device nodes", "DevicePolicy=closed is possible"},
	{"CapabilityBoundingSet", nil, "the runtime needs more rights than its payload", "write AddCapability= and DropCapability= in [Container]"},
	{"RootDirectory", is("/"), "the runtime is not there", "leave it out"},
	{"RootImage", nil, "the runtime is not there", "leave it out"},
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

// refuse says why a line of [Service] is not possible; nil if it is.
func refuse(line *units.Line) *units.Problem {
	if line.Value == "" {
		return nil
	}
	for i := range refusals {
		r := &refusals[i]
		if r.key == line.Key && (r.ok == nil || !r.ok(line.Value)) {
			return &units.Problem{File: line.File, Line: line.Line, Msg: line.Key + "= in [Service] is not possible: " + r.why, Hint: r.hint}
		}
	}
	return nil
}
