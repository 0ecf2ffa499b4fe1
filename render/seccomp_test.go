package main

import (
	"bufio"
	"compress/gzip"
	"errors"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/units"
)

// gone are the names that stand in the kernel's tables without a function behind
// them (or with one behind an obsolete configuration): ENOSYS is their answer anyway.
const gone = `_sysctl afs_syscall bdflush break create_module epoll_ctl_old epoll_wait_old ftime get_kernel_syms
	getpmsg gtty idle lock mpx prof profil putpmsg query_module security stty sysfs tuxcall ulimit uselib ustat vserver
	arch_specific_syscall syscalls llseek`

// conditional are decided by their arguments.
const conditional = "clone clone3 socket personality"

// Every system call of the installed kernel headers has an answer on purpose.
func TestSeccompKnowsEverySyscall(t *testing.T) {
	known := appendFields(nil, gone+" "+conditional+" "+refused)
	filter := seccompFilter("amd64", nil)
	for _, rule := range filter.Syscalls {
		known = append(known, rule.Names...)
	}
	tables := 0
	for _, header := range []string{
		"/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
		"/usr/include/x86_64-linux-gnu/asm/unistd_32.h",
		"/usr/include/asm-generic/unistd.h",
	} {
		f, err := os.Open(header)
		if err != nil {
			continue
		}
		tables++
		for lines := bufio.NewScanner(f); lines.Scan(); {
			define, isDefine := strings.CutPrefix(lines.Text(), "#define __NR_")
			name, _, _ := strings.Cut(define, " ")
			name = strings.TrimPrefix(name, "3264_")
			if isDefine && !slices.Contains(known, name) {
				t.Errorf("%s: %s has no answer", header, name)
			}
		}
		f.Close()
	}
	if tables == 0 {
		need(t, "kernel headers (linux-libc-dev)")
	}
}

func TestSeccompByCapability(t *testing.T) {
	answer := func(name string, capabilities ...string) string {
		t.Helper()
		found := ""
		for _, rule := range seccompFilter("amd64", capabilities).Syscalls {
			if slices.Contains(rule.Names, name) && len(rule.Args) == 0 {
				if found != "" {
					t.Errorf("%s stands in two rules", name)
				}
				found = string(rule.Action)
			}
		}
		return found
	}
	for _, c := range []struct{ name, capability, want string }{
		{"read", "", "SCMP_ACT_ALLOW"},
		{"mount", "", "SCMP_ACT_ERRNO"},
		{"mount", "CAP_SYS_ADMIN", "SCMP_ACT_ALLOW"},
		{"syslog", "", "SCMP_ACT_ERRNO"},
		{"syslog", "CAP_SYSLOG", "SCMP_ACT_ALLOW"},
		{"syslog", "CAP_SYS_ADMIN", "SCMP_ACT_ALLOW"},
		{"bpf", "CAP_BPF", "SCMP_ACT_ALLOW"},
		{"keyctl", "CAP_SYS_ADMIN", "SCMP_ACT_ERRNO"},
		{"clone3", "", ""},
		{"clone3", "CAP_SYS_ADMIN", "SCMP_ACT_ALLOW"},
		{"a_call_of_the_next_kernel", "", ""},
	} {
		if got := answer(c.name, c.capability); got != c.want {
			t.Errorf("%s with %q: %q, want %q", c.name, c.capability, got, c.want)
		}
	}
}

func TestSeccompProfile(t *testing.T) {
	for _, c := range []struct{ text, err string }{
		{`{"defaultAction":"SCMP_ACT_ALLOW"}`, ""},
		{`{"defaultAction":"SCMP_ACT_ERRNO","defaultErrno":"ENOSYS","syscalls":[{"names":[],"action":"SCMP_ACT_ALLOW"},{"name":"read","action":"SCMP_ACT_ALLOW","args":[null]}]}`, ""},
		{`{}`, `defaultAction "" is not possible`},
		{`{"defaultAction":"SCMP_ACT_NOTIFY"}`, `"SCMP_ACT_NOTIFY" is not possible`},
		{`{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/x"}`, "nothing listens"},
		{`{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86"],"archMap":[{"architecture":"SCMP_ARCH_X86"}]}`, "exclude each other"},
		{`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"name":"b","action":"SCMP_ACT_ALLOW"}]}`, "syscalls[0]: name and names"},
		{`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"allow"}]}`, `syscalls[0]: action "allow"`},
		{`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW","args":[{"op":"EQ"}]}]}`, `operator "EQ"`},
		{`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW","args":[{"index":6,"op":"SCMP_CMP_EQ"}]}]}`, "no argument 6"},
		{`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_ERRNO","errno":"ENO"}]}`, `"ENO" is no error`},
		{`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"new"}}]}`, `"new" is no version`},
		{`{"defaultAction":1}`, "cannot unmarshal number"},
		{`not json`, "invalid character"},
		{``, "unexpected end"},
	} {
		_, err := parseProfile([]byte(c.text))
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", c.text, err, c.err)
		}
	}
}

