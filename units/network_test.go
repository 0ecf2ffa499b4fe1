package units

import (
	"errors"
	"net/netip"
	"testing"
)

func TestNamespaces(t *testing.T) {
	decodes(t, map[string]func(*Container){
		"Network=host":                     func(c *Container) {},
		"Network=bridge":                   func(c *Container) { c.Network = "bridge" },
		"Network=private":                  func(c *Container) { c.Network = "none" },
		"Network=ns:/run/netns//x":         func(c *Container) { c.Network = "ns:/run/netns/x" },
		"Network=ns:/run/netns/%N":         func(c *Container) { c.Network = "ns:/run/netns/web" },
		"Network=db.syscontainer":          func(c *Container) { c.Network = "container:db" },
		"Network=\"db@%p.container\"":      func(c *Container) { c.Network = "container:db@web" },
		"PID=host\nIPC=host\nUTS=host":     func(c *Container) { c.PID, c.IPC, c.UTS = "host", "host", "host" },
		"PID=db.syscontainer\nIPC=ns:/a":   func(c *Container) { c.PID, c.IPC = "container:db", "ns:/a" },
		"UTS=private\nHostName=x":          func(c *Container) { c.UTS, c.HostName = "private", "x" },
		"Cgroup=host":                      func(c *Container) { c.Cgroup = "host" },
		"Cgroup=host\nCgroup=\nPID=\nIPC=": func(c *Container) {},
	})
	const network = "\nhint: write host, none, bridge, ns:/run/netns/NAME for a network that another program makes, or NAME.syscontainer"
	const namespace = "\nhint: write host, private, ns:PATH or NAME.syscontainer"
	refuses(t, map[string]string{
		"Network=x.network":         "web:3: Network=: network \"x.network\" is not possible: there are no networks but the bridge" + network,
		"Network=pasta:--map-gw":    "web:3: Network=: network \"pasta:--map-gw\" is not possible: there are no networks but the bridge" + network,
		"Network=slirp4netns:mtu=1": "web:3: Network=: network \"slirp4netns:mtu=1\" is not possible: there are no networks but the bridge" + network,
		"Network=container:x":       "web:3: Network=: network \"container:x\" is not possible" + network,
		"Network=ns:x":              `web:3: Network=: "x" is no absolute path`,
		"Network=ns:":               `web:3: Network=: "" is no absolute path`,
		"Network=ns:/a/../b":        "web:3: Network=: \"/a/../b\" has .. in it\nhint: for example /b",
		"Network=db@.syscontainer":  "web:3: Network=: \"db@.syscontainer\" is a template, and no container runs of it\nhint: write db@INSTANCE.syscontainer",
		"Network=a/b.syscontainer":  "web:3: Network=: \"a/b\" is no unit name\nhint: letters, digits and :-_.\\@ may stand in the name of a unit",
		"Network=.syscontainer":     `web:3: Network=: "" is no unit name: it begins with nothing`,
		"Network=%H.syscontainer":   `web:3: Network=: specifier %H is not possible in a name`,
		"PID=none":                  "web:3: PID=: namespace \"none\" is not possible" + namespace,
		"IPC=shareable":             "web:3: IPC=: namespace \"shareable\" is not possible" + namespace,
		"UTS=x":                     "web:3: UTS=: namespace \"x\" is not possible" + namespace,
		"Cgroup=ns:/x":              "web:3: Cgroup=: cgroup namespace \"ns:/x\" is not possible\nhint: write host or private",
		"UTS=host\nHostName=x":      "web:4: HostName= needs a name space of its own, and UTS=host gives it another's\nhint: remove one of them",
		"CgroupsMode=disabled":      "web:3: CgroupsMode=: only split is possible\nhint: the payload always runs in the unit's own cgroup",
		"Pod=x.pod":                 "web:3: Pod= of Quadlet is not possible\nhint: write Network=NAME.syscontainer, IPC=NAME.syscontainer to share what containers of a pod share",
		"Network=bridge:mtu=9000":   "web:3: Network=: network \"bridge:mtu=9000\" is not possible: the bridge has no options\nhint: write Network=bridge; IP= and IP6= give it an address",
		"NetworkAlias=db":           "web:3: NetworkAlias= of Quadlet is not possible\nhint: there is no name server; AddHost= writes names into /etc/hosts",
	})
}

