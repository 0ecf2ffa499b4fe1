package main

import (
	"slices"
	"strings"
	"testing"

	"syscontainer/units"
)

func TestMasks(t *testing.T) {
	for _, c := range []struct {
		mask, unmask       string
		hidden, plain      string // among maskedPaths, not among them
		readonly, writable string
	}{
		{"", "", "/proc/kcore /sys/firmware", "", "/proc/sys", ""},
		{"/srv/x", "", "/proc/kcore /srv/x", "", "/proc/sys", ""},
		{"", "/proc/kcore", "/proc/keys", "/proc/kcore", "/proc/sys", ""},
		{"", "/proc/*", "/sys/firmware", "/proc/kcore /proc/keys", "", "/proc/sys /proc/bus"},
		{"/proc/kcore", "ALL", "/proc/kcore", "/proc/keys /sys/firmware", "", "/proc/sys"},
		{"", "all", "", "/proc/keys", "", "/proc/sys"},
		{"", "/proc/[!k]*", "/proc/keys /proc/kcore", "/proc/acpi", "", "/proc/sys"},
		{"", "/proc", "/proc/keys", "", "/proc/sys", ""},   // a pattern is no prefix
		{"", "/proc/[", "/proc/keys", "", "/proc/sys", ""}, // and may be none
	} {
		masked, readonly := masks(&units.Container{Mask: strings.Fields(c.mask), Unmask: strings.Fields(c.unmask)})
		for _, check := range []struct {
			list  []string
			words string
			want  bool
		}{{masked, c.hidden, true}, {masked, c.plain, false}, {readonly, c.readonly, true}, {readonly, c.writable, false}} {
			for _, p := range strings.Fields(check.words) {
				if slices.Contains(check.list, p) != check.want {
					t.Errorf("Mask=%s Unmask=%s: %s in %q: want %v", c.mask, c.unmask, p, check.list, check.want)
				}
			}
		}
	}
}

func TestLabels(t *testing.T) {
	for _, c := range []struct {
		selinux        units.SELinux
		process, mount string
	}{
		{units.SELinux{}, "system_u:system_r:container_t:s0", "system_u:object_r:container_file_t:s0"},
		{units.SELinux{Type: "my_t", Level: "s0:c1,c2", FileType: "my_file_t"}, "system_u:system_r:my_t:s0:c1,c2", "system_u:object_r:my_file_t:s0:c1,c2"},
		{units.SELinux{Disable: true}, "system_u:system_r:spc_t:s0", "system_u:object_r:container_file_t:s0"},
	} {
		unit := base()
		unit.SELinux = c.selinux
		h := someHost("web")
		if s := specOf(t, unit, h); s.Process.SelinuxLabel != "" || s.Linux.MountLabel != "" {
			t.Errorf("%+v: labels without SELinux", c.selinux)
		}
		h.SELinux = true
		s := specOf(t, unit, h)
		if s.Process.SelinuxLabel != c.process || s.Linux.MountLabel != c.mount {
			t.Errorf("%+v: %s, %s", c.selinux, s.Process.SelinuxLabel, s.Linux.MountLabel)
		}
	}
	nested := base()
	nested.SELinux.Nested = true
	if slices.Contains(specOf(t, nested, someHost("web")).Linux.MaskedPaths, selinuxDir) {
		t.Error("SecurityLabelNested= leaves SELinux hidden")
	}
}

func TestAppArmor(t *testing.T) {
	for _, c := range []struct {
		said    string
		on      bool
		profile string
		err     string
	}{
		{"", true, "", ""},
		{"mine", true, "mine", ""},
		{"unconfined", true, "unconfined", ""},
		{"unconfined", false, "", ""},
		{"mine", false, "", "AppArmor=mine: this kernel does not confine"},
	} {
		got, err := appArmorProfile(&units.Container{AppArmor: c.said}, host{AppArmor: c.on})
		if got != c.profile || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q, %v: %q, %v", c.said, c.on, got, err)
		}
	}
}
