package main

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-tools/generate"

	"syscontainer/units"
)

// specVersion is what old crun accepts; it refuses 1.2 and later.
const specVersion = "1.0.2"

// host is all that a specification takes from the machine and from the image's
// files. spec itself looks at nothing else: same arguments, same bytes.
type host struct {
	Name         string            // of the unit
	Rootfs       string            // absolute path the runtime shall use as root
	Cgroup       string            // absolute path of the unit's cgroup, from the hierarchy's root
	HostName     string            // of the machine
	Capabilities uint64            // bits of those this service may hand on
	Arch         string            // GOARCH
	NotifySocket string            // systemd's socket for READY=1 and the like
	Watchdog     string            // $WATCHDOG_USEC of the unit, \"\" if there is none
	ResolvConf   string            // real path of the machine's /etc/resolv.conf, "" if there is none
	Hosts        string            // the same of /etc/hosts
	User         user              // whom User= or the image names
	Sources      map[string]source // of every Volume=, by path
	Scratch      map[string]scratch
}

// source is what stands at the source of a bind mount.
type source struct {
	Dir          bool
	Device       string // "c" or "b" for a device node
	Major, Minor int64
}

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

const (
	defaultPath      = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	notifySocketPath = "/run/notify/notify.sock" // inside
)

// spec makes the runtime's configuration (runtime-spec) from what the unit says
// and what the image gives: the unit's word is the last one.
func spec(c *units.Container, image *imageConfig, h host) (*rspec.Spec, error) {
	args, err := command(c, image)
	if err != nil {
		return nil, err
	}
	caps, err := capabilities(c.AddCapability, c.DropCapability, h.Capabilities, h.User.UID)
	if err != nil {
		return nil, err
	}
	mounts, err := mounts(c, h)
	if err != nil {
		return nil, err
	}

	g := generate.NewFromSpec(defaultSpec())
	g.SetRootPath(h.Rootfs)
	g.SetRootReadonly(c.ReadOnly)
	g.SetHostname(hostName(c, h))
	g.SetProcessArgs(args)
	g.SetProcessCwd(workingDir(c, image))
	g.SetProcessUID(h.User.UID)
	g.SetProcessGID(h.User.GID)
	for _, gid := range h.User.Groups {
		g.AddProcessAdditionalGid(gid)
	}
	// One call after the other: the generator takes care of duplicates only in
	// what was added through it.
	g.AddMultipleProcessEnv([]string{defaultPath, "container=oci", "HOME=" + home(h.User), "HOSTNAME=" + g.Config.Hostname})
	g.AddMultipleProcessEnv(assignments(image.Config.Env))
	g.AddMultipleProcessEnv(c.Environment)
	if c.Notify {
		g.AddProcessEnv("NOTIFY_SOCKET", notifySocketPath)
		if h.Watchdog != "" {
			g.AddProcessEnv("WATCHDOG_USEC", h.Watchdog) // sd_watchdog_enabled(3)
		}
	}
	g.Config.Process.Capabilities = caps
	g.Config.Linux.Seccomp = seccompFilter(h.Arch, caps.Bounding)
	g.SetLinuxCgroupsPath(path.Join(h.Cgroup, "payload"))
	if c.Network == "none" {
		if err := g.AddOrReplaceLinuxNamespace(string(rspec.NetworkNamespace), ""); err != nil {
			return nil, err
		}
	}
	for _, m := range mounts {
		g.AddMount(m)
		if dev := h.Sources[m.Source]; m.Type == "bind" && dev.Device != "" {
			access := "rw"
			if slices.Contains(m.Options, "ro") {
				access = "r"
			}
			g.AddLinuxResourcesDevice(true, dev.Device, &dev.Major, &dev.Minor, access)
		}
	}
	switch {
	case sharesMounts(c):
		g.Config.Linux.RootfsPropagation = "rshared"
	case slices.ContainsFunc(c.Volumes, func(v units.Volume) bool {
		return slices.Contains(v.Options, "slave") || slices.Contains(v.Options, "rslave")
	}):
		g.Config.Linux.RootfsPropagation = "rslave"
	}
	return g.Config, nil
}

