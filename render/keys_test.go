package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"syscontainer/units"
)

// base is a container of which nothing is said.
func base() *units.Container {
	return &units.Container{ReadOnly: true, ReadOnlyTmpfs: true, ShmSize: 64 << 20, NoNewPrivileges: true,
		Network: "host", PID: "private", IPC: "private", Cgroup: "private"}
}

func specOf(t *testing.T, c *units.Container, h host) *rspec.Spec {
	t.Helper()
	image := &imageConfig{}
	image.Config.Cmd = []string{"/bin/sh"}
	s, err := spec(c, image, h)
	if err != nil {
		t.Fatal(err)
	}
	checkSane(t, s)
	return s
}

func TestMasks(t *testing.T) {
	for _, c := range []struct {
		mask, unmask       string
		hidden, plain      string // among maskedPaths, not among them
		readonly, writable string
	}{
		{"", "", "/proc/kcore /sys/firmware", "", "/proc/sys", ""},
		{"/srv/x", "", "/proc/kcore /srv/x", "", "/proc/sys", ""},
		{"", "/proc/kcore", "/proc/keys", "/proc/kcore", "/proc/sys", ""},
		{"", "/proc/*", "/sys/firmware", "/proc/kcore /proc/keys", "", "/proc/sys /proc/bus"},
		{"/proc/kcore", "ALL", "/proc/kcore", "/proc/keys /sys/firmware", "", "/proc/sys"},
		{"", "all", "", "/proc/keys", "", "/proc/sys"},
		{"", "/proc", "/proc/keys", "", "/proc/sys", ""},   // a pattern is no prefix
		{"", "/proc/[", "/proc/keys", "", "/proc/sys", ""}, // and may be none
	} {
		masked, readonly := masks(&units.Container{Mask: strings.Fields(c.mask), Unmask: strings.Fields(c.unmask)})
		for _, check := range []struct {
			list  []string
			words string
			want  bool
		}{{masked, c.hidden, true}, {masked, c.plain, false}, {readonly, c.readonly, true}, {readonly, c.writable, false}} {
			for _, p := range strings.Fields(check.words) {
				if slices.Contains(check.list, p) != check.want {
					t.Errorf("Mask=%s Unmask=%s: %s in %q: want %v", c.mask, c.unmask, p, check.list, check.want)
				}
			}
		}
	}
}

func TestLabels(t *testing.T) {
	for _, c := range []struct {
		selinux        units.SELinux
		process, mount string
	}{
		{units.SELinux{}, "system_u:system_r:container_t:s0", "system_u:object_r:container_file_t:s0"},
		{units.SELinux{Type: "my_t", Level: "s0:c1,c2", FileType: "my_file_t"}, "system_u:system_r:my_t:s0:c1,c2", "system_u:object_r:my_file_t:s0:c1,c2"},
		{units.SELinux{Disable: true}, "system_u:system_r:spc_t:s0", "system_u:object_r:container_file_t:s0"},
	} {
		unit := base()
		unit.SELinux = c.selinux
		h := someHost("web")
		if s := specOf(t, unit, h); s.Process.SelinuxLabel != "" || s.Linux.MountLabel != "" {
			t.Errorf("%+v: labels without SELinux", c.selinux)
		}
		h.SELinux = true
		s := specOf(t, unit, h)
		if s.Process.SelinuxLabel != c.process || s.Linux.MountLabel != c.mount {
			t.Errorf("%+v: %s, %s", c.selinux, s.Process.SelinuxLabel, s.Linux.MountLabel)
		}
	}
	nested := base()
	nested.SELinux.Nested = true
	if slices.Contains(specOf(t, nested, someHost("web")).Linux.MaskedPaths, selinuxDir) {
		t.Error("SecurityLabelNested= leaves SELinux hidden")
	}
}

