package units

import "time"

// Container is what a [Container] section says: specifiers replaced, defaults filled
// in, every value checked. What is not set is left to the image.
type Container struct {
	Image  string // canonical, see ParseImage; "" with Rootfs
	Rootfs string // a directory of the host instead of an image: absolute, clean; "": not set
	// RootfsOverlay keeps what the payload writes apart from Rootfs, until it stops: as Volatile.
	RootfsOverlay bool
	Name          string // of the runtime's container; "": the unit's. In a template it keeps %i

	Exec             []string // replaces the image's Cmd; nil: not set
	Entrypoint       []string // nil: not set; empty: the image's is cleared
	Environment      []string // "KEY=value", each key once, in the order of its first appearance
	EnvironmentFiles []EnvironmentFile
	EnvironmentHost  bool   // the service's own environment, below what the image says
	HTTPProxy        bool   // of the service's environment only the variables of proxies
	User             string // USER or USER:GROUP, each a name or a number; "": not set. Group= is in it
	GroupAdd         []string
	WorkingDir       string // absolute; "": not set
	RunInit          bool   // a small init is process 1, not the payload
	Systemd          bool   // the payload is a systemd, process 1 of the container

	Volumes       []Volume
	Mounts        []Mount // of Mount=
	Tmpfs         []Tmpfs
	ReadOnly      bool   // default true
	Volatile      bool   // the root is writable, and what is written goes at the stop; never with ReadOnly=no
	ReadOnlyTmpfs bool   // default true: with ReadOnly, /run, /tmp and /var/tmp are writable
	ShmSize       int64  // bytes of /dev/shm; default 64 MiB, 0: no limit
	Timezone      string // "local" or a name below /usr/share/zoneinfo; "": the image's
	Devices       []Device
	Propagation   string // "private", "rprivate", "shared", "rshared", "slave", "rslave"; "": as the volumes need

	// Privileged is in AddCapability, SeccompProfile, AppArmor, SELinux and Unmask already;
	// beside them it is a writable /sys and every device.
	Privileged      bool
	AddCapability   []string // "CAP_NET_ADMIN" or "all"
	DropCapability  []string
	NoNewPrivileges bool   // default true
	SeccompProfile  string // "unconfined", BuiltinSeccomp or a path; "": the machine's
	AppArmor        string // name of a profile or "unconfined"; "": the runtime's default
	SELinux         SELinux
	Mask            []string // absolute paths that are hidden, beside the default ones
	Unmask          []string // absolute paths or glob(7) patterns of the default ones; "ALL"
	Sysctl          []string // "net.core.somaxconn=128", each name once
	Ulimits         []Ulimit
	UIDMap, GIDMap  []IDMap // both empty: no user namespace, but for UserNSAuto; never only one
	UserNSAuto      uint32  // how many users and groups of the machine's a start chooses for UIDMap and GIDMap; 0: none

	Network   string   // "host" (default), "none", "bridge", or a namespace, see IPC
	Ports     []Port   // only with "bridge"; none overlaps another
	IP, IP6   string   // addresses on the bridge; "": any
	PID       string   // "private" (default), "host", or a namespace, see IPC
	IPC       string   // "private" (default), "host", "ns:/PATH", or "container:NAME": NAME.syscontainer, in a service NAME.service
	UTS       string   // as IPC; "": host name of its own or not, as HostName needs
	Cgroup    string   // "private" (default) or "host"
	HostName  string   // "": not set
	DNS       []string // addresses; "none" alone: no resolv.conf
	DNSOption []string
	DNSSearch []string
	AddHost   []Host

	Notify       bool     // the payload itself sends READY=1
	Pull         string   // "missing" (default), "never" or "always"
	Runtime      string   // a bare name or an absolute path; default "runc"
	RuntimeArgs  []string // options before the runtime's command; never --root, --log, --log-format or --systemd-cgroup
	StopSignal   string   // as KillSignal= takes it, "SIGTERM"; "": not set
	StopTimeout  time.Duration
	ReloadCmd    []string // nil: not set
	ReloadSignal string   // as StopSignal; never together with ReloadCmd
	Memory       int64    // bytes; 0: not set
	PidsLimit    int64    // -1: no limit; 0: not set

	Annotations   []string // "KEY=value" of Annotation= and Label=, each key once
	Credentials   []Credential
	Directories   bool          // those of [Service], such as StateDirectory=, are seen in the container
	ConfigPatches []ConfigPatch // in this order
	Tmpfiles      []string      // lines of tmpfiles.d(5): specifiers of the unit replaced, all others as written
	Template      bool          // default true: the image's own config.json and tmpfiles.d lines apply
	Set           []string      // "NAME=VALUE" for templates of the image, each name once
	Export        []string      // "no" (default, nil), "yes", or absolute paths
	Payload       bool          // default true: the service runs the container; else it is there for Export only

	Update Update // of [Update] and AutoUpdate=; what ReadGenerated returns knows nothing of it

	said said // see Sets
}

// NotSet is the StopTimeout of a unit that sets none.
const NotSet time.Duration = -1

// EnvironmentFile is a file of KEY=value lines, read at start.
type EnvironmentFile struct {
	Path     string // absolute, clean
	Optional bool   // its absence is no error
}

// Volume is a bind mount.
type Volume struct {
	Source  string   // on the host: absolute, clean
	Target  string   // in the container: absolute, clean, not the root
	Options []string // of mount(8), as written: "ro", "rshared", "nosuid"
	Written string   // Source before specifiers were replaced, but absolute

	// From is the unit, by the name of its file without suffix, in whose container
	// Source is a path; in a template it keeps %i. Only in a unit as its author wrote
	// it: the generator puts the path of the host there.
	From string
}

// Mount is a mount of Mount=.
type Mount struct {
	Type    string   // "bind", "glob", "tmpfs", "devpts"
	Source  string   // of bind: as of a Volume; of glob: a glob(7) pattern of absolute paths; else ""
	Target  string   // absolute, clean, not the root; of glob: the directory for all of them
	Options []string // as of a Volume or a Tmpfs
	Written string   // as of a Volume
}

// Tmpfs is a file system in memory.
type Tmpfs struct {
	Target  string   // absolute, clean, not the root
	Options []string // "size=64M", "mode=0700"
}

// Device is a device node of the host, or a directory of them.
type Device struct {
	Source   string // absolute, clean
	Target   string // absolute, clean
	Access   string // letters of "rwm"
	Optional bool   // its absence is no error
}

// SELinux is what the SecurityLabel…= keys say.
type SELinux struct {
	Type, Level, FileType string
	Disable, Nested       bool
}

// Ulimit is a limit of setrlimit(2); math.MaxUint64 is none.
type Ulimit struct {
	Name       string // "RLIMIT_NOFILE"
	Soft, Hard uint64
}

// IDMap is a range of users or groups (user_namespaces(7)).
type IDMap struct{ Container, Host, Size uint32 }

// Host is a line of /etc/hosts.
type Host struct {
	Names   []string
	Address string // or HostGateway, only with a bridge
}

// Credential is a credential of systemd.exec(5) that the payload gets.
type Credential struct {
	Name   string
	Source string // path or name for LoadCredential=, specifiers as written; "": Name, from the system's
}

// ConfigPatch is a JSON merge patch (RFC 7396) for config.json.
type ConfigPatch struct {
	JSON string // an object; "": in File
	File string // absolute, clean
}
