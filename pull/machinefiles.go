package main

import (
	"path"
	"slices"
	"strings"

	"syscontainer/units"
)

// wanted is a path of the host without which the container does not start.
type wanted struct {
	path string
	dir  bool // and it must be a directory
	made bool // a start makes it if it is missing
}

// wants are the paths that a container names.
func wants(c *units.Container) (all []wanted) {
	for _, v := range c.Volumes {
		if v.From == "" {
			all = append(all, wanted{path: v.Source, made: units.MakesSource(v.Source)})
		}
	}
	for _, m := range c.Mounts {
		if m.Type == "bind" {
			all = append(all, wanted{path: m.Source, made: units.MakesSource(m.Source)})
		}
	}
	for _, f := range c.EnvironmentFiles {
		if !f.Optional {
			all = append(all, wanted{path: f.Path})
		}
	}
	for _, d := range c.Devices {
		if !d.Optional {
			all = append(all, wanted{path: d.Source})
		}
	}
	for _, p := range c.ConfigPatches {
		if p.File != "" {
			all = append(all, wanted{path: p.File})
		}
	}
	if c.Rootfs != "" {
		all = append(all, wanted{path: c.Rootfs, dir: true})
	}
	if strings.HasPrefix(c.SeccompProfile, "/") {
		all = append(all, wanted{path: c.SeccompProfile})
	}
	if c.Timezone != "" && c.Timezone != "local" {
		all = append(all, wanted{path: "/usr/share/zoneinfo/" + c.Timezone})
	}
	for _, space := range []string{c.Network, c.PID, c.IPC, c.UTS} {
		if file, ok := strings.CutPrefix(space, "ns:"); ok {
			all = append(all, wanted{path: file})
		}
	}
	for _, credential := range c.Credentials {
		if strings.HasPrefix(credential.Source, "/") && !strings.Contains(credential.Source, "%") {
			all = append(all, wanted{path: credential.Source})
		}
	}
	return all
}

// mayCome tells whether something else may still make a path: not what lies there
// with the operating system.
func mayCome(name string) bool { return below(name, "/var", "/run", "/tmp") }

// lookForFiles tells which files of the host are missing, at the lines that name
// them. A line is read by itself for that; what a later one takes back does not count.
func (m *machine) lookForFiles(u *units.Unit, c *units.Container) (warnings, notes units.Problems) {
	all := wants(c)
	if len(all) == 0 {
		return nil, nil
	}
	madeBefore := directoriesMade(u, c)
	for _, line := range u.Section("Container") {
		if line.Value == "" || u.Name.StartOnly(line.Value) {
			continue
		}
		alone := *u
		alone.Lines = []units.Line{line}
		its, _, _ := alone.Container()
		for _, w := range wants(its) {
			if !slices.Contains(all, w) || w.made || below(w.path, madeBefore...) {
				continue
			}
			if m.root != "/" && below(w.path, "/dev", "/proc", "/sys") {
				continue // empty in a tree that is not booted
			}
			p := &units.Problem{File: line.File, Line: line.Line, Column: line.ValueColumn}
			_, isDir := m.resolve(w.path)
			switch {
			case !m.exists(w.path):
				p.Msg = line.Key + "=: " + w.path + " is not there"
			case w.dir && !isDir:
				p.Msg = line.Key + "=: " + w.path + " is no directory"
			default:
				continue
			}
			if mayCome(w.path) {
				notes = append(notes, p)
			} else {
				warnings = append(warnings, p)
			}
		}
	}
	return warnings, notes
}

// directoriesMade are those that Tmpfiles= and the keys of systemd.exec(5) make
// before the container starts.
func directoriesMade(u *units.Unit, c *units.Container) (dirs []string) {
	for _, line := range c.Tmpfiles {
		if p, err := u.Name.Expand(units.TmpfilesPath(line)); err == nil {
			dirs = append(dirs, p)
		}
	}
	for _, line := range u.Section("Service") {
		base := map[string]string{"StateDirectory": "/var/lib", "RuntimeDirectory": "/run", "CacheDirectory": "/var/cache",
			"LogsDirectory": "/var/log", "ConfigurationDirectory": "/etc"}[line.Key]
		if base == "" {
			continue
		}
		for _, word := range strings.Fields(line.Value) {
			word, _, _ = strings.Cut(word, ":")
			if name, err := u.Name.Expand(word); err == nil {
				dirs = append(dirs, path.Join(base, name))
			}
		}
	}
	return dirs
}
