package main

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"
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
		_, err := seccompProfile([]byte(c.text), "amd64", "6.1.0", nil)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", c.text, err, c.err)
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
		filter, err := seccompProfile(data, "amd64", kernel, []string{"CAP_SYS_ADMIN"})
		if err != nil {
			return
		}
		for _, rule := range filter.Syscalls {
			if len(rule.Names) == 0 || !slices.Contains(seccompActions, rule.Action) {
				t.Fatalf("%+v of %s", rule, data)
			}
		}
	})
}
