package units

import (
	"slices"
	"strings"
)

// capabilityNames are all that Linux has had so far (capabilities(7)).
var capabilityNames = [...]string{
	"AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "CHOWN", "DAC_OVERRIDE",
	"DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN",
	"MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "PERFMON", "SETFCAP",
	"SETGID", "SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE",
	"SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM",
}

// parseCapability reads a name with or without CAP_, in any case, and gives
// "CAP_NET_ADMIN", or "all".
func parseCapability(s string) (string, error) {
	name := strings.TrimPrefix(strings.ToUpper(s), "CAP_")
	if strings.EqualFold(s, "all") {
		return "all", nil
	}
	if slices.Contains(capabilityNames[:], name) {
		return "CAP_" + name, nil
	}
	hint := "see capabilities(7)"
	if near := nearest(name, slices.Values(capabilityNames[:])); near != "" {
		hint = `did you mean "CAP_` + near + `"?`
	}
	return "", wrong(hint, quote(s), " is no capability")
}
