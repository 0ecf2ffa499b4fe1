package main

import (
	"os"
	"slices"
	"strings"

	"syscontainer/units"
)

// machineName is what podman calls the machine in a container's /etc/hosts.
const machineName = "host.containers.internal"

// upstreamResolver is systemd-resolved's list of the name servers it asks itself.
var upstreamResolver = "/run/systemd/resolve/resolv.conf"

// nameFiles is the function of that name for a container on the bridge. Both files are
// always its own, so that one that joins its network finds them; its own address, which
// start finds, is added to hosts there.
func (p *bridgePlan) nameFiles(b bundle, c *units.Container, h *host) error {
	name, err := hostName(c, *h)
	if err != nil {
		return err
	}
	p.Names = []string{name}
	if id := containerID(h.Name); name == "" || id != name && strings.Trim(id, hostNameBytes) == "" {
		p.Names = append(p.Names, id)
	}
	p.Names = slices.DeleteFunc(p.Names, func(s string) bool { return s == "" })
	if err := b.writeJSON("bridge.json", p); err != nil {
		return err
	}

	read := func(file string) (string, error) {
		if file == "" {
			return "", nil
		}
		data, err := readHostFile(file, longestHostFile)
		return string(data), err
	}
	write := func(file, text string) error {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
		return os.Chmod(file, 0o644) // whatever the umask
	}
	own, err := read(h.Hosts)
	if err != nil {
		return err
	}
	if h.Hosts == "" {
		own = localHosts
	}
	hosts := []units.Host{{Names: []string{machineName}, Address: p.Gateway}}
	for _, a := range c.AddHost {
		if a.Address == units.HostGateway {
			a.Address = p.Gateway
		}
		hosts = append(hosts, a)
	}
	h.Hosts = b.file("hosts")
	if err := write(h.Hosts, hostsText(own, hosts)); err != nil {
		return err
	}

	if slices.Equal(c.DNS, []string{"none"}) {
		h.ResolvConf = ""
		return nil
	}
	text, err := read(h.ResolvConf)
	if err != nil {
		return err
	}
	if len(c.DNS) == 0 {
		reachable, some := withoutLoopback(text)
		if !some {
			if upstream, err := read(realFile(upstreamResolver)); err == nil && upstream != "" {
				reachable, some = withoutLoopback(upstream)
			}
		}
		if text = reachable; !some {
			warn(h.Name, "no name server of the machine can be reached from the bridge, DNS= names others")
		}
	}
	h.ResolvConf = b.file("resolv.conf")
	return write(h.ResolvConf, resolvText(text, c))
}

const hostNameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

// withoutLoopback leaves out the name servers of a resolv.conf(5) that are the machine
// itself. some tells whether others are left.
func withoutLoopback(text string) (kept string, some bool) {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "nameserver" {
			address := units.ParseAddress(words[1])
			if len(address) == 4 && address[0] == 127 || len(address) == 16 && units.FormatAddress(address) == "::1" {
				continue
			}
			some = true
		}
		b.WriteString(line)
	}
	return b.String(), some
}
