package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/units"
)

// machineProfiles is where a machine has its list for all containers (containers.conf(5),
// seccomp_profile): the admin's, then the distribution's, which follows its kernel.
var machineProfiles = []string{"/etc/containers/seccomp.json", "/usr/share/containers/seccomp.json"}

// seccomp is the filter: none, that of a file, or ours.
func seccomp(c *units.Container, h host, caps *rspec.LinuxCapabilities) *rspec.LinuxSeccomp {
	switch {
	case c.SeccompProfile == "unconfined":
		return nil
	case h.Seccomp == nil:
		return seccompFilter(h.Arch, caps.Bounding)
	}
	filter := h.Seccomp.filter(h.Arch, h.Kernel, caps.Bounding)
	if h.NoX32 {
		// Half of what the runtime compiles, for calls the kernel would not answer anyway.
		filter.Architectures = slices.DeleteFunc(slices.Clone(filter.Architectures), func(a rspec.Arch) bool { return a == rspec.ArchX32 })
	}
	return filter
}

// lookSeccomp reads the file of SeccompProfile=, or the machine's. What is wrong with the
// latter keeps no container from starting, and lets none run without a filter.
func lookSeccomp(c *units.Container, h *host) (err error) {
	switch c.SeccompProfile {
	case "unconfined", units.BuiltinSeccomp:
		return nil
	case "":
		for _, name := range machineProfiles {
			h.Seccomp, err = readProfile(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				warn(h.Name, "%s: %v, using the built-in list of system calls", name, cause(err))
			}
			break
		}
	default:
		if h.Seccomp, err = readProfile(c.SeccompProfile); err != nil {
			return fmt.Errorf("SeccompProfile=%s: %w", c.SeccompProfile, cause(err))
		}
	}
	h.Kernel, h.NoX32 = kernelRelease(), h.Seccomp != nil && !mayRunX32()
	return nil
}

func readProfile(name string) (*dockerProfile, error) {
	data, err := readHostFile(name, 4<<20)
	if err != nil {
		return nil, err
	}
	return parseProfile(data)
}
