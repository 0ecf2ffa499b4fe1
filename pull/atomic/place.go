package atomic

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Bundle is where DESTDIR of a container is: a link in its bundle to its image's directory, which holds rootfs/. It is there
// from the first step of a start to the end of the stop.
func Bundle(name string) string { return "/run/syscontainer/" + name + "/image" }

// UUID is that of a container on a machine: the same at each start, and another one for each name and each machine, whose
// ID it does not tell (machine-id(5)).
func UUID(machineID, name string) string {
	h := hmac.New(sha256.New, []byte(strings.TrimSpace(machineID)))
	h.Write([]byte("syscontainer " + name))
	u := h.Sum(nil)[:16]
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80 // RFC 9562: version 4, as random ones
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// ThisMachine is the machine that this program runs on.
func ThisMachine() Machine {
	_, err := os.Stat("/sys/fs/selinux/enforce")
	last := len(capabilityNames) - 1
	if text, err := os.ReadFile("/proc/sys/kernel/cap_last_cap"); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && n >= 0 {
			last = min(n, last)
		}
	}
	return Machine{SELinux: err == nil, Capabilities: Capabilities(last)}
}

// Capabilities are all up to a number, in the kernel's order.
func Capabilities(last int) []string {
	names := make([]string, 0, last+1)
	for _, name := range capabilityNames[:last+1] {
		names = append(names, "CAP_"+name)
	}
	return names
}

// AnyCapability is the number of the last that is known here.
const AnyCapability = len(capabilityNames) - 1

// capabilityNames are those of capability.h, by number.
var capabilityNames = [...]string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
	"NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO",
	"SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME",
	"SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
	"WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
}
