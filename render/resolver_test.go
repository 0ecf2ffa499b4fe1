package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/units"
)

func TestNameFiles(t *testing.T) {
	own := "# by the machine\nnameserver 192.0.2.53\nsearch lan\noptions edns0 trust-ad"
	for _, c := range []struct{ dns, search, options, want string }{
		{"192.0.2.1 2001:db8::1", "", "", "# by the machine\nsearch lan\noptions edns0 trust-ad\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n"},
		{"", "example.com a.example.com", "", "# by the machine\nnameserver 192.0.2.53\noptions edns0 trust-ad\nsearch example.com a.example.com\n"},
		{"", ".", "ndots:2", "# by the machine\nnameserver 192.0.2.53\noptions ndots:2\n"},
	} {
		got := resolvText(own, &units.Container{DNS: strings.Fields(c.dns), DNSSearch: strings.Fields(c.search), DNSOption: strings.Fields(c.options)})
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if got := hostsText("127.0.0.1 localhost", []units.Host{{Names: []string{"a", "b"}, Address: "::1"}}); got != "127.0.0.1 localhost\n::1\ta b\n" {
		t.Errorf("%q", got)
	}

	machine := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(machine, []byte("machine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	bare := host{}
	if err := nameFiles(bundle(t.TempDir()), base(), &bare, nil); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(bare.Hosts); err != nil || string(text) != "127.0.0.1\tlocalhost\n::1\tlocalhost\n" || bare.ResolvConf != "" {
		t.Errorf("of a machine without files: %q, %q, %v", text, bare.ResolvConf, err)
	}
	for _, c := range []struct {
		change        func(*units.Container)
		hosts, resolv string // content; "machine": its own, "-": nothing is mounted
	}{
		{func(c *units.Container) {}, "machine\n", "machine\n"},
		{func(c *units.Container) { c.Network = "none" }, "-", "-"},
		{func(c *units.Container) { c.Network = "ns:/run/netns/x" }, "machine\n", "machine\n"},
		{func(c *units.Container) { c.DNS = []string{"none"} }, "machine\n", "-"},
		{func(c *units.Container) {
			c.Network, c.AddHost = "none", []units.Host{{Names: []string{"me"}, Address: "127.0.0.1"}}
		}, "127.0.0.1\tme\n", "-"},
		{func(c *units.Container) { c.DNS = []string{"192.0.2.1"} }, "machine\n", "machine\nnameserver 192.0.2.1\n"},
	} {
		unit, h := base(), host{Hosts: machine, ResolvConf: machine}
		c.change(unit)
		if err := nameFiles(bundle(t.TempDir()), unit, &h, nil); err != nil {
			t.Fatal(err)
		}
		for _, f := range []struct{ name, want string }{{h.Hosts, c.hosts}, {h.ResolvConf, c.resolv}} {
			text := []byte("-")
			if f.name != "" {
				text, _ = os.ReadFile(f.name)
			}
			if string(text) != f.want {
				t.Errorf("%+v: %s: %q, want %q", unit, f.name, text, f.want)
			}
		}
	}
}

func TestTimezone(t *testing.T) {
	var h host
	err := lookZone(&units.Container{Timezone: "Mars/Olympus"}, &h)
	if err == nil || !strings.HasPrefix(err.Error(), "Timezone=Mars/Olympus: this machine has no file for it\nhint: ") {
		t.Error(err)
	}
}
