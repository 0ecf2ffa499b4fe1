package atomic

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// bindOptions are what a bind mount may be told. Newer runtimes refuse any other there, older ones ignore it.
var bindOptions = strings.Fields(`bind rbind ro rw nosuid suid nodev dev noexec exec sync async dirsync remount mand nomand silent loud
	atime noatime diratime nodiratime relatime norelatime strictatime nostrictatime lazytime nolazytime iversion noiversion nosymfollow symfollow
	private rprivate shared rshared slave rslave unbindable runbindable
	rro rrw rnosuid rsuid rnodev rdev rnoexec rexec rnodiratime rdiratime rrelatime rnorelatime rnoatime ratime rstrictatime rnostrictatime
	rnosymfollow rsymfollow idmap ridmap`)

// mounts are those of the document, in its order: of two at one destination the last, at its place.
func (d *document) mounts() ([]rspec.Mount, error) {
	given, _ := d.tree["mounts"].([]any)
	var list []rspec.Mount
	for i, item := range given {
		o, _ := item.(map[string]any)
		destination, _ := o["destination"].(string)
		if destination == "" {
			return nil, fmt.Errorf("Invalid configuration file.  Mount %d has no destination", i+1)
		}
		m := rspec.Mount{Destination: destination}
		m.Type, _ = o["type"].(string)
		m.Source, _ = o["source"].(string)
		options, _ := o["options"].([]any)
		m.Options = words(options)
		if err := d.mount(&m); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	for i := 0; i < len(list); i++ {
		target := list[i].Destination
		later := func(o rspec.Mount) bool { return o.Destination == target }
		if slices.ContainsFunc(list[i+1:], later) {
			d.say("mount %s is there twice, the last counts", target)
			list = slices.Delete(list, i, i+1)
			i--
			continue
		}
		if k := slices.IndexFunc(list[i+1:], func(o rspec.Mount) bool { return below(target, o.Destination) }); k >= 0 {
			d.say("mount %s is hidden by %s, which comes later", target, list[i+1+k].Destination)
		}
	}
	return list, nil
}

// mount puts one right.
func (d *document) mount(m *rspec.Mount) error {
	if !path.IsAbs(m.Destination) {
		d.say("mount %s becomes /%s", m.Destination, m.Destination)
	}
	m.Destination = absolute(m.Destination)
	if m.Destination == "/" {
		return errors.New("Invalid configuration file.  A mount would hide the image")
	}
	recursive, plain := slices.Contains(m.Options, "rbind"), slices.Contains(m.Options, "bind")
	switch {
	case m.Type != "bind" && m.Type != "rbind" && !recursive && !plain:
		return nil
	case m.Type == "rbind" && !recursive && !plain:
		m.Options = append([]string{"rbind"}, m.Options...)
		d.say("mount %s: type rbind becomes an option", m.Destination)
	case !recursive && !plain:
		m.Options = append([]string{"bind"}, m.Options...)
		d.say("mount %s: with the option bind", m.Destination)
	case m.Type != "bind" && m.Type != "":
		d.say("mount %s: type %s is a bind, as its options say", m.Destination, m.Type)
	}
	m.Type = "bind"
	m.Options = slices.DeleteFunc(m.Options, func(o string) bool {
		known := slices.Contains(bindOptions, o)
		if !known {
			d.say("mount %s: without the option %s, which a bind mount has not", m.Destination, o)
		}
		return !known
	})
	if !path.IsAbs(m.Source) {
		return fmt.Errorf("Invalid configuration file.  Mount %s has a relative source %q", m.Destination, m.Source)
	}
	m.Source = absolute(m.Source)
	return nil
}

// below tells whether a path is inside of a directory.
func below(p, dir string) bool {
	return dir != p && strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}
