package main

import (
	"maps"
	"slices"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/units"
)

// over is the unit on top of the template: what the unit does not say, the template does, in the unit's words. All that
// looks at a unit before a start then sees the container as it will be. image becomes the template's process.
func (t *imageTemplate) over(unit *units.Container, image *imageConfig) *units.Container {
	if !t.configures() {
		return unit
	}
	*image = *t.asImage()
	c := *unit
	s := t.spec
	for _, n := range []struct {
		kind  rspec.LinuxNamespaceType
		key   string
		value *string
		own   string
	}{
		{rspec.PIDNamespace, "PID", &c.PID, "private"}, {rspec.IPCNamespace, "IPC", &c.IPC, "private"}, {rspec.UTSNamespace, "UTS", &c.UTS, "private"},
		{rspec.CgroupNamespace, "Cgroup", &c.Cgroup, "private"}, {rspec.NetworkNamespace, "Network", &c.Network, "none"},
	} {
		if !unit.Sets(n.key) {
			*n.value = "host"
			if t.lists(n.kind) {
				*n.value = n.own
			}
		}
	}
	if c.Systemd && !unit.Sets("Cgroup") {
		c.Cgroup = "private"
	}
	switch {
	case unit.Sets("HostName"):
		if !unit.Sets("UTS") {
			c.UTS = "private"
		}
	case ownUTS(&c):
		c.HostName = s.Hostname
	}
	if !unit.Sets("UIDMap", "GIDMap", "UserNS") {
		c.UIDMap, c.GIDMap = ranges(s.Linux.UIDMappings), ranges(s.Linux.GIDMappings)
		if len(c.UIDMap) == 0 || len(c.GIDMap) == 0 {
			c.UIDMap, c.GIDMap = nil, nil
		}
	}
	if !s.Root.Readonly && !unit.Sets("ReadOnly", "Volatile") {
		c.Volatile = true
	}
	c.ReadOnlyTmpfs = unit.ReadOnlyTmpfs && unit.Sets("ReadOnlyTmpfs")
	if !unit.Sets("NoNewPrivileges") {
		c.NoNewPrivileges = s.Process.NoNewPrivileges
	}
	if unit.SeccompProfile == "" {
		c.SeccompProfile = "unconfined" // then merge puts its own there
	}
	if profile := s.Process.ApparmorProfile; profile != "" && unit.AppArmor == "" {
		if appArmorOn() {
			c.AppArmor = profile
		} else {
			t.changes = append(t.changes, "process.apparmorProfile goes: there is no AppArmor")
		}
	}
	if c.Propagation == "" {
		c.Propagation = s.Linux.RootfsPropagation
	}
	var limits []units.Ulimit
	for _, l := range s.Process.Rlimits {
		limits = append(limits, units.Ulimit{Name: l.Type, Soft: l.Soft, Hard: l.Hard})
	}
	c.Ulimits = slices.Concat(limits, unit.Ulimits)
	c.Sysctl = slices.Concat(assigned(s.Linux.Sysctl), unit.Sysctl)
	c.Annotations = slices.Concat(assigned(s.Annotations), unit.Annotations)
	return &c
}

// configures tells whether the image has a configuration. t may be nil.
func (t *imageTemplate) configures() bool { return t != nil && t.spec != nil }

// addGroups gives the payload the template's supplementary groups, if it runs as the template's user.
func (t *imageTemplate) addGroups(c *units.Container, u *user) {
	if !t.configures() || c.User != "" {
		return
	}
	for _, gid := range t.spec.Process.User.AdditionalGids {
		if !slices.Contains(u.Groups, gid) {
			u.Groups = append(u.Groups, gid)
		}
	}
}

// lists tells whether the template has a namespace of a kind.
func (t *imageTemplate) lists(kind rspec.LinuxNamespaceType) bool {
	return slices.ContainsFunc(t.spec.Linux.Namespaces, func(n rspec.LinuxNamespace) bool { return n.Type == kind })
}

func ranges(list []rspec.LinuxIDMapping) (all []units.IDMap) {
	for _, m := range list {
		all = append(all, units.IDMap{Container: m.ContainerID, Host: m.HostID, Size: m.Size})
	}
	return all
}

// assigned are KEY=value, sorted.
func assigned(values map[string]string) (list []string) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		list = append(list, key+"="+values[key])
	}
	return list
}
