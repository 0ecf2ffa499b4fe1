package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os/exec"
	"path/filepath"
	"strings"

	"syscontainer/units"
)

const (
	bridgeName    = "syscontainer0" // the interface on the machine
	insideName    = "eth0"          // the interface in the container
	networkName   = "syscontainer"
	networkID     = "87db72f139feca980f754cdf1c6da1316f46aa33b296eaff494678b572b4f8ea" // sha256 of the name, as podman has it
	netavarkPlace = "/usr/libexec/podman:/usr/lib/podman:/usr/local/libexec/podman:/usr/local/lib/podman"
)

// findNetavark looks where podman looks, then in $PATH.
func findNetavark() (string, error) {
	for _, dir := range filepath.SplitList(netavarkPlace) {
		if file, err := exec.LookPath(filepath.Join(dir, "netavark")); err == nil {
			return file, nil
		}
	}
	file, err := exec.LookPath("netavark")
	if err != nil {
		return "", exitStatus{withHint(errors.New("Network=bridge needs netavark, which is not installed"), "apt install netavark"), exitNotFound}
	}
	return file, nil
}

// netavarkOptions are what netavark reads from its standard input: the fields that
// versions from 1.0 on know. None may be missing that is not optional in the oldest.
type netavarkOptions struct {
	ContainerID   string                     `json:"container_id"`
	ContainerName string                     `json:"container_name"`
	Ports         []netavarkPort             `json:"port_mappings,omitempty"`
	Networks      map[string]netavarkUse     `json:"networks"`
	Info          map[string]netavarkNetwork `json:"network_info"`
}

type netavarkPort struct {
	HostIP        string `json:"host_ip"`
	ContainerPort uint16 `json:"container_port"`
	HostPort      uint16 `json:"host_port"`
	Range         uint16 `json:"range"`
	Protocol      string `json:"protocol"`
}

type netavarkUse struct {
	Interface string   `json:"interface_name"`
	Addresses []string `json:"static_ips"`
}

type netavarkNetwork struct {
	Name        string            `json:"name"`
	ID          string            `json:"id"`
	Driver      string            `json:"driver"`
	Interface   string            `json:"network_interface"`
	Created     string            `json:"created"`
	Subnets     []netavarkSubnet  `json:"subnets"`
	IPv6        bool              `json:"ipv6_enabled"`
	Internal    bool              `json:"internal"`
	DNS         bool              `json:"dns_enabled"` // never: its name server would stay
	IPAMOptions map[string]string `json:"ipam_options"`
}

type netavarkSubnet struct {
	Subnet  string `json:"subnet"`
	Gateway string `json:"gateway"`
}

// longestID leaves room in the comment of a rule, of which iptables takes 255 bytes.
const longestID = 128

// bridgeOptions are the same for all containers but in name, addresses and ports.
func bridgeOptions(name string, n network) netavarkOptions {
	info := netavarkNetwork{
		Name: networkName, ID: networkID, Driver: "bridge", Interface: bridgeName, Created: "2025-01-01T00:00:00Z",
		IPAMOptions: map[string]string{"driver": "host-local"},
	}
	for _, text := range n.Subnets {
		subnets, err := units.ParseSubnets(text)
		if err != nil {
			continue // they were read before
		}
		info.Subnets = append(info.Subnets, netavarkSubnet{Subnet: text, Gateway: subnets[0].At(1)})
		info.IPv6 = info.IPv6 || len(subnets[0].Base) == 16
	}
	id := containerID(name)
	if len(id) > longestID {
		hash := fnv.New64a()
		hash.Write([]byte(id))
		id = fmt.Sprintf("%s%016x", id[:longestID-16], hash.Sum64())
	}
	o := netavarkOptions{
		ContainerID: id, ContainerName: id,
		Networks: map[string]netavarkUse{networkName: {Interface: insideName, Addresses: n.Addresses}},
		Info:     map[string]netavarkNetwork{networkName: info},
	}
	for _, p := range n.Ports {
		o.Ports = append(o.Ports, netavarkPort{p.Address, p.Container, p.Host, p.Count, p.Protocol})
	}
	return o
}

// netavark runs one of its commands. What newer ones note goes into the bundle.
func netavark(b bundle, command, namespace string, o netavarkOptions) error {
	program, err := findNetavark()
	if err != nil {
		return err
	}
	input, err := json.Marshal(o)
	if err != nil {
		return err
	}
	cmd := exec.Command(program, "--config", b.file("netavark"), command, namespace)
	cmd.Env = helperEnvironment()
	cmd.Stdin = bytes.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err = cmd.Run(); err == nil {
		return nil
	}
	var said struct{ Error string }
	if json.Unmarshal(stdout.Bytes(), &said) == nil && said.Error != "" {
		err = errors.New(said.Error)
	} else if text := strings.TrimSpace(stderr.String()); text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return fmt.Errorf("netavark %s: %w", command, err)
}

// teardown undoes setup. netavark wants a namespace with the interface in it, and the
// container's is gone: it gets a new one.
func (n network) teardown(b bundle) error {
	namespace, release, err := freshNamespace()
	if err != nil {
		return err
	}
	defer release()
	return netavark(b, "teardown", namespace, n.Options)
}
