package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"syscontainer/units"
)

// Where the kernel shows interfaces. A variable for tests only.
var interfaces = "/sys/class/net"

// linkNumber is the index of an interface; 0 if there is none of that name.
func linkNumber(name string) int {
	data, err := os.ReadFile(filepath.Join(interfaces, name, "ifindex"))
	if err != nil {
		return 0
	}
	number, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return number
}

// bridgeLinks are the indexes of the interfaces that are connected with the bridge.
func bridgeLinks() (numbers []int) {
	entries, _ := os.ReadDir(filepath.Join(interfaces, bridgeName, "brif"))
	for _, e := range entries {
		if number := linkNumber(e.Name()); number != 0 {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

// longestLinger bounds how long an interface stays after the last process of its
// namespace.
const longestLinger = 2 * time.Second

// waitForLinks returns when all interfaces of the bridge are those of known connections:
// that of one which ended before it was noted is gone then.
func waitForLinks(o options) {
	known := make(map[int]bool)
	others, err := connected(o)
	if err != nil {
		return
	}
	for _, n := range others {
		known[n.Link] = true
	}
	for end := time.Now().Add(longestLinger); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if !slices.ContainsFunc(bridgeLinks(), func(link int) bool { return !known[link] }) {
			return
		}
	}
}

// removeBridge takes away what netavark left of a bridge that nobody uses.
func removeBridge(o options) {
	number := linkNumber(bridgeName)
	if number == 0 {
		return
	}
	if err := deleteLink(number); err != nil && !errors.Is(err, unix.ENODEV) {
		warn(o.name, "remove the bridge %s: %v", bridgeName, err)
	}
}

// freshNamespace is a network namespace with nothing but an interface of the name that
// containers have. It lasts until release, or this process ends.
func freshNamespace() (path string, release func(), err error) {
	fd := -1
	done := make(chan error)
	go func() { // on a thread that ends with it
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
		if err == nil {
			err = makeBridge(insideName) // of a kind that the kernel surely has
		}
		done <- err
	}()
	err = <-done
	release = func() { unix.Close(fd) }
	if err != nil {
		release()
		return "", nil, fmt.Errorf("make a network namespace: %w", err)
	}
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd), release, nil
}

// makeBridge makes an interface in the namespace of this thread.
func makeBridge(name string) error { return makeLink(name, "bridge", nil) }

const placeholderName = "syscontainer1"

// makePlaceholder connects an interface with the bridge, if there is one.
func makePlaceholder() error {
	number := linkNumber(bridgeName)
	if number == 0 {
		return nil
	}
	return makeLink(placeholderName, "veth", attribute(unix.IFLA_MASTER, binary.NativeEndian.AppendUint32(nil, uint32(number))))
}

func removePlaceholder() {
	if number := linkNumber(placeholderName); number != 0 {
		deleteLink(number)
	}
}

func makeLink(name, kind string, attributes []byte) error {
	return askKernel(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, 0, slices.Concat(
		attribute(unix.IFLA_IFNAME, append([]byte(name), 0)),
		attribute(unix.IFLA_LINKINFO, attribute(unix.IFLA_INFO_KIND, []byte(kind))),
		attributes))
}

// deleteLink takes an interface away; of a pair, both.
func deleteLink(number int) error { return askKernel(unix.RTM_DELLINK, 0, number, nil) }

// attribute is one of rtnetlink(7), padded.
func attribute(kind uint16, data []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofRtAttr+len(data)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, data...)
	return append(b, make([]byte, -len(b)&3)...)
}

// askKernel sends a message about an interface (rtnetlink(7)) and waits for the answer.
func askKernel(kind, flags uint16, number int, attributes []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	native := binary.NativeEndian
	m := native.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+unix.SizeofIfInfomsg+len(attributes)))
	m = native.AppendUint16(m, kind)
	m = native.AppendUint16(m, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	m = append(m, make([]byte, 8)...) // sequence number and port
	m = append(m, make([]byte, 4)...) // family and type
	m = native.AppendUint32(m, uint32(number))
	m = append(m, make([]byte, 8)...) // flags
	m = append(m, attributes...)
	if err := unix.Sendto(fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	if n < unix.SizeofNlMsghdr+4 || native.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return errors.New("the kernel's answer is not understood")
	}
	if code := int32(native.Uint32(answer[unix.SizeofNlMsghdr:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

// busyPort is the first port of a range that a program of the machine has open, 0 if
// none has. An address that the machine has not got, or not yet, is free. Without six
// the container has no IPv6 address that a packet could be led to.
func busyPort(p units.Port, six bool) int {
	for i := range int(p.Count) {
		number := int(p.Host) + i
		if inUse(socket4(p.Address, number), p.Protocol) || six && inUse(socket6(p.Address, number), p.Protocol) {
			return number
		}
	}
	return 0
}

func socket4(address string, port int) unix.Sockaddr {
	s := &unix.SockaddrInet4{Port: port}
	if bytes := units.ParseAddress(address); len(bytes) == 4 {
		copy(s.Addr[:], bytes)
	} else if address != "" {
		return nil
	}
	return s
}

func socket6(address string, port int) unix.Sockaddr {
	s := &unix.SockaddrInet6{Port: port}
	if bytes := units.ParseAddress(address); len(bytes) == 16 {
		copy(s.Addr[:], bytes)
	} else if address != "" {
		return nil
	}
	return s
}

// inUse tries what a program would.
func inUse(address unix.Sockaddr, protocol string) bool {
	if address == nil {
		return false
	}
	family, kind, number := unix.AF_INET, unix.SOCK_STREAM, 0
	if _, is := address.(*unix.SockaddrInet6); is {
		family = unix.AF_INET6
	}
	switch protocol {
	case "udp":
		kind = unix.SOCK_DGRAM
	case "sctp":
		number = unix.IPPROTO_SCTP
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, number)
	if err != nil {
		return false // nor has anybody else such a socket
	}
	defer unix.Close(fd)
	if family == unix.AF_INET6 {
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if protocol == "tcp" { // connections that are ending hold nobody up
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	return unix.Bind(fd, address) == unix.EADDRINUSE
}
