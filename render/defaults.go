package main

import (
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

// defaultMounts are what every container gets; a default with a source that is not there
// is left out.
func defaultMounts(c *units.Container, h host) []rspec.Mount {
	list := sharePeers(kernelMounts(c), h)
	for _, f := range []struct{ target, source, also string }{{"/etc/resolv.conf", h.ResolvConf, "noexec"}, {"/etc/hosts", h.Hosts, "noexec"},
		{"/etc/localtime", h.Zone, "noexec"}, {credentialsPath, h.Credentials, "noexec"}, {initPath, h.Init, "exec"}} {
		if f.source != "" {
			list = append(list, mountOf(f.target, "bind", f.source, "bind", "rprivate", "ro", "nosuid", "nodev", f.also))
		}
	}
	if c.Notify {
		// Read-only, it can be sent to, but its mode and owner stay the machine's.
		list = append(list, mountOf(notifySocketPath, "bind", h.NotifySocket, "bind", "rprivate", "ro", "nosuid", "nodev", "noexec"))
	}
	return list
}

// scratchMounts are what stays writable in a read-only root.
func scratchMounts(c *units.Container, h host) (list []rspec.Mount) {
	if !c.ReadOnly || !c.ReadOnlyTmpfs {
		return nil
	}
	for _, d := range scratchDirectories {
		in := h.Scratch[d.path]
		options := in.options([]string{"nosuid", "nodev"}, d.mode)
		if in.Full {
			options = append(options, "tmpcopyup") // what the image put there; runc and crun know the word
		}
		list = append(list, mountOf(d.path, "tmpfs", "tmpfs", options...))
	}
	return list
}

func mountOf(target, kind, source string, options ...string) rspec.Mount {
	return rspec.Mount{Destination: target, Type: kind, Source: source, Options: options}
}

// kernelMounts are the kernel's file systems. A user namespace may mount one that shows
// a namespace only if that is its own; else it gets the machine's.
func kernelMounts(c *units.Container) []rspec.Mount {
	proc := mountOf("/proc", "proc", "proc", "nosuid", "noexec", "nodev")
	if mapsIDs(c) && c.PID == "host" {
		proc = mountOf("/proc", "bind", "/proc", "rbind", "rprivate", "nosuid", "noexec", "nodev")
	}
	sys := mountOf("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro")
	if c.Privileged {
		sys.Options = []string{"nosuid", "noexec", "nodev", "rw"}
	}
	if mapsIDs(c) && c.Network != "none" && c.Network != "bridge" {
		sys = mountOf("/sys", "bind", "/sys", "rbind", "rprivate", "nosuid", "noexec", "nodev", "ro")
	}
	shm := mountOf("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", shmSize(c.ShmSize))
	if c.IPC == "host" {
		shm = mountOf("/dev/shm", "bind", "/dev/shm", "bind", "rprivate", "nosuid", "noexec", "nodev")
	}
	mqueue := mountOf("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev")
	if mapsIDs(c) && c.IPC == "host" {
		mqueue = mountOf("/dev/mqueue", "bind", "/dev/mqueue", "bind", "rprivate", "nosuid", "noexec", "nodev")
	}
	cgroup := mountOf("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime")
	if !unmasked(c, "/sys/fs/cgroup") && !c.Systemd {
		cgroup.Options = append(cgroup.Options, "ro")
	}
	dev := mountOf("/dev", "tmpfs", "tmpfs", "nosuid", "noexec", "strictatime", "mode=755", "size=65536k")
	return []rspec.Mount{proc, dev, devpts("/dev/pts", nil, c), shm, mqueue, sys, cgroup}
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
