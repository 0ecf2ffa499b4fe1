package main

import (
	"testing"

	"syscontainer/units"
)

// Every network with every UTS namespace, as podman-run(1) has it of --hostname and --uts:
// the machine's name goes with its network or its UTS namespace; else the container is
// called like itself; a name can be given only to a UTS namespace of its own.
func TestHostNameOfAll(t *testing.T) {
	const given, machine, unit, theirs, refused = "given", "machine", "web", "", "-"
	for _, network := range []string{"", "host", "none", "private", "bridge", "ns:/run/netns/blue", "container:db"} {
		own := unit
		if network == "" || network == "host" {
			own = machine
		}
		for uts, want := range map[string]struct{ with, without string }{
			"":             {given, own},
			"private":      {given, own},
			"host":         {refused, machine},
			"ns:/run/uts":  {refused, theirs},
			"container:db": {refused, theirs},
		} {
			for _, name := range []string{"", given} {
				c := units.Container{Network: network, UTS: uts, HostName: name}
				expect := want.without
				if name != "" {
					expect = want.with
				}
				got, err := hostName(&c, host{Name: "web", HostName: machine})
				if err != nil {
					got = refused
				}
				if got != expect {
					t.Errorf("Network=%s UTS=%s HostName=%s: %q, want %q", network, uts, name, got, expect)
				}
				if set := ownUTS(&c); set != (uts == "" || uts == "private") {
					t.Errorf("UTS=%s: the name is set: %v", uts, set)
				}
			}
		}
	}
}