func TestAppArmor(t *testing.T) {
	for _, c := range []struct {
		said    string
		on      bool
		profile string
		err     string
	}{
		{"", true, "", ""},
		{"mine", true, "mine", ""},
		{"unconfined", true, "unconfined", ""},
		{"unconfined", false, "", ""},
		{"mine", false, "", "AppArmor=mine: this kernel does not confine"},
	} {
		got, err := appArmorProfile(&units.Container{AppArmor: c.said}, host{AppArmor: c.on})
		if got != c.profile || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q, %v: %q, %v", c.said, c.on, got, err)
		}
	}
}

func TestNamespaces(t *testing.T) {
	all := "mount pid ipc uts cgroup"
	for _, c := range []struct {
		change func(*units.Container)
		want   string
		err    string
	}{
		{func(c *units.Container) {}, all, ""},
		{func(c *units.Container) { c.Network = "none" }, all + " network", ""},
		{func(c *units.Container) { c.PID, c.IPC, c.UTS, c.Cgroup = "host", "host", "host", "host" }, "mount", ""},
		{func(c *units.Container) { c.Network = "ns:/run/netns/../netns/blue" }, all + " network=/run/netns/blue", ""},
		{func(c *units.Container) { c.Network, c.IPC = "container:db", "container:db" }, "mount pid ipc=/proc/77/ns/ipc uts cgroup network=/proc/77/ns/net", ""},
		{func(c *units.Container) { c.PID = "container:web" }, "", "PID=container:web"},
		{func(c *units.Container) { c.UIDMap = []units.IDMap{{Container: 0, Host: 1, Size: 2}} }, all + " user", ""},
		{func(c *units.Container) { c.HostName, c.UTS = "x", "host" }, "", "HostName=x"},
		{func(c *units.Container) { c.HostName, c.UTS = "x", "container:db" }, "", "HostName=x"},
	} {
		unit := base()
		c.change(unit)
		h := someHost("web")
		h.Peers = map[string]int{"db": 77}
		image := &imageConfig{}
		image.Config.Cmd = []string{"/bin/sh"}
		s, err := spec(unit, image, h)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%+v: %v, want %q", unit, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		var got []string
		for _, n := range s.Linux.Namespaces {
			word := string(n.Type)
			if n.Path != "" {
				word += "=" + n.Path
			}
			got = append(got, word)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
		if (s.Hostname == "") != !ownUTS(unit) {
			t.Errorf("host name %q with UTS=%s", s.Hostname, unit.UTS)
		}
	}
}

// A peer that does not run, or whose number is somebody else's by now, is none.
func TestPeerIsNotAnybody(t *testing.T) {
	for _, name := range []string{"render-test-nobody", "../x", ""} {
		if pid, err := peer(name); err == nil {
			t.Errorf("%q: process %d", name, pid)
		}
	}
	c := base()
	c.Network = "container:render-test-nobody"
	err := lookPeers(c, &host{})
	if err == nil || !strings.Contains(err.Error(), "it is not running\nhint: systemctl start render-test-nobody.service") {
		t.Error(err)
	}
}

// The last of Volume=, Mount= and Tmpfs= for a place counts, and all of them before ours.
func TestMountOrder(t *testing.T) {
	c := base()
	c.Volumes = []units.Volume{{Source: "/a", Target: "/tmp"}, {Source: "/b", Target: "/tmp"}, {Source: "/c", Target: "/x"}, {Source: "/c", Target: "/y"}}
	c.Mounts = []units.Mount{{Type: "bind", Source: "/d", Target: "/x"}, {Type: "bind", Source: "/e", Target: "/y"}}
	c.Tmpfs = []units.Tmpfs{{Target: "/y"}}
	got := map[string]string{}
	for _, m := range specOf(t, c, someHost("web")).Mounts {
		got[m.Destination] = m.Source
	}
	for target, want := range map[string]string{"/tmp": "/b", "/x": "/d", "/y": "tmpfs", "/run": "tmpfs"} {
		if got[target] != want {
			t.Errorf("%s: %q, want %q", target, got[target], want)
		}
	}
}

func TestScratchOnlyWhenAskedFor(t *testing.T) {
	for _, c := range []struct{ readOnly, scratch, overlay, want bool }{{true, true, false, true}, {true, false, false, false}, {false, true, false, false}, {true, true, true, true}} {
		unit := base()
		unit.ReadOnly, unit.ReadOnlyTmpfs, unit.RootfsOverlay = c.readOnly, c.scratch, c.overlay
		s := specOf(t, unit, someHost("web"))
		if got := slices.ContainsFunc(s.Mounts, func(m rspec.Mount) bool { return m.Destination == "/var/tmp" }); got != c.want {
			t.Errorf("%+v: /var/tmp mounted: %v", c, got)
		}
		if s.Root.Readonly != (c.readOnly && !c.overlay) {
			t.Errorf("%+v: read-only: %v", c, s.Root.Readonly)
		}
	}
}

// What JSON cannot hold must not become something else.
func TestOnlyText(t *testing.T) {
	for _, c := range []struct {
		change func(*units.Container)
		err    string
	}{
		{func(c *units.Container) { c.Exec = []string{"caf\xe9"} }, `argument "caf\xe9" is not UTF-8`},
		{func(c *units.Container) { c.Environment = []string{"A=\xff"} }, `variable "A=\xff" is not UTF-8`},
		{func(c *units.Container) { c.Volumes = []units.Volume{{Source: "/\xff", Target: "/a"}} }, `path "/\xff"`},
	} {
		unit := base()
		unit.Exec = []string{"café"}
		c.change(unit)
		if _, err := spec(unit, &imageConfig{}, someHost("web")); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v, want %q", err, c.err)
		}
	}
}

