package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// prepare is ExecStartPre=: image present, bundle written. What an unclean stop of
// the same service left is cleared first. With the image in the store it executes
// nothing.
func prepare(o options) error {
	c, err := readUnit(o)
	if err != nil {
		return err
	}
	runtime, err := findRuntime(c.Runtime) // before anything is fetched for it
	if err != nil {
		return err
	}
	unit, err := unitCgroup()
	if err != nil {
		return err
	}
	if err := removeState(o, runtime, unit); err != nil {
		return err
	}
	b := bundleOf(o.root, o.name)
	if err := b.remove(); err != nil {
		return fmt.Errorf("clear the bundle of an earlier start: %w", err)
	}
	image, err := findImage(o, c)
	if err != nil {
		return err
	}
	if err := b.create(); err != nil {
		return fmt.Errorf("make the bundle: %w", err)
	}
	return fill(b, o, c, image, unit)
}

func readUnit(o options) (*units.Container, error) {
	f, err := os.Open(o.unit)
	if err != nil {
		return nil, fmt.Errorf("read the unit: %w", err)
	}
	defer f.Close()
	return units.ReadGenerated(f, o.name+".service", nil)
}

// fill writes the bundle.
func fill(b bundle, o options, c *units.Container, image store.Image, unit string) error {
	if err := os.Symlink(image.Dir, b.file(store.BundleLink)); err != nil {
		return err
	}
	document, err := image.Config()
	if err != nil {
		return fmt.Errorf("read the image's configuration: %w", err)
	}
	config, err := parseImageConfig(document)
	if err != nil {
		return err
	}
	// Runtimes refuse a root that is reached through a link; /var may hold one.
	checkout, err := filepath.EvalSymlinks(image.Rootfs())
	if err != nil {
		return err
	}
	t, err := openTree(checkout)
	if err != nil {
		return err
	}
	defer t.close()
	h, err := lookAround(o, c, config, t)
	if err != nil {
		return err
	}
	h.Rootfs, h.Cgroup = b.rootfs(), unit
	s, err := spec(c, config, h)
	if err != nil {
		return err
	}

	plan := rootPlan{Lower: []string{checkout}, Share: sharesMounts(c)}
	if !c.ReadOnly {
		dir := filepath.Join("/", o.root, store.Dir, "containers", o.name)
		plan.Upper, plan.Work = filepath.Join(dir, "upper"), filepath.Join(dir, "work")
		if err := makeUpper(t, plan.Upper, plan.Work); err != nil {
			return fmt.Errorf("make the writable layer: %w", err)
		}
		return b.write(plan, s)
	}
	missing, err := missingTargets(t, s, func(path string) bool {
		in, volume := h.Sources[path]
		return !volume || !in.Dir // what we bind ourselves are files
	})
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		if err := makeTargets(t, b.file("targets"), missing); err != nil {
			return fmt.Errorf("make mount targets: %w", err)
		}
		plan.Lower = []string{b.file("targets"), checkout}
	}
	return b.write(plan, s)
}

// lookAround collects what the specification needs to know.
func lookAround(o options, c *units.Container, image *imageConfig, t *tree) (host, error) {
	h := host{
		Name:         o.name,
		Arch:         machine,
		NotifySocket: notifySocket(),
		Watchdog:     os.Getenv("WATCHDOG_USEC"),
		ResolvConf:   realFile("/etc/resolv.conf"),
		Hosts:        realFile("/etc/hosts"),
		Capabilities: boundingSet(),
		Sources:      make(map[string]source, len(c.Volumes)),
		Scratch:      make(map[string]scratch, len(scratchDirectories)+len(c.Tmpfs)),
	}
	h.HostName, _ = os.Hostname()
	if c.Notify && !filepath.IsAbs(h.NotifySocket) {
		h.NotifySocket = "/run/systemd/notify"
	}
	name := c.User
	if name == "" {
		name = image.Config.User
	}
	var err error
	if h.User, err = lookupUser(t, name); err != nil {
		return h, err
	}
	for _, v := range c.Volumes {
		var st unix.Stat_t
		if err := unix.Stat(v.Source, &st); err != nil {
			err = fmt.Errorf("Volume=%s:%s: %s: %w", v.Source, v.Target, v.Source, err)
			if errors.Is(err, os.ErrNotExist) {
				err = withHint(err, "create it, or let Tmpfiles= do so")
			}
			return h, err
		}
		h.Sources[v.Source] = sourceOf(&st)
	}
	look := func(name string) {
		if d, ok := t.directory(name); ok {
			h.Scratch[name] = d
		}
	}
	for _, f := range c.Tmpfs {
		look(f.Target)
	}
	if c.ReadOnly {
		for _, d := range scratchDirectories {
			look(d.path)
		}
	}
	return h, nil
}

func sourceOf(st *unix.Stat_t) source {
	s := source{Major: int64(unix.Major(st.Rdev)), Minor: int64(unix.Minor(st.Rdev))}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return source{Dir: true}
	case unix.S_IFCHR:
		s.Device = "c"
	case unix.S_IFBLK:
		s.Device = "b"
	default:
		return source{}
	}
	return s
}

// realFile is the path of a file with its links followed, for a runtime need not
// follow them; "" if it is not there.
func realFile(name string) string {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return ""
	}
	if info, err := os.Stat(real); err != nil || info.IsDir() {
		return ""
	}
	return real
}

// boundingSet is this process's (proc_pid_status(5), CapBnd); without an answer
// every capability counts as available.
func boundingSet() uint64 {
	data, err := os.ReadFile("/proc/self/status")
	if err == nil {
		for line := range bytes.Lines(data) {
			if value, ok := bytes.CutPrefix(line, []byte("CapBnd:")); ok {
				if set, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 16, 64); err == nil {
					return set
				}
			}
		}
	}
	return ^uint64(0)
}
