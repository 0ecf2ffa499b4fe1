package main

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"unicode/utf8"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-tools/generate"

	"syscontainer/units"
)

// specVersion is what old crun accepts; it refuses 1.2 and later.
const specVersion = "1.0.2"

// spec makes the runtime's configuration (runtime-spec) from what the unit says
// and what the image gives: the unit's word is the last one.
func spec(c *units.Container, image *imageConfig, h host) (*rspec.Spec, error) {
	args, err := command(c, image)
	if err != nil {
		return nil, err
	}
	caps, err := capabilities(c.AddCapability, c.DropCapability, h.Capabilities, h.User.UID)
	if err != nil {
		return nil, err
	}
	name, err := hostName(c, h)
	if err != nil {
		return nil, err
	}

	g := generate.NewFromSpec(defaultSpec())
	g.SetRootPath(h.Rootfs)
	g.SetRootReadonly(readOnlyRoot(c))
	if ownUTS(c) {
		g.SetHostname(name)
	}
	g.SetProcessArgs(args)
	g.SetProcessCwd(workingDir(c, image))
	g.SetProcessUID(h.User.UID)
	g.SetProcessGID(h.User.GID)
	for _, gid := range h.User.Groups {
		g.AddProcessAdditionalGid(gid)
	}
	// One call after the other: the generator takes care of duplicates only in
	// what was added through it.
	for _, layer := range environment(c, image, h, name) {
		g.AddMultipleProcessEnv(layer)
	}
	g.SetLinuxCgroupsPath(path.Join(h.Cgroup, "payload"))

	s := g.Config
	s.Annotations = annotations(c)
	s.Process.Capabilities = caps
	s.Process.NoNewPrivileges = c.NoNewPrivileges
	s.Process.Rlimits = rlimits(c)
	s.Process.SelinuxLabel, s.Linux.MountLabel = labels(c, h)
	if s.Process.ApparmorProfile, err = appArmorProfile(c, h); err != nil {
		return nil, err
	}
	if s.Linux.Namespaces, err = namespaces(c, h); err != nil {
		return nil, err
	}
	s.Linux.Seccomp = seccomp(c, h, caps)
	s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = masks(c)
	s.Linux.Sysctl = sysctls(c)
	s.Linux.UIDMappings, s.Linux.GIDMappings = mappings(c.UIDMap), mappings(c.GIDMap)
	s.Linux.RootfsPropagation = propagation(c)
	if s.Mounts, err = mounts(c, h); err != nil {
		return nil, err
	}
	for _, m := range s.Mounts {
		if dev := h.Sources[m.Source]; m.Type == "bind" && dev.Device != "" {
			access := "rw"
			if slices.Contains(m.Options, "ro") {
				access = "r"
			}
			g.AddLinuxResourcesDevice(true, dev.Device, &dev.Major, &dev.Minor, access)
		}
	}
	made, allowed := devices(h.Devices)
	s.Linux.Devices = made
	s.Linux.Resources.Devices = append(s.Linux.Resources.Devices, allowed...)
	if c.Privileged {
		s.Linux.Resources.Devices = []rspec.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
	}
	return s, onlyText(s)
}

// onlyText refuses bytes that are no UTF-8: JSON cannot hold them, and they would become
// others on their way to the payload.
func onlyText(s *rspec.Spec) error {
	check := func(what string, texts ...string) error {
		for _, text := range texts {
			if !utf8.ValidString(text) {
				return fmt.Errorf("%s %q is not UTF-8, and nothing else can be handed to a container", what, text)
			}
		}
		return nil
	}
	err := errors.Join(check("argument", s.Process.Args...), check("variable", s.Process.Env...))
	for _, m := range s.Mounts {
		err = errors.Join(err, check("path", m.Source, m.Destination))
	}
	return err
}

// defaultSpec is the ground every container stands on. generate.New is not it:
// its masked paths are empty, its seccomp list is old and its version too new.
// No rlimits: the unit's Limit*= apply.
func defaultSpec() *rspec.Spec {
	return &rspec.Spec{
		Version: specVersion,
		Root:    &rspec.Root{},
		Process: &rspec.Process{NoNewPrivileges: true},
		Linux: &rspec.Linux{
			Resources: &rspec.LinuxResources{Devices: []rspec.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}},
		},
	}
}

// readOnlyRoot: a root with a layer in memory is there to be written to.
func readOnlyRoot(c *units.Container) bool { return c.ReadOnly && !volatileRoot(c) }

// volatileRoot tells whether what is written into the root goes at the stop.
func volatileRoot(c *units.Container) bool { return c.Volatile || c.RootfsOverlay }
