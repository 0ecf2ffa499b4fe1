package units

import (
	"strconv"
	"strings"
)

// Port is a range of ports of the machine that lead into the container.
type Port struct {
	Address         string // of the machine; "": all it has
	Host, Container uint16 // the first port of each range
	Count           uint16 // at least 1
	Protocol        string // "tcp", "udp", "sctp"
}

// String is the port as PublishPort= takes it.
func (p Port) String() string {
	number := func(first uint16) string {
		s := strconv.Itoa(int(first))
		if p.Count > 1 {
			s += "-" + strconv.Itoa(int(first)+int(p.Count)-1)
		}
		return s
	}
	address := p.Address
	if strings.IndexByte(address, ':') >= 0 {
		address = "[" + address + "]"
	}
	if address != "" {
		address += ":"
	}
	return address + number(p.Host) + ":" + number(p.Container) + "/" + p.Protocol
}

// Overlaps tells whether a packet to the machine could be meant for either.
func (p Port) Overlaps(other Port) bool {
	return p.Protocol == other.Protocol &&
		int(p.Host) < int(other.Host)+int(other.Count) && int(other.Host) < int(p.Host)+int(p.Count) &&
		sameAddress(p.Address, other.Address)
}

// sameAddress takes two addresses of one kind for the same, if one of them is all.
func sameAddress(a, b string) bool {
	if a == "" || b == "" {
		return true
	}
	first, second := ParseAddress(a), ParseAddress(b)
	return len(first) == len(second) && (isZero(first) || isZero(second) || string(first) == string(second))
}

func isZero(address []byte) bool { return strings.Trim(string(address), "\x00") == "" }

const publishHint = "the form is [ADDRESS:]PORT:CONTAINERPORT[/PROTOCOL], for example 8080:80 or 127.0.0.1:5353:53/udp"

// setPublish reads one port or range, and refuses what an earlier line took.
func setPublish(d *draft, n *scope, value string) (warnings []error, err error) {
	if value == "" {
		d.Ports = nil
		return nil, nil
	}
	s, err := text(n, value)
	if err != nil {
		return nil, err
	}
	p, err := parsePort(s)
	if err != nil && strings.Contains(value, "%") && (n.Template || n.host == nil && n.StartOnly(value)) {
		return nil, nil // such as 80%i: only an instance has a number there
	}
	if err != nil {
		return nil, err
	}
	for _, before := range d.Ports {
		if p.Overlaps(before) {
			return nil, wrong("", quote(s), " is published already: ", before.String())
		}
	}
	d.Ports = append(d.Ports, p)
	return nil, nil
}

func parsePort(s string) (p Port, err error) {
	rest := s
	p.Protocol = "tcp"
	if i := strings.LastIndexByte(rest, '/'); i >= 0 {
		rest, p.Protocol = rest[:i], strings.ToLower(rest[i+1:])
	}
	switch p.Protocol {
	case "tcp", "udp", "sctp":
	default:
		return p, wrong("write tcp, udp or sctp", quote(s), " has an unknown protocol")
	}
	hasAddress := true
	if inside, is := strings.CutPrefix(rest, "["); is {
		address, after, closed := strings.Cut(inside, "]:")
		if !closed || strings.IndexByte(address, ':') < 0 || ParseAddress(address) == nil {
			return p, wrong(publishHint, quote(s), " has a malformed address")
		}
		p.Address, rest = address, after
	} else if strings.Count(rest, ":") == 2 {
		p.Address, rest, _ = strings.Cut(rest, ":")
		if ParseAddress(p.Address) == nil {
			return p, wrong(publishHint, quote(p.Address), " is no address of this machine: it must be a number")
		}
	} else if hasAddress = false; strings.Count(rest, ":") > 2 {
		return p, wrong("write IPv6 addresses in brackets, for example [::1]:8080:80", quote(s), " has too many parts")
	}
	host, container, both := strings.Cut(rest, ":")
	if !both || host == "" || !hasAddress && validAddress(host) {
		return p, wrong("write the port of the machine too, for example 8080:80", quote(s), " names no port of the machine, and a random one is not possible")
	}
	first, count, ok := portRange(host)
	inner, innerCount, okInner := portRange(container)
	if !ok || !okInner {
		return p, wrong(publishHint, quote(s), " has a malformed port")
	}
	if count != innerCount {
		return p, wrong("for example 8000-8010:8000-8010", quote(s), ": the ranges differ in length")
	}
	p.Host, p.Container, p.Count = first, inner, count
	return p, nil
}

// portRange reads PORT or FIRST-LAST.
func portRange(s string) (first, count uint16, ok bool) {
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	a, errFirst := strconv.ParseUint(from, 10, 16)
	b, errLast := strconv.ParseUint(to, 10, 16)
	if errFirst != nil || errLast != nil || a == 0 || b < a {
		return 0, 0, false
	}
	return uint16(a), uint16(b - a + 1), true
}

func addressForm(n *scope, s string) (string, []error, error) {
	s, err := text(n, s)
	if err == nil && len(ParseAddress(s)) != 4 {
		err = wrong("for example 10.90.0.20", quote(s), " is no IPv4 address")
	}
	return s, nil, err
}

func address6Form(n *scope, s string) (string, []error, error) {
	s, err := text(n, s)
	if err == nil && len(ParseAddress(s)) != 16 {
		err = wrong("for example fd00:90::20", quote(s), " is no IPv6 address")
	}
	return s, nil, err
}

// networks refuses what only a bridge has, without one.
func (r *reading) networks() {
	if r.wrong[keyIndex("Network")] || r.Network == "bridge" {
		return
	}
	hint := "write Network=bridge"
	if len(r.Ports) > 0 {
		more := ""
		switch kind, name, _ := strings.Cut(r.Network, ":"); kind {
		case "host":
			more = "; with Network=host, every port that the payload opens is the machine's"
		case "container":
			hint = "write it in " + name + ".syscontainer, whose network it is"
		}
		r.complain("PublishPort", "PublishPort= needs Network=bridge", hint+more)
	}
	for _, one := range []struct{ key, value string }{{"IP", r.IP}, {"IP6", r.IP6}} {
		if one.value != "" {
			r.complain(one.key, one.key+"= needs Network=bridge", hint)
		}
	}
	for _, h := range r.AddHost {
		if h.Address == HostGateway {
			r.complain("AddHost", "AddHost=: "+quote(HostGateway)+" is not possible: there is no gateway",
				"with Network=host the machine is localhost, with Network=bridge there is a gateway; else write its address")
			return
		}
	}
}
