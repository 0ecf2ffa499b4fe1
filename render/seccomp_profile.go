package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// dockerProfile is a file in Docker's format (docs.docker.com, "Seccomp security
// profiles for Docker"), with what podman adds to it.
type dockerProfile struct {
	DefaultAction   rspec.LinuxSeccompAction `json:"defaultAction"`
	DefaultErrnoRet *uint                    `json:"defaultErrnoRet"`
	DefaultErrno    string                   `json:"defaultErrno"`
	Architectures   []rspec.Arch             `json:"architectures"`
	ArchMap         []struct {
		Arch    rspec.Arch   `json:"architecture"`
		SubArch []rspec.Arch `json:"subArchitectures"`
	} `json:"archMap"`
	Flags        []rspec.LinuxSeccompFlag `json:"flags"`
	ListenerPath string                   `json:"listenerPath"`
	Syscalls     []struct {
		Name     string                   `json:"name"`
		Names    []string                 `json:"names"`
		Action   rspec.LinuxSeccompAction `json:"action"`
		ErrnoRet *uint                    `json:"errnoRet"`
		Errno    string                   `json:"errno"`
		Args     []*struct {
			Index    uint                       `json:"index"`
			Value    uint64                     `json:"value"`
			ValueTwo uint64                     `json:"valueTwo"`
			Op       rspec.LinuxSeccompOperator `json:"op"`
		} `json:"args"`
		Includes profileCondition `json:"includes"`
		Excludes profileCondition `json:"excludes"`
	} `json:"syscalls"`
}

type profileCondition struct {
	Caps      []string `json:"caps"`
	Arches    []string `json:"arches"` // as GOARCH
	MinKernel string   `json:"minKernel"`
}

var (
	seccompActions = []rspec.LinuxSeccompAction{rspec.ActKill, rspec.ActKillProcess, rspec.ActKillThread, rspec.ActTrap,
		rspec.ActErrno, rspec.ActTrace, rspec.ActAllow, rspec.ActLog}
	seccompOperators = []rspec.LinuxSeccompOperator{rspec.OpNotEqual, rspec.OpLessThan, rspec.OpLessEqual, rspec.OpEqualTo,
		rspec.OpGreaterEqual, rspec.OpGreaterThan, rspec.OpMaskedEqual}
	seccompArches = map[string]rspec.Arch{"386": rspec.ArchX86, "amd64": rspec.ArchX86_64, "arm": rspec.ArchARM, "arm64": rspec.ArchAARCH64,
		"loong64": rspec.ArchLOONGARCH64, "ppc64": rspec.ArchPPC64, "ppc64le": rspec.ArchPPC64LE, "riscv64": rspec.ArchRISCV64, "s390x": rspec.ArchS390X}
)

// seccompProfile converts Docker's format to the runtime's, for a process with these
// capabilities: rules whose conditions do not hold are left out.
func seccompProfile(data []byte, arch, kernel string, capabilities []string) (*rspec.LinuxSeccomp, error) {
	var p dockerProfile
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, err
	}
	if !slices.Contains(seccompActions, p.DefaultAction) {
		return nil, fmt.Errorf("defaultAction %q is not possible", p.DefaultAction)
	}
	if p.ListenerPath != "" {
		return nil, errors.New("listenerPath is not possible: nothing listens")
	}
	if len(p.Architectures) > 0 && len(p.ArchMap) > 0 {
		return nil, errors.New("architectures and archMap exclude each other")
	}
	ret, err := errnoOf(p.DefaultErrnoRet, p.DefaultErrno)
	if err != nil {
		return nil, err
	}
	filter := &rspec.LinuxSeccomp{DefaultAction: p.DefaultAction, DefaultErrnoRet: ret, Architectures: p.Architectures, Flags: p.Flags}
	for _, m := range p.ArchMap {
		if m.Arch == seccompArches[arch] {
			filter.Architectures = append([]rspec.Arch{m.Arch}, m.SubArch...)
		}
	}
	for i := range p.Syscalls {
		s := &p.Syscalls[i]
		bad := func(format string, args ...any) error {
			return fmt.Errorf("syscalls[%d]: %s", i, fmt.Sprintf(format, args...))
		}
		names := s.Names
		if s.Name != "" {
			if len(names) > 0 {
				return nil, bad("name and names exclude each other")
			}
			names = []string{s.Name}
		}
		if !slices.Contains(seccompActions, s.Action) {
			return nil, bad("action %q is not possible", s.Action)
		}
		rule := rspec.LinuxSyscall{Names: names, Action: s.Action}
		if rule.ErrnoRet, err = errnoOf(s.ErrnoRet, s.Errno); err != nil {
			return nil, bad("%v", err)
		}
		for _, a := range s.Args {
			if a == nil {
				continue
			}
			if !slices.Contains(seccompOperators, a.Op) {
				return nil, bad("operator %q is not possible", a.Op)
			}
			if a.Index > 5 {
				return nil, bad("a system call has no argument %d", a.Index)
			}
			rule.Args = append(rule.Args, rspec.LinuxSeccompArg{Index: a.Index, Value: a.Value, ValueTwo: a.ValueTwo, Op: a.Op})
		}
		included, err := s.Includes.hold(arch, kernel, capabilities, true)
		if err != nil {
			return nil, bad("includes: %v", err)
		}
		excluded, err := s.Excludes.hold(arch, kernel, capabilities, false)
		if err != nil {
			return nil, bad("excludes: %v", err)
		}
		if included && !excluded && len(names) > 0 {
			filter.Syscalls = append(filter.Syscalls, rule)
		}
	}
	return filter, nil
}

// hold tells whether a rule is included (all must hold, nothing said does) or excluded
// (any does, nothing said does not).
func (p profileCondition) hold(arch, kernel string, capabilities []string, all bool) (bool, error) {
	result := []bool{}
	for _, name := range p.Caps {
		result = append(result, slices.Contains(capabilities, name))
	}
	if len(p.Arches) > 0 {
		result = append(result, slices.Contains(p.Arches, arch))
	}
	if p.MinKernel != "" {
		want, err := kernelVersion(p.MinKernel)
		if err != nil {
			return false, err
		}
		have, err := kernelVersion(kernel)
		if err != nil {
			return false, err
		}
		result = append(result, slices.Compare(have, want) >= 0)
	}
	if all {
		return !slices.Contains(result, false), nil
	}
	return slices.Contains(result, true), nil
}

// kernelVersion reads "6.1.0-13" as 6, 1.
func kernelVersion(s string) ([]int, error) {
	major, rest, _ := strings.Cut(s, ".")
	minor := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	a, err := strconv.Atoi(major)
	b, err2 := strconv.Atoi(minor)
	if err != nil || err2 != nil {
		return nil, fmt.Errorf("%q is no version of a kernel", s)
	}
	return []int{a, b}, nil
}

// errnoOf is the number given, or that of the name; podman's files have both.
func errnoOf(number *uint, name string) (*uint, error) {
	if number != nil || name == "" {
		return number, nil
	}
	for n := range 256 {
		if unix.ErrnoName(syscall.Errno(n)) == name {
			found := uint(n)
			return &found, nil
		}
	}
	return nil, fmt.Errorf("%q is no error of the kernel", name)
}