// The generator writes these names into lines of which systemd replaces specifiers.
func TestNamesInATemplateKeepTheInstance(t *testing.T) {
	c, errs, _ := read(t, "web@", "Network=db@%i.syscontainer\nContainerName=%p.%i\nUTS=x@%j.container")
	if len(errs) > 0 || c.Network != "container:db@%i" || c.Name != "web.%i" || c.UTS != "container:x@web" {
		t.Errorf("%+v %v", c, errs)
	}
	c, errs, _ = read(t, "web@blue", "Network=db@%i.syscontainer\nContainerName=%p.%i")
	if len(errs) > 0 || c.Network != "container:db@blue" || c.Name != "web.blue" {
		t.Errorf("%+v %v", c, errs)
	}
	if _, errs, _ = read(t, "web@", "Network=db@%I.syscontainer"); errs.Error() != "web:3: Network=: specifier %I is not possible in a name" {
		t.Error(errs)
	}
}

func TestNames(t *testing.T) {
	decodes(t, map[string]func(*Container){
		"DNS=192.0.2.1 2001:db8::1\nDNS=::1":        func(c *Container) { c.DNS = []string{"192.0.2.1", "2001:db8::1", "::1"} },
		"DNS=none":                                  func(c *Container) { c.DNS = []string{"none"} },
		"DNSOption=ndots:2 edns0\nDNSOption=rotate": func(c *Container) { c.DNSOption = []string{"ndots:2", "edns0", "rotate"} },
		"DNSSearch=example.com. a.b\nDNSSearch=.":   func(c *Container) { c.DNSSearch = []string{"example.com.", "a.b", "."} },
		"AddHost=db:10.0.0.1\nAddHost=a;b.c:::1": func(c *Container) {
			c.AddHost = []Host{{[]string{"db"}, "10.0.0.1"}, {[]string{"a", "b.c"}, "::1"}}
		},
		"AddHost=db:fe80::1\nAddHost=": func(c *Container) {},
	})
	const address = "\nhint: the form is NAME:ADDRESS or NAME;NAME:ADDRESS"
	refuses(t, map[string]string{
		"DNS=example.com":         "web:3: DNS=: \"example.com\" is no address\nhint: write an IPv4 or IPv6 address, or none",
		"DNS=1.2.3.4:53":          "web:3: DNS=: \"1.2.3.4:53\" is no address\nhint: write an IPv4 or IPv6 address, or none",
		"DNS=none\nDNS=1.2.3.4":   "web:4: DNS=none leaves /etc/resolv.conf alone, and other keys fill it\nhint: remove DNS=none, or the other DNS…= lines",
		"DNS=none\nDNSSearch=a":   "web:3: DNS=none leaves /etc/resolv.conf alone, and other keys fill it\nhint: remove DNS=none, or the other DNS…= lines",
		"DNSOption=\"a b\"":       "web:3: DNSOption=: \"a b\" is no option of the resolver\nhint: see resolv.conf(5), for example ndots:2",
		"DNSSearch=a..b":          "web:3: DNSSearch=: \"a..b\" is no domain\nhint: write names such as example.com, or . for none",
		"DNSSearch=\"a\\nb\"":     "web:3: DNSSearch=: \"a\\nb\" is no domain\nhint: write names such as example.com, or . for none",
		"AddHost=db":              "web:3: AddHost=: \"db\" has no address" + address,
		"AddHost=db:host-gateway": "web:3: AddHost=: \"host-gateway\" is not possible: there is no gateway\nhint: with Network=host the machine is localhost, with Network=bridge there is a gateway; else write its address",
		"AddHost=db:10.0.0":       "web:3: AddHost=: \"10.0.0\" is no address" + address,
		"AddHost=a;;b:1.2.3.4":    "web:3: AddHost=: \"\" is no host name" + address,
		"AddHost=a b:1.2.3.4":     "web:3: AddHost=: \"a b\" is no host name" + address,
	})
}

// Go's own parser is the judge; zones are left out here.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "01.2.3.4", "256.1.1.1", "1.2.3", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "1::2::3", "::ffff:1.2.3.4",
		"1:2:3:4:5:6:1.2.3.4", "1.2.3.4::", "1:2:3:4:5:6:7:8:9", "fe80::1%eth0", ":1", "1:", ":::", "12345::", "", "1:2:3:4:5:6:7::8", "::1.2.3.4:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := netip.ParseAddr(s)
		if want.Zone() != "" {
			err = errors.New("a zone")
		}
		got := ParseAddress(s)
		if err != nil && got != nil || err == nil && string(got) != string(want.AsSlice()) {
			t.Fatalf("%q: %v, netip says %v, %v", s, got, want, err)
		}
		if got != nil && !want.Is4In6() && FormatAddress(got) != want.String() {
			t.Errorf("%q: written as %s, by netip as %s", s, FormatAddress(got), want)
		}
		if got != nil && string(ParseAddress(FormatAddress(got))) != string(got) {
			t.Errorf("%q: written as %s, which is read as something else", s, FormatAddress(got))
		}
	})
}
