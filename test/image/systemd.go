// SPDX-License-Identifier: Apache-2.0

package image

import (
	"os"
	"strings"
)

// Systemd is this machine's systemd with its journal and no other unit than those here, to lie over Busybox: it boots to
// its default target with nothing in it that could fail. greet.service has said "greetings from inside" by then, and
// worker.service runs as the user app in a cgroup that may use 16 MiB.
func Systemd() ([]Entry, error) {
	programs := []string{"/lib/systemd/systemd", "/lib/systemd/systemd-journald", "/lib/systemd/systemd-shutdown", "/bin/systemctl", "/bin/journalctl"}
	if _, err := os.Stat("/lib/systemd/systemd-executor"); err == nil { // since 255
		programs = append(programs, "/lib/systemd/systemd-executor")
	}
	entries, err := Libraries(programs...)
	if err != nil {
		return nil, err
	}
	made := map[string]bool{"bin": true, "etc": true, "var": true} // by Busybox
	for _, e := range entries {
		made[strings.TrimSuffix(e.Name, "/")] = true
	}
	add := func(e Entry) {
		for i, c := range e.Name {
			if dir := e.Name[:i]; c == '/' && !made[dir] {
				entries = append(entries, Dir(dir, 0o755))
				made[dir] = true
			}
		}
		entries = append(entries, e)
	}
	copies := programs
	const units = "usr/lib/systemd/system/"
	for _, name := range strings.Fields("basic sysinit sockets timers paths slices local-fs swap multi-user shutdown umount final " +
		"halt poweroff reboot emergency rescue") {
		copies = append(copies, "/"+units+name+".target")
	}
	for _, name := range strings.Fields("journald.service journald.socket journald-dev-log.socket journal-flush.service poweroff.service reboot.service halt.service") {
		copies = append(copies, "/"+units+"systemd-"+name)
	}
	for _, name := range copies {
		e, err := Copy(strings.TrimPrefix(name, "/"), name)
		if err != nil {
			return nil, err
		}
		add(e)
	}
	for _, program := range programs { // of a machine whose /lib is /usr/lib, systemd and its units may say either
		add(Symlink("usr"+program, program))
	}
	const greet = `[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/echo greetings from inside
`
	const worker = `[Service]
Type=exec
User=app
MemoryMax=16M
ExecStartPre=/bin/sh -c 'echo working as $(id -u)'
ExecStart=/bin/sleep 1000
`
	for _, e := range []Entry{
		File(units+"greet.service", 0o644, greet), Symlink(units+"multi-user.target.wants/greet.service", "../greet.service"),
		File(units+"worker.service", 0o644, worker), Symlink(units+"multi-user.target.wants/worker.service", "../worker.service"),
		Symlink(units+"sockets.target.wants/systemd-journald.socket", "../systemd-journald.socket"),
		Symlink(units+"sockets.target.wants/systemd-journald-dev-log.socket", "../systemd-journald-dev-log.socket"),
		Symlink(units+"sysinit.target.wants/systemd-journald.service", "../systemd-journald.service"),
		Symlink(units+"sysinit.target.wants/systemd-journal-flush.service", "../systemd-journal-flush.service"),
		Symlink(units+"default.target", "multi-user.target"),
		Symlink("sbin/init", "/lib/systemd/systemd"), Symlink("bin/umount", "busybox"), Symlink("usr/bin/umount", "/bin/busybox"), Symlink("var/run", "/run"),
		File("etc/machine-id", 0o444, "uninitialized\n"), File("usr/lib/os-release", 0o644, "ID=inner\nNAME=Inner\n"),
		Dir("var/log", 0o755), Dir("var/log/journal", 0o755), Dir("var/tmp", 0o1777),
	} {
		add(e)
	}
	return entries, nil
}
