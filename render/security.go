package main

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"syscontainer/units"
)

// What podman hides and protects, so Quadlet.
var (
	maskedPaths = []string{"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
		"/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/dev/block", "/sys/devices/virtual/powercap",
		"/sys/firmware", selinuxDir}
	readonlyPaths = []string{"/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

const selinuxDir = "/sys/fs/selinux"

// unmasked tells whether the unit uncovers one of the default paths.
func unmasked(c *units.Container, name string) bool {
	return slices.ContainsFunc(c.Unmask, func(pattern string) bool {
		match, _ := path.Match(goPattern(pattern), name)
		return match || strings.EqualFold(pattern, "ALL")
	})
}

// masks are linux.maskedPaths and linux.readonlyPaths. What Mask= names is hidden
// whatever Unmask= says.
func masks(c *units.Container) (masked, readonly []string) {
	for _, p := range maskedPaths {
		if !unmasked(c, p) && !(c.SELinux.Nested && p == selinuxDir) {
			masked = append(masked, p)
		}
	}
	for _, p := range readonlyPaths {
		if !unmasked(c, p) {
			readonly = append(readonly, p)
		}
	}
	for _, p := range c.Mask {
		if !slices.Contains(masked, p) {
			masked = append(masked, p)
		}
	}
	return masked, readonly
}

// labels are process.selinuxLabel and linux.mountLabel, as podman chooses them but
// for the categories: every container of a machine would need its own, and nobody
// hands them out.
func labels(c *units.Container, h host) (process, mount string) {
	if !h.SELinux {
		return "", ""
	}
	or := func(value, otherwise string) string {
		if value == "" {
			return otherwise
		}
		return value
	}
	kind := "container_t"
	if c.Systemd {
		kind = "container_init_t"
	}
	if c.SELinux.Disable {
		kind = "spc_t"
	}
	level := or(c.SELinux.Level, "s0")
	return "system_u:system_r:" + or(c.SELinux.Type, kind) + ":" + level,
		"system_u:object_r:" + or(c.SELinux.FileType, "container_file_t") + ":" + level
}

// appArmorProfile is process.apparmorProfile.
func appArmorProfile(c *units.Container, h host) (string, error) {
	if h.AppArmor || c.AppArmor == "" {
		return c.AppArmor, nil
	}
	if c.AppArmor == "unconfined" {
		return "", nil
	}
	return "", withHint(fmt.Errorf("AppArmor=%s: this kernel does not confine by AppArmor", c.AppArmor),
		"boot with apparmor=1 security=apparmor, or leave it out")
}

// sysctls is linux.sysctl.
func sysctls(c *units.Container) map[string]string {
	if len(c.Sysctl) == 0 {
		return nil
	}
	all := make(map[string]string, len(c.Sysctl))
	for _, s := range c.Sysctl {
		name, value, _ := strings.Cut(s, "=")
		all[name] = value
	}
	return all
}

func annotations(c *units.Container) map[string]string {
	if len(c.Annotations) == 0 {
		return nil
	}
	all := make(map[string]string, len(c.Annotations))
	for _, s := range c.Annotations {
		key, value, _ := strings.Cut(s, "=")
		all[key] = value
	}
	return all
}

func appArmorOn() bool {
	data, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	return err == nil && len(data) > 0 && data[0] == 'Y'
}

// lookSELinux tells whether to label the container: SELinux is on, and its policy knows
// containers. Not every distribution's does; labels it does not know would keep any
// container from starting, so only those that the unit asks for are worth an error.
func lookSELinux(c *units.Container, h *host) error {
	var st unix.Statfs_t // as libselinux asks
	if unix.Statfs(selinuxDir, &st) != nil || uint32(st.Type) != unix.SELINUX_MAGIC {
		return nil
	}
	h.SELinux = true
	process, mount := labels(c, *h)
	for _, label := range []string{process, mount} {
		if os.WriteFile(selinuxDir+"/context", []byte(label), 0) == nil { // security_check_context(3)
			continue
		}
		if c.SELinux != (units.SELinux{}) {
			return withHint(fmt.Errorf("SecurityLabel…=: the machine's policy does not know %s", label), "install container-selinux, or the module that defines it")
		}
		h.SELinux = false
	}
	return nil
}

func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
