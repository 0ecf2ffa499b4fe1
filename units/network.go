package units

import (
	"strconv"
	"strings"
)

func networkForm(n *scope, s string) (string, []error, error) {
	switch s {
	case "host", "none":
		return s, nil, nil
	case "private":
		return "none", nil, nil
	}
	name, _, _ := strings.Cut(s, ":")
	if s, found, err := sharedNamespace(n, s); found {
		return s, nil, err
	}
	const hint = "write host, none, ns:/run/netns/NAME for a network that another program makes, or NAME.syscontainer"
	if name == "bridge" || name == "pasta" || name == "slirp4netns" || strings.HasSuffix(name, ".network") {
		return "", nil, wrong(hint, "network ", quote(s), " is not possible: no network is made here")
	}
	return "", nil, wrong(hint, "network ", quote(s), " is not possible")
}

func namespaceForm(n *scope, s string) (string, []error, error) {
	if s == "host" || s == "private" {
		return s, nil, nil
	}
	if s, found, err := sharedNamespace(n, s); found {
		return s, nil, err
	}
	return "", nil, wrong("write host, private, ns:PATH or NAME.syscontainer", "namespace ", quote(s), " is not possible")
}

// sharedNamespace reads ns:/PATH, or the name of another unit's file.
func sharedNamespace(n *scope, s string) (result string, found bool, err error) {
	s = unquote(s)
	if file, is := strings.CutPrefix(s, "ns:"); is {
		if file, err = n.Expand(file); err == nil {
			file, err = cleanPath(file)
		}
		return "ns:" + file, true, err
	}
	name, found, err := n.reference(s)
	if !found || err != nil {
		return "", found, err
	}
	return "container:" + name, true, nil
}

func cgroupForm(_ *scope, s string) (string, []error, error) {
	if s == "host" || s == "private" {
		return s, nil, nil
	}
	return "", nil, wrong("write host or private", "cgroup namespace ", quote(s), " is not possible")
}

func hostNameForm(n *scope, s string) (string, []error, error) {
	s, err := text(n, s)
	if err == nil && !validHost(s, 64) {
		err = wrong("at most 64 letters, digits, - and .", quote(s), " is no host name")
	}
	return s, nil, err
}

func validHost(s string, longest int) bool {
	if len(s) > longest {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || part[0] == '-' || part[len(part)-1] == '-' || !onlyBytes(part, "-_") {
			return false
		}
	}
	return true
}

func dnsForm(n *scope, s string) ([]string, []error, error) {
	words, err := wordsOf(n, s)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range words {
		if w != "none" && !validAddress(w) {
			return nil, nil, wrong("write an IPv4 or IPv6 address, or none", quote(w), " is no address")
		}
	}
	return words, nil, nil
}

// dnsOptionForm reads options of resolv.conf(5).
func dnsOptionForm(n *scope, s string) ([]string, []error, error) {
	words, err := wordsOf(n, s)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range words {
		if w == "" || !onlyBytes(w, ":_-") {
			return nil, nil, wrong("see resolv.conf(5), for example ndots:2", quote(w), " is no option of the resolver")
		}
	}
	return words, nil, nil
}

func dnsSearchForm(n *scope, s string) ([]string, []error, error) {
	words, err := wordsOf(n, s)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range words {
		if w != "." && !validHost(strings.TrimSuffix(w, "."), 253) {
			return nil, nil, wrong("write names such as example.com, or . for none", quote(w), " is no domain")
		}
	}
	return words, nil, nil
}

// hostForm reads NAME[;NAME…]:ADDRESS.
func hostForm(n *scope, s string) ([]Host, []error, error) {
	const form = "the form is NAME:ADDRESS or NAME;NAME:ADDRESS"
	names, address, found := strings.Cut(unquote(s), ":")
	if !found {
		return nil, nil, wrong(form, quote(s), " has no address")
	}
	names, err := n.Expand(names)
	if err == nil {
		address, err = n.Expand(address)
	}
	if err != nil {
		return nil, nil, err
	}
	if address == "host-gateway" {
		return nil, nil, wrong("with Network=host the machine is localhost; else write its address", quote(address), " is not possible: there is no gateway")
	}
	if !validAddress(address) {
		return nil, nil, wrong(form, quote(address), " is no address")
	}
	h := Host{Names: strings.Split(names, ";"), Address: address}
	for _, name := range h.Names {
		if !validHost(name, 253) {
			return nil, nil, wrong(form, quote(name), " is no host name")
		}
	}
	return []Host{h}, nil, nil
}

// validAddress accepts an IPv4 address of four numbers, or an IPv6 address without a
// zone (RFC 4291, 2.2). net/netip would cost each boot its init.
func validAddress(s string) bool {
	if strings.IndexByte(s, ':') < 0 {
		return validIPv4(s)
	}
	before, after, short := strings.Cut(s, "::")
	groups, ok := ipv6Groups(before, !short)
	if !short {
		return ok && groups == 8
	}
	more, okAfter := ipv6Groups(after, true)
	return ok && okAfter && groups+more <= 7
}

// ipv6Groups counts the groups of 16 bits; the last two may be an IPv4 address where
// they end the address.
func ipv6Groups(s string, last bool) (n int, ok bool) {
	if s == "" {
		return 0, true
	}
	for {
		group, rest, more := strings.Cut(s, ":")
		if !more && last && strings.IndexByte(group, '.') >= 0 {
			return n + 2, validIPv4(group)
		}
		if group == "" || len(group) > 4 || strings.Trim(group, "0123456789abcdefABCDEF") != "" {
			return 0, false
		}
		if n++; !more {
			return n, true
		}
		s = rest
	}
}

func validIPv4(s string) bool {
	n := 0
	for part := range strings.SplitSeq(s, ".") {
		number, err := strconv.ParseUint(part, 10, 8)
		if err != nil || part != strconv.FormatUint(number, 10) {
			return false
		}
		n++
	}
	return n == 4
}
