package units

import (
	"slices"
	"strings"
	"time"
)

// Container is what a [Container] section says: specifiers replaced, defaults filled
// in, every value checked. What is not set is left to the image.
type Container struct {
	Image       string   // canonical, see ParseImage
	Exec        []string // replaces the image's Cmd; nil: not set
	Entrypoint  []string // nil: not set; empty: the image's is cleared
	Environment []string // "KEY=value", each key once, in the order of its first appearance
	User        string   // USER or USER:GROUP, each a name or a number; "": not set
	WorkingDir  string   // absolute; "": not set
	Volumes     []Volume
	Tmpfs       []Tmpfs
	ReadOnly    bool // default true

	AddCapability  []string // "CAP_NET_ADMIN" or "all"
	DropCapability []string

	Network     string // "host" (default) or "none"
	HostName    string // "": not set
	Notify      bool   // the payload itself sends READY=1
	Pull        string // "missing" (default), "never" or "always"
	Runtime     string // a bare name or an absolute path; default "runc"
	StopSignal  string // as KillSignal= takes it, "SIGTERM"; "": not set
	StopTimeout time.Duration
	Tmpfiles    []string // lines of tmpfiles.d(5) as written, specifiers and all
}

// NotSet is the StopTimeout of a unit that sets none.
const NotSet time.Duration = -1

// Volume is a bind mount.
type Volume struct {
	Source  string   // on the host: absolute, clean
	Target  string   // in the container: absolute, clean, not the root
	Options []string // of mount(8), as written: "ro", "rshared", "nosuid"
	Written string   // Source before specifiers were replaced
}

// Tmpfs is a file system in memory.
type Tmpfs struct {
	Target  string   // absolute, clean, not the root
	Options []string // "size=64M", "mode=0700"
}

// key is how one key of [Container] is read. set takes the value of one assignment,
// the empty one included.
type key struct {
	name string
	set  func(c *Container, name Name, value string) (warnings []error, err error)
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
var unset = Container{ReadOnly: true, Network: "host", Pull: "missing", Runtime: "runc", StopTimeout: NotSet}

// form reads a value that is not empty.
type form[T any] func(name Name, value string) (result T, warnings []error, err error)

// one is a key of which the last assignment counts; the empty one restores the
// default.
func one[T any](name string, read form[T], field func(*Container) *T) key {
	return key{name, func(c *Container, n Name, value string) (warnings []error, err error) {
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
	return key{name, func(c *Container, n Name, value string) (warnings []error, err error) {
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
	k.set = func(c *Container, n Name, value string) ([]error, error) {
		if value == "" {
			c.Entrypoint = []string{}
			return nil, nil
		}
		return set(c, n, value)
	}
	return k
}

// decode reads the lines of a [Container] section. In a template the instance is
// taken to be called "instance": what comes of it is good for checks only.
func decode(lines []Line, name Name) (c *Container, errs, warnings Problems) {
	c = new(Container)
	*c = unset
	if name.Template {
		name.Instance = "instance"
		name.Full += name.Instance
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
			warnings = append(warnings, &Problem{line.File, line.Line, line.Key + "= is set again, the line before is ignored", ""})
		}
		last[k] = line
		said, err := keys[k].set(c, name, line.Value)
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
	return &Problem{line.File, line.Line, line.Key + "=: " + err.Error(), Hint(err)}
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
