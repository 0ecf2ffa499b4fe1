package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"syscontainer/units"
)

// With Network=bridge the runtime makes a network namespace, and between create and
// start netavark connects it with the bridge. Who is connected, and what was asked of
// netavark, stands in the bundle: network.json. There is no other memory of addresses
// and ports: one is taken while the container whose bundle names it lives.

// bridgePlan is what a unit wants, bridge.json in the bundle.
type bridgePlan struct {
	Subnets []string
	Gateway string   // the machine's address there, the first subnet's
	Fixed   []string // addresses of IP= and IP6=
	Ports   []units.Port
	Names   []string // of the container, for its /etc/hosts
}

// network is a container's connection, network.json in its bundle. It is written before
// anything is made.
type network struct {
	PID       int    // of the payload, which holds the namespace
	Start     uint64 // when that process began: its number may be another's later
	Subnets   []string
	Addresses []string // one for each subnet
	Ports     []units.Port
	Link      int // the index of its interface on the machine's side; 0: not known
	Options   netavarkOptions
}

// lookBridge is what the unit wants of the bridge; nil if it wants none. What cannot be
// is found before anything is fetched or made.
func lookBridge(o options, c *units.Container) (*bridgePlan, error) {
	if c.Network != "bridge" {
		return nil, nil
	}
	if _, err := findNetavark(); err != nil {
		return nil, err
	}
	text, at, err := units.Setting(o.root, "Network", "Subnet")
	if err != nil {
		return nil, fmt.Errorf("read syscontainer.conf: %w", err)
	}
	if text == "" {
		text = units.DefaultSubnets
	}
	subnets, err := units.ParseSubnets(text)
	if err != nil {
		err = fmt.Errorf("%s:%d: Subnet=: %w", at.File, at.Line, err)
		return nil, withHintIf(err, units.Hint(err) != "", "%s", units.Hint(err))
	}
	p := &bridgePlan{Ports: c.Ports, Gateway: subnets[0].At(1)}
	for _, n := range subnets {
		p.Subnets = append(p.Subnets, n.String())
	}
	for _, fixed := range []struct{ key, address string }{{"IP", c.IP}, {"IP6", c.IP6}} {
		if fixed.address == "" {
			continue
		}
		i := slices.IndexFunc(subnets, func(n units.Subnet) bool { return n.Number(fixed.address) > 1 })
		if i < 0 {
			return nil, withHint(fmt.Errorf("%s=%s is no address for a container in the bridge's %s", fixed.key, fixed.address, strings.Join(p.Subnets, " ")),
				"Subnet= in syscontainer.conf(5) says which addresses the bridge has")
		}
		p.Fixed = append(p.Fixed, subnets[i].At(subnets[i].Number(fixed.address)))
	}
	for _, port := range c.Ports {
		length := len(units.ParseAddress(port.Address))
		if length > 0 && !slices.ContainsFunc(subnets, func(n units.Subnet) bool { return len(n.Base) == length }) {
			return nil, withHint(fmt.Errorf("PublishPort=%v: the bridge has no addresses of that kind", port),
				"Subnet= in syscontainer.conf(5) says which addresses the bridge has")
		}
	}
	return p, nil
}

