package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"syscontainer/units"
)

// insideDir is where the payload finds what is ours if the template puts something of the machine's in our usual place:
// a runtime would make files there, on the machine.
const insideDir = "/.syscontainer"

// machineFiles are those that a container has of the machine by default. Where the machine has none, neither does the
// container; none is ever made.
var machineFiles = []string{"/etc/resolv.conf", "/etc/hosts", "/etc/localtime"}

// binds are the template's bind mounts of the machine's files that no mount of the unit replaces.
func (t *imageTemplate) binds(c *units.Container, tree *tree) (list []rspec.Mount) {
	covered := unitTargets(c, &host{}, tree)
	for _, m := range t.spec.Mounts {
		if m.Type == "bind" && !slices.Contains(covered, leadsTo(tree, m.Destination)) {
			list = append(list, m)
		}
	}
	return list
}

// leadsTo is where the links of an image lead.
func leadsTo(t *tree, name string) string {
	if at, err := t.resolve(name, nil); err == nil {
		return at.path
	}
	return path.Clean(name)
}

// lookSources looks at what the template's bind mounts show, as lookSources does for the unit's, and leads them past links
// of the machine. What commands of the unit may still make before the start need not be there.
func (t *imageTemplate) lookSources(o options, c *units.Container, tree *tree, h *host) error {
	if !t.configures() {
		return nil
	}
	wanted := t.binds(c, tree)
	var kept []rspec.Mount
	for _, m := range t.spec.Mounts {
		if m.Type != "bind" || !slices.ContainsFunc(wanted, func(w rspec.Mount) bool { return w.Destination == m.Destination }) {
			kept = append(kept, m)
			continue
		}
		real, err := filepath.EvalSymlinks(m.Source)
		if errors.Is(err, os.ErrNotExist) && slices.Contains(machineFiles, m.Source) {
			t.changes = append(t.changes, "mount "+m.Destination+" goes: this machine has no "+m.Source)
			continue
		}
		if errors.Is(err, os.ErrNotExist) && moreCommands(o.unit) {
			h.Sources[m.Source] = source{Dir: !isFileThere(tree, m)}
			kept = append(kept, m)
			continue
		}
		var st unix.Stat_t
		if err == nil {
			err = unix.Stat(real, &st)
		}
		if err != nil {
			err = fmt.Errorf("%s: mount %s on %s: %w", t.file, m.Source, m.Destination, cause(err))
			return withHintIf(err, errors.Is(err, os.ErrNotExist), "create it, or let Tmpfiles= do so; Export= puts files of the image on the host")
		}
		m.Source = real
		h.Sources[real] = sourceOf(&st)
		kept = append(kept, m)
	}
	t.spec.Mounts = kept
	return nil
}

// moreCommands tells whether a service has an ExecStartPre= of its own, behind ours.
func moreCommands(unit string) bool {
	data, err := os.ReadFile(unit)
	return err == nil && bytes.Count(data, []byte("\nExecStartPre=")) > 1
}

// mergeMounts is the template's mounts in their order. Each of the unit's takes the place of one that leads to the same
// path, or comes before the first below it. Ours are there for what the unit asks.
func (t *imageTemplate) mergeMounts(c *units.Container, s *rspec.Spec, h host, tree *tree) ([]rspec.Mount, error) {
	said, err := unitMounts(c, h)
	if err != nil {
		return nil, err
	}
	list := slices.Clone(t.spec.Mounts)
	for i := range list {
		list[i].Options = slices.Clone(list[i].Options)
	}
	ours := t.ours(c, h)
	t.moveInside(s, ours)
	for _, m := range ours {
		list = put(list, m, tree)
	}
	if slices.Contains(c.DNS, "none") {
		list = slices.DeleteFunc(list, func(m rspec.Mount) bool { return m.Destination == "/etc/resolv.conf" })
	}
	for _, m := range scratchMounts(c, h) {
		if !slices.ContainsFunc(list, func(o rspec.Mount) bool { return leadsTo(tree, o.Destination) == leadsTo(tree, m.Destination) }) {
			list = put(list, m, tree)
		}
	}
	for _, m := range settled(said) {
		list = put(list, m, tree)
	}
	return followBinds(list), nil
}