// defaultSpec is the ground every container stands on. generate.New is not it:
// its masked paths are empty, its seccomp list is old and its version too new.
// No rlimits: the unit's Limit*= apply.
func defaultSpec() *rspec.Spec {
	return &rspec.Spec{
		Version: specVersion,
		Root:    &rspec.Root{},
		Process: &rspec.Process{NoNewPrivileges: true},
		Linux: &rspec.Linux{
			Namespaces: []rspec.LinuxNamespace{{Type: rspec.MountNamespace}, {Type: rspec.PIDNamespace},
				{Type: rspec.IPCNamespace}, {Type: rspec.UTSNamespace}, {Type: rspec.CgroupNamespace}},
			Resources: &rspec.LinuxResources{Devices: []rspec.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}},
			MaskedPaths: []string{"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
				"/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/dev/block", "/sys/devices/virtual/powercap",
				"/sys/firmware", "/sys/fs/selinux"},
			ReadonlyPaths: []string{"/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
}

// command is Entrypoint and arguments: Exec= replaces the image's Cmd, not its
// Entrypoint; a new Entrypoint= makes the image's Cmd meaningless.
func command(c *units.Container, image *imageConfig) ([]string, error) {
	entrypoint, args := image.Config.Entrypoint, image.Config.Cmd
	if c.Entrypoint != nil {
		entrypoint, args = c.Entrypoint, nil
	}
	if c.Exec != nil {
		args = c.Exec
	}
	all := slices.Concat(entrypoint, args)
	if len(all) == 0 || all[0] == "" {
		return nil, withHint(errors.New("nothing to run: the image names no command and neither does the unit"),
			"set Exec= in [Container]")
	}
	return all, nil
}

// workingDir is absolute: image authors forget the slash, and mean the root.
func workingDir(c *units.Container, image *imageConfig) string {
	if c.WorkingDir != "" {
		return path.Join("/", c.WorkingDir)
	}
	return path.Join("/", image.Config.WorkingDir)
}

func home(u user) string {
	if u.Home == "" {
		return "/"
	}
	return u.Home
}

// hostName follows podman: the machine's name goes with its network. A container
// without network is called like its unit.
func hostName(c *units.Container, h host) string {
	switch {
	case c.HostName != "":
		return c.HostName
	case c.Network != "none" && h.HostName != "":
		return h.HostName
	}
	name := []byte(h.Name)
	for i, b := range name {
		if !(b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '.' || b == '-') {
			name[i] = '-'
		}
	}
	return string(name[:min(len(name), 64)]) // HOST_NAME_MAX
}

// assignments drops what no environment can hold.
func assignments(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(s string) bool { return strings.IndexByte(s, '=') < 1 })
}

// sharesMounts tells whether mounts made in the container shall be seen outside.
func sharesMounts(c *units.Container) bool {
	return slices.ContainsFunc(c.Volumes, func(v units.Volume) bool {
		return slices.Contains(v.Options, "shared") || slices.Contains(v.Options, "rshared")
	})
}

// mounts is every mount in the order the runtime shall make them: parents before
// what lies below them, no destination twice; what the unit says replaces what we
// would have mounted there.
func mounts(c *units.Container, h host) ([]rspec.Mount, error) {
	var list []rspec.Mount
	for _, v := range c.Volumes {
		m, err := volume(v)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	for _, t := range c.Tmpfs {
		if path.Clean(t.Target) == "/" {
			return nil, fmt.Errorf("Tmpfs=%s would hide the image", t.Target)
		}
		options := slices.Clone(t.Options)
		options = unless(options, "nosuid", "suid")
		options = unless(options, "nodev", "dev")
		options = h.Scratch[path.Clean(t.Target)].options(options, 0o1777)
		list = append(list, rspec.Mount{Destination: path.Clean(t.Target), Type: "tmpfs", Source: "tmpfs", Options: options})
	}
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
	list := []rspec.Mount{
		mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
		mount("/dev", "tmpfs", "tmpfs", "nosuid", "noexec", "strictatime", "mode=755", "size=65536k"),
		mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
		mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
		mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
		mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
		mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
	}
	if c.ReadOnly {
		for _, d := range scratchDirectories {
			in := h.Scratch[d.path]
			options := in.options([]string{"nosuid", "nodev"}, d.mode)
			if in.Full {
				options = append(options, "tmpcopyup") // what the image put there; runc and crun know the word
			}
			list = append(list, mount(d.path, "tmpfs", "tmpfs", options...))
		}
	}
	if c.Network != "none" {
		if h.ResolvConf != "" {
			list = append(list, mount("/etc/resolv.conf", "bind", h.ResolvConf, "bind", "rprivate", "ro", "nosuid", "nodev", "noexec"))
		}
		if h.Hosts != "" {
			list = append(list, mount("/etc/hosts", "bind", h.Hosts, "bind", "rprivate", "ro", "nosuid", "nodev", "noexec"))
		}
	}
	if c.Notify {
		list = append(list, mount(notifySocketPath, "bind", h.NotifySocket, "bind", "rprivate"))
	}
	return list
}

// volumeOptions are what today's runtimes take on a bind mount; they refuse the rest.
const volumeOptions = `bind rbind ro rw nosuid suid nodev dev noexec exec atime noatime diratime nodiratime relatime
	norelatime strictatime nostrictatime sync async dirsync private rprivate shared rshared slave rslave unbindable
	runbindable rro rrw rnosuid rsuid rnodev rdev rnoexec rexec idmap ridmap`

func volume(v units.Volume) (rspec.Mount, error) {
	m := rspec.Mount{Destination: path.Clean(v.Target), Type: "bind", Source: v.Source}
	if m.Destination == "/" {
		return m, fmt.Errorf("Volume=%s:%s would hide the image", v.Source, v.Target)
	}
	known := appendFields(nil, volumeOptions)
	kind, propagation := "rbind", "rprivate"
	for _, option := range v.Options {
		switch option {
		case "bind", "rbind":
			kind = option
		case "private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable":
			propagation = option
		case "rw": // the default; the last of ro and rw counts
			m.Options = slices.DeleteFunc(m.Options, func(o string) bool { return o == "ro" })
		default:
			if !slices.Contains(known, option) {
				return m, fmt.Errorf("Volume=%s:%s: option %q is not possible on a bind mount", v.Source, v.Target, option)
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