func TestShmSize(t *testing.T) {
	for bytes, want := range map[int64]string{0: "size=0k", 64 << 20: "size=65536k", 1: "size=1", 1000: "size=1000"} {
		if got := shmSize(bytes); got != want {
			t.Errorf("%d: %s, want %s", bytes, got, want)
		}
	}
}

func TestPropagation(t *testing.T) {
	for _, c := range []struct{ said, volume, mount, want string }{
		{"", "", "", ""}, {"", "rslave", "", "rslave"}, {"", "rslave", "shared", "rshared"}, {"", "rshared", "slave", "rshared"},
		{"private", "rshared", "", "private"}, {"shared", "", "", "shared"},
	} {
		got := propagation(&units.Container{Propagation: c.said, Volumes: []units.Volume{{Options: []string{c.volume}}}, Mounts: []units.Mount{{Options: []string{c.mount}}}})
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestDevices(t *testing.T) {
	dir := t.TempDir()
	for _, link := range [][2]string{{"/dev/null", "null"}, {"nowhere", "dangling"}} {
		if err := os.Symlink(link[0], filepath.Join(dir, link[1])); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		devices []units.Device
		want    string // Target Kind Access …
		err     string
	}{
		{[]units.Device{{Source: filepath.Join(dir, "null"), Target: "/dev/x", Access: "rw"}}, "/dev/x c rw", ""},
		{[]units.Device{{Source: "/dev/null", Target: "/dev/x", Access: "r"}, {Source: "/dev/zero", Target: "/dev/x", Access: "w"}}, "/dev/x c w", ""},
		{[]units.Device{{Source: "/dev/no", Target: "/dev/no", Optional: true}}, "", ""},
		{[]units.Device{{Source: "/dev/no", Target: "/dev/no"}}, "", "AddDevice=/dev/no: there is no such device\nhint: AddDevice=-/dev/no"},
		{[]units.Device{{Source: filepath.Join(dir, "dangling"), Target: "/dev/x"}}, "", "no such device"},
		{[]units.Device{{Source: dir, Target: "/dev/x"}}, "", "there is no device below it"},
		{[]units.Device{{Source: "/etc/passwd", Target: "/dev/x"}}, "", "AddDevice=/etc/passwd: no device node"},
	} {
		unit := base()
		unit.Devices = c.devices
		h := someHost("web")
		err := lookDevices(unit, &h)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%+v: %v, want %q", c.devices, err, c.err)
			}
			continue
		}
		var got []string
		for _, n := range h.Devices {
			got = append(got, n.Target+" "+n.Kind+" "+n.Access)
		}
		if err != nil || strings.Join(got, ", ") != c.want {
			t.Errorf("%+v: %q, %v", c.devices, got, err)
		}
		s := specOf(t, unit, h)
		if len(s.Linux.Devices) != len(got) || len(s.Linux.Resources.Devices) != 1+len(got) {
			t.Errorf("%+v: %+v", c.devices, s.Linux.Resources.Devices)
		}
	}
	// A directory is all below it, by their paths there.
	unit, h := base(), someHost("web")
	unit.Devices = []units.Device{{Source: "/dev", Target: "/dev/host", Access: "r"}}
	if err := lookDevices(unit, &h); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(h.Devices, func(n node) bool {
		return n.Target == "/dev/host/zero" && n.Major == 1 && n.Minor == 5 && n.Mode == 0o666
	}) {
		t.Errorf("%+v", h.Devices)
	}
}

