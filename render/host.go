package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"syscontainer/units"
)

// host is all that a specification takes from the machine and from the image's
// files. spec itself looks at nothing else: same arguments, same bytes.
type host struct {
	Name         string            // of the unit
	Rootfs       string            // absolute path the runtime shall use as root
	Cgroup       string            // absolute path of the unit's cgroup, from the hierarchy's root
	HostName     string            // of the machine
	Capabilities uint64            // bits of those this service may hand on
	Arch         string            // GOARCH
	Kernel       string            // release, "6.1.0-13-amd64"
	NotifySocket string            // systemd's socket for READY=1 and the like
	ResolvConf   string            // what the container sees as /etc/resolv.conf, "" if there is none
	Hosts        string            // the same of /etc/hosts
	Zone         string            // the same of /etc/localtime; only with Timezone=
	Systemd      innerSystemd      // what Systemd=yes needs
	Init         string            // a program for RunInit=
	Credentials  string            // directory of credentials, "" if there are none
	Environ      []string          // of this service
	EnvFiles     []string          // what EnvironmentFile= gives
	User         user              // whom User= or the image names
	Sources      map[string]source // of every bind mount, by path
	Globs        map[string][]string
	Volumes      []imageVolume // of the image
	Scratch      map[string]scratch
	Devices      []node            // what AddDevice= gives
	Peers        map[string]int    // processes of other containers, by service
	Shared       map[string]string // where directories of IPC='s container will be, by their names there
	Seccomp      *dockerProfile    // the file of SeccompProfile=, or the machine's; nil: ours
	NoX32        bool              // the kernel answers no system call of x32; only with Seccomp
	AppArmor     bool              // the kernel confines by AppArmor
	SELinux      bool              // it confines by SELinux, with a policy for containers
}

// source is what stands at the source of a bind mount.
type source struct {
	Dir          bool
	Device       string // "c" or "b" for a device node
	Major, Minor int64
}

// lookAround collects what the specification needs to know.
func lookAround(o options, c *units.Container, u user, t *tree) (host, error) {
	h := host{
		Name:         o.name,
		Arch:         machine,
		NotifySocket: notifySocket(),
		ResolvConf:   realFile("/etc/resolv.conf"),
		Hosts:        realFile("/etc/hosts"),
		Capabilities: boundingSet(),
		User:         u,
		Environ:      startEnvironment(),
		AppArmor:     c.AppArmor != "" && appArmorOn(),
		Scratch:      make(map[string]scratch, len(scratchDirectories)+len(c.Tmpfs)),
	}
	h.HostName, _ = os.Hostname()
	if c.Notify && !filepath.IsAbs(h.NotifySocket) {
		h.NotifySocket = "/run/systemd/notify"
	}
	for _, look := range []func(*units.Container, *host) error{lookSources, lookEnvironmentFiles, lookZone, lookInit,
		lookDevices, lookPeers, lookSELinux} {
		if err := look(c, &h); err != nil {
			return h, err
		}
	}
	look := func(name string) {
		if d, ok := t.directory(name); ok {
			h.Scratch[name] = d
		}
	}
	for _, f := range tmpfsOf(c) {
		look(f.Target)
	}
	if c.ReadOnly && c.ReadOnlyTmpfs {
		for _, d := range scratchDirectories {
			look(d.path)
		}
	}
	return h, nil
}

// lookSources looks at what bind mounts show, and finds what patterns match.
func lookSources(c *units.Container, h *host) error {
	h.Sources = make(map[string]source, len(c.Volumes))
	see := func(label, name string) error {
		var st unix.Stat_t
		if err := unix.Stat(name, &st); err != nil {
			err = fmt.Errorf("%s: %s: %w", label, name, err)
			if errors.Is(err, os.ErrNotExist) {
				err = withHint(err, "create it, or let Tmpfiles= do so")
			}
			return err
		}
		h.Sources[name] = sourceOf(&st)
		return nil
	}
	for _, v := range c.Volumes {
		if err := see("Volume="+v.Source+":"+v.Target, v.Source); err != nil {
			return err
		}
	}
	for _, m := range c.Mounts {
		switch m.Type {
		case "bind":
			if err := see(mountLabel(m), m.Source); err != nil {
				return err
			}
		case "glob":
			found, err := filepath.Glob(goPattern(m.Source))
			if err == nil && len(found) == 0 {
				err = errors.New("nothing matches")
			}
			if err != nil {
				return fmt.Errorf("%s: %w", mountLabel(m), err)
			}
			for _, name := range found {
				if err := see(mountLabel(m), name); err != nil {
					return err
				}
			}
			if h.Globs == nil {
				h.Globs = make(map[string][]string)
			}
			h.Globs[m.Source] = found // sorted
		}
	}
	return nil
}

// goPattern writes a glob(7) pattern as path.Match reads it: [!a] is [^a].
func goPattern(pattern string) string {
	b := []byte(pattern)
	for i := 0; i+1 < len(b); i++ {
		switch {
		case b[i] == '\\':
			i++
		case b[i] == '[' && b[i+1] == '!':
			b[i+1] = '^'
		}
	}
	return string(b)
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

// readHostFile reads a file that a unit names. Anything but a regular file, which
// might block or never end, is an error, and so is a longer one.
func readHostFile(name string, limit int64) ([]byte, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("%s is no regular file of at most %d bytes", name, limit)
	}
	data := make([]byte, 0, info.Size()+1)
	for int64(len(data)) <= limit { // it may grow
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if n == 0 {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
	return nil, fmt.Errorf("%s is longer than %d bytes", name, limit)
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
