package main

import (
	"syscontainer/pull/store"
	"syscontainer/units"
)

// launch is how a runtime is called for a container.
type launch = store.Launch

// launchOf is the one that a unit wants.
func launchOf(o options, c *units.Container, runtime string) launch {
	id := c.Name
	if id == "" {
		id = containerID(o.name)
	}
	return launch{Runtime: runtime, ID: id, Args: c.RuntimeArgs}
}

// given is the one of the command line. RuntimeArgs= come from the bundle, so that no
// word of a unit stands in an Exec line.
func given(o options, b bundle) launch {
	l := launch{Runtime: o.runtime, ID: o.id}
	if l.ID == "" {
		l.ID = containerID(o.name)
	}
	if recorded, ok := b.launch(); ok {
		l.Args = recorded.Args
	}
	return l
}

// launch is the one the bundle was made for; ok is false without a bundle. What an
// unclean end left of it may say anything: as the ID becomes a path that is removed, it
// must be one.
func (b bundle) launch() (l launch, ok bool) {
	l, err := store.ReadLaunch(string(b))
	return l, err == nil && validID(l.ID)
}

func (b bundle) record(l launch) error { return l.Write(string(b)) }
