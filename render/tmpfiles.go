package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"

	"syscontainer/units"
)

// makeFiles lets systemd-tmpfiles make what Tmpfiles= says and what bind mounts need
// and the machine lacks. With nothing to make it executes nothing.
func makeFiles(name string, c *units.Container, u user) error {
	lines := tmpfilesLines(c, u, func(name string) bool {
		_, err := os.Stat(name)
		return errors.Is(err, os.ErrNotExist)
	})
	if len(lines) == 0 {
		return nil
	}
	cmd := exec.Command("systemd-tmpfiles", "--create", "-")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	output, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("systemd-tmpfiles: %w", err)
		if text := bytes.TrimSpace(output); len(text) > 0 {
			err = fmt.Errorf("%w: %s", err, text)
		}
		return fmt.Errorf("make the files of Tmpfiles= and the missing directories: %w", err)
	}
	for line := range strings.Lines(string(output)) {
		warn(name, "systemd-tmpfiles: %s", strings.TrimSpace(line))
	}
	return nil
}

// tmpfilesLines are lines of tmpfiles.d(5): the unit's, and one for each source of a
// bind mount that is missing and looks like a directory. It becomes the payload's,
// whose data it will hold, unless that is root.
func tmpfilesLines(c *units.Container, u user, missing func(string) bool) []string {
	lines := slices.Clone(c.Tmpfiles)
	var named []string
	for _, line := range lines {
		named = append(named, units.TmpfilesPath(line))
	}
	owner := func(options []string) string {
		uid, gid := u.UID, u.GID
		if !slices.Contains(options, "idmap") && !slices.Contains(options, "ridmap") {
			uid, _ = hostID(c.UIDMap, uid)
			gid, _ = hostID(c.GIDMap, gid)
		}
		if uid == 0 {
			return " - - -"
		}
		return " " + strconv.FormatUint(uint64(uid), 10) + " " + strconv.FormatUint(uint64(gid), 10) + " -"
	}
	add := func(source string, options []string) {
		source = path.Clean(source)
		word := tmpfilesWord(source)
		if !units.MakesSource(source) || slices.Contains(named, source) || slices.Contains(named, word) || !missing(source) {
			return
		}
		named = append(named, source)
		lines = append(lines, "d "+word+" 0755"+owner(options))
	}
	for _, v := range c.Volumes {
		add(v.Source, v.Options)
	}
	for _, m := range c.Mounts {
		if m.Type == "bind" {
			add(m.Source, m.Options)
		}
	}
	return lines
}

// tmpfilesWord writes a path as a word of a line: no specifier, no quote, no blank in
// it means anything. systemd 252 knows no \xHH there, and takes the next character as
// it is; later ones take \\ and \" for the same. There are no control characters.
func tmpfilesWord(path string) string {
	path = strings.ReplaceAll(path, "%", "%%")
	if !strings.ContainsAny(path, " \t\r\n\v\f\"'\\") {
		return path
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(path) {
		if c := path[i]; c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(path[i])
	}
	return b.String() + `"`
}
