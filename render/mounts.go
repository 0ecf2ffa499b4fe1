package main

import (
	"fmt"
	"path"
	"slices"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/units"
)

// mounts is every mount in the order the runtime shall make them: parents before
// what lies below them. No destination comes twice: what the unit says replaces what
// we would have mounted there, Mount= replaces Volume=, Tmpfs= replaces both, and
// among equals the last one counts. Volumes of the image replace our memory for /run and
// the like, but nothing else.
func mounts(c *units.Container, h host) ([]rspec.Mount, error) {
	list, err := unitMounts(c, h)
	if err != nil {
		return nil, err
	}
	list = slices.Concat(list, defaultMounts(c, h), volumeMounts(c, h), systemdMounts(c, h), scratchMounts(c, h))
	return settled(list), nil
}

// settled leaves of several mounts for one destination the first, and puts parents first.
func settled(list []rspec.Mount) []rspec.Mount {
	seen := make(map[string]bool, len(list))
	list = slices.DeleteFunc(list, func(m rspec.Mount) bool {
		twice := seen[m.Destination]
		seen[m.Destination] = true
		return twice
	})
	slices.SortStableFunc(list, func(a, b rspec.Mount) int {
		if byDepth := strings.Count(a.Destination, "/") - strings.Count(b.Destination, "/"); byDepth != 0 {
			return byDepth
		}
		return strings.Compare(a.Destination, b.Destination)
	})
	return list
}

// unitMounts is what the unit itself asks for, the word that counts most first.
func unitMounts(c *units.Container, h host) (list []rspec.Mount, err error) {
	for _, v := range c.Volumes {
		m, err := volume(v)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	for _, m := range c.Mounts {
		made, err := unitMount(m, c, h)
		if err != nil {
			return nil, err
		}
		list = append(list, made...)
	}
	for _, t := range c.Tmpfs {
		if path.Clean(t.Target) == "/" {
			return nil, fmt.Errorf("Tmpfs=%s would hide the image", t.Target)
		}
		list = append(list, tmpfs(t, h))
	}
	list = append(list, deviceMounts(h.Devices)...)
	slices.Reverse(list) // of two for one destination the later wins, here the first found
	return list, nil
}

// propagation is how mounts spread between the container and the machine: as the
// unit says, or as its bind mounts need.
func propagation(c *units.Container) string {
	if c.Propagation != "" {
		return c.Propagation
	}
	result := ""
	each := func(options []string) {
		switch {
		case slices.Contains(options, "shared") || slices.Contains(options, "rshared"):
			result = "rshared"
		case result == "" && (slices.Contains(options, "slave") || slices.Contains(options, "rslave")):
			result = "rslave"
		}
	}
	for _, v := range c.Volumes {
		each(v.Options)
	}
	for _, m := range c.Mounts {
		each(m.Options)
	}
	return result
}

// sharesMounts tells whether mounts made in the container shall be seen outside.
func sharesMounts(c *units.Container) bool {
	p := propagation(c)
	return p == "shared" || p == "rshared"
}
