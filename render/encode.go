package main

import (
	"encoding/json"
	"reflect"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// The first json.Marshal of a type prepares for all it could hold, and an
// rspec.Spec could hold Windows, Solaris and virtual machines: that takes longer
// than everything else that prepare does. So a specification of ours is encoded
// from these, which hold what ours have.
type (
	specDocument struct {
		Version  string         `json:"ociVersion"`
		Process  *rspec.Process `json:"process,omitempty"`
		Root     *rspec.Root    `json:"root,omitempty"`
		Hostname string         `json:"hostname,omitempty"`
		Mounts   []rspec.Mount  `json:"mounts,omitempty"`

		Annotations map[string]string `json:"annotations,omitempty"`
		Linux       linuxDocument     `json:"linux"`
	}
	linuxDocument struct {
		UIDMappings       []rspec.LinuxIDMapping `json:"uidMappings,omitempty"`
		GIDMappings       []rspec.LinuxIDMapping `json:"gidMappings,omitempty"`
		Sysctl            map[string]string      `json:"sysctl,omitempty"`
		Resources         resourcesDocument      `json:"resources"`
		CgroupsPath       string                 `json:"cgroupsPath,omitempty"`
		Namespaces        []rspec.LinuxNamespace `json:"namespaces,omitempty"`
		Devices           []rspec.LinuxDevice    `json:"devices,omitempty"`
		Seccomp           *rspec.LinuxSeccomp    `json:"seccomp,omitempty"`
		RootfsPropagation string                 `json:"rootfsPropagation,omitempty"`
		MaskedPaths       []string               `json:"maskedPaths,omitempty"`
		ReadonlyPaths     []string               `json:"readonlyPaths,omitempty"`
		MountLabel        string                 `json:"mountLabel,omitempty"`
	}
	resourcesDocument struct {
		Devices []rspec.LinuxDeviceCgroup `json:"devices,omitempty"`
	}
)

// encodeSpec returns the same as json.Marshal, whatever is in the specification:
// one that holds more goes the long way.
func encodeSpec(s *rspec.Spec) ([]byte, error) {
	if s.Linux == nil || s.Linux.Resources == nil {
		return json.Marshal(s)
	}
	l := s.Linux
	d := specDocument{s.Version, s.Process, s.Root, s.Hostname, s.Mounts, s.Annotations, linuxDocument{l.UIDMappings, l.GIDMappings, l.Sysctl,
		resourcesDocument{l.Resources.Devices}, l.CgroupsPath, l.Namespaces, l.Devices, l.Seccomp, l.RootfsPropagation,
		l.MaskedPaths, l.ReadonlyPaths, l.MountLabel}}
	whole := &rspec.Spec{Version: d.Version, Process: d.Process, Root: d.Root, Hostname: d.Hostname, Mounts: d.Mounts,
		Annotations: d.Annotations, Linux: &rspec.Linux{UIDMappings: d.Linux.UIDMappings, GIDMappings: d.Linux.GIDMappings,
			Sysctl: d.Linux.Sysctl, Devices: d.Linux.Devices, MountLabel: d.Linux.MountLabel, Resources: &rspec.LinuxResources{Devices: d.Linux.Resources.Devices}, CgroupsPath: d.Linux.CgroupsPath,
			Namespaces: d.Linux.Namespaces, Seccomp: d.Linux.Seccomp, RootfsPropagation: d.Linux.RootfsPropagation,
			MaskedPaths: d.Linux.MaskedPaths, ReadonlyPaths: d.Linux.ReadonlyPaths}}
	if !reflect.DeepEqual(whole, s) {
		return json.Marshal(s)
	}
	return json.Marshal(d)
}
