package convert

import (
	"path"
	"slices"
	"strings"

	"syscontainer/units"
)

// namespaces are the keys that can name another container to share one with.
var namespaces = [...]struct {
	key   string
	value func(*units.Container) string
}{
	{"Network", func(c *units.Container) string { return c.Network }},
	{"PID", func(c *units.Container) string { return c.PID }},
	{"IPC", func(c *units.Container) string { return c.IPC }},
	{"UTS", func(c *units.Container) string { return c.UTS }},
}

// share finds what the unit takes of other containers, so that render needs no file
// but the service: lines of [Container] that name a unit are replaced.
func (d *draft) share() {
	for _, n := range namespaces {
		if !strings.HasPrefix(n.value(d.c), "container:") {
			continue
		}
		_, line := lastValue(d.container, n.key)
		if line == nil {
			continue
		}
		t, ok := d.other(line, unquoted(line.Value))
		if !ok {
			continue
		}
		d.replace(line, strings.TrimSuffix(t.service, ".service")+".syscontainer")
		d.bindsTo = addOnce(d.bindsTo, t.service)
		d.waitFor(line, t.service)
	}
	d.volumesFrom()
}

// waitFor orders the unit after another. Where that waits for this one in turn, which
// systemd would find only at a start, and then drop one of them, it is an error.
func (d *draft) waitFor(line *units.Line, service string) {
	d.after = addOnce(d.after, service)
	if d.waits == nil {
		d.waits = make(map[string][]string)
	}
	d.waits[d.s.Name] = d.after
	seen := make(map[string]bool)
	for next := []string{service}; len(next) > 0; {
		last := len(next) - 1
		one := next[last]
		if next = next[:last]; one == d.s.Name {
			d.fail(line, line.Key+"=: "+units.Printable(service)+" waits for this unit in turn", "")
			return
		}
		if !seen[one] {
			seen[one] = true
			next = append(next, d.waits[one]...)
		}
	}
}

// other resolves the name of a container of ours that is not the unit itself.
func (d *draft) other(line *units.Line, word string) (t target, ok bool) {
	t, is := d.resolve(d.u, word)
	switch {
	case !is:
		d.fail(line, line.Key+"=: \""+units.Printable(word)+"\" is no .syscontainer file", "")
	case t.missing != "":
		d.fail(line, line.Key+"=: "+t.missing, t.hint)
	case t.unit == nil:
		d.fail(line, line.Key+"=: "+units.Printable(word)+" is a container of podman", "only those of .syscontainer files can be shared")
	case strings.HasSuffix(t.service, "@.service"):
		d.fail(line, line.Key+"=: "+units.Printable(word)+" is a template", "name one of its instances")
	case t.unit == d.u && (!d.u.Name.Template || t.service == d.u.Name.Prefix+"@%i.service"):
		d.fail(line, line.Key+"=: "+units.Printable(word)+" is the unit itself", "")
	default:
		return t, true
	}
	return t, false
}

// volumesFrom puts the path of the host in place of NAME.syscontainer/PATH.
func (d *draft) volumesFrom() {
	if !slices.ContainsFunc(d.c.Volumes, func(v units.Volume) bool { return v.From != "" }) {
		return
	}
	lines := effective(d.container, "Volume")
	if len(lines) != len(d.c.Volumes) {
		return // there are errors, and no service comes of it
	}
	for i, line := range lines {
		v := &d.c.Volumes[i]
		if v.From == "" {
			continue
		}
		source, rest, _ := strings.Cut(line.Value, ":")
		name, _, _ := strings.Cut(source, "/")
		t, ok := d.other(line, name)
		if !ok {
			continue
		}
		if d.u.Name.StartOnly(source[len(name):]) {
			d.fail(line, "Volume=: the path in "+units.Printable(name)+" is not known before the start", "write it without specifiers")
			continue
		}
		host, problem := d.hostPath(t, path.Clean(v.Source), 0)
		if problem != "" {
			d.fail(line, "Volume=: "+problem, "")
			continue
		}
		v.From, v.Written = "", host
		d.replace(line, host+":"+rest)
		d.waitFor(line, t.service)
	}
}

// deepest is how often a volume may come from a container that has it from another.
const deepest = 16

// hostPath is where a path in the container of a target lies on the host: text for
// [Container], with specifiers where only a start knows.
func (d *draft) hostPath(t target, inside string, depth int) (host, problem string) {
	of := *t.unit
	service := strings.TrimSuffix(t.service, ".service")
	n, err := units.ParseName(service)
	if err != nil { // of which instance, only a start knows
		return "", units.Printable(service) + " is another container for each instance"
	}
	of.Name = n
	c := d.containers[service]
	if c == nil {
		c, _, _ = of.Container()
		if d.containers == nil {
			d.containers = make(map[string]*units.Container)
		}
		d.containers[service] = c
	}
	var best *units.Volume
	longest := ""
	consider := func(v units.Volume) {
		if below(inside, v.Target) && len(v.Target) > len(longest) {
			best, longest = &v, v.Target
		}
	}
	for _, v := range c.Volumes {
		consider(v)
	}
	for _, m := range c.Mounts {
		if m.Type == "bind" {
			consider(units.Volume{Source: m.Source, Target: m.Target, Written: m.Written})
		}
	}
	for _, m := range c.Tmpfs {
		if below(inside, m.Target) && len(m.Target) > len(longest) {
			best, longest = nil, m.Target
		}
	}
	if best == nil {
		return "", units.Printable(inside) + " is no directory of the host in " + t.unit.Path
	}
	rest := strings.TrimPrefix(inside, longest)
	if best.From != "" {
		next, ok := d.resolve(&of, best.From+".syscontainer")
		switch {
		case !ok || next.unit == nil || next.missing != "":
			return "", t.unit.Path + " has " + units.Printable(inside) + " from a container that is not there"
		case depth >= deepest:
			return "", t.unit.Path + " has " + units.Printable(inside) + " from itself"
		}
		host, problem := d.hostPath(next, path.Clean(best.Source+rest), depth+1)
		return host, problem
	}
	host, err = of.Name.Rewrite(best.Written, units.AllSpecifiers, func(s string) string {
		if isHostSpecifier(s) {
			return s // the start will know
		}
		return percent(s)
	}, percent)
	switch {
	case err != nil:
		return "", t.unit.Path + ": " + err.Error()
	case strings.Contains(host+rest, ":"):
		return "", units.Printable(host+rest) + " has a colon in it, which no Volume= can hold"
	}
	return host + percent(rest), ""
}

// below tells whether a clean path is a directory or lies in it.
func below(name, dir string) bool {
	rest, ok := strings.CutPrefix(name, dir)
	return ok && (rest == "" || rest[0] == '/' || dir == "/")
}

func addOnce(list []string, s string) []string {
	for _, known := range list {
		if known == s {
			return list
		}
	}
	return append(list, s)
}
