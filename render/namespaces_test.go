package main

import (
	"strings"
	"testing"

	"syscontainer/units"
)

func TestNamespaces(t *testing.T) {
	all := "mount pid ipc uts cgroup"
	for _, c := range []struct {
		change func(*units.Container)
		want   string
		err    string
	}{
		{func(c *units.Container) {}, all, ""},
		{func(c *units.Container) { c.Network = "none" }, all + " network", ""},
		{func(c *units.Container) { c.PID, c.IPC, c.UTS, c.Cgroup = "host", "host", "host", "host" }, "mount", ""},
		{func(c *units.Container) { c.Network = "ns:/run/netns/../netns/blue" }, all + " network=/run/netns/blue", ""},
		{func(c *units.Container) { c.Network, c.IPC = "container:db", "container:db" }, "mount pid ipc=/proc/77/ns/ipc uts cgroup network=/proc/77/ns/net", ""},
		{func(c *units.Container) { c.PID = "container:web" }, "", "PID=container:web"},
		{func(c *units.Container) { c.UIDMap = []units.IDMap{{Container: 0, Host: 1, Size: 2}} }, all + " user", ""},
		{func(c *units.Container) { c.HostName, c.UTS = "x", "host" }, "", "HostName=x"},
		{func(c *units.Container) { c.HostName, c.UTS = "x", "container:db" }, "", "HostName=x"},
	} {
		unit := base()
		c.change(unit)
		h := someHost("web")
		h.Peers = map[string]int{"db": 77}
		image := &imageConfig{}
		image.Config.Cmd = []string{"/bin/sh"}
		s, err := spec(unit, image, h)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%+v: %v, want %q", unit, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		var got []string
		for _, n := range s.Linux.Namespaces {
			word := string(n.Type)
			if n.Path != "" {
				word += "=" + n.Path
			}
			got = append(got, word)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
		if (s.Hostname == "") != !ownUTS(unit) {
			t.Errorf("host name %q with UTS=%s", s.Hostname, unit.UTS)
		}
	}
}

func TestPeerIsNotAnybody(t *testing.T) {
	for _, name := range []string{"render-test-nobody", "../x", ""} {
		if pid, err := peer(name); err == nil {
			t.Errorf("%q: process %d", name, pid)
		}
	}
	c := base()
	c.Network = "container:render-test-nobody"
	err := lookPeers(c, &host{})
	if err == nil || !strings.Contains(err.Error(), "it is not running\nhint: systemctl start render-test-nobody.service") {
		t.Error(err)
	}
}
