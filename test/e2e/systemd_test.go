// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/test/image"
)

// systemdImage is this machine's systemd with its journal and no other unit than those here: it boots to its default
// target with nothing that could fail.
func systemdImage(t *testing.T, base image.Layer) image.Image {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	programs := []string{"/lib/systemd/systemd", "/lib/systemd/systemd-journald", "/lib/systemd/systemd-shutdown", "/bin/systemctl", "/bin/journalctl"}
	if executor := "/lib/systemd/systemd-executor"; exists(executor) { // since 255
		programs = append(programs, executor)
	}
	entries, err := image.Libraries(programs...)
	must(err)
	made := make(map[string]bool)
	for _, e := range entries {
		made[strings.TrimSuffix(e.Name, "/")] = true
	}
	add := func(e image.Entry) {
		for i, c := range e.Name {
			if dir := e.Name[:i]; c == '/' && !made[dir] && dir != "bin" && dir != "etc" && dir != "var" {
				entries = append(entries, image.Dir(dir, 0o755))
				made[dir] = true
			}
		}
		entries = append(entries, e)
	}
	for _, program := range programs {
		e, err := image.Copy(strings.TrimPrefix(program, "/"), program)
		must(err)
		add(e)
	}
	const units = "usr/lib/systemd/system/"
	for _, name := range strings.Fields("basic sysinit sockets timers paths slices local-fs local-fs-pre swap multi-user " +
		"shutdown umount final halt poweroff reboot exit emergency rescue time-set network") {
		if e, err := image.Copy(units+name+".target", "/"+units+name+".target"); err == nil {
			add(e)
		}
	}
	for _, name := range strings.Fields("systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket systemd-journal-flush.service " +
		"systemd-poweroff.service systemd-reboot.service systemd-halt.service systemd-exit.service") {
		e, err := image.Copy(units+name, "/"+units+name)
		must(err)
		add(e)
	}
	for name, text := range map[string]string{
		"greet.service":  "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/echo greetings from inside\n",
		"worker.service": "[Service]\nType=exec\nUser=app\nExecStartPre=/bin/sh -c 'echo working as $(id -u)'\nExecStart=/bin/sleep 1000\n",
	} {
		add(image.File(units+name, 0o644, text))
		add(image.Symlink(units+"multi-user.target.wants/"+name, "../"+name))
	}
	for _, name := range strings.Fields("systemd-journald.socket systemd-journald-dev-log.socket") {
		add(image.Symlink(units+"sockets.target.wants/"+name, "../"+name))
	}
	for _, name := range strings.Fields("systemd-journald.service systemd-journal-flush.service") {
		add(image.Symlink(units+"sysinit.target.wants/"+name, "../"+name))
	}
	add(image.Symlink(units+"default.target", "multi-user.target"))
	add(image.Symlink("sbin/init", "/lib/systemd/systemd"))
	add(image.File("etc/machine-id", 0o444, "uninitialized\n"))
	add(image.File("usr/lib/os-release", 0o644, "ID=inner\nNAME=Inner\n"))
	add(image.Dir("var/log", 0o755))
	add(image.Dir("var/log/journal", 0o755))
	add(image.Dir("var/tmp", 0o1777))
	add(image.Symlink("var/run", "/run"))
	add(image.Symlink("bin/umount", "busybox"))
	return image.Image{Layers: []image.Layer{base, {Entries: entries}}, Config: image.Config{Cmd: []string{"/sbin/init"}, Env: []string{"PATH=/bin:/sbin"}}}
}

func exists(name string) bool {
	_, err := os.Stat(filepath.Clean(name))
	return err == nil
}
