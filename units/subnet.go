package units

import (
	"strconv"
	"strings"
)

// Subnet is a network that the bridge's addresses are of.
type Subnet struct {
	Base []byte // 4 or 16 bytes, the bits of hosts are zero
	Bits int    // of the prefix
}

// DefaultSubnets is Subnet= of syscontainer.conf(5) where nothing is said: next to those
// that podman takes for itself.
const DefaultSubnets = "10.90.0.0/16"

// ParseSubnets reads a subnet, or one of IPv4 and one of IPv6.
func ParseSubnets(s string) (subnets []Subnet, err error) {
	for word := range strings.FieldsSeq(s) {
		address, length, _ := strings.Cut(word, "/")
		n := Subnet{Base: ParseAddress(address)}
		n.Bits, err = strconv.Atoi(length)
		if n.Base == nil || err != nil || n.Bits < 8 || n.Bits > 8*len(n.Base)-2 {
			return nil, wrong("for example 10.90.0.0/16 or fd00:90::/64", quote(word), " is no subnet that a bridge can have")
		}
		for i := n.Bits; i < 8*len(n.Base); i++ {
			if n.Base[i/8]&(0x80>>(i%8)) != 0 {
				return nil, wrong("", quote(word), " is the address of one machine, and not of a subnet")
			}
		}
		for _, other := range subnets {
			if len(other.Base) == len(n.Base) {
				return nil, wrong("write one of IPv4 and one of IPv6", quote(s), " has two subnets of one kind")
			}
		}
		subnets = append(subnets, n)
	}
	if len(subnets) == 0 {
		return nil, wrong("for example 10.90.0.0/16", quote(s), " names no subnet")
	}
	return subnets, nil
}

func (n Subnet) String() string { return FormatAddress(n.Base) + "/" + strconv.Itoa(n.Bits) }

// Hosts is how many numbers there are for At, 4294967295 at most: all addresses but
// the subnet's own and the last, which is for all.
func (n Subnet) Hosts() uint32 {
	free := 8*len(n.Base) - n.Bits
	if free >= 32 {
		return 1<<32 - 1
	}
	return 1<<free - 2
}

// At is an address of the subnet, counted from 1; the first is the bridge's own.
func (n Subnet) At(number uint32) string {
	address := append([]byte(nil), n.Base...)
	for i := range 4 {
		address[len(address)-1-i] |= byte(number >> (8 * i))
	}
	return FormatAddress(address)
}

// Number is the one that At makes the address of; 0 if it is none of the subnet.
func (n Subnet) Number(address string) (number uint32) {
	bytes := ParseAddress(address)
	if len(bytes) != len(n.Base) {
		return 0
	}
	for _, b := range bytes[len(bytes)-4:] {
		number = number<<8 | uint32(b)
	}
	if free := 8*len(n.Base) - n.Bits; free < 32 {
		number &= 1<<free - 1
	}
	if number == 0 || number > n.Hosts() || FormatAddress(bytes) != n.At(number) {
		return 0
	}
	return number
}
