package main

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/units"
)

// scratch is a directory of the image that a tmpfs will cover.
type scratch struct {
	Mode     uint32 // permission bits; 0: the image has none
	UID, GID uint32
	Full     bool // something is in it
}

// options give the tmpfs the owner and mode of the directory it covers, or else the
// mode given. What the unit says goes before.
func (d scratch) options(said []string, mode uint32) []string {
	says := func(key string) bool {
		return slices.ContainsFunc(said, func(o string) bool { return strings.HasPrefix(o, key+"=") })
	}
	if d.Mode != 0 {
		mode = d.Mode
	}
	if !says("mode") {
		said = append(said, "mode="+strconv.FormatUint(uint64(mode), 8))
	}
	if d.UID != 0 && !says("uid") {
		said = append(said, "uid="+strconv.FormatUint(uint64(d.UID), 10))
	}
	if d.GID != 0 && !says("gid") {
		said = append(said, "gid="+strconv.FormatUint(uint64(d.GID), 10))
	}
	return said
}

// scratchDirectories stay writable in a read-only root, by their default modes.
var scratchDirectories = []struct {
	path string
	mode uint32
}{{"/run", 0o755}, {"/tmp", 0o1777}, {"/var/tmp", 0o1777}}

// mounts is every mount in the order the runtime shall make them: parents before
// what lies below them. No destination comes twice: what the unit says replaces what
// we would have mounted there, Mount= replaces Volume=, Tmpfs= replaces both, and
// among equals the last one counts.
func mounts(c *units.Container, h host) ([]rspec.Mount, error) {
	var list []rspec.Mount
	for _, v := range c.Volumes {
		m, err := volume(v)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	for _, m := range c.Mounts {
		made, err := unitMount(m, h)
		if err != nil {
			return nil, err
		}
		list = append(list, made...)
	}
	for _, t := range c.Tmpfs {
		if path.Clean(t.Target) == "/" {
			return nil, fmt.Errorf("Tmpfs=%s would hide the image", t.Target)
		}
		list = append(list, tmpfs(t, h))
	}
	list = append(list, deviceMounts(h.Devices)...)
	slices.Reverse(list) // of two for one destination the later wins, here the first found
	list = append(list, defaultMounts(c, h)...)
	seen := make(map[string]bool, len(list))
	list = slices.DeleteFunc(list, func(m rspec.Mount) bool {
		twice := seen[m.Destination]
		seen[m.Destination] = true
		return twice
	})
	slices.SortStableFunc(list, func(a, b rspec.Mount) int {
		if byDepth := strings.Count(a.Destination, "/") - strings.Count(b.Destination, "/"); byDepth != 0 {
			return byDepth
		}
		return strings.Compare(a.Destination, b.Destination)
	})
	return list, nil
}

func defaultMounts(c *units.Container, h host) []rspec.Mount {
	mount := func(destination, kind, source string, options ...string) rspec.Mount {
		return rspec.Mount{Destination: destination, Type: kind, Source: source, Options: options}
	}
	file := func(destination, source string) rspec.Mount {
		return mount(destination, "bind", source, "bind", "rprivate", "ro", "nosuid", "nodev", "noexec")
	}
	list := []rspec.Mount{
		mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
		mount("/dev", "tmpfs", "tmpfs", "nosuid", "noexec", "strictatime", "mode=755", "size=65536k"),
		devpts("/dev/pts", nil, c),
		mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", shmSize(c.ShmSize)),
		mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
		mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
		mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
	}
	if unmasked(c, "/sys/fs/cgroup") {
		list[6].Options = slices.DeleteFunc(list[6].Options, func(o string) bool { return o == "ro" })
	}
	if c.IPC == "host" {
		list[3] = mount("/dev/shm", "bind", "/dev/shm", "bind", "rprivate", "nosuid", "noexec", "nodev")
		list[4] = mount("/dev/mqueue", "bind", "/dev/mqueue", "bind", "rprivate", "nosuid", "noexec", "nodev")
	}
	if mapsIDs(c) {
		// A user namespace may mount what shows a namespace only if that is its own.
		if c.PID == "host" {
			list[0] = mount("/proc", "bind", "/proc", "rbind", "rprivate", "nosuid", "noexec", "nodev")
		}
		if c.Network != "none" {
			list[5] = mount("/sys", "bind", "/sys", "rbind", "rprivate", "nosuid", "noexec", "nodev", "ro")
		}
	}
	if c.ReadOnly && c.ReadOnlyTmpfs {
		for _, d := range scratchDirectories {
			in := h.Scratch[d.path]
			options := in.options([]string{"nosuid", "nodev"}, d.mode)
			if in.Full {
				options = append(options, "tmpcopyup") // what the image put there; runc and crun know the word
			}
			list = append(list, mount(d.path, "tmpfs", "tmpfs", options...))
		}
	}
	for _, f := range []struct{ target, source string }{{"/etc/resolv.conf", h.ResolvConf}, {"/etc/hosts", h.Hosts},
		{"/etc/localtime", h.Zone}, {initPath, h.Init}, {credentialsPath, h.Credentials}} {
		if f.source != "" {
			list = append(list, file(f.target, f.source))
		}
	}
	if h.Init != "" {
		i := slices.IndexFunc(list, func(m rspec.Mount) bool { return m.Destination == initPath })
		list[i].Options = []string{"bind", "rprivate", "ro", "nosuid", "nodev"}
	}
	if c.Notify {
		list = append(list, mount(notifySocketPath, "bind", h.NotifySocket, "bind", "rprivate"))
	}
	return list
}

// shmSize is the option for bytes; to the kernel, too, 0 is no limit.
func shmSize(bytes int64) string {
	if bytes%1024 == 0 {
		return "size=" + strconv.FormatInt(bytes/1024, 10) + "k"
	}
	return "size=" + strconv.FormatInt(bytes, 10)
}

func devpts(target string, said []string, c *units.Container) rspec.Mount {
	options := []string{"nosuid", "noexec", "newinstance"}
	for _, o := range []string{"ptmxmode=0666", "mode=0620", "gid=5"} {
		key, _, _ := strings.Cut(o, "=")
		_, tty := hostID(c.GIDMap, 5)
		if o == "gid=5" && mapsIDs(c) && !tty ||
			slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, key+"=") }) {
			continue
		}
		options = append(options, o)
	}
	for _, o := range said {
		if !slices.Contains(options, o) {
			options = append(options, o)
		}
	}
	return rspec.Mount{Destination: target, Type: "devpts", Source: "devpts", Options: options}
}

