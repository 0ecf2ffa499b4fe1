package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/units"
)

// spaces are the namespaces that a unit chooses, with their names in /proc/PID/ns.
func spaces(c *units.Container) []struct {
	key, value string
	kind       rspec.LinuxNamespaceType
	file       string
} {
	return []struct {
		key, value string
		kind       rspec.LinuxNamespaceType
		file       string
	}{
		{"PID", c.PID, rspec.PIDNamespace, "pid"},
		{"IPC", c.IPC, rspec.IPCNamespace, "ipc"},
		{"UTS", c.UTS, rspec.UTSNamespace, "uts"},
		{"Cgroup", c.Cgroup, rspec.CgroupNamespace, "cgroup"},
		{"Network", c.Network, rspec.NetworkNamespace, "net"},
	}
}

// namespaces are those the container gets or joins; what is left out is the machine's.
func namespaces(c *units.Container, h host) ([]rspec.LinuxNamespace, error) {
	list := []rspec.LinuxNamespace{{Type: rspec.MountNamespace}}
	for _, s := range spaces(c) {
		kind, name, _ := strings.Cut(s.value, ":")
		switch {
		case s.value == "host" || s.value == "" && s.key == "Network":
		case s.value == "private" || s.value == "none" || s.value == "bridge" || s.value == "":
			list = append(list, rspec.LinuxNamespace{Type: s.kind})
		case kind == "ns":
			list = append(list, rspec.LinuxNamespace{Type: s.kind, Path: path.Clean(name)})
		case kind == "container":
			pid, ok := h.Peers[name]
			if !ok {
				return nil, fmt.Errorf("%s=%s: no process of %s.service is known", s.key, s.value, name)
			}
			list = append(list, rspec.LinuxNamespace{Type: s.kind, Path: "/proc/" + strconv.Itoa(pid) + "/ns/" + s.file})
		default:
			return nil, fmt.Errorf("%s=%s is no namespace", s.key, s.value)
		}
	}
	if mapsIDs(c) {
		list = append(list, rspec.LinuxNamespace{Type: rspec.UserNamespace})
	}
	return list, nil
}

// ownUTS tells whether the container has a host name to set.
func ownUTS(c *units.Container) bool { return c.UTS == "" || c.UTS == "private" }

// hostName is what the payload is told to be called: set where it has a name of its
// own, else only said. "" if nobody knows.
func hostName(c *units.Container, h host) (string, error) {
	if c.HostName != "" {
		if !ownUTS(c) {
			return "", withHint(fmt.Errorf("HostName=%s: with UTS=%s the host name is not the container's to set", c.HostName, c.UTS),
				"leave one of them out")
		}
		return c.HostName, nil
	}
	if !ownUTS(c) && c.UTS != "host" {
		return "", nil // whatever it is called there
	}
	return defaultHostName(c, h), nil
}

// defaultHostName follows podman: the machine's name goes with its network. A
// container without it is called like its unit.
func defaultHostName(c *units.Container, h host) string {
	if (c.Network == "host" || c.Network == "" || !ownUTS(c)) && h.HostName != "" {
		return h.HostName
	}
	name := []byte(h.Name)
	for i, b := range name {
		if !(b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '.' || b == '-') {
			name[i] = '-'
		}
	}
	return string(name[:min(len(name), 64)]) // HOST_NAME_MAX
}

// lookPeers finds the processes of the containers whose namespaces this one joins,
// and sees to it that namespace files are there.
func lookPeers(c *units.Container, h *host) error {
	for _, s := range spaces(c) {
		kind, name, _ := strings.Cut(s.value, ":")
		switch kind {
		case "ns":
			if _, err := os.Stat(name); err != nil {
				return fmt.Errorf("%s=%s: %w", s.key, s.value, cause(err))
			}
		case "container":
			if _, known := h.Peers[name]; known {
				continue
			}
			pid, err := peer(name)
			if err != nil {
				return withHint(fmt.Errorf("%s= joins the container of %s.service: %w", s.key, name, err), "systemctl start %s.service", name)
			}
			if h.Peers == nil {
				h.Peers = make(map[string]int)
			}
			h.Peers[name] = pid
		}
	}
	return nil
}

// peer is the payload's process of a service, alive and in that service's cgroup: a
// number in a stale file may be anybody's.
func peer(service string) (int, error) {
	if !validName(service) {
		return 0, fmt.Errorf("%q is no unit name", service)
	}
	pid, err := bundleOf("", service).pid()
	if errors.Is(err, os.ErrNotExist) {
		return 0, errors.New("it is not running")
	}
	if err != nil {
		return 0, err
	}
	if _, alive := startTime(pid); !alive {
		return 0, fmt.Errorf("its process %d has ended", pid)
	}
	where, err := cgroupOf(strconv.Itoa(pid))
	if err != nil {
		return 0, err
	}
	if !strings.Contains(where+"/", "/"+service+".service/") && !strings.Contains(where+"/", "/_"+service+".service/") {
		return 0, fmt.Errorf("process %d is not its own", pid)
	}
	return pid, nil
}
