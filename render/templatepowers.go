package main

import (
	"fmt"
	"slices"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/units"
)

// tellPowers logs, in one message, what the image took that an ordinary one does not get. The unit's author may not know:
// the unit does not say it.
func (t *imageTemplate) tellPowers(name string, c *units.Container, s *rspec.Spec, tree *tree) {
	powers := t.powers(c, s, tree)
	if len(powers) == 0 || !inJournal() {
		return
	}
	report(priorityNotice, name, withHint(fmt.Errorf("%s gives the payload %s", t.file, strings.Join(powers, "; ")),
		"Template=no in [Container] makes it an ordinary image"))
}

// powers are what of s is the template's wish and beyond what a container gets whose unit says nothing.
func (t *imageTemplate) powers(c *units.Container, s *rspec.Spec, tree *tree) (list []string) {
	say := func(is bool, what string) {
		if is {
			list = append(list, what)
		}
	}
	var caps []string
	for _, name := range s.Process.Capabilities.Bounding {
		if !slices.Contains(defaultCapabilities[:], name) && !containsFold(c.AddCapability, name) && !containsFold(c.AddCapability, "all") {
			caps = append(caps, name)
		}
	}
	switch {
	case len(caps) > 20:
		list = append(list, fmt.Sprintf("%d capabilities, CAP_SYS_ADMIN and the like", len(s.Process.Capabilities.Bounding)))
	case len(caps) > 0:
		list = append(list, strings.Join(caps, " "))
	}
	var shown, others []string
	for _, m := range t.binds(c, tree) {
		if !slices.Contains(machineFiles, m.Destination) {
			shown = append(shown, m.Source)
		}
	}
	say(len(shown) > 0, "of the machine's files "+strings.Join(shown, " "))
	for _, m := range t.spec.Mounts {
		switch m.Type {
		case "bind", "proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2":
		default:
			others = append(others, m.Type+" on "+m.Destination)
		}
	}
	say(len(others) > 0, "file systems "+strings.Join(others, ", "))
	say(c.PID == "host" && !c.Sets("PID"), "sight of the machine's processes")
	say(c.IPC == "host" && !c.Sets("IPC"), "the machine's shared memory and semaphores")
	say(len(t.spec.Linux.NetDevices) > 0 && ownNetwork(c), "network devices of the machine")
	devices := t.spec.Linux.Resources != nil && slices.ContainsFunc(t.spec.Linux.Resources.Devices, func(d rspec.LinuxDeviceCgroup) bool { return d.Allow })
	say((devices || len(t.spec.Linux.Devices) > 0) && !c.Privileged, "devices of the machine")
	say(s.Linux.Seccomp == nil && !ownFilter(c), "all system calls")
	say(!s.Process.NoNewPrivileges && !c.Sets("NoNewPrivileges"), "new rights by set-user-ID programs")
	say(len(s.Linux.MaskedPaths) == 0 && len(c.Unmask) == 0, "all of /proc and /sys")
	say(t.tmpfiles != nil && strings.TrimSpace(*t.tmpfiles) != "", "the files that its "+tmpfilesTemplate+" makes")
	return list
}