// bridgePlan is nil if the container is on no bridge.
func (b bundle) bridgePlan() (*bridgePlan, error) {
	data, err := os.ReadFile(b.file("bridge.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	p := new(bridgePlan)
	if err == nil {
		err = json.Unmarshal(data, p)
	}
	return p, err
}

// connect gives the namespace of a container that was created and not started its
// place on the bridge. On error nothing is left of it.
func connect(o options, b bundle, p *bridgePlan, pid int) error {
	unlock, err := lockBridge(o)
	if err != nil {
		return err
	}
	defer unlock()
	others, err := connected(o)
	if err != nil {
		return err
	}
	n := network{PID: pid, Subnets: p.Subnets, Ports: p.Ports}
	n.Start, _ = startTime(pid)
	for name, other := range others {
		if other.alive() && !slices.Equal(other.Subnets, p.Subnets) {
			return withHint(fmt.Errorf("the bridge still has the subnet %s, for %s.service", strings.Join(other.Subnets, " "), name),
				"stop all containers with Network=bridge after a change of Subnet=")
		}
	}
	if n.Addresses, err = chooseAddresses(o, p, others); err != nil {
		return err
	}
	if err := choosePorts(o, p, others); err != nil {
		return err
	}
	n.Options = bridgeOptions(o.name, n)
	if err := b.recordNetwork(n); err != nil {
		return err
	}
	before := bridgeLinks()
	if err := netavark(b, "setup", fmt.Sprintf("/proc/%d/ns/net", pid), n.Options); err != nil {
		for _, link := range bridgeLinks() {
			if !slices.Contains(before, link) {
				n.Link = link
			}
		}
		n.disconnect(o, b)
		return fmt.Errorf("connect with the bridge: %w", err)
	}
	for _, link := range bridgeLinks() {
		if !slices.Contains(before, link) {
			n.Link = link
		}
	}
	if err := b.recordNetwork(n); err != nil {
		n.disconnect(o, b)
		return err
	}
	var lines strings.Builder
	for _, address := range n.Addresses {
		lines.WriteString(address + "\t" + strings.Join(p.Names, " ") + "\n")
	}
	if err := appendTo(b.file("hosts"), lines.String()); err != nil {
		n.disconnect(o, b)
		return err
	}
	return nil
}

// appendTo writes at the end of a file that the container sees already, if it does.
func appendTo(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// disconnect takes back what connect made of a bundle's container, if anything. The
// container is gone by then. What netavark cannot take back, because somebody else
// changed the rules of the firewall, is said and does not hold up the next start.
func disconnect(o options, b bundle) error {
	if _, err := os.Lstat(b.file("network.json")); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	unlock, err := lockBridge(o)
	if err != nil {
		return err
	}
	defer unlock()
	n, err := b.network()
	if errors.Is(err, os.ErrNotExist) {
		return nil // another start wanted its port meanwhile
	}
	if err != nil {
		warn(o.name, "%v, its rules of the firewall may be left", err)
		return nil
	}
	n.disconnect(o, b)
	if len(bridgeLinks()) > 0 {
		return nil
	}
	// The last one sees to those that ended and that nobody cleared, or will in a moment.
	others, err := connected(o)
	for name, other := range others {
		if !other.alive() {
			other.disconnect(o, bundleOf(o.root, name))
		}
	}
	return err
}

// disconnect needs the lock.
func (n network) disconnect(o options, b bundle) {
	removePlaceholder() // of one that was killed
	// The kernel takes the link away some time after the last process of the namespace,
	// and netavark keeps the bridge while it is there.
	if n.Link == 0 {
		waitForLinks(o)
	} else if slices.Contains(bridgeLinks(), n.Link) {
		if err := deleteLink(n.Link); err != nil && !errors.Is(err, unix.ENODEV) {
			warn(o.name, "remove link %d of the bridge: %v", n.Link, err)
		}
	}
	release := keepBridge(o, b)
	if err := n.teardown(b); err != nil {
		warn(o.name, "disconnect from the bridge: %v", err)
	}
	release()
	if len(bridgeLinks()) == 0 && !othersConnected(o, b) {
		removeBridge(o)
	}
	if err := os.Remove(b.file("network.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		warn(o.name, "%v", err)
	}
}

// othersConnected tells whether a container but this one has not been disconnected yet.
func othersConnected(o options, b bundle) bool {
	others, err := connected(options{root: o.root, name: filepath.Base(string(b))})
	return err != nil || len(others) > 0
}

// keepBridge holds a place on the bridge until all containers were disconnected: their
// links may go at any moment, and netavark would take the first of several that end for
// the last.
func keepBridge(o options, b bundle) (release func()) {
	if !othersConnected(o, b) {
		return func() {}
	}
	if err := makePlaceholder(); err != nil {
		warn(o.name, "keep the bridge: %v", err)
	}
	return removePlaceholder
}

// lockBridge waits for its turn. The lock is the kernel's and ends with this process.
func lockBridge(o options) (unlock func(), err error) {
	dir := filepath.Dir(string(bundleOf(o.root, "x")))
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Flock(fd, unix.LOCK_EX)
	}
	if err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: "lock", Path: dir, Err: err}
	}
	return func() { unix.Close(fd) }, nil
}

// connected are all connections but the service's own, by service, ended containers
// that nobody cleared included.
func connected(o options) (map[string]network, error) {
	files, err := filepath.Glob(bundleOf(o.root, "*").file("network.json"))
	if err != nil {
		return nil, err
	}
	all := make(map[string]network, len(files))
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		if n, err := bundleOf(o.root, name).network(); err == nil && name != o.name {
			all[name] = n
		}
	}
	return all, nil
}

