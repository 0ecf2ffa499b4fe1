package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"syscontainer/units"
)

// onBridge is a root with connections: those of living containers have this process.
func onBridge(t *testing.T, living map[string]network) options {
	t.Helper()
	o := options{root: t.TempDir(), name: "web"}
	for name, n := range living {
		n.PID = os.Getpid()
		n.Start, _ = startTime(n.PID)
		b := bundleOf(o.root, name)
		if err := b.create(); err != nil {
			t.Fatal(err)
		}
		if err := b.recordNetwork(n); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func TestChooseAddresses(t *testing.T) {
	choose := func(name string, p bridgePlan, living map[string]network) string {
		t.Helper()
		o := onBridge(t, living)
		o.name = name
		others, err := connected(o)
		if err != nil {
			t.Fatal(err)
		}
		addresses, err := chooseAddresses(o, &p, others)
		if err != nil {
			return err.Error()
		}
		return strings.Join(addresses, " ")
	}
	wide := bridgePlan{Subnets: []string{"10.90.0.0/16", "fd00:90::/64"}}
	first := choose("web", wide, nil)
	if first != choose("web", wide, nil) || first == choose("db", wide, nil) {
		t.Errorf("%s is not web's own", first)
	}
	v4, v6, _ := strings.Cut(first, " ")
	next := choose("web", wide, map[string]network{"db": {Addresses: []string{v4}}})
	if next == first || !strings.HasSuffix(next, " "+v6) {
		t.Errorf("%s after %s was taken", next, v4)
	}
	fixed := bridgePlan{Subnets: wide.Subnets, Fixed: []string{"10.90.0.7"}}
	if got := choose("web", fixed, nil); got != "10.90.0.7 "+v6 {
		t.Error(got)
	}
	if got := choose("web", fixed, map[string]network{"db": {Addresses: []string{"10.90.0.7"}}}); got != "address 10.90.0.7 is db.service's" {
		t.Error(got)
	}
	// Of four addresses one is the subnet's, one the bridge's, one for all.
	narrow := bridgePlan{Subnets: []string{"10.0.0.4/30"}}
	if got := choose("web", narrow, nil); got != "10.0.0.6" {
		t.Error(got)
	}
	if got := choose("web", narrow, map[string]network{"db": {Addresses: []string{"10.0.0.6"}}}); !strings.HasPrefix(got, "no address is free in 10.0.0.4/30\nhint: ") {
		t.Error(got)
	}
	// A container never takes the place of itself.
	if got := choose("web", narrow, map[string]network{"web": {Addresses: []string{"10.0.0.6"}}}); got != "10.0.0.6" {
		t.Error(got)
	}
}

func TestChoosePorts(t *testing.T) {
	port := units.Port{Host: 1, Container: 80, Count: 1, Protocol: "tcp"}
	o := onBridge(t, map[string]network{"db": {Ports: []units.Port{{Address: "127.0.0.1", Host: 1, Container: 1, Count: 9, Protocol: "tcp"}}}})
	others, err := connected(o)
	if err != nil {
		t.Fatal(err)
	}
	err = choosePorts(o, &bridgePlan{Ports: []units.Port{port}}, others)
	if err == nil || err.Error() != "PublishPort=1:80/tcp: db.service has published it already" {
		t.Error(err)
	}
	port.Protocol = "udp"
	if err := choosePorts(o, &bridgePlan{Ports: []units.Port{port}}, others); err != nil && !strings.Contains(err.Error(), "a program of this machine") {
		t.Error(err)
	}
}

// A program that listens on one address of the machine is in the way of all.
func TestBusyPort(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	number := uint16(name.(*unix.SockaddrInet4).Port)
	for _, c := range []struct {
		address, protocol string
		busy              bool
	}{{"", "tcp", true}, {"0.0.0.0", "tcp", true}, {"127.0.0.1", "tcp", true}, {"127.0.0.2", "tcp", false}, {"192.0.2.1", "tcp", false}, {"::1", "tcp", false}, {"127.0.0.2", "sctp", false}} {
		if got := busyPort(units.Port{Address: c.address, Host: number, Container: 1, Count: 1, Protocol: c.protocol}, true); (got == int(number)) != c.busy {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// What a unit wants of the bridge and cannot have, it is told before anything is made.
func TestLookBridge(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(bin+"/netavark", []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	root := t.TempDir()
	set := func(text string) {
		t.Helper()
		if err := os.MkdirAll(root+"/etc/containers", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root+"/etc/containers/syscontainer.conf", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	port := func(address string) []units.Port {
		return []units.Port{{Address: address, Host: 1, Container: 1, Count: 1, Protocol: "tcp"}}
	}
	const says = "\nhint: Subnet= in syscontainer.conf(5) says which addresses the bridge has"
	for _, c := range []struct {
		conf string
		unit units.Container
		want string // an error, or gateway and subnets
	}{
		{"", units.Container{}, "10.90.0.1 [10.90.0.0/16]"},
		{"[Network]\nSubnet=\n", units.Container{}, "10.90.0.1 [10.90.0.0/16]"},
		{"[Pull]\nParallel=1\n[Network]\nSubnet=10.1.0.0/24 fd00::/64\n", units.Container{IP: "10.1.0.2", IP6: "fd00:0::2", Ports: port("::1")}, "10.1.0.1 [10.1.0.0/24 fd00::/64]"},
		{"[Network]\nSubnet=10.1.0.5/24\n", units.Container{}, `/syscontainer.conf:2: Subnet=: "10.1.0.5/24" is the address of one machine, and not of a subnet`},
		{"", units.Container{IP: "10.90.0.1"}, "IP=10.90.0.1 is no address for a container in the bridge's 10.90.0.0/16" + says},
		{"", units.Container{IP: "10.91.0.2"}, "IP=10.91.0.2 is no address for a container in the bridge's 10.90.0.0/16" + says},
		{"", units.Container{IP6: "fd00::2"}, "IP6=fd00::2 is no address for a container in the bridge's 10.90.0.0/16" + says},
		{"", units.Container{Ports: port("::1")}, "PublishPort=[::1]:1:1/tcp: the bridge has no addresses of that kind" + says},
	} {
		set(c.conf)
		c.unit.Network = "bridge"
		p, err := lookBridge(options{root: root, name: "web"}, &c.unit)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = p.Gateway + " [" + strings.Join(p.Subnets, " ") + "]"
		}
		if !strings.HasSuffix(got, c.want) {
			t.Errorf("%q\n got %s\nwant %s", c.conf, got, c.want)
		}
	}
}

func TestBridgeNames(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	hosts := write("hosts", "127.0.0.1 localhost")
	upstream := upstreamResolver
	defer func() { upstreamResolver = upstream }()
	for _, c := range []struct {
		machine, upstream, want string
		dns                     []string
	}{
		{"nameserver 192.0.2.1\n", "", "nameserver 192.0.2.1\n", nil},
		{"nameserver 127.0.0.53\nsearch a\n", "nameserver 192.0.2.2\nsearch b\n", "nameserver 192.0.2.2\nsearch b\n", nil},
		{"nameserver ::1\nnameserver 192.0.2.1\n", "nameserver 192.0.2.2\n", "nameserver 192.0.2.1\n", nil},
		{"nameserver 127.0.0.1\nsearch a\n", "", "search a\n", nil}, // with a warning
		{"nameserver 127.0.0.1\nsearch a\n", "", "search a\nnameserver 192.0.2.3\n", []string{"192.0.2.3"}},
	} {
		b, unit := bundle(t.TempDir()), base()
		unit.Network, unit.HostName, unit.DNS = "bridge", "shop", c.dns
		unit.AddHost = []units.Host{{Names: []string{"me"}, Address: units.HostGateway}, {Names: []string{"db"}, Address: "192.0.2.9"}}
		upstreamResolver = write("upstream", c.upstream)
		h := host{Name: "web@1", Hosts: hosts, ResolvConf: write("resolv.conf", c.machine)}
		if err := nameFiles(b, unit, &h, &bridgePlan{Gateway: "10.90.0.1"}); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(h.ResolvConf); err != nil || string(got) != c.want {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
		if got, err := os.ReadFile(h.Hosts); err != nil || string(got) != "127.0.0.1 localhost\n10.90.0.1\thost.containers.internal\n10.90.0.1\tme\n192.0.2.9\tdb\n" {
			t.Errorf("%q, %v", got, err)
		}
		if p, err := b.bridgePlan(); err != nil || strings.Join(p.Names, " ") != "shop" { // web+1 is no host name
			t.Errorf("%+v, %v", p, err)
		}
	}
	unit := base()
	unit.Network, unit.DNS = "bridge", []string{"none"}
	h := host{Name: "web", ResolvConf: hosts}
	if err := nameFiles(bundle(t.TempDir()), unit, &h, new(bridgePlan)); err != nil || h.ResolvConf != "" {
		t.Errorf("%q, %v", h.ResolvConf, err)
	}
}

// What netavark is asked for, to the letter; a name of any length fits into a rule's comment.
func TestBridgeOptions(t *testing.T) {
	n := network{
		Subnets: []string{"10.90.0.0/16", "fd00:90::/64"}, Addresses: []string{"10.90.0.7", "fd00:90::7"},
		Ports: []units.Port{{Address: "::1", Host: 8000, Container: 80, Count: 3, Protocol: "udp"}},
	}
	got, err := json.Marshal(bridgeOptions("web@1", n))
	want := `{"container_id":"web+1","container_name":"web+1",` +
		`"port_mappings":[{"host_ip":"::1","container_port":80,"host_port":8000,"range":3,"protocol":"udp"}],` +
		`"networks":{"syscontainer":{"interface_name":"eth0","static_ips":["10.90.0.7","fd00:90::7"]}},` +
		`"network_info":{"syscontainer":{"name":"syscontainer","id":"` + networkID + `","driver":"bridge","network_interface":"syscontainer0",` +
		`"created":"2025-01-01T00:00:00Z","subnets":[{"subnet":"10.90.0.0/16","gateway":"10.90.0.1"},{"subnet":"fd00:90::/64","gateway":"fd00:90::1"}],` +
		`"ipv6_enabled":true,"internal":false,"dns_enabled":false,"ipam_options":{"driver":"host-local"}}}}`
	if err != nil || string(got) != want {
		t.Errorf("%s\nwant %s\n%v", got, want, err)
	}
	long := strings.Repeat("a", 240)
	one, other := bridgeOptions(long+"1", n).ContainerID, bridgeOptions(long+"2", n).ContainerID
	if len(one) != longestID || one == other {
		t.Error(one, other)
	}
}
