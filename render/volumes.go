package main

import (
	"fmt"
	"path"
	"slices"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/units"
)

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
func unitMount(m units.Mount, c *units.Container, h host) ([]rspec.Mount, error) {
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
		return []rspec.Mount{devpts(target, m.Options, c)}, nil
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
