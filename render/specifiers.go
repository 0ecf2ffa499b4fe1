package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// machineSpecifier is the value of one of units.HostSpecifiers, as systemd finds it
// (systemd.unit(5)).
func machineSpecifier(specifier byte) (string, error) {
	switch specifier {
	case 'm':
		data, err := os.ReadFile("/etc/machine-id")
		id := strings.ReplaceAll(string(bytes.TrimSpace(data)), "-", "")
		if err != nil || len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
			return "", withHint(errors.New("the machine has no ID yet, so that %m has no value"), "systemd-machine-id-setup")
		}
		return id, nil
	case 'b':
		data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
		return strings.ReplaceAll(string(bytes.TrimSpace(data)), "-", ""), err
	case 'H':
		return os.Hostname()
	case 'l':
		name, err := os.Hostname()
		name, _, _ = strings.Cut(name, ".")
		return name, err
	case 'q':
		if pretty := releaseField("PRETTY_HOSTNAME", "/etc/machine-info"); pretty != "" {
			return pretty, nil
		}
		return os.Hostname()
	case 'v':
		return kernelRelease(), nil
	case 'a':
		return architecture(), nil
	case 's':
		// systemd asks no user database for root's, but was built with one, mostly bash.
		if _, err := os.Stat("/bin/bash"); err == nil {
			return "/bin/bash", nil
		}
		return "/bin/sh", nil
	}
	field := map[byte]string{'o': "ID", 'w': "VERSION_ID", 'W': "VARIANT_ID", 'A': "IMAGE_VERSION", 'B': "BUILD_ID", 'M': "IMAGE_ID"}[specifier]
	if field == "" {
		return "", fmt.Errorf("specifier %%%c has no value here", specifier)
	}
	return releaseField(field, "/etc/os-release", "/usr/lib/os-release"), nil
}

// architecture is systemd's word for the machine (ConditionArchitecture=).
func architecture() string {
	words := map[string]string{"386": "x86", "amd64": "x86-64", "loong64": "loongarch64", "mipsle": "mips-le", "mips64le": "mips64-le",
		"ppc64le": "ppc64-le"}
	if word := words[runtime.GOARCH]; word != "" {
		return word
	}
	var u unix.Utsname
	if runtime.GOARCH == "arm" && unix.Uname(&u) == nil && strings.HasSuffix(unix.ByteSliceToString(u.Machine[:]), "b") {
		return "arm-be"
	}
	return runtime.GOARCH
}

// releaseField is a field of os-release(5) from the first of these files that is
// there; "" if it does not have it.
func releaseField(field string, files ...string) string {
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		value := ""
		for line := range bytes.Lines(data) {
			if key, assigned, ok := strings.Cut(strings.TrimSpace(string(line)), "="); ok && key == field {
				value = unquoteShell(assigned)
			}
		}
		return value
	}
	return ""
}

// unquoteShell undoes the quoting of a shell assignment without expansions.
func unquoteShell(s string) string {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < len(s):
			next := s[i+1]
			if quote == '"' && strings.IndexByte("\"\\`$", next) < 0 {
				b.WriteByte(c)
			}
			b.WriteByte(next)
			i++
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
