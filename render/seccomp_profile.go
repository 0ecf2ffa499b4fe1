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
	Syscalls     []profileRule            `json:"syscalls"`
}

type profileRule struct {
	Name     string                   `json:"name"`
	Names    []string                 `json:"names"`
	Action   rspec.LinuxSeccompAction `json:"action"`
	ErrnoRet *uint                    `json:"errnoRet"`
	Errno    string                   `json:"errno"`
	Args     []*profileArg            `json:"args"`
	Includes profileCondition         `json:"includes"`
	Excludes profileCondition         `json:"excludes"`
}

type profileArg struct {
	Index    uint                       `json:"index"`
	Value    uint64                     `json:"value"`
	ValueTwo uint64                     `json:"valueTwo"`
	Op       rspec.LinuxSeccompOperator `json:"op"`
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

// parseProfile reads Docker's format. Every error that a file can have is found here.
func parseProfile(data []byte) (*dockerProfile, error) {
	p := new(dockerProfile)
	if err := json.Unmarshal(data, p); err != nil {
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
	var err error
	if p.DefaultErrnoRet, err = errnoOf(p.DefaultErrnoRet, p.DefaultErrno); err != nil {
		return nil, err
	}
	for i := range p.Syscalls {
		if err := p.Syscalls[i].check(); err != nil {
			return nil, fmt.Errorf("syscalls[%d]: %w", i, err)
		}
	}
	return p, nil
}

// check also brings what can be said in two ways into one.
func (s *profileRule) check() (err error) {
	if s.Name != "" {
		if len(s.Names) > 0 {
			return errors.New("name and names exclude each other")
		}
		s.Names = []string{s.Name}
	}
	if !slices.Contains(seccompActions, s.Action) {
		return fmt.Errorf("action %q is not possible", s.Action)
	}
	if s.ErrnoRet, err = errnoOf(s.ErrnoRet, s.Errno); err != nil {
		return err
	}
	s.Args = slices.DeleteFunc(s.Args, func(a *profileArg) bool { return a == nil })
	for _, a := range s.Args {
		if !slices.Contains(seccompOperators, a.Op) {
			return fmt.Errorf("operator %q is not possible", a.Op)
		}
		if a.Index > 5 {
			return fmt.Errorf("a system call has no argument %d", a.Index)
		}
	}
	for _, c := range []struct{ what, kernel string }{{"includes", s.Includes.MinKernel}, {"excludes", s.Excludes.MinKernel}} {
		if _, err := kernelVersion(c.kernel); c.kernel != "" && err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
	}
	return nil
}

// filter converts to the runtime's format, for a process with these capabilities: rules
// whose conditions do not hold are left out.
func (p *dockerProfile) filter(arch, kernel string, capabilities []string) *rspec.LinuxSeccomp {
	filter := &rspec.LinuxSeccomp{DefaultAction: p.DefaultAction, DefaultErrnoRet: p.DefaultErrnoRet, Architectures: p.Architectures, Flags: p.Flags}
	for _, m := range p.ArchMap {
		if m.Arch == seccompArches[arch] {
			filter.Architectures = append([]rspec.Arch{m.Arch}, m.SubArch...)
		}
	}
	for i := range p.Syscalls {
		s := &p.Syscalls[i]
		if len(s.Names) == 0 || !s.Includes.hold(arch, kernel, capabilities, true) || s.Excludes.hold(arch, kernel, capabilities, false) {
			continue
		}
		rule := rspec.LinuxSyscall{Names: s.Names, Action: s.Action, ErrnoRet: s.ErrnoRet}
		for _, a := range s.Args {
			rule.Args = append(rule.Args, rspec.LinuxSeccompArg{Index: a.Index, Value: a.Value, ValueTwo: a.ValueTwo, Op: a.Op})
		}
		filter.Syscalls = append(filter.Syscalls, rule)
	}
	return filter
}

// hold tells whether a rule is included (all must hold, nothing said does) or excluded
// (any does, nothing said does not).
func (p profileCondition) hold(arch, kernel string, capabilities []string, all bool) bool {
	result := []bool{}
	for _, name := range p.Caps {
		result = append(result, slices.Contains(capabilities, name))
	}
	if len(p.Arches) > 0 {
		result = append(result, slices.Contains(p.Arches, arch))
	}
	if p.MinKernel != "" {
		want, _ := kernelVersion(p.MinKernel)
		have, _ := kernelVersion(kernel) // an unreadable one is older than all
		result = append(result, slices.Compare(have, want) >= 0)
	}
	if all {
		return !slices.Contains(result, false)
	}
	return slices.Contains(result, true)
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
