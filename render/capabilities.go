package main

import (
	"fmt"
	"slices"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// defaultCapabilities are podman's, so Quadlet's.
var defaultCapabilities = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE",
	"CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

// allCapabilities are those of capability.h by number; a kernel may know fewer.
var allCapabilities = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
	"CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
	"CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// capabilities merges the defaults with AddCapability= and DropCapability=, as
// podman does: "all" is the weaker word, naming a capability in both is an error.
// available is a bit for each number that this service may hand on at all: the
// kernel, CapabilityBoundingSet= or a container around the machine may withhold
// some, and runtimes fail on these. The lists are sorted.
//
// Inheritable and ambient sets stay empty, so that a program with file
// capabilities gains nothing by accident; only what the unit adds for a user
// other than root goes there, as execve(2) would take it away otherwise.
func capabilities(add, drop []string, available uint64, uid uint32) (*rspec.LinuxCapabilities, error) {
	var known []string
	for number, name := range allCapabilities {
		if available>>number&1 != 0 {
			known = append(known, name)
		}
	}
	unknown := func(name string) bool { return !slices.Contains(known, name) }
	set := slices.DeleteFunc(slices.Clone(defaultCapabilities[:]), unknown)
	addAll, dropAll := containsFold(add, "all"), containsFold(drop, "all")
	switch {
	case addAll && dropAll:
		return nil, fmt.Errorf("AddCapability=all and DropCapability=all contradict each other")
	case addAll:
		set = slices.Clone(known)
	case dropAll:
		set = nil
	}
	var added []string
	for _, name := range add {
		if strings.EqualFold(name, "all") {
			added = append(added, known...)
			continue
		}
		if containsFold(drop, name) {
			return nil, fmt.Errorf("%s stands in AddCapability= and in DropCapability=", name)
		}
		if unknown(name) {
			return nil, fmt.Errorf("AddCapability=%s: the kernel or this service's CapabilityBoundingSet= lacks it", name)
		}
		set, added = append(set, name), append(added, name)
	}
	dropped := func(name string) bool { return containsFold(drop, name) }
	normal := func(list []string) []string {
		list = slices.DeleteFunc(list, dropped)
		slices.Sort(list)
		return slices.Compact(list)
	}
	set, added = normal(set), normal(added)
	if uid == 0 {
		return &rspec.LinuxCapabilities{Bounding: set, Effective: set, Permitted: set}, nil
	}
	return &rspec.LinuxCapabilities{Bounding: set, Effective: added, Permitted: added,
		Inheritable: added, Ambient: added}, nil
}

func containsFold(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
}