func tmpfs(t units.Tmpfs, h host) rspec.Mount {
	target := path.Clean(t.Target)
	options := slices.Clone(t.Options)
	options = unless(options, "nosuid", "suid")
	options = unless(options, "nodev", "dev")
	options = h.Scratch[target].options(options, 0o1777)
	return rspec.Mount{Destination: target, Type: "tmpfs", Source: "tmpfs", Options: options}
}

// tmpfsOf is every file system in memory that the unit asks for.
func tmpfsOf(c *units.Container) []units.Tmpfs {
	list := slices.Clip(c.Tmpfs)
	for _, m := range c.Mounts {
		if m.Type == "tmpfs" {
			list = append(list, units.Tmpfs{Target: m.Target, Options: m.Options})
		}
	}
	return list
}

// unitMount is what a Mount= asks for; a pattern may be several.
func unitMount(m units.Mount, h host) ([]rspec.Mount, error) {
	label := mountLabel(m)
	target := path.Clean(m.Target)
	if target == "/" && m.Type != "glob" {
		return nil, fmt.Errorf("%s would hide the image", label)
	}
	switch m.Type {
	case "bind":
		made, err := bind(label, m.Source, target, m.Options)
		return []rspec.Mount{made}, err
	case "glob":
		var list []rspec.Mount
		for _, source := range h.Globs[m.Source] {
			made, err := bind(label, source, path.Join(target, path.Base(source)), m.Options)
			if err != nil {
				return nil, err
			}
			list = append(list, made)
		}
		return list, nil
	case "tmpfs":
		return []rspec.Mount{tmpfs(units.Tmpfs{Target: target, Options: m.Options}, h)}, nil
	case "devpts":
		return []rspec.Mount{devpts(target, m.Options, &units.Container{})}, nil
	}
	return nil, fmt.Errorf("%s: type %q is not possible", label, m.Type)
}

// mountLabel is how errors call a Mount=.
func mountLabel(m units.Mount) string {
	if m.Source == "" {
		return "Mount=type=" + m.Type + ",target=" + m.Target
	}
	return "Mount=type=" + m.Type + ",source=" + m.Source + ",target=" + m.Target
}

func volume(v units.Volume) (rspec.Mount, error) {
	label := "Volume=" + v.Source + ":" + v.Target
	if path.Clean(v.Target) == "/" {
		return rspec.Mount{}, fmt.Errorf("%s would hide the image", label)
	}
	return bind(label, v.Source, path.Clean(v.Target), v.Options)
}

// bindOptions are what today's runtimes take on a bind mount; they refuse the rest.
// idmap and ridmap are ours to do.
const bindOptions = `bind rbind ro rw nosuid suid nodev dev noexec exec atime noatime diratime nodiratime relatime
	norelatime strictatime nostrictatime sync async dirsync private rprivate shared rshared slave rslave unbindable
	runbindable rro rrw rnosuid rsuid rnodev rdev rnoexec rexec idmap ridmap`

func bind(label, source, target string, said []string) (rspec.Mount, error) {
	m := rspec.Mount{Destination: target, Type: "bind", Source: source}
	known := appendFields(nil, bindOptions)
	kind, propagation := "rbind", "rprivate"
	for _, option := range said {
		switch option {
		case "bind", "rbind":
			kind = option
		case "private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable":
			propagation = option
		case "rw": // the default; the last of ro and rw counts
			m.Options = slices.DeleteFunc(m.Options, func(o string) bool { return o == "ro" })
		default:
			if !slices.Contains(known, option) {
				return m, fmt.Errorf("%s: option %q is not possible on a bind mount", label, option)
			}
			m.Options = append(m.Options, option)
		}
	}
	m.Options = append([]string{kind, propagation}, m.Options...)
	return m, nil
}

// unless adds an option when neither it nor its opposite is there.
func unless(options []string, option, opposite string) []string {
	if slices.Contains(options, option) || slices.Contains(options, opposite) {
		return options
	}
	return append(options, option)
}

// propagation is how mounts spread between the container and the machine: as the
// unit says, or as its bind mounts need.
func propagation(c *units.Container) string {
	if c.Propagation != "" {
		return c.Propagation
	}
	result := ""
	each := func(options []string) {
		switch {
		case slices.Contains(options, "shared") || slices.Contains(options, "rshared"):
			result = "rshared"
		case result == "" && (slices.Contains(options, "slave") || slices.Contains(options, "rslave")):
			result = "rslave"
		}
	}
	for _, v := range c.Volumes {
		each(v.Options)
	}
	for _, m := range c.Mounts {
		each(m.Options)
	}
	return result
}

// sharesMounts tells whether mounts made in the container shall be seen outside.
func sharesMounts(c *units.Container) bool {
	p := propagation(c)
	return p == "shared" || p == "rshared"
}
