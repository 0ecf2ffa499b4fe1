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
		Linux    linuxDocument  `json:"linux"`
	}
	linuxDocument struct {
		Resources         resourcesDocument      `json:"resources"`
		CgroupsPath       string                 `json:"cgroupsPath,omitempty"`
		Namespaces        []rspec.LinuxNamespace `json:"namespaces,omitempty"`
		Seccomp           *rspec.LinuxSeccomp    `json:"seccomp,omitempty"`
		RootfsPropagation string                 `json:"rootfsPropagation,omitempty"`
		MaskedPaths       []string               `json:"maskedPaths,omitempty"`
		ReadonlyPaths     []string               `json:"readonlyPaths,omitempty"`
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
	d := specDocument{s.Version, s.Process, s.Root, s.Hostname, s.Mounts, linuxDocument{resourcesDocument{l.Resources.Devices},
		l.CgroupsPath, l.Namespaces, l.Seccomp, l.RootfsPropagation, l.MaskedPaths, l.ReadonlyPaths}}
	whole := &rspec.Spec{Version: d.Version, Process: d.Process, Root: d.Root, Hostname: d.Hostname, Mounts: d.Mounts,
		Linux: &rspec.Linux{Resources: &rspec.LinuxResources{Devices: d.Linux.Resources.Devices}, CgroupsPath: d.Linux.CgroupsPath,
			Namespaces: d.Linux.Namespaces, Seccomp: d.Linux.Seccomp, RootfsPropagation: d.Linux.RootfsPropagation,
			MaskedPaths: d.Linux.MaskedPaths, ReadonlyPaths: d.Linux.ReadonlyPaths}}
	if !reflect.DeepEqual(whole, s) {
		return json.Marshal(s)
	}
	return json.Marshal(d)
}
