package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// tmpfilesTemplate is how errors call the image's lines of tmpfiles.d(5).
const tmpfilesTemplate = "tmpfiles.template"

// appliedFile is where the lines of an image that were carried out stay, to be undone, in the container's directory.
const appliedFile = "tmpfiles.conf"

// makeFiles makes what the image says on the machine, and has the unit make what is missing for it.
func (t *imageTemplate) makeFiles(o options, c *units.Container, u user, tree *tree) error {
	if err := t.applyTmpfiles(o); err != nil {
		return err
	}
	c.Tmpfiles = append(slices.Clip(c.Tmpfiles), t.missingSources(c, u, tree)...)
	return nil
}

// applyTmpfiles carries out the lines that the image brings, and undoes those of another image or other values. t may be
// nil: no image of now brings any. Lines that cannot be carried out keep no container from starting: they were written for
// another distribution; what is missing in the end, its mount tells.
func (t *imageTemplate) applyTmpfiles(o options) error {
	lines := ""
	if t != nil && t.tmpfiles != nil && strings.TrimSpace(*t.tmpfiles) != "" {
		lines = strings.TrimSuffix(*t.tmpfiles, "\n") + "\n"
	}
	record := filepath.Join("/", o.root, store.Dir, "containers", o.name, appliedFile)
	before, err := os.ReadFile(record)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read what an earlier start applied of %s: %w", tmpfilesTemplate, err)
	}
	if len(before) > 0 && string(before) != lines {
		tmpfilesCommand(o, "--remove", string(before))
		if lines == "" {
			if err := os.Remove(record); err != nil {
				return fmt.Errorf("forget what an earlier start applied of %s: %w", tmpfilesTemplate, err)
			}
		}
	}
	if lines == "" {
		return nil
	}
	if string(before) != lines {
		if err := replaceFile(record, lines); err != nil { // first: what is applied is known
			return fmt.Errorf("note what is applied of %s: %w", tmpfilesTemplate, err)
		}
	}
	tmpfilesCommand(o, "--create", lines)
	return nil
}

// undoTmpfiles undoes what was applied last.
func undoTmpfiles(o options) error {
	var none *imageTemplate
	return none.applyTmpfiles(o)
}

// tmpfilesCommand warns of what cannot be made.
func tmpfilesCommand(o options, option, lines string) {
	cmd := exec.Command("systemd-tmpfiles", option, "-")
	cmd.Stdin = strings.NewReader(lines)
	output, err := cmd.CombinedOutput()
	if option == "--remove" {
		return // what is not there need not go
	}
	if text := bytes.TrimSpace(output); len(text) == 0 && err != nil {
		output = []byte(err.Error())
	}
	for line := range strings.Lines(string(output)) {
		if line = strings.TrimSpace(line); line != "" {
			warn(o.name, "%s of the image: systemd-tmpfiles: %s", tmpfilesTemplate, line)
		}
	}
}

// replaceFile writes a file in the container's directory so that it is whole after a power cut.
func replaceFile(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(name))
}

// missingSources are lines of tmpfiles.d(5) for what bind mounts of the template show and the machine lacks, unless the
// image has a tmpfiles.template, be it empty. They make what stands at the target in the image; where nothing does, the name
// decides. The payload gets it.
func (t *imageTemplate) missingSources(c *units.Container, u user, tree *tree) (lines []string) {
	if !t.configures() || t.tmpfiles != nil {
		return nil
	}
	uid, _ := hostID(c.UIDMap, u.UID)
	gid, _ := hostID(c.GIDMap, u.GID)
	owner := " " + strconv.FormatUint(uint64(uid), 10) + " " + strconv.FormatUint(uint64(gid), 10)
	var named []string
	for _, line := range c.Tmpfiles {
		named = append(named, units.TmpfilesPath(line))
	}
	for _, m := range t.binds(c, tree) {
		source := realPath(m.Source)
		if slices.Contains(machineFiles, m.Source) || !mayBeMade(source) || slices.Contains(named, source) || slices.Contains(named, m.Source) {
			continue
		}
		if _, err := os.Lstat(source); !errors.Is(err, os.ErrNotExist) {
			continue
		}
		named = append(named, source)
		line := "d " + tmpfilesWord(source) + " 0755"
		if isFileThere(tree, m) {
			line = "f " + tmpfilesWord(source) + " 0644"
		}
		lines = append(lines, line+owner)
	}
	return lines
}

// mayBeMade: sockets have a server that makes them, the kernel's files nobody makes.
func mayBeMade(source string) bool {
	for _, dir := range []string{"/proc", "/sys", "/dev", "/run/systemd", "/run/credentials"} {
		if within(source, dir) {
			return false
		}
	}
	return !strings.HasSuffix(source, "sock") && !strings.HasSuffix(source, "socket") && source != "/" &&
		!strings.ContainsFunc(source, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// isFileThere tells whether a mount shows a file.
func isFileThere(tree *tree, m rspec.Mount) bool {
	fd, err := tree.open(m.Destination, unix.O_PATH)
	if err == nil {
		defer unix.Close(fd)
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil {
			return st.Mode&unix.S_IFMT == unix.S_IFREG
		}
	}
	switch path.Ext(m.Source) {
	case ".conf", ".cfg", ".ini", ".json", ".yaml", ".yml", ".xml", ".txt", ".env", ".log", ".pid", ".lock", ".key", ".pem", ".crt", ".cert":
		return true
	}
	return false
}

// realPath is a path with the links on the way followed as far as there is one: systemd-tmpfiles has a word to say on those
// that go through /var/run.
func realPath(name string) string {
	rest := ""
	for dir := name; ; dir = path.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return path.Join(real, rest)
		}
		if dir == "/" {
			return name
		}
		rest = path.Join(path.Base(dir), rest)
	}
}
