package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/units"
)

var update = flag.Bool("update", false, "write the golden files")

// need skips a test whose tool is absent, or fails it where all must be there.
func need(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("SYSCONTAINER_TEST_STRICT") == "1" {
		t.Fatal("needs " + what)
	}
	t.Skip("needs " + what)
}

// cases are the units below testdata, each with its image's configuration.
func cases(t testing.TB) []string {
	t.Helper()
	list, err := filepath.Glob("testdata/*.unit")
	if err != nil || len(list) == 0 {
		t.Fatal("no cases: ", err)
	}
	for i := range list {
		list[i] = strings.TrimSuffix(filepath.Base(list[i]), ".unit")
	}
	return list
}

func readCase(t testing.TB, name string) (*units.Container, *imageConfig) {
	t.Helper()
	c := readUnitFile(t, "testdata/"+name+".unit")
	data, err := os.ReadFile("testdata/" + name + ".image")
	if err != nil {
		t.Fatal(err)
	}
	image, err := parseImageConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	return c, image
}

func readUnitFile(t testing.TB, file string) *units.Container {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := units.ReadGenerated(f, strings.TrimSuffix(filepath.Base(file), ".unit")+".service", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// someHost is the same everywhere.
func someHost(name string) host {
	return host{
		Name: name, Rootfs: "/run/syscontainer/" + name + "/rootfs", Cgroup: "/system.slice/" + name + ".service",
		HostName: "machine.example", Capabilities: 1<<41 - 1, Arch: "amd64", NotifySocket: "/run/systemd/notify",
		ResolvConf: "/run/systemd/resolve/stub-resolv.conf", Hosts: "/etc/hosts",
		User:    user{UID: 1000, GID: 1001, Groups: []uint32{2000, 2001}, Home: "/home/app"},
		Sources: map[string]source{"/usr/share": {Dir: true}, "/usr/bin": {Dir: true}, "/usr/lib": {Dir: true}, "/run/render-test": {Dir: true}, "/dev/zero": {Device: "c", Major: 1, Minor: 5}},
		Scratch: map[string]scratch{"/run": {Mode: 0o755, Full: true}, "/tmp": {Mode: 0o1777}},
	}
}

// look gives what lookAround would find for a unit on that machine.
func look(t *testing.T, c *units.Container, h *host) {
	t.Helper()
	if c.Network == "none" { // nameFiles decides
		h.ResolvConf, h.Hosts = "", ""
	}
	if c.User == "root" {
		h.User = user{Home: "/root"}
	}
	if c.UserNSAuto > 0 { // chooseUsers does
		m := idRange{4000000000, uint64(c.UserNSAuto)}.maps()
		c.UIDMap, c.GIDMap = m.UID, m.GID
	}
	if c.Systemd { // lookSystemd does
		dir := "/run/syscontainer/" + h.Name
		h.Systemd = innerSystemd{"0123456789abcdef0123456789abcdef", dir + "/machine-id", syslogSocket, dir + "/journald.conf"}
	}
	if c.RunInit {
		h.Init = "/usr/bin/catatonit"
	}
	if c.Timezone != "" {
		h.Zone = "/usr/share/zoneinfo/Etc/UTC"
	}
	if len(c.AddHost) > 0 {
		h.Hosts, h.ResolvConf = "/run/syscontainer/"+h.Name+"/hosts", "/run/syscontainer/"+h.Name+"/resolv.conf"
	}
	h.Environ = []string{"LAYER=host", "LANG=C.UTF-8", "INVOCATION_ID=no", "PATH=/no", "WATCHDOG_PID=no"}
	if len(c.EnvironmentFiles) > 0 {
		h.EnvFiles = []string{"LAYER=file", "OWN=file"}
	}
	h.Globs = map[string][]string{"/etc/pass*": {"/etc/passwd", "/etc/passwd-"}}
	for _, d := range c.Devices {
		if !d.Optional {
			h.Devices = append(h.Devices, node{Source: d.Source, Target: d.Target, Kind: "c", Major: 1, Minor: 5, Mode: 0o666, Access: d.Access, Bound: d.Target == "/opt/full"})
		}
	}
	if filepath.IsAbs(c.SeccompProfile) {
		data, err := os.ReadFile("testdata/profile.seccomp")
		if err != nil {
			t.Fatal(err)
		}
		if h.Seccomp, err = parseProfile(data); err != nil {
			t.Fatal(err)
		}
		h.Kernel = "6.1.0-13-amd64"
	}
}

func TestSpecGolden(t *testing.T) {
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			c, image := readCase(t, name)
			h := someHost(name)
			look(t, c, &h)
			for _, name := range slices.Sorted(maps.Keys(image.Config.Volumes)) {
				if name != "/opt/scratch" {
					h.Volumes = append(h.Volumes, imageVolume{name, "/var/lib/volumes" + name})
				}
			}
			s, err := spec(c, image, h)
			if err != nil {
				t.Fatal(err)
			}
			document, err := encodeSpec(s)
			if err != nil {
				t.Fatal(err)
			}
			if _, s, err = patch(document, s, c.ConfigPatches); err != nil {
				t.Fatal(err)
			}
			checkSane(t, s)
			checkEncoding(t, s)
			if name != "plain" && name != "profile" {
				s.Linux.Seccomp = nil // long, and seccomp_test.go's business
			}
			got, err := json.MarshalIndent(s, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			golden := "testdata/" + name + ".json"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("differs from %s; after a change on purpose, run with -update and read the difference:\n%s", golden, got)
			}
		})
	}
}

