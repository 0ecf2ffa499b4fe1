package convert

import (
	"slices"
	"strings"

	"syscontainer/units"
)

// claimNames gives each service's name to its unit, unless it is somebody else's: of
// systemd's own directories, of Quadlet, of a second unit.
func (c *converter) claimNames(drafts []draft) {
	c.owners = make(map[string]*draft, 2*len(drafts))
	names := make(map[string]bool, 2*len(drafts))
	twice := false
	for i := range drafts {
		d := &drafts[i]
		service := d.s.Name
		_, seen := c.owners[service]
		twice = twice || seen
		c.owners[service] = d
		names[service] = true
		for _, alias := range d.aliases {
			names[alias] = true
		}
	}
	// Each directory of systemd is listed once, for all names together.
	c.native = natives(c.Root, names)
	podman := len(c.set.Quadlet) > 0 && hasQuadlet(c.Root)
	for i := range drafts {
		d := &drafts[i]
		if n, taken := c.native[d.s.Name]; taken {
			d.none, d.errs, d.warnings = true, nil, nil
			if !n.masked {
				d.errs = units.Problems{{File: d.u.Path, Msg: "no service is made of it: " + n.path + " is there already", Hint: "rename one of them"}}
			}
			continue
		}
		if other, both := c.set.Quadlet[d.u.Name.Full]; both {
			p := &units.Problem{File: d.u.Path, Msg: other + " becomes " + d.s.Name + " too", Hint: "remove one of them"}
			if podman { // whoever writes last would win
				p.Msg = "no service is made of it: " + p.Msg
				d.none, d.errs, d.warnings = true, units.Problems{p}, nil
				continue
			}
			d.errs = append(d.errs, p)
		}
	}
	if twice {
		sameName(drafts)
	}
}

// sameName makes a service that several units want one that fails and names them all:
// neither of them runs in place of the other.
func sameName(drafts []draft) {
	wants := make(map[string][]*draft)
	for i := range drafts {
		wants[drafts[i].s.Name] = append(wants[drafts[i].s.Name], &drafts[i])
	}
	for i := range drafts {
		all := wants[drafts[i].s.Name]
		if len(all) < 2 || all[0] != &drafts[i] || all[0].none {
			continue
		}
		slices.SortFunc(all, func(a, b *draft) int { return strings.Compare(a.u.Path, b.u.Path) })
		first := all[0]
		for _, d := range all {
			other := first.u.Path
			if d == first {
				other = all[1].u.Path
			}
			p := &units.Problem{File: d.u.Path, Msg: other + " becomes " + d.s.Name + " too", Hint: "rename one of them"}
			if _, line := lastValue(d.u.Lines, "ServiceName"); line != nil {
				p.Line, p.Column, p.Msg = line.Line, line.ValueColumn, "ServiceName=: "+p.Msg
				p.File = line.File
			}
			if d == first {
				d.errs = append(d.errs, p)
				continue
			}
			first.others = append(first.others, p)
			first.links = append(first.links, d.links...)
			first.s.Private = first.s.Private || d.u.Private
			d.none, d.errs, d.warnings, d.aliases = true, units.Problems{p}, nil, nil
		}
	}
}

// claimAliases drops aliases that are somebody else's name. Both sides are told.
func (d *draft) claimAliases() {
	if d.none {
		return
	}
	for _, alias := range d.aliases {
		line := d.asked[alias]
		n, taken := d.native[alias]
		owner := d.owners[alias]
		quadlet, podman := d.set.Quadlet[strings.TrimSuffix(alias, ".service")]
		by := ""
		switch {
		case taken:
			by = n.path
		case owner == d:
		case owner != nil:
			by = owner.u.Path
			owner.warnings = append(owner.warnings, &units.Problem{File: by, Msg: alias + " stays its name: " + d.u.Path + " asks for it too, in Alias="})
		case podman:
			by = quadlet
		}
		if by == "" {
			d.owners[alias] = d
			continue
		}
		d.links = slices.DeleteFunc(d.links, func(l Link) bool { return l.Name == alias })
		if !n.masked { // with systemctl mask
			d.fail(line, "Alias=: "+alias+" is taken by "+by, "")
		}
	}
}
