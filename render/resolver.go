package main

import (
	"os"
	"slices"
	"strings"

	"syscontainer/units"
)

// longestHostFile bounds the machine's /etc/hosts and /etc/resolv.conf; block lists are long.
const longestHostFile = 64 << 20

// localHosts is what a machine without /etc/hosts knows by other means (nss-myhostname(8)),
// which an image need not have.
const localHosts = "127.0.0.1\tlocalhost\n::1\tlocalhost\n"

// nameFiles decides what the container sees as /etc/hosts and /etc/resolv.conf: the
// machine's own files, or where the unit says something, files in the bundle. Without
// a network, only what the unit says. Who joins another container's network knows the
// names that one knows.
func nameFiles(b bundle, c *units.Container, h *host, bridge *bridgePlan) error {
	if bridge != nil {
		return bridge.nameFiles(b, c, h)
	}
	network := c.Network != "none"
	if other, joins := strings.CutPrefix(c.Network, "container:"); joins {
		for _, f := range []struct {
			name string
			path *string
		}{{"hosts", &h.Hosts}, {"resolv.conf", &h.ResolvConf}} {
			if theirs := realFile(bundleOf("", other).file(f.name)); theirs != "" {
				*f.path = theirs
			}
		}
	}
	// rewrite puts a file into the bundle in place of the machine's.
	rewrite := func(own *string, name string, text func(own string) string) error {
		var data []byte
		if *own != "" && network {
			var err error
			if data, err = readHostFile(*own, longestHostFile); err != nil {
				return err
			}
		}
		*own = b.file(name)
		if err := os.WriteFile(*own, []byte(text(string(data))), 0o644); err != nil {
			return err
		}
		return os.Chmod(*own, 0o644) // whatever the umask
	}
	var err error
	switch {
	case len(c.AddHost) > 0 || network && h.Hosts == "":
		bare := network && h.Hosts == ""
		err = rewrite(&h.Hosts, "hosts", func(own string) string {
			if bare {
				own = localHosts
			}
			return hostsText(own, c.AddHost)
		})
	case !network:
		h.Hosts = ""
	}
	if err != nil {
		return err
	}
	switch {
	case slices.Equal(c.DNS, []string{"none"}):
		h.ResolvConf = ""
	case len(c.DNS)+len(c.DNSOption)+len(c.DNSSearch) > 0:
		err = rewrite(&h.ResolvConf, "resolv.conf", func(own string) string { return resolvText(own, c) })
	case !network:
		h.ResolvConf = ""
	}
	return err
}

// hostsText adds the unit's lines behind the machine's (hosts(5)).
func hostsText(own string, add []units.Host) string {
	var b strings.Builder
	b.WriteString(own)
	if own != "" && !strings.HasSuffix(own, "\n") {
		b.WriteByte('\n')
	}
	for _, a := range add {
		b.WriteString(a.Address + "\t" + strings.Join(a.Names, " ") + "\n")
	}
	return b.String()
}

// resolvText is the machine's resolv.conf(5) with what the unit says in place of the
// lines of that kind. A search list of "." is none.
func resolvText(own string, c *units.Container) string {
	var b strings.Builder
	for line := range strings.Lines(own) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "nameserver":
			if len(c.DNS) > 0 {
				continue
			}
		case "search", "domain":
			if len(c.DNSSearch) > 0 {
				continue
			}
		case "options":
			if len(c.DNSOption) > 0 {
				continue
			}
		}
		b.WriteString(strings.TrimRight(line, "\n") + "\n")
	}
	for _, address := range c.DNS {
		b.WriteString("nameserver " + address + "\n")
	}
	if len(c.DNSSearch) > 0 && !slices.Equal(c.DNSSearch, []string{"."}) {
		b.WriteString("search " + strings.Join(c.DNSSearch, " ") + "\n")
	}
	if len(c.DNSOption) > 0 {
		b.WriteString("options " + strings.Join(c.DNSOption, " ") + "\n")
	}
	return b.String()
}
