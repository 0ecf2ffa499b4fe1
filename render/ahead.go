package main

import (
	"encoding/json"

	"syscontainer/units"
)

// ahead is what a second processor does for prepare meanwhile: what takes longest and needs
// nothing but the unit.
type ahead struct {
	done    chan struct{}
	profile string // SeccompProfile= of the unit
	h       host   // what lookSeccomp found
	err     error
}

func lookAhead(o options, c *units.Container) *ahead {
	a := &ahead{done: make(chan struct{}), profile: c.SeccompProfile, h: host{Name: o.name}}
	only := &units.Container{SeccompProfile: c.SeccompProfile}
	go func() {
		defer close(a.done)
		a.err = lookSeccomp(only, &a.h)
		json.Marshal(specDocument{}) // which prepares the next one of the type
	}()
	return a
}

// seccomp waits for the list of system calls and puts it into h, but for the image's
// template that wants another one than the unit.
func (a *ahead) seccomp(c *units.Container, h *host) error {
	if a == nil || c.SeccompProfile != a.profile {
		return lookSeccomp(c, h)
	}
	<-a.done
	h.Seccomp, h.Kernel, h.NoX32 = a.h.Seccomp, a.h.Kernel, a.h.NoX32
	return a.err
}