func (b bundle) network() (n network, err error) {
	data, err := os.ReadFile(b.file("network.json"))
	if err == nil {
		err = json.Unmarshal(data, &n)
	}
	return n, err
}

func (b bundle) recordNetwork(n network) error { return b.writeJSON("network.json", n) }

// writeJSON replaces a document as a whole.
func (b bundle) writeJSON(name string, document any) error {
	data, err := json.Marshal(document)
	if err == nil {
		err = os.WriteFile(b.file("."+name), append(data, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(b.file("."+name), b.file(name))
	}
	return err
}

// alive tells whether the container still runs.
func (n network) alive() bool {
	ticks, ok := startTime(n.PID)
	return ok && ticks == n.Start
}

// chooseAddresses is IP= and IP6=, or for each subnet the address that the name of the
// service leads to, so that it stays the same, or the next that is free.
func chooseAddresses(o options, p *bridgePlan, others map[string]network) (addresses []string, err error) {
	taken := make(map[string]string)
	for name, n := range others {
		for _, address := range n.Addresses {
			taken[address] = name
		}
	}
	subnets, err := units.ParseSubnets(strings.Join(p.Subnets, " "))
	if err != nil {
		return nil, err
	}
	hash := fnv.New32a()
	hash.Write([]byte(o.name))
next:
	for _, n := range subnets {
		for _, fixed := range p.Fixed {
			if n.Number(fixed) == 0 {
				continue
			}
			if owner, is := taken[fixed]; is {
				if others[owner].alive() {
					return nil, fmt.Errorf("address %s is %s.service's", fixed, owner)
				}
				others[owner].evict(o, owner, others)
			}
			addresses = append(addresses, fixed)
			continue next
		}
		places := n.Hosts() - 1 // the first is the bridge's
		for i := range min(places, uint32(len(taken))+1) {
			address := n.At(2 + uint32((uint64(hash.Sum32())+uint64(i))%uint64(places)))
			if _, is := taken[address]; !is {
				addresses = append(addresses, address)
				continue next
			}
		}
		return nil, withHint(fmt.Errorf("no address is free in %v", n), "a larger Subnet= can be set in syscontainer.conf(5)")
	}
	return addresses, nil
}

// evict clears what an ended container left, where its place is needed: its own
// service may never start again.
func (n network) evict(o options, owner string, others map[string]network) {
	n.disconnect(o, bundleOf(o.root, owner))
	delete(others, owner)
}

// choosePorts refuses ports that another container has, or a program of the machine.
// Nothing keeps programs from opening them later: netavark leads packets past them.
func choosePorts(o options, p *bridgePlan, others map[string]network) error {
	six := slices.ContainsFunc(p.Subnets, func(n string) bool { return strings.Contains(n, ":") })
	for _, port := range p.Ports {
		for name, n := range others {
			if !slices.ContainsFunc(n.Ports, port.Overlaps) {
				continue
			}
			if n.alive() {
				return fmt.Errorf("PublishPort=%v: %s.service has published it already", port, name)
			}
			n.evict(o, name, others)
		}
		if number := busyPort(port, six); number != 0 {
			return withHint(fmt.Errorf("PublishPort=%v: a program of this machine has port %d open", port, number),
				"ss -lnp 'sport = :%d' shows it", number)
		}
	}
	return nil
}
