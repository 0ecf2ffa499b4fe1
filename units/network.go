package units

import "strings"

func networkForm(n *scope, s string) (string, []error, error) {
	switch s {
	case "host", "none", "bridge":
		return s, nil, nil
	case "private":
		return "none", nil, nil
	}
	name, _, _ := strings.Cut(s, ":")
	if s, found, err := sharedNamespace(n, s); found {
		return s, nil, err
	}
	if name == "bridge" {
		return "", nil, wrong("write Network=bridge; IP= and IP6= give it an address", "network ", quote(s), " is not possible: the bridge has no options")
	}
	const hint = "write host, none, bridge, ns:/run/netns/NAME for a network that another program makes, or NAME.syscontainer"
	if name == "pasta" || name == "slirp4netns" || strings.HasSuffix(name, ".network") {
		return "", nil, wrong(hint, "network ", quote(s), " is not possible: there are no networks but the bridge")
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

// HostGateway stands for the machine, in the address of a Host.
const HostGateway = "host-gateway"

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
	if address != HostGateway && !validAddress(address) {
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
