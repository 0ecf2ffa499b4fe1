package units

import (
	"slices"
	"strings"
	"time"
)

// Container is what a [Container] section says: specifiers replaced, defaults filled
// in, every value checked. What is not set is left to the image.
type Container struct {
	Image  string // canonical, see ParseImage; "" with Rootfs
	Rootfs string // a directory of the host instead of an image: absolute, clean; "": not set
	// RootfsOverlay keeps what the payload writes apart from Rootfs, until it stops.
	RootfsOverlay bool
	Name          string // of the runtime's container; "": the unit's

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

	Volumes       []Volume
	Mounts        []Mount // of Mount=
	Tmpfs         []Tmpfs
	ReadOnly      bool   // default true
	ReadOnlyTmpfs bool   // default true: with ReadOnly, /run, /tmp and /var/tmp are writable
	ShmSize       int64  // bytes of /dev/shm; default 64 MiB, 0: no limit
	Timezone      string // "local" or a name below /usr/share/zoneinfo; "": the image's
	Devices       []Device
	Propagation   string // "private", "rprivate", "shared", "rshared", "slave", "rslave"; "": as the volumes need

	AddCapability   []string // "CAP_NET_ADMIN" or "all"
	DropCapability  []string
	NoNewPrivileges bool   // default true
	SeccompProfile  string // "unconfined" or a path; "": the built-in filter
	AppArmor        string // name of a profile or "unconfined"; "": the runtime's default
	SELinux         SELinux
	Mask            []string // absolute paths that are hidden, beside the default ones
	Unmask          []string // absolute paths or glob(7) patterns of the default ones; "ALL"
	Sysctl          []string // "net.core.somaxconn=128", each name once
	Ulimits         []Ulimit
	UIDMap, GIDMap  []IDMap // both empty: no user namespace; never only one

	Network   string   // "host" (default), "none", or a namespace, see IPC
	PID       string   // "private" (default), "host", or a namespace, see IPC
	IPC       string   // "private" (default), "host", "ns:/PATH", or "container:NAME" of the service NAME.service
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
	ConfigPatches []ConfigPatch // in this order
	Tmpfiles      []string      // lines of tmpfiles.d(5): specifiers of the unit replaced, all others as written
	Set           []string      // "NAME=VALUE" for templates of the image, each name once
	Export        []string      // "no" (default, nil), "yes", or absolute paths
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
	// Source is a path. Only in a unit as its author wrote it: the generator puts the
	// path of the host there.
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
	Address string
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

// key is how one key of [Container] is read. set takes the value of one assignment,
// the empty one included.
type key struct {
	name string
	set  func(c *Container, n *scope, value string) (warnings []error, err error)
	once bool // a later assignment replaces an earlier one
}

// keys are all keys of [Container]: name, form, field.
var keys = [...]key{
	one("Image", imageForm, func(c *Container) *string { return &c.Image }),
	one("Exec", commandForm, func(c *Container) *[]string { return &c.Exec }),
	clearing(one("Entrypoint", entrypointForm, func(c *Container) *[]string { return &c.Entrypoint })),
	many("Environment", environmentForm, func(c *Container) *[]string { return &c.Environment }),
	one("User", userForm, func(c *Container) *string { return &c.User }),
	one("WorkingDir", pathForm, func(c *Container) *string { return &c.WorkingDir }),
	many("Volume", volumeForm, func(c *Container) *[]Volume { return &c.Volumes }),
	many("Tmpfs", tmpfsForm, func(c *Container) *[]Tmpfs { return &c.Tmpfs }),
	one("ReadOnly", boolForm, func(c *Container) *bool { return &c.ReadOnly }),
	many("AddCapability", capabilityForm, func(c *Container) *[]string { return &c.AddCapability }),
	many("DropCapability", capabilityForm, func(c *Container) *[]string { return &c.DropCapability }),
	one("Network", networkForm, func(c *Container) *string { return &c.Network }),
	one("HostName", hostNameForm, func(c *Container) *string { return &c.HostName }),
	one("Notify", notifyForm, func(c *Container) *bool { return &c.Notify }),
	one("Pull", pullForm, func(c *Container) *string { return &c.Pull }),
	one("Runtime", runtimeForm, func(c *Container) *string { return &c.Runtime }),
	one("StopSignal", signalForm, func(c *Container) *string { return &c.StopSignal }),
	one("StopTimeout", timeForm, func(c *Container) *time.Duration { return &c.StopTimeout }),
	many("Tmpfiles", tmpfilesForm, func(c *Container) *[]string { return &c.Tmpfiles }),
}

// unset is a container of which nothing is said.
var unset = Container{
	ReadOnly: true, ReadOnlyTmpfs: true, ShmSize: 64 << 20, NoNewPrivileges: true,
	Network: "host", PID: "private", IPC: "private", Cgroup: "private",
	Pull: "missing", Runtime: "runc", StopTimeout: NotSet,
}

// form reads a value that is not empty.
type form[T any] func(n *scope, value string) (result T, warnings []error, err error)

// one is a key of which the last assignment counts; the empty one restores the
// default.
func one[T any](name string, read form[T], field func(*Container) *T) key {
	return key{name, func(c *Container, n *scope, value string) (warnings []error, err error) {
		if value == "" {
			defaults := unset
			*field(c) = *field(&defaults)
			return nil, nil
		}
		result, warnings, err := read(n, value)
		if err == nil {
			*field(c) = result
		}
		return warnings, err
	}, true}
}

// many is a key of which every assignment adds to a list; the empty one empties it.
func many[T any](name string, read form[[]T], field func(*Container) *[]T) key {
	return key{name, func(c *Container, n *scope, value string) (warnings []error, err error) {
		if value == "" {
			*field(c) = nil
			return nil, nil
		}
		result, warnings, err := read(n, value)
		*field(c) = append(*field(c), result...)
		return warnings, err
	}, false}
}

// clearing makes the empty assignment a value: nothing, instead of the image's.
func clearing(k key) key {
	set := k.set
	k.set = func(c *Container, n *scope, value string) ([]error, error) {
		if value == "" {
			c.Entrypoint = []string{}
			return nil, nil
		}
		return set(c, n, value)
	}
	return k
}

// scope is what the values of a unit may refer to.
type scope struct {
	Name
	dir  string                               // of the unit's file, for relative paths; "": not known
	host func(specifier byte) (string, error) // values of HostSpecifiers; nil: not known yet
}

// decode reads the lines of a [Container] section. In a template the instance is
// taken to be called "instance", and what is not known yet stands for itself: what
// comes of it is good for checks only.
func decode(lines []Line, n scope) (c *Container, errs, warnings Problems) {
	c = new(Container)
	*c = unset
	if n.Template {
		n.Instance = "instance"
		n.Full += n.Instance
	}
	var (
		last       [len(keys)]*Line
		imageWrong bool
	)
	for i := range lines {
		line := &lines[i]
		k := slices.IndexFunc(keys[:], func(k key) bool { return k.name == line.Key })
		if k < 0 {
			problem, isError := unknownKey(line)
			if isError {
				errs = append(errs, problem)
			} else if problem != nil {
				warnings = append(warnings, problem)
			}
			continue
		}
		if before := last[k]; keys[k].once && before != nil && before.File == line.File && before.Value != "" && line.Value != "" {
			warnings = append(warnings, &Problem{File: line.File, Line: line.Line, Column: line.Column, Msg: line.Key + "= is set again, the line before is ignored"})
		}
		last[k] = line
		said, err := keys[k].set(c, &n, line.Value)
		for _, w := range said {
			warnings = append(warnings, at(line, w))
		}
		if err != nil {
			errs = append(errs, at(line, err))
			imageWrong = imageWrong || line.Key == "Image"
		}
	}
	if c.Image == "" && !imageWrong {
		errs = append(errs, &Problem{Msg: "Image= is missing in [Container]"})
	}
	for _, name := range c.DropCapability {
		if slices.Contains(c.AddCapability, name) {
			errs = append(errs, &Problem{Msg: quote(strings.TrimPrefix(name, "CAP_")) + " stands in AddCapability= and in DropCapability="})
		}
	}
	c.Environment = lastOfEach(c.Environment)
	return c, errs, warnings
}

// at gives an error of a value its place.
func at(line *Line, err error) *Problem {
	return &Problem{File: line.File, Line: line.Line, Column: line.ValueColumn, Msg: line.Key + "=: " + err.Error(), Hint: Hint(err)}
}

// lastOfEach keeps the last value of each variable, in the place of its first.
func lastOfEach(env []string) []string {
	if len(env) < 2 {
		return env
	}
	place := make(map[string]int, len(env))
	kept := env[:0]
	for _, assignment := range env {
		key, _, _ := strings.Cut(assignment, "=")
		if i, seen := place[key]; seen {
			kept[i] = assignment
			continue
		}
		place[key] = len(kept)
		kept = append(kept, assignment)
	}
	return kept
}
