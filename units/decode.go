package units

import (
	"slices"
	"strings"
)

// decode reads those lines that stand in the section [Container], as it is called
// there, and those of [Update], unless the generator wrote them. In a template the instance is
// taken to be called "instance", and what is not known yet stands for itself: what
// comes of it is good for checks only.
func decode(lines []Line, section string, n scope) (c *Container, errs, warnings Problems) {
	d := &draft{Container: unset}
	if n.Template {
		n.Instance = "instance"
		n.Full += n.Instance
	}
	r := reading{draft: d}
	for i := range lines {
		line := &lines[i]
		if line.Section != section {
			continue
		}
		k := keyIndex(line.Key)
		if k < 0 {
			problem, isError := unknownKey(line)
			if isError {
				r.errs = append(r.errs, problem)
			} else if problem != nil {
				r.warnings = append(r.warnings, problem)
			}
			continue
		}
		if before := r.last[k]; keys[k].once && before != nil && before.File == line.File && before.Value != "" && line.Value != "" {
			r.warnings = append(r.warnings, &Problem{File: line.File, Line: line.Line, Column: line.Column, Msg: line.Key + "= is set again, the line before is ignored"})
		}
		r.last[k] = line
		said, err := keys[k].set(d, &n, line.Value)
		for _, w := range said {
			r.warnings = append(r.warnings, at(line, w))
		}
		if err != nil {
			r.errs = append(r.errs, at(line, err))
			r.wrong[k] = true
		}
	}
	r.finish()
	if section != GeneratedSection {
		r.warnings = append(r.warnings, d.decodeUpdate(lines, n)...)
	}
	return &d.Container, r.errs, r.warnings
}

// reading is a draft, and where its keys were set last.
type reading struct {
	*draft
	last           [len(keys)]*Line
	wrong          [len(keys)]bool // one of its values
	errs, warnings Problems
}

// at gives an error of a value its place.
func at(line *Line, err error) *Problem {
	return &Problem{File: line.File, Line: line.Line, Column: line.ValueColumn, Msg: line.Key + "=: " + err.Error(), Hint: Hint(err)}
}

// complain reports an error that several keys make together, at the last line of
// one of them; without such a line, at the unit.
func (r *reading) complain(key, msg, hint string) {
	p := &Problem{Msg: msg, Hint: Printable(hint)}
	if line := r.last[keyIndex(key)]; line != nil {
		p.File, p.Line, p.Column = line.File, line.Line, line.Column
	}
	r.errs = append(r.errs, p)
}

// was tells whether a key has, or was meant to have, a value.
func (r *reading) was(key string) bool {
	line := r.last[keyIndex(key)]
	return line != nil && line.Value != ""
}

// finish puts together what several keys say, and refuses what they cannot mean
// together.
func (r *reading) finish() {
	d := r.draft
	d.Rootfs, d.RootfsOverlay = d.rootfs.path, d.rootfs.overlay
	switch {
	case r.was("Image") && r.was("Rootfs"):
		r.complain("Rootfs", "Image= and Rootfs= are both set", "write one of them; in a drop-in, an empty Image= takes back the other file's")
	case !r.was("Image") && !r.was("Rootfs"):
		r.errs = append(r.errs, &Problem{Msg: "Image= or Rootfs= is missing in [Container]"})
	}
	if d.group != "" && !r.wrong[keyIndex("User")] {
		switch {
		case d.User == "":
			r.complain("Group", "Group= is set without User=", "write User=USER:"+d.group)
		case strings.Contains(d.User, ":"):
			r.complain("Group", "Group= is set, and User= names a group too", "write one of them")
		default:
			d.User += ":" + d.group
		}
	}
	for _, name := range d.DropCapability {
		if slices.Contains(d.AddCapability, name) {
			r.complain("DropCapability", quote(strings.TrimPrefix(name, "CAP_"))+" stands in AddCapability= and in DropCapability=", "")
		}
	}
	if d.ReloadCmd != nil && d.ReloadSignal != "" {
		r.complain("ReloadSignal", "ReloadCmd= and ReloadSignal= are both set", "write one of them")
	}
	if d.HostName != "" && d.UTS != "" && d.UTS != "private" {
		r.complain("HostName", "HostName= needs a name space of its own, and UTS="+r.last[keyIndex("UTS")].Value+" gives it another's", "remove one of them")
	}
	if d.Volatile && !d.ReadOnly {
		r.complain("Volatile", "Volatile=yes forgets at the stop what is written into the root, and ReadOnly=no keeps it", "write one of them")
	}
	if slices.Contains(d.DNS, "none") && (len(d.DNS) > 1 || d.DNSOption != nil || d.DNSSearch != nil) {
		r.complain("DNS", "DNS=none leaves /etc/resolv.conf alone, and other keys fill it", "remove DNS=none, or the other DNS…= lines")
	}
	for key := range r.last {
		if line := r.last[key]; line != nil && line.Value != "" {
			d.said.add(key)
		}
	}
	r.networks()
	r.privileges()
	r.identities()
	r.systemd()
	r.sysctls()

	d.Environment = lastOfEach(d.Environment)
	d.Sysctl = lastOfEach(d.Sysctl)
	d.Set = lastOfEach(d.Set)
	d.Annotations = lastOfEach(append(d.Annotations, d.labels...))
	d.Ulimits = lastNamed(d.Ulimits, func(u Ulimit) string { return u.Name })
	d.Credentials = lastNamed(d.Credentials, func(c Credential) string { return c.Name })
}

// lastOfEach keeps the last value of each KEY=value, in the place of its first.
func lastOfEach(assignments []string) []string {
	return lastNamed(assignments, func(assignment string) string {
		key, _, _ := strings.Cut(assignment, "=")
		return key
	})
}

// lastNamed keeps the last of each name, in the place of the first.
func lastNamed[T any](all []T, name func(T) string) []T {
	if len(all) < 2 {
		return all
	}
	place := make(map[string]int, len(all))
	kept := all[:0]
	for _, one := range all {
		key := name(one)
		if i, seen := place[key]; seen {
			kept[i] = one
			continue
		}
		place[key] = len(kept)
		kept = append(kept, one)
	}
	return kept
}