// put adds a mount to a list, see mergeMounts.
func put(list []rspec.Mount, m rspec.Mount, tree *tree) []rspec.Mount {
	to := leadsTo(tree, m.Destination)
	for i := range list {
		if leadsTo(tree, list[i].Destination) == to {
			list[i] = m
			return list
		}
	}
	for i := range list {
		if within(leadsTo(tree, list[i].Destination), to) {
			return slices.Insert(list, i, m)
		}
	}
	return append(list, m)
}

// ours are those of our mounts that the unit asks for.
func (t *imageTemplate) ours(c *units.Container, h host) (list []rspec.Mount) {
	has := func(target string) bool {
		return slices.ContainsFunc(t.spec.Mounts, func(m rspec.Mount) bool { return m.Destination == target && m.Type != "bind" })
	}
	for _, m := range append(defaultMounts(c, h), systemdMounts(c, h)...) {
		asked := true
		switch m.Destination {
		case "/etc/resolv.conf":
			asked = c.Sets("DNS", "DNSOption", "DNSSearch", "Network")
		case "/etc/hosts":
			asked = c.Sets("AddHost", "Network")
		case "/dev/shm":
			asked = c.Sets("ShmSize", "IPC") || mapsIDs(c) && has(m.Destination)
		case "/dev/mqueue":
			asked = c.Sets("IPC") || mapsIDs(c) && has(m.Destination)
		case "/proc", "/sys", "/dev/pts":
			asked = mapsIDs(c) && has(m.Destination) // which mounts by rules of its own: see kernelMounts
		case "/sys/fs/cgroup":
			asked = c.Systemd
		case "/dev":
			asked = false
		}
		if asked {
			list = append(list, m)
		}
	}
	return list
}

// moveInside takes ours out of directories of the machine that the template shows.
func (t *imageTemplate) moveInside(s *rspec.Spec, ours []rspec.Mount) {
	for i := range ours {
		from := ours[i].Destination
		if from != notifySocketPath && from != credentialsPath && from != initPath {
			continue
		}
		shown := slices.ContainsFunc(t.spec.Mounts, func(m rspec.Mount) bool { return m.Type == "bind" && within(from, m.Destination) })
		if !shown {
			continue
		}
		to := path.Join(insideDir, path.Base(from))
		ours[i].Destination = to
		for k, v := range s.Process.Env {
			if name, value, _ := strings.Cut(v, "="); value == from && (name == "NOTIFY_SOCKET" || name == "CREDENTIALS_DIRECTORY") {
				s.Process.Env[k] = name + "=" + to
			}
		}
		if from == initPath && len(s.Process.Args) > 0 && s.Process.Args[0] == initPath {
			s.Process.Args[0] = to
		}
	}
}

// followBinds leads mounts that are below a bind mount past the links that the machine has there: /dev/log is one. Runtimes
// take its text for a path in the root, and would have to make that.
func followBinds(list []rspec.Mount) []rspec.Mount {
	for i := range list {
		to := list[i].Destination
		for range 40 {
			next, led := throughBind(list[:i], to)
			if !led {
				list[i].Destination = to
				break
			}
			to = next
		}
	}
	return list
}

// throughBind takes one link off a path that the last of the mounts above it shows. Those into what the kernel shows stay.
func throughBind(before []rspec.Mount, name string) (to string, led bool) {
	for _, m := range slices.Backward(before) {
		if !within(name, m.Destination) || name == m.Destination {
			continue
		}
		if m.Type != "bind" {
			return name, false
		}
		at, inside := m.Source, m.Destination
		rest := strings.Split(strings.TrimPrefix(name[len(strings.TrimSuffix(m.Destination, "/")):], "/"), "/")
		for i, component := range rest {
			at = path.Join(at, component)
			link, err := os.Readlink(at)
			if err != nil {
				inside = path.Join(inside, component)
				continue
			}
			if !path.IsAbs(link) {
				link = path.Join(inside, link)
			}
			to := path.Join(append([]string{"/", link}, rest[i+1:]...)...)
			return to, !within(to, "/proc") && !within(to, "/sys")
		}
		return name, false
	}
	return name, false
}
