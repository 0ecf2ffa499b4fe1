package units

import (
	"strconv"
	"strings"
)

// ParseAddress is an IPv4 address of four numbers as 4 bytes, an IPv6 address without a
// zone as 16 (RFC 4291, 2.2); nil if s is neither. net/netip would cost each boot its
// init.
func ParseAddress(s string) []byte {
	if strings.IndexByte(s, ':') < 0 {
		return parseIPv4(s)
	}
	before, after, short := strings.Cut(s, "::")
	head, ok := ipv6Groups(before, !short)
	if !short {
		if !ok || len(head) != 16 {
			return nil
		}
		return head
	}
	tail, okAfter := ipv6Groups(after, true)
	if !ok || !okAfter || len(head)+len(tail) > 14 {
		return nil
	}
	address := make([]byte, 16)
	copy(address, head)
	copy(address[16-len(tail):], tail)
	return address
}

// FormatAddress writes what ParseAddress reads.
func FormatAddress(address []byte) string {
	var b strings.Builder
	if len(address) == 4 {
		for i, part := range address {
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(strconv.Itoa(int(part)))
		}
		return b.String()
	}
	// The longest run of zero groups is left out (RFC 5952).
	group := func(i int) int { return int(address[2*i])<<8 | int(address[2*i+1]) }
	begin, end := 0, 0
	for i := 0; i < 8; i++ {
		n := i
		for n < 8 && group(n) == 0 {
			n++
		}
		if n-i > 1 && n-i > end-begin {
			begin, end = i, n
		}
	}
	for i := 0; i < 8; i++ {
		if end > begin && i == begin {
			b.WriteString("::")
			i = end - 1
			continue
		}
		if i > 0 && i != end {
			b.WriteByte(':')
		}
		b.WriteString(strconv.FormatInt(int64(group(i)), 16))
	}
	return b.String()
}

func validAddress(s string) bool { return ParseAddress(s) != nil }

// ipv6Groups reads groups of 16 bits; the last two may be an IPv4 address where
// they end the address.
func ipv6Groups(s string, last bool) (groups []byte, ok bool) {
	if s == "" {
		return nil, true
	}
	for {
		group, rest, more := strings.Cut(s, ":")
		if !more && last && strings.IndexByte(group, '.') >= 0 {
			four := parseIPv4(group)
			return append(groups, four...), four != nil
		}
		if group == "" || len(group) > 4 || strings.Trim(group, "0123456789abcdefABCDEF") != "" {
			return nil, false
		}
		number, err := strconv.ParseUint(group, 16, 16)
		if err != nil {
			return nil, false
		}
		if groups = append(groups, byte(number>>8), byte(number)); !more {
			return groups, true
		}
		if len(groups) > 16 {
			return nil, false
		}
		s = rest
	}
}

func parseIPv4(s string) []byte {
	address := make([]byte, 0, 4)
	for part := range strings.SplitSeq(s, ".") {
		number, err := strconv.ParseUint(part, 10, 8)
		if err != nil || part != strconv.FormatUint(number, 10) || len(address) == 4 {
			return nil
		}
		address = append(address, byte(number))
	}
	if len(address) != 4 {
		return nil
	}
	return address
}
