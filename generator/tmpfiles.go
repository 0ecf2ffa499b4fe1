package main

import (
	"errors"
	"path"
	"slices"
	"strings"

	"syscontainer/units"
)

// entries are what systemd-tmpfiles shall make before a service starts. A generator
// may not write to tmpfiles.d, so they become the input of a service of their own.
type entries struct {
	lines  []string // for StandardInputText=
	paths  []string // for RequiresMountsFor=
	absent []string // for ConditionPathExists=; only if nothing else is to be made
}

// tmpfilesEntries are the unit's own lines, and a line for each source of a bind
// mount below /var and /run that looks like a directory. Such a line makes what is
// missing; owner and mode of what is there stay.
func tmpfilesEntries(u *units.Unit, c *units.Container) (e entries, err error) {
	var named []string // in the unit's own lines
	for _, line := range c.Tmpfiles {
		blank := false // in the value of %I and the like: it would need quotes, and the line may have some
		text, err := u.Name.Rewrite(line, units.NameSpecifiers, inputText, func(value string) string {
			blank = blank || strings.ContainsAny(value, " \t\n\r\"'")
			return tmpfilesPath(value)
		})
		if err == nil && blank {
			err = errors.New("Tmpfiles=: a specifier stands for text with a blank or a quote: " + line)
		}
		if err != nil {
			return e, err
		}
		e.lines = append(e.lines, text)
		written := units.TmpfilesPath(line)
		if p, err := u.Name.Expand(written); err == nil {
			named = append(named, path.Clean(p))
			if p, err = u.Name.Rewrite(written, units.AllSpecifiers, pathWord, pathWord); err == nil && !slices.Contains(e.paths, p) {
				e.paths = append(e.paths, p)
			}
		}
	}
	for _, v := range c.Volumes {
		if !isDirectorySource(v.Source) || slices.Contains(named, v.Source) ||
			u.Name.Template && (strings.Contains(v.Written, "%I") || strings.Contains(v.Written, "%f")) {
			continue
		}
		named = append(named, v.Source)
		line, err := u.Name.Rewrite(v.Written, units.AllSpecifiers, tmpfilesPath, tmpfilesPath)
		if err != nil {
			return e, err
		}
		if strings.ContainsAny(line, " '\"\\") {
			line = `"` + line + `"`
		}
		e.lines = append(e.lines, "d- "+line+" - - -") // -: a file in its place is render's to report
		p, _ := u.Name.Rewrite(v.Written, units.AllSpecifiers, pathWord, pathWord)
		e.paths = append(e.paths, p)
		p, _ = u.Name.Rewrite(v.Written, units.AllSpecifiers, percent, percent)
		e.absent = append(e.absent, p)
	}
	if len(c.Tmpfiles) > 0 {
		e.absent = nil
	}
	return e, nil
}

// isDirectorySource guesses, for at boot nobody can look: /var may not be there. To
// make a directory in the place of a socket would keep its server from starting.
func isDirectorySource(source string) bool {
	if !strings.HasPrefix(source, "/var/") && !strings.HasPrefix(source, "/run/") {
		return false
	}
	for _, suffix := range []string{"sock", "socket", ".pid", ".lock", ".fifo", ".conf", ".log", ".json", ".key", ".pem", ".crt"} {
		if strings.HasSuffix(source, suffix) {
			return false
		}
	}
	return !strings.HasPrefix(source, "/run/systemd/") && !strings.HasPrefix(source, "/run/credentials/")
}

// tmpfilesService writes the service. With conditions it costs no process while
// everything is there.
func tmpfilesService(u *units.Unit, e entries) *unitText {
	t := newText(1024)
	t.section("Unit")
	t.set("Description", "Files for "+u.Name.Service())
	sourcePath(t, u)
	t.set("DefaultDependencies", "no")
	t.set("After", "systemd-remount-fs.service systemd-sysusers.service")
	t.set("Conflicts", "shutdown.target")
	t.set("Before", "shutdown.target")
	if len(e.paths) > 0 {
		t.set("RequiresMountsFor", strings.Join(e.paths, " "))
	}
	for _, p := range e.absent {
		t.set("ConditionPathExists", "|!"+p)
	}
	t.section("Service")
	t.set("Type", "oneshot")
	t.set("StandardInput", "data")
	for _, line := range e.lines {
		t.set("StandardInputText", line)
	}
	t.set("ExecStart", "systemd-tmpfiles --create -")
	return t
}
