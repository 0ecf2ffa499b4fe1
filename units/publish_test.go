package units

import "testing"

func TestPublishedPorts(t *testing.T) {
	port := func(address string, host, container, count uint16, protocol string) Port {
		return Port{address, host, container, count, protocol}
	}
	for text, want := range map[string][]Port{
		"PublishPort=8080:80":                                      {port("", 8080, 80, 1, "tcp")},
		"PublishPort=\"127.0.0.1:5353:53/UDP\"":                    {port("127.0.0.1", 5353, 53, 1, "udp")},
		"PublishPort=[::1]:1:2/sctp":                               {port("::1", 1, 2, 1, "sctp")},
		"PublishPort=8000-8010:80-90":                              {port("", 8000, 80, 11, "tcp")},
		"PublishPort=1-65535:1-65535":                              {port("", 1, 1, 65535, "tcp")},
		"PublishPort=80:80\nPublishPort=\nPublishPort=81:80":       {port("", 81, 80, 1, "tcp")},
		"PublishPort=80:80\nPublishPort=80:80/udp":                 {port("", 80, 80, 1, "tcp"), port("", 80, 80, 1, "udp")},
		"PublishPort=1.2.3.4:80:80\nPublishPort=1.2.3.5:80:80":     {port("1.2.3.4", 80, 80, 1, "tcp"), port("1.2.3.5", 80, 80, 1, "tcp")},
		"PublishPort=0.0.0.0:80:80\nPublishPort=[::]:80:80":        {port("0.0.0.0", 80, 80, 1, "tcp"), port("::", 80, 80, 1, "tcp")},
		"PublishPort=8000-8001:80-81\nPublishPort=8002-8003:80-81": {port("", 8000, 80, 2, "tcp"), port("", 8002, 80, 2, "tcp")},
	} {
		decodes(t, map[string]func(*Container){"Network=bridge\n" + text: func(c *Container) { c.Network, c.Ports = "bridge", want }})
	}
	decodes(t, map[string]func(*Container){
		"Network=bridge\nIP=10.90.0.7\nIP6=fd00::7":  func(c *Container) { c.Network, c.IP, c.IP6 = "bridge", "10.90.0.7", "fd00::7" },
		"Network=bridge\nIP=1.2.3.4\nIP=":            func(c *Container) { c.Network = "bridge" },
		"Network=bridge\nAddHost=me:host-gateway":    func(c *Container) { c.Network, c.AddHost = "bridge", []Host{{[]string{"me"}, HostGateway}} },
		"Network=bridge\nSysctl=net.ipv4.ip_local=1": func(c *Container) { c.Network, c.Sysctl = "bridge", []string{"net.ipv4.ip_local=1"} },
	})
}