func TestUlimits(t *testing.T) {
	got := rlimits(&units.Container{Ulimits: []units.Ulimit{{Name: "RLIMIT_CORE", Soft: 1, Hard: 2}, {Name: "RLIMIT_NPROC", Hard: 1<<64 - 1}, {Name: "RLIMIT_CORE", Soft: 3, Hard: 4}}})
	want := []rspec.POSIXRlimit{{Type: "RLIMIT_NPROC", Hard: 1<<64 - 1}, {Type: "RLIMIT_CORE", Soft: 3, Hard: 4}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestHostEnvironment(t *testing.T) {
	environ := []string{"A=1", "PATH=/x", "INVOCATION_ID=x", "LISTEN_FDS=1", "LISTENER=1", "http_proxy=p", "NO_PROXY=q", "HOME=/root", "MEMORY_PRESSURE_WATCH=x", "broken"}
	for _, c := range []struct {
		host, proxy bool
		want        string
	}{{false, false, ""}, {true, false, "A=1 LISTENER=1 http_proxy=p NO_PROXY=q"}, {false, true, "http_proxy=p NO_PROXY=q"}, {true, true, "A=1 LISTENER=1 http_proxy=p NO_PROXY=q"}} {
		if got := strings.Join(hostEnvironment(&units.Container{EnvironmentHost: c.host, HTTPProxy: c.proxy}, environ), " "); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestEnvironmentFile(t *testing.T) {
	environ := []string{"OWN=1", "OWNER=2", "OTHER=3"}
	for _, c := range []struct{ text, want, err string }{
		{"A=1\nB=2", "A=1|B=2", ""},
		{"\ufeff# comment\n\n  A= b # no comment \nB=\"q\" \r\n", `A= b # no comment |B="q" `, ""},
		{"A=a\\\nB=$A\n", `A=a\|B=$A`, ""},
		{"OWN\nMISSING\n", "OWN=1", ""},
		{"OWN*\n", "OWN=1|OWNER=2", ""},
		{"A=\n", "A=", ""},
		{"A=1\nB C=2\n", "", `/x.env:2: variable "B C" contains white space`},
		{"A =1\n", "", `:1: variable "A " contains white space`},
		{"\n=1\n", "", `:2: "=1" names no variable`},
		{"A=\x00", "", ":1: NUL byte"},
	} {
		env, err := environmentFile("/x.env", []byte(c.text), environ)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: %v, want %q", c.text, err, c.err)
			}
			continue
		}
		if got := strings.Join(env, "|"); err != nil || got != c.want {
			t.Errorf("%q: %q, %v, want %q", c.text, got, err, c.want)
		}
	}
	absent := units.EnvironmentFile{Path: "/render/test/absent"}
	c := base()
	c.EnvironmentFiles = []units.EnvironmentFile{absent}
	if err := lookEnvironmentFiles(c, &host{}); err == nil || !strings.Contains(err.Error(), "EnvironmentFile=/render/test/absent: no such file or directory\nhint: EnvironmentFile=-/render") {
		t.Error(err)
	}
	c.EnvironmentFiles[0].Optional = true
	if err := lookEnvironmentFiles(c, &host{}); err != nil {
		t.Error(err)
	}
	c.EnvironmentFiles[0].Path = "/dev/zero" // would never end
	if err := lookEnvironmentFiles(c, &host{}); err == nil {
		t.Error("a device is accepted")
	}
}

func FuzzEnvironmentFile(f *testing.F) {
	for _, text := range []string{"A=1\n#x\nB", "\xef\xbb\xbfA=\n", "A*", "\r\n=", "A B=1"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		env, err := environmentFile("x", data, []string{"A=1", "AB=2"})
		if err != nil {
			return
		}
		for _, v := range env {
			if name, _, ok := strings.Cut(v, "="); !ok || name == "" || strings.ContainsAny(v, "\x00\n") || strings.ContainsAny(name, " \t") {
				t.Fatalf("%q of %q", v, data)
			}
		}
	})
}

func TestNameFiles(t *testing.T) {
	own := "# by the machine\nnameserver 192.0.2.53\nsearch lan\noptions edns0 trust-ad"
	for _, c := range []struct{ dns, search, options, want string }{
		{"192.0.2.1 2001:db8::1", "", "", "# by the machine\nsearch lan\noptions edns0 trust-ad\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n"},
		{"", "example.com a.example.com", "", "# by the machine\nnameserver 192.0.2.53\noptions edns0 trust-ad\nsearch example.com a.example.com\n"},
		{"", ".", "ndots:2", "# by the machine\nnameserver 192.0.2.53\noptions ndots:2\n"},
	} {
		got := resolvText(own, &units.Container{DNS: strings.Fields(c.dns), DNSSearch: strings.Fields(c.search), DNSOption: strings.Fields(c.options)})
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if got := hostsText("127.0.0.1 localhost", []units.Host{{Names: []string{"a", "b"}, Address: "::1"}}); got != "127.0.0.1 localhost\n::1\ta b\n" {
		t.Errorf("%q", got)
	}

	machine := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(machine, []byte("machine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change        func(*units.Container)
		hosts, resolv string // content; "machine": its own, "-": nothing is mounted
	}{
		{func(c *units.Container) {}, "machine\n", "machine\n"},
		{func(c *units.Container) { c.Network = "none" }, "-", "-"},
		{func(c *units.Container) { c.Network = "ns:/run/netns/x" }, "machine\n", "machine\n"},
		{func(c *units.Container) { c.DNS = []string{"none"} }, "machine\n", "-"},
		{func(c *units.Container) {
			c.Network, c.AddHost = "none", []units.Host{{Names: []string{"me"}, Address: "127.0.0.1"}}
		}, "127.0.0.1\tme\n", "-"},
		{func(c *units.Container) { c.DNS = []string{"192.0.2.1"} }, "machine\n", "machine\nnameserver 192.0.2.1\n"},
	} {
		unit, h := base(), host{Hosts: machine, ResolvConf: machine}
		c.change(unit)
		if err := nameFiles(bundle(t.TempDir()), unit, &h); err != nil {
			t.Fatal(err)
		}
		for _, f := range []struct{ name, want string }{{h.Hosts, c.hosts}, {h.ResolvConf, c.resolv}} {
			text := []byte("-")
			if f.name != "" {
				text, _ = os.ReadFile(f.name)
			}
			if string(text) != f.want {
				t.Errorf("%+v: %s: %q, want %q", unit, f.name, text, f.want)
			}
		}
	}
}

func TestTimezone(t *testing.T) {
	var h host
	err := lookZone(&units.Container{Timezone: "Mars/Olympus"}, &h)
	if err == nil || !strings.HasPrefix(err.Error(), "Timezone=Mars/Olympus: this machine has no file for it\nhint: ") {
		t.Error(err)
	}
}

func TestSignalNumber(t *testing.T) {
	for name, want := range map[string]unix.Signal{"SIGHUP": 1, "HUP": 1, "USR1": 10, "12": 12, "SIGRTMIN": 34, "SIGRTMIN+3": 37, "RTMAX-1": 63,
		"SIGRTMIN+31": 0, "SIGRTMIN-1": 0, "RTMAX+1": 0, "SIGNO": 0, "0": 0, "65": 0, "-1": 0, "": 0} {
		got, err := signalNumber(name)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v, want %d", name, got, err, want)
		}
	}
}

func TestTmpfilesLines(t *testing.T) {
	c := &units.Container{
		Tmpfiles: []string{"d /var/lib/named 0700 - - -"},
		Volumes: []units.Volume{{Source: "/var/lib/a"}, {Source: "/var/lib/named"}, {Source: "/var/lib/a"}, {Source: "/srv/a"}, {Source: "/run/x.sock"},
			{Source: "/run/systemd/x"}, {Source: "/var/lib/there"}, {Source: "/var/100%/a \"b\\"}},
		Mounts: []units.Mount{{Type: "bind", Source: "/run/m"}, {Type: "glob", Source: "/run/g*"}},
	}
	missing := func(name string) bool { return name != "/var/lib/there" }
	got := tmpfilesLines(c, user{}, missing)
	want := []string{"d /var/lib/named 0700 - - -", "d /var/lib/a 0755 - - -", `d "/var/100%%/a \"b\\" 0755 - - -`, "d /run/m 0755 - - -"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	c = &units.Container{Volumes: []units.Volume{{Source: "/var/lib/a"}}}
	if got := tmpfilesLines(c, user{UID: 1000, GID: 50}, missing); !slices.Equal(got, []string{"d /var/lib/a 0755 1000 50 -"}) {
		t.Errorf("%q", got)
	}
	c.UIDMap, c.GIDMap = []units.IDMap{{Host: 200000, Size: 65536}}, []units.IDMap{{Host: 300000, Size: 65536}}
	if got := tmpfilesLines(c, user{UID: 1000, GID: 50}, missing); !slices.Equal(got, []string{"d /var/lib/a 0755 201000 300050 -"}) {
		t.Errorf("%q", got)
	}
	if got := tmpfilesLines(c, user{}, missing); !slices.Equal(got, []string{"d /var/lib/a 0755 200000 300000 -"}) {
		t.Errorf("the root of a user namespace: %q", got)
	}
	c.Volumes[0].Options = []string{"idmap"} // whose owners are the container's already
	if got := tmpfilesLines(c, user{UID: 1000, GID: 50}, missing); !slices.Equal(got, []string{"d /var/lib/a 0755 1000 50 -"}) {
		t.Errorf("idmap: %q", got)
	}
	if got := tmpfilesLines(c, user{}, func(string) bool { return false }); got != nil {
		t.Errorf("nothing missing: %q", got)
	}
}

func TestGroups(t *testing.T) {
	tree := plant(t, "etc/")
	if err := os.WriteFile(filepath.Join(tree.name, "etc/group"), []byte("wheel:x:10:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	u, err := lookupUser(tree, "5:6", []string{"wheel", "4000", "10"})
	if err != nil || !slices.Equal(u.Groups, []uint32{10, 4000}) {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := lookupUser(tree, "", []string{"nobody"}); err == nil || !strings.Contains(err.Error(), "GroupAdd=nobody") {
		t.Error(err)
	}
}

func TestIsStatic(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]bool{self: true, "/bin/bash": false, "/etc/passwd": false, "/no/such": false, "/dev/null": false} {
		if got := isStatic(file); got != want {
			t.Errorf("%s: %v", file, got)
		}
	}
}
