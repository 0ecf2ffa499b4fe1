package main

import (
	"slices"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/units"
)

// merge makes the runtime's configuration of the template and of s, which is what spec made of the unit over it. Without
// a template it returns s.
func (t *imageTemplate) merge(c *units.Container, s *rspec.Spec, h host, tree *tree) (*rspec.Spec, error) {
	if !t.configures() {
		return s, nil
	}
	base := t.spec
	mounts, err := t.mergeMounts(c, s, h, tree)
	if err != nil {
		return nil, err
	}
	s.Mounts = mounts
	if ownUTS(c) {
		s.Domainname = base.Domainname
	}

	p, was := s.Process, base.Process
	p.User.Umask = was.User.Umask
	p.Capabilities = mergeCapabilities(was.Capabilities, c, h.Capabilities, h.User.UID)
	p.OOMScoreAdj, p.Scheduler, p.IOPriority, p.ExecCPUAffinity = was.OOMScoreAdj, was.Scheduler, was.IOPriority, was.ExecCPUAffinity

	l, image := s.Linux, base.Linux
	if c.SELinux == (units.SELinux{}) {
		p.SelinuxLabel, l.MountLabel = was.SelinuxLabel, image.MountLabel
	}
	l.Seccomp = image.Seccomp
	if ownFilter(c) {
		l.Seccomp = seccomp(c, h, p.Capabilities)
	}
	if t.lists(rspec.TimeNamespace) {
		l.Namespaces = append(l.Namespaces, rspec.LinuxNamespace{Type: rspec.TimeNamespace})
		l.TimeOffsets = image.TimeOffsets
	}
	covered := func(name string) bool { return unmasked(c, name) }
	l.MaskedPaths = slices.DeleteFunc(slices.Clone(image.MaskedPaths), covered)
	l.ReadonlyPaths = slices.DeleteFunc(slices.Clone(image.ReadonlyPaths), covered)
	for _, p := range c.Mask {
		if !slices.Contains(l.MaskedPaths, p) {
			l.MaskedPaths = append(l.MaskedPaths, p)
		}
	}
	if ownNetwork(c) {
		l.NetDevices = image.NetDevices
	}
	l.MemoryPolicy, l.Personality = image.MemoryPolicy, image.Personality
	t.mergeDevices(c, s)
	t.tell(h.Name)
	t.tellPowers(h.Name, c, s, tree)
	return s, onlyText(s)
}

// ownFilter tells whether the unit chooses the filter of system calls.
func ownFilter(c *units.Container) bool { return c.Sets("SeccompProfile") || c.Privileged }

func ownNetwork(c *units.Container) bool { return c.Network == "none" || c.Network == "bridge" }

// mergeDevices puts the template's devices and limits before what the unit allows.
func (t *imageTemplate) mergeDevices(c *units.Container, s *rspec.Spec) {
	l, image := s.Linux, t.spec.Linux
	unitAllows := l.Resources.Devices[1:] // behind what forbids all: see defaultSpec
	if c.Privileged {
		unitAllows = l.Resources.Devices
	}
	resources := new(rspec.LinuxResources)
	if image.Resources != nil {
		*resources = *image.Resources
	}
	if len(resources.Devices) == 0 {
		// Runtimes do not agree on what that means.
		resources.Devices = []rspec.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
		for i := range image.Devices {
			d := &image.Devices[i]
			resources.Devices = append(resources.Devices, rspec.LinuxDeviceCgroup{Allow: true, Type: d.Type, Major: &d.Major, Minor: &d.Minor, Access: "rwm"})
		}
	}
	resources.Devices = slices.Concat(resources.Devices, unitAllows)
	l.Resources = resources
	made := slices.DeleteFunc(slices.Clone(image.Devices), func(d rspec.LinuxDevice) bool {
		return slices.ContainsFunc(l.Devices, func(o rspec.LinuxDevice) bool { return o.Path == d.Path })
	})
	l.Devices = append(made, l.Devices...)
}

// mergeCapabilities adds to each set what the unit adds, and takes away what it drops or what this service cannot hand on.
// The inheritable and the ambient set get something only where a user needs it there.
func mergeCapabilities(from *rspec.LinuxCapabilities, c *units.Container, available uint64, uid uint32) *rspec.LinuxCapabilities {
	if from == nil {
		from = new(rspec.LinuxCapabilities)
	}
	var known []string
	for number, name := range allCapabilities {
		if available>>number&1 != 0 {
			known = append(known, name)
		}
	}
	added := c.AddCapability
	if containsFold(added, "all") {
		added = known
	}
	dropAll := containsFold(c.DropCapability, "all")
	merged := func(list []string, add bool) []string {
		if dropAll {
			list = nil
		}
		if add {
			list = slices.Concat(list, added)
		}
		list = slices.DeleteFunc(slices.Clone(list), func(name string) bool {
			return !slices.Contains(known, name) || containsFold(c.DropCapability, name)
		})
		slices.Sort(list)
		return slices.Compact(list)
	}
	return &rspec.LinuxCapabilities{
		Bounding: merged(from.Bounding, true), Effective: merged(from.Effective, true), Permitted: merged(from.Permitted, true),
		Inheritable: merged(from.Inheritable, uid != 0), Ambient: merged(from.Ambient, uid != 0),
	}
}
