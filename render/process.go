package main

import (
	"errors"
	"path"
	"slices"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/units"
)

const initPath = "/run/init" // inside; where RunInit= puts the init

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
		err := errors.New("nothing to run: the image names no command and neither does the unit")
		if c.Rootfs != "" {
			err = errors.New("nothing to run: a directory names no command, and neither does the unit")
		}
		return nil, withHint(err, "set Exec= in [Container]")
	}
	if c.RunInit {
		all = append([]string{initPath, "--"}, all...)
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

// rlimits are those the unit names for the payload alone; all others are the
// service's Limit*=.
func rlimits(c *units.Container) []rspec.POSIXRlimit {
	var list []rspec.POSIXRlimit
	for _, u := range c.Ulimits {
		list = slices.DeleteFunc(list, func(l rspec.POSIXRlimit) bool { return l.Type == u.Name }) // runtimes refuse two
		list = append(list, rspec.POSIXRlimit{Type: u.Name, Soft: u.Soft, Hard: u.Hard})
	}
	return list
}