func TestPortsThatCannotBePublished(t *testing.T) {
	const form = "\nhint: " + publishHint
	const random = " names no port of the machine, and a random one is not possible\nhint: write the port of the machine too, for example 8080:80"
	for text, want := range map[string]string{
		"80":                   `"80"` + random,
		":80":                  `":80"` + random,
		"127.0.0.1::80":        `"127.0.0.1::80"` + random,
		"127.0.0.1:80":         `"127.0.0.1:80"` + random,
		"[::1]:80":             `"[::1]:80"` + random,
		"80:":                  `"80:" has a malformed port` + form,
		"0:80":                 `"0:80" has a malformed port` + form,
		"80:65536":             `"80:65536" has a malformed port` + form,
		"80:+8":                `"80:+8" has a malformed port` + form,
		"9-8:9-8":              `"9-8:9-8" has a malformed port` + form,
		"8-9:8":                "\"8-9:8\": the ranges differ in length\nhint: for example 8000-8010:8000-8010",
		"80:80/icmp":           "\"80:80/icmp\" has an unknown protocol\nhint: write tcp, udp or sctp",
		"80:80/":               "\"80:80/\" has an unknown protocol\nhint: write tcp, udp or sctp",
		"::1:80:80":            "\"::1:80:80\" has too many parts\nhint: write IPv6 addresses in brackets, for example [::1]:8080:80",
		"[1.2.3.4]:80:80":      `"[1.2.3.4]:80:80" has a malformed address` + form,
		"[::1:80:80":           `"[::1:80:80" has a malformed address` + form,
		"example.com:80:80":    `"example.com" is no address of this machine: it must be a number` + form,
		"80:80 81:81":          `"80" is no address of this machine: it must be a number` + form,
		"${PORT}:80":           `"${PORT}:80" has a malformed port` + form,
		"127.0.0.1:80:80/tcp;": "\"127.0.0.1:80:80/tcp;\" has an unknown protocol\nhint: write tcp, udp or sctp",
	} {
		refuses(t, map[string]string{"Network=bridge\nPublishPort=" + text: "web:4: PublishPort=: " + want})
	}
	refuses(t, map[string]string{
		"Network=bridge\nPublishPort=80:80\nPublishPort=127.0.0.1:80:81":    `web:5: PublishPort=: "127.0.0.1:80:81" is published already: 80:80/tcp`,
		"Network=bridge\nPublishPort=1-9:1-9/udp\nPublishPort=9-10:1-2/udp": `web:5: PublishPort=: "9-10:1-2/udp" is published already: 1-9:1-9/udp`,
		"Network=bridge\nPublishPort=[::1]:80:80\nPublishPort=[::]:80:81":   `web:5: PublishPort=: "[::]:80:81" is published already: [::1]:80:80/tcp`,
		"Network=none\nPublishPort=80:80":                                   "web:4: PublishPort= needs Network=bridge\nhint: write Network=bridge",
		"PublishPort=80:80\nNetwork=db.syscontainer":                        "web:3: PublishPort= needs Network=bridge\nhint: write it in db.syscontainer, whose network it is",
		"IP=10.0.0.1":                    "web:3: IP= needs Network=bridge\nhint: write Network=bridge",
		"Network=bridge\nIP=fd00::1":     "web:4: IP=: \"fd00::1\" is no IPv4 address\nhint: for example 10.90.0.20",
		"Network=bridge\nIP6=10.0.0.1":   "web:4: IP6=: \"10.0.0.1\" is no IPv6 address\nhint: for example fd00:90::20",
		"Network=bridge:x\nIP6=10.0.0.1": "web:3: Network=: network \"bridge:x\" is not possible: the bridge has no options\nhint: write Network=bridge; IP= and IP6= give it an address\nweb:4: IP6=: \"10.0.0.1\" is no IPv6 address\nhint: for example fd00:90::20",
	})
}

// Which port it is, an instance knows.
func TestPortsOfATemplate(t *testing.T) {
	const text = "Network=bridge\nPublishPort=80%i:80"
	if c, errs, _ := read(t, "web@", text); len(errs) > 0 || len(c.Ports) != 0 {
		t.Error(c.Ports, errs)
	}
	if c, errs, _ := read(t, "web@81", text); len(errs) > 0 || len(c.Ports) != 1 || c.Ports[0].Host != 8081 {
		t.Error(c.Ports, errs)
	}
	if _, errs, _ := read(t, "web@x", text); errs.Error() != "web:4: PublishPort=: \"80x:80\" has a malformed port\nhint: "+publishHint {
		t.Error(errs)
	}
}

// What is read of a port is what String writes of it.
func FuzzPort(f *testing.F) {
	for _, s := range []string{"80:80", "[::1]:8000-8010:80-90/udp", "127.0.0.1:1:1/SCTP", "::1:80:80", "1-65535:1-65535", "[::]:1:1", "0.0.0.0:1:2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePort(s)
		if err != nil {
			return
		}
		if again, err := parsePort(p.String()); err != nil || again != p {
			t.Errorf("%q: %+v, written as %s: %+v, %v", s, p, p, again, err)
		}
		if p.Count == 0 || p.Host == 0 || p.Container == 0 || int(p.Host)+int(p.Count) > 1<<16 || int(p.Container)+int(p.Count) > 1<<16 || !p.Overlaps(p) {
			t.Errorf("%q: %+v", s, p)
		}
	})
}