// Without SeccompProfile= the machine's list counts, the admin's before the distribution's;
// what is wrong with it leaves ours, never none.
func TestSeccompChoice(t *testing.T) {
	dir := t.TempDir()
	defer func(was []string) { machineProfiles = was }(machineProfiles)
	machineProfiles = []string{dir + "/etc.json", dir + "/usr.json"}
	caps := &rspec.LinuxCapabilities{Bounding: []string{"CAP_CHOWN"}}
	denies := func(name string) string {
		return `{"defaultAction":"SCMP_ACT_ALLOW","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86","SCMP_ARCH_X32"]}],
			"syscalls":[{"names":["` + name + `"],"action":"SCMP_ACT_ERRNO","excludes":{"caps":["CAP_KILL"]}}]}`
	}
	for _, c := range []struct{ name, etc, usr, setting, want string }{
		{"neither", "", "", "", "builtin"},
		{"distribution's", "", denies("acct"), "", "acct"},
		{"admin's", denies("ptrace"), denies("acct"), "", "ptrace"},
		{"broken", "{", denies("acct"), "", "builtin"},
		{"empty", "{}", "", "", "builtin"},
		{"directory", "/", denies("acct"), "", "builtin"},
		{"asked for ours", denies("ptrace"), denies("acct"), units.BuiltinSeccomp, "builtin"},
		{"asked for none", denies("ptrace"), denies("acct"), "unconfined", "none"},
		{"asked for a file", denies("ptrace"), denies("acct"), dir + "/usr.json", "acct"},
	} {
		for i, text := range []string{c.etc, c.usr} {
			os.RemoveAll(machineProfiles[i])
			var err error
			switch text {
			case "":
			case "/":
				err = os.Mkdir(machineProfiles[i], 0o755)
			default:
				err = os.WriteFile(machineProfiles[i], []byte(text), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		unit := &units.Container{SeccompProfile: c.setting}
		h := host{Name: "web", Arch: "amd64"}
		if err := lookSeccomp(unit, &h); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		filter := seccomp(unit, h, caps)
		got := "none"
		switch {
		case filter == nil:
		case reflect.DeepEqual(filter, seccompFilter("amd64", caps.Bounding)):
			got = "builtin"
		default:
			got = filter.Syscalls[0].Names[0]
		}
		if got != c.want {
			t.Errorf("%s: the list is %s, want %s", c.name, got, c.want)
		}
	}
	h := host{Name: "web", Arch: "amd64"}
	if err := lookSeccomp(&units.Container{SeccompProfile: dir + "/absent.json"}, &h); err == nil {
		t.Error("no error for a file of SeccompProfile= that is not there")
	}
}

// Only the half that no kernel answers is left out, and only where it is certain.
func TestSeccompWithoutX32(t *testing.T) {
	p, err := parseProfile([]byte(`{"defaultAction":"SCMP_ACT_ERRNO","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86","SCMP_ARCH_X32"]}],
		"syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, without := range []bool{false, true, false} {
		got := seccomp(&units.Container{}, host{Arch: "amd64", Seccomp: p, NoX32: without}, new(rspec.LinuxCapabilities)).Architectures
		want := []rspec.Arch{rspec.ArchX86_64, rspec.ArchX86, rspec.ArchX32}
		if without {
			want = want[:2]
		}
		if !slices.Equal(got, want) {
			t.Errorf("without x32 %v: %v", without, got)
		}
	}
	if runtime.GOARCH != "amd64" {
		return
	}
	config, err := os.Open("/proc/config.gz")
	if err != nil {
		return // nobody to ask
	}
	defer config.Close()
	text, err := gzip.NewReader(config)
	if err != nil {
		t.Fatal(err)
	}
	built := false
	for lines := bufio.NewScanner(text); lines.Scan(); {
		built = built || lines.Text() == "CONFIG_X86_X32_ABI=y" || lines.Text() == "CONFIG_X86_X32=y"
	}
	if !built && mayRunX32() {
		t.Error("a kernel built without x32 may run it")
	}
}

// The distribution's own list is one that can be used, and says of new system calls that
// they do not exist.
func TestSeccompOfTheMachine(t *testing.T) {
	p, err := readProfile("/usr/share/containers/seccomp.json")
	if errors.Is(err, os.ErrNotExist) {
		need(t, "golang-github-containers-common")
	}
	if err != nil {
		t.Fatal(err)
	}
	filter := p.filter("amd64", "6.1.0", []string{"CAP_CHOWN"})
	answer := func(name string) string {
		for _, rule := range filter.Syscalls {
			if slices.Contains(rule.Names, name) && len(rule.Args) == 0 {
				return string(rule.Action)
			}
		}
		return ""
	}
	for name, want := range map[string]string{"read": "SCMP_ACT_ALLOW", "kexec_load": "SCMP_ACT_ERRNO", "settimeofday": "SCMP_ACT_ERRNO", "a_call_of_the_next_kernel": ""} {
		if got := answer(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func FuzzSeccompProfile(f *testing.F) {
	data, err := os.ReadFile("testdata/profile.seccomp")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, "6.1.0")
	f.Add([]byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","action":"SCMP_ACT_LOG","args":[null]}]}`), "x")
	f.Fuzz(func(t *testing.T, data []byte, kernel string) {
		p, err := parseProfile(data)
		if err != nil {
			return
		}
		for _, rule := range p.filter("amd64", kernel, []string{"CAP_SYS_ADMIN"}).Syscalls {
			if len(rule.Names) == 0 || !slices.Contains(seccompActions, rule.Action) {
				t.Fatalf("%+v of %s", rule, data)
			}
		}
	})
}