// checkSane holds what is true of every container.
func checkSane(t *testing.T, s *rspec.Spec) {
	t.Helper()
	seen := map[string]bool{}
	for _, m := range s.Mounts {
		if seen[m.Destination] {
			t.Errorf("two mounts on %s", m.Destination)
		}
		for later := range seen {
			if strings.HasPrefix(later, m.Destination+"/") {
				t.Errorf("%s is mounted after %s and hides it", m.Destination, later)
			}
		}
		seen[m.Destination] = true
	}
	names := map[string]bool{}
	for _, v := range s.Process.Env {
		name, _, ok := strings.Cut(v, "=")
		if names[name] || !ok || name == "" {
			t.Errorf("environment: %q twice or malformed in %q", name, s.Process.Env)
		}
		names[name] = true
	}
	if s.Process.Terminal || s.Version != "1.0.2" {
		t.Error("a default is gone")
	}
	if s.Process.Capabilities == nil {
		t.Error("a protection is gone")
	}
	if !strings.HasPrefix(s.Linux.CgroupsPath, "/") {
		t.Errorf("cgroupsPath %q is relative: runtimes disagree on its meaning", s.Linux.CgroupsPath)
	}
}

// checkEncoding: the quick way to JSON loses nothing.
func checkEncoding(t *testing.T, s *rspec.Spec) {
	t.Helper()
	var values [2]any
	for i, encode := range []func() ([]byte, error){func() ([]byte, error) { return encodeSpec(s) }, func() ([]byte, error) { return json.Marshal(s) }} {
		data, err := encode()
		if err == nil {
			err = json.Unmarshal(data, &values[i])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(values[0], values[1]) {
		t.Errorf("%v\nis not\n%v", values[0], values[1])
	}
}

func TestEncodeWhatIsNotOurs(t *testing.T) {
	s := defaultSpec()
	s.Hooks = &rspec.Hooks{Poststop: []rspec.Hook{{Path: "/bin/true"}}}
	checkEncoding(t, s)
	s = defaultSpec()
	s.Linux.Resources.Pids = &rspec.LinuxPids{}
	checkEncoding(t, s)
	checkEncoding(t, &rspec.Spec{})
}

func TestCommand(t *testing.T) {
	for _, c := range []struct {
		name                                   string
		entrypoint, exec, imageEntry, imageCmd []string
		want                                   []string
	}{
		{"the image's", nil, nil, []string{"e"}, []string{"c"}, []string{"e", "c"}},
		{"Exec= replaces Cmd, not Entrypoint", nil, []string{"x"}, []string{"e"}, []string{"c"}, []string{"e", "x"}},
		{"a new Entrypoint= drops the image's Cmd", []string{"E"}, nil, []string{"e"}, []string{"c"}, []string{"E"}},
		{"both", []string{"E"}, []string{"x"}, []string{"e"}, []string{"c"}, []string{"E", "x"}},
		{"Entrypoint cleared", []string{}, []string{"x", "y"}, []string{"e"}, nil, []string{"x", "y"}},
		{"nothing", nil, nil, nil, nil, nil},
		{"everything cleared", []string{}, nil, []string{"e"}, []string{"c"}, nil},
		{"an empty word", nil, []string{""}, nil, nil, nil},
	} {
		image := &imageConfig{}
		image.Config.Entrypoint, image.Config.Cmd = c.imageEntry, c.imageCmd
		got, err := command(&units.Container{Entrypoint: c.entrypoint, Exec: c.exec}, image)
		if !reflect.DeepEqual(got, c.want) || (err != nil) != (c.want == nil) {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

func TestCapabilities(t *testing.T) {
	list := func(s string) []string { return strings.Fields(s) }
	for _, c := range []struct {
		add, drop      string
		available      uint64
		uid            uint32
		bounding, held string // held: effective, and ambient unless root
		err            string
	}{
		{"", "", 1 << 5, 0, "CAP_KILL", "CAP_KILL", ""},
		{"", "all", 1<<41 - 1, 0, "", "", ""},
		{"CAP_NET_RAW", "all", 1<<41 - 1, 0, "CAP_NET_RAW", "CAP_NET_RAW", ""},
		{"CAP_NET_RAW", "all", 1<<41 - 1, 7, "CAP_NET_RAW", "CAP_NET_RAW", ""},
		{"CAP_BPF CAP_BPF", "all", 1<<41 - 1, 7, "CAP_BPF", "CAP_BPF", ""},
		{"all", "CAP_SYS_ADMIN", 3, 0, "CAP_CHOWN CAP_DAC_OVERRIDE", "CAP_CHOWN CAP_DAC_OVERRIDE", ""},
		{"CAP_BPF", "all", 1<<39 - 1, 0, "", "", "lacks it"},
		{"CAP_BPF", "CAP_BPF", 1<<41 - 1, 0, "", "", "CAP_BPF stands in"},
		{"all", "all", 1<<41 - 1, 0, "", "", "contradict"},
		{"", strings.Join(defaultCapabilities[1:], " "), 1<<41 - 1, 0, "CAP_CHOWN", "CAP_CHOWN", ""},
		{"", strings.Join(defaultCapabilities[1:], " "), 1<<41 - 1, 7, "CAP_CHOWN", "", ""},
	} {
		got, err := capabilities(list(c.add), list(c.drop), c.available, c.uid)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("add %q, drop %q: error %v, want %q", c.add, c.drop, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("add %q, drop %q: %v", c.add, c.drop, err)
			continue
		}
		ambient := c.held
		if c.uid == 0 {
			ambient = ""
		}
		for _, set := range []struct {
			name string
			got  []string
			want string
		}{{"bounding", got.Bounding, c.bounding}, {"effective", got.Effective, c.held}, {"permitted", got.Permitted, c.held},
			{"ambient", got.Ambient, ambient}, {"inheritable", got.Inheritable, ambient}} {
			if !slices.Equal(set.got, list(set.want)) {
				t.Errorf("add %q, drop %q, uid %d: %s %q, want %q", c.add, c.drop, c.uid, set.name, set.got, set.want)
			}
		}
	}
}

func TestVolumeOptions(t *testing.T) {
	for _, c := range []struct{ options, want string }{
		{"", "rbind rprivate"},
		{"ro", "rbind rprivate ro"},
		{"ro,rw", "rbind rprivate"},
		{"bind,rshared,nodev", "bind rshared nodev"},
		{"mode=755", ""}, // runc 1.2 and later refuse it
	} {
		v := units.Volume{Source: "/a", Target: "/b"}
		if c.options != "" {
			v.Options = strings.Split(c.options, ",")
		}
		m, err := volume(v)
		if got := strings.Join(m.Options, " "); err == nil && got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%q: %q, %v, want %q", c.options, got, err, c.want)
		}
	}
	if _, err := volume(units.Volume{Source: "/a", Target: "/x/.."}); err == nil {
		t.Error("a volume over / is accepted")
	}
}

func TestHostName(t *testing.T) {
	for _, c := range []struct {
		c    units.Container
		name string
		want string
	}{
		{units.Container{HostName: "x", Network: "none"}, "web", "x"},
		{units.Container{Network: "host"}, "web", "machine"},
		{units.Container{Network: "none"}, `web@a_b:\x2d`, "web-a-b--x2d"},
		{units.Container{Network: "none"}, strings.Repeat("a", 100), strings.Repeat("a", 64)},
	} {
		if got, err := hostName(&c.c, host{Name: c.name, HostName: "machine"}); got != c.want || err != nil {
			t.Errorf("%+v: %q, %v, want %q", c.c, got, err, c.want)
		}
	}
}

// FuzzImageConfig: whatever an image's author writes becomes an error or a
// configuration that is still ours.
func FuzzImageConfig(f *testing.F) {
	for _, name := range cases(f) {
		data, err := os.ReadFile("testdata/" + name + ".image")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		image, err := parseImageConfig(data)
		if err != nil {
			return
		}
		s, err := spec(&units.Container{ReadOnly: true, Network: "host", NoNewPrivileges: true}, image, someHost("fuzz"))
		if err != nil {
			return
		}
		if !filepath.IsAbs(s.Process.Cwd) || !s.Root.Readonly || len(s.Process.Args) == 0 || len(s.Linux.MaskedPaths) == 0 ||
			len(s.Linux.ReadonlyPaths) == 0 || s.Linux.Seccomp == nil || !s.Process.NoNewPrivileges {
			t.Fatalf("%+v", s.Process)
		}
		checkSane(t, s)
	})
}
