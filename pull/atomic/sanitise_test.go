package atomic

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	machines "syscontainer/test/host"
	"syscontainer/test/vm"
)

// kernel is a machine that knows few capabilities.
var kernel = Machine{Capabilities: []string{"CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"}}

// old is a configuration with something wrong in it, what is told of that, and a part of the result that shows it mended.
// Each result is also run by real runtimes.
var old = []struct {
	name, process, linux, rest string
	changes                    string
	want                       string
}{
	{"nothing", `"capabilities": {}`, ``, ``, "", `"capabilities":{}`},
	{"version 0.3", `"capabilities": {}`, ``, `"ociVersion": "0.3.0"`, `ociVersion: "0.3.0" becomes "1.0.2"`, `"ociVersion":"1.0.2"`},
	{"version 1.2", `"capabilities": {}`, ``, `"ociVersion": "1.2.0"`, "", `"ociVersion":"1.0.2"`},
	{"no capabilities", ``, ``, ``, "process.capabilities are missing, which is none", `"capabilities":{}`},
	{"capabilities below linux", ``, `"capabilities": ["CAP_KILL"]`, ``,
		"linux.capabilities moves to process.capabilities\nprocess.capabilities: a list becomes sets",
		`"capabilities":{"bounding":["CAP_KILL"],"effective":["CAP_KILL"],"permitted":["CAP_KILL"]}`},
	{"capabilities at both places", `"capabilities": {"bounding": ["CAP_CHOWN"]}`, `"capabilities": ["CAP_KILL"]`, ``, "",
		`"capabilities":{"bounding":["CAP_CHOWN"]}`},
	{"capabilities as a list for a user", `"user": {"uid": 7, "gid": 7}, "capabilities": ["CAP_KILL"]`, ``, ``,
		"process.capabilities: a list becomes sets",
		`"capabilities":{"bounding":["CAP_KILL"],"effective":["CAP_KILL"],"inheritable":["CAP_KILL"],"permitted":["CAP_KILL"],"ambient":["CAP_KILL"]}`},
	{"capabilities in other forms", `"capabilities": {"bounding": ["cap_kill", "chown", "CAP_FUTURE", "CAP_KILL"]}`, ``, ``,
		"process.capabilities.bounding: cap_kill becomes CAP_KILL\nprocess.capabilities.bounding: chown becomes CAP_CHOWN\n" +
			"process.capabilities.bounding: without CAP_FUTURE, which this kernel does not know",
		`"capabilities":{"bounding":["CAP_KILL","CAP_CHOWN"]}`},
	{"ambient alone", `"capabilities": {"bounding": ["CAP_KILL"], "ambient": ["CAP_KILL"]}`, ``, ``,
		"process.capabilities.ambient: without CAP_KILL, which is not inheritable and permitted", `"capabilities":{"bounding":["CAP_KILL"]}`},
	{"ambient", `"capabilities": {"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]}`, ``, ``, "",
		`"ambient":["CAP_KILL"]`},
	{"rlimits below linux", `"capabilities": {}`, `"rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1000, "soft": 900}]`, ``,
		"linux.rlimits moves to process.rlimits", `"rlimits":[{"type":"RLIMIT_NOFILE","hard":1000,"soft":900}]`},
	{"labels", `"capabilities": {}, "selinuxLabel": "a:b:c:s0"`, `"mountLabel": "a:b:c:s0", "selinuxProcessLabel": "x:y:z:s0"`, ``,
		"process.selinuxLabel goes: there is no SELinux\nlinux.mountLabel goes: there is no SELinux", `"cwd":"/"`},
	{"empty seccomp", `"capabilities": {}`, `"seccomp": {"defaultAction": "", "syscalls": []}`, ``, "linux.seccomp is empty and goes", `"linux":{"namespaces"`},
	{"seccomp with a listener", `"capabilities": {}`, `"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/x", "listenerMetadata": "x"}`, ``,
		"linux.seccomp.listenerPath goes: the runtime would talk to a program of the machine", `"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}`},
	{"annotations", `"capabilities": {}`, ``, `"annotations": {"a": "b", "run.oci.handler": "x", "org.systemd.property.User": "'x'"}`,
		"annotation org.systemd.property.User goes: the runtime would obey it\nannotation run.oci.handler goes: the runtime would obey it", `"annotations":{"a":"b"}`},
	{"bind with mode", `"capabilities": {}`, ``, `"mounts": [{"type": "bind", "source": "/srv", "destination": "/mnt", "options": ["rbind", "rw", "mode=755", "defaults"]}]`,
		"mount /mnt: without the option mode=755, which a bind mount has not\nmount /mnt: without the option defaults, which a bind mount has not",
		`{"destination":"/mnt","type":"bind","source":"/srv","options":["rbind","rw"]}`},
	{"bind by type", `"capabilities": {}`, ``, `"mounts": [{"type": "bind", "source": "/srv", "destination": "mnt"}]`,
		"mount mnt becomes /mnt\nmount /mnt: with the option bind", `{"destination":"/mnt","type":"bind","source":"/srv","options":["bind"]}`},
	{"rbind by type", `"capabilities": {}`, ``, `"mounts": [{"type": "rbind", "source": "/srv/", "destination": "/mnt/", "options": ["ro"]}]`,
		"mount /mnt: type rbind becomes an option", `{"destination":"/mnt","type":"bind","source":"/srv","options":["rbind","ro"]}`},
	{"bind that says proc", `"capabilities": {}`, ``, `"mounts": [{"type": "proc", "source": "/proc", "destination": "/proc", "options": ["rbind", "mode=755"]}]`,
		"mount /proc: type proc is a bind, as its options say\nmount /proc: without the option mode=755, which a bind mount has not",
		`{"destination":"/proc","type":"bind","source":"/proc","options":["rbind"]}`},
	{"mode of a tmpfs stays", `"capabilities": {}`, ``, `"mounts": [{"type": "tmpfs", "source": "tmpfs", "destination": "/mnt", "options": ["mode=755"]}]`, "",
		`{"destination":"/mnt","type":"tmpfs","source":"tmpfs","options":["mode=755"]}`},
	{"cgroups stay", `"capabilities": {}`, ``, `"mounts": [{"type": "cgroup", "source": "cgroup", "destination": "/mnt", "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}]`, "",
		`{"destination":"/mnt","type":"cgroup","source":"cgroup","options":["nosuid","noexec","nodev","relatime","ro"]}`},
	{"mount twice", `"capabilities": {}`, ``, `"mounts": [{"type": "tmpfs", "source": "a", "destination": "/mnt"}, {"type": "tmpfs", "source": "b", "destination": "/tmp"},
		{"type": "tmpfs", "source": "c", "destination": "/mnt/"}]`, "mount /mnt is there twice, the last counts",
		`"mounts":[{"destination":"/tmp","type":"tmpfs","source":"b"},{"destination":"/mnt","type":"tmpfs","source":"c"}]`},
	{"child before parent", `"capabilities": {}`, ``, `"mounts": [{"type": "tmpfs", "source": "a", "destination": "/tmp/x"}, {"type": "tmpfs", "source": "b", "destination": "/tmp"}]`,
		"mount /tmp/x is hidden by /tmp, which comes later", `"mounts":[{"destination":"/tmp/x"`},
	{"namespaces", `"capabilities": {}`, `"namespaces": [{"type": "pid"}, {"type": "pid"}, {"type": "uts", "path": "/proc/1/ns/uts"}]`, ``,
		"linux.namespaces: pid is there twice\nlinux.namespaces: uts is a new one and not /proc/1/ns/uts\nlinux.namespaces: with one for mounts",
		`"namespaces":[{"type":"pid"},{"type":"uts"},{"type":"mount"}]`},
	{"host name", `"capabilities": {}`, ``, `"hostname": "old"`, `linux.namespaces: with one for the host name "old"`, `{"type":"uts"}`},
	{"nothing below linux", `"capabilities": {}`, `-`, ``, "linux.namespaces: with one for mounts", `"linux":{"namespaces":[{"type":"mount"}]}`},
	{"what an image has no say in", `"capabilities": {}, "terminal": true`, `"cgroupsPath": "/x", "intelRdt": {"closID": "a"}`,
		`"hooks": {"prestart": [{"path": "/bin/touch", "args": ["touch", "/pwned"]}]}`,
		"hooks go: they would run programs on the machine\nlinux.cgroupsPath goes: the service has its own\nlinux.intelRdt goes: the service has its own\n" +
			"process.terminal becomes false: a service has none", `"cwd":"/"`},
	{"names in another case", `"capabilities": {}, "Terminal": true, "CAPABILITIES": {"bounding": ["CAP_CHOWN"]}`, `"CgroupsPath": "/x"`,
		`"Hooks": {"prestart": [{"path": "/bin/touch", "args": ["touch", "/pwned"]}]}`, "", `"capabilities":{}},"root":{"path":"rootfs","readonly":true},"linux":{"namespaces"`},
	{"harmless", `"capabilities": {}, "apparmorProfile": "", "selinuxLabel": ""`, `"devices": null, "apparmorProfile": ""`,
		`"platform": {"os": "linux", "arch": "amd64"}, "hooks": {}, "annotations": null`, "", `"cwd":"/"`},
}

// oldConfig is the whole configuration of a row.
func oldConfig(process, linux, rest string) string {
	parts := []string{`"ociVersion": "1.0.0"`}
	if strings.Contains(rest, "ociVersion") {
		parts = nil
	}
	if process != "" {
		process = ", " + process
	}
	parts = append(parts, `"root": {"path": "rootfs", "readonly": true}`, `"process": {"cwd": "/", "args": ["/busybox", "true"]`+process+`}`)
	switch {
	case linux == "-":
	case strings.Contains(linux, "namespaces"):
		parts = append(parts, `"linux": {`+linux+`}`)
	case linux != "":
		parts = append(parts, `"linux": {"namespaces": [{"type": "mount"}], `+linux+`}`)
	default:
		parts = append(parts, `"linux": {"namespaces": [{"type": "mount"}]}`)
	}
	if rest != "" {
		parts = append(parts, rest)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func TestSanitise(t *testing.T) {
	for _, o := range old {
		spec, changes, err := Sanitise([]byte(oldConfig(o.process, o.linux, o.rest)), kernel)
		if err != nil {
			t.Errorf("%s: %v", o.name, err)
			continue
		}
		if got := strings.Join(changes, "\n"); got != o.changes {
			t.Errorf("%s: says\n%s\nwant\n%s", o.name, got, o.changes)
		}
		got, err := json.Marshal(spec)
		if err != nil || !strings.Contains(string(got), o.want) {
			t.Errorf("%s: %s, %v, want %s in it", o.name, got, err, o.want)
		}
		again, more, err := Sanitise(got, kernel)
		if text, _ := json.Marshal(again); err != nil || string(text) != string(got) || len(more) > strings.Count(o.changes, "hidden") {
			t.Errorf("%s: a second time it changes: %q, %v", o.name, more, err)
		}
	}
	for config, want := range map[string]string{
		`{`:                       "Invalid json in configuration file: unexpected EOF",
		`[]`:                      "Invalid json in configuration file: json: cannot unmarshal array",
		`{"a":1} {}`:              "Invalid json in configuration file: something follows the object",
		`{"root": 1}`:             "Invalid configuration file.  There is no root",
		`{"root": {"path": "/"}}`: "Invalid configuration file.  Path must be 'rootfs'",
		`{"root": {"path": "rootfs"}, "mounts": [{"source": "/a"}]}`:                                        "Invalid configuration file.  Mount 1 has no destination",
		`{"root": {"path": "rootfs"}, "mounts": [{"destination": "/.", "type": "tmpfs"}]}`:                  "Invalid configuration file.  A mount would hide the image",
		`{"root": {"path": "rootfs"}, "mounts": [{"destination": "/a", "type": "bind", "source": "../b"}]}`: `Invalid configuration file.  Mount /a has a relative source "../b"`,
		`{"root": {"path": "rootfs"}, "process": {"args": "x"}}`:                                            "Invalid configuration file.  process.args is a string",
	} {
		if _, _, err := Sanitise([]byte(config), kernel); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", config, err)
		}
	}
	if spec, _, err := Sanitise([]byte("{}"), kernel); spec != nil || err != nil {
		t.Error(spec, err)
	}
	labelled := oldConfig(`"selinuxLabel": "a:b:c:s0"`, `"mountLabel": "a:b:c:s0"`, "")
	if spec, _, err := Sanitise([]byte(labelled), Machine{SELinux: true}); err != nil || spec.Process.SelinuxLabel == "" || spec.Linux.MountLabel == "" {
		t.Error("labels went although there is SELinux", err)
	}
	moved := oldConfig(`"capabilities": {}`, `"selinuxProcessLabel": "x:y:z:s0", "apparmorProfile": "old"`, "")
	if spec, changes, err := Sanitise([]byte(moved), Machine{SELinux: true}); err != nil || spec.Process.SelinuxLabel != "x:y:z:s0" || spec.Process.ApparmorProfile != "old" ||
		strings.Join(changes, "\n") != "linux.selinuxProcessLabel moves to process.selinuxLabel\nlinux.apparmorProfile moves to process.apparmorProfile" {
		t.Errorf("labels below linux: %q, %v", changes, err)
	}
	evil := oldConfig(`"selinuxLabel": "a:b:c:s0"`, `"mountLabel": "a\",upperdir=/etc,x=\""`, "")
	if spec, changes, err := Sanitise([]byte(evil), Machine{SELinux: true}); err != nil || spec.Linux.MountLabel != "" || !strings.Contains(strings.Join(changes, "\n"), "is no label") {
		t.Error("a label adds to the options of a mount", changes, err)
	}
}

// runBundles runs all bundles with the runtimes named by $runtimes.
const runBundles = `
mkdir -p /b/rootfs/{proc,mnt,tmp}
cp /opt/parts/busybox /b/rootfs/
cd /b
for r in $runtimes; do
	$r --version
	for f in /srv/bundles/*/config.json; do
		cp $f .
		rm -rf rootfs/dev # where a runtime puts links
		mkdir rootfs/dev
		$r run x || { cat config.json; exit 1; }
	done
done
test ! -e /pwned
`

// What comes out is what real runtimes run, of old and of today: Debian 12's, Debian 13's, and runc's own of later.
func TestSanitisedRuns(t *testing.T) {
	busybox := machines.Part("busybox")
	machines.Need(t, "runc", busybox)
	dir := t.TempDir()
	for i, o := range old {
		spec, _, err := Sanitise([]byte(oldConfig(o.process, o.linux, o.rest)), Machine{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(spec.Mounts, func(m rspec.Mount) bool { return m.Destination == "/proc" }) { // without it runc starts nothing
			spec.Mounts = append([]rspec.Mount{{Destination: "/proc", Type: "proc", Source: "proc"}}, spec.Mounts...)
		}
		text, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		bundle := filepath.Join(dir, fmt.Sprintf("%02d", i))
		if err := os.Mkdir(bundle, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bundle, "config.json"), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	inHost := func(t *testing.T, root, runtimes string) {
		res := machines.Check(t, machines.Options{Bare: true, Root: root, Binds: map[string]string{"/srv/bundles": dir},
			Script: "runtimes='" + runtimes + "'" + runBundles})
		if res.Exit != 0 {
			t.Fatal(res)
		}
		t.Log(res.Stdout)
	}
	t.Run("this", func(t *testing.T) {
		runtimes := "runc"
		if machines.CrunWorks("") {
			runtimes += " crun"
		}
		inHost(t, "", runtimes)
	})
	t.Run("this-crun", func(t *testing.T) {
		if machines.CrunWorks("") {
			return
		}
		machines.Need(t, "crun", "qemu-system-x86_64", "mkfs.ext4", "debugfs", "cpio", filepath.Join(machines.Cache(), "kernel/vmlinuz"))
		res, err := vm.Boot(t.Context(), vm.Options{Script: "runtimes=crun" + runBundles, Packages: []string{"crun"},
			Trees: map[string]string{"/srv/bundles": dir, "/opt/parts": filepath.Dir(busybox)}})
		if err != nil || res.Exit != 0 {
			t.Fatal(err, res)
		}
		t.Log(res.Stdout)
	})
	if !machines.Long() {
		return
	}
	t.Run("later", func(t *testing.T) {
		found, _ := filepath.Glob(filepath.Join(filepath.Dir(busybox), "runc-*/runc"))
		if len(found) == 0 {
			machines.Need(t, "test/run --long")
		}
		var runtimes []string
		for _, file := range found {
			runtimes = append(runtimes, "/opt/parts/"+filepath.Base(filepath.Dir(file))+"/runc")
		}
		inHost(t, "", strings.Join(runtimes, " "))
	})
	t.Run("debian-13", func(t *testing.T) {
		root, err := machines.Debian(t.Context(), "trixie")
		if err != nil {
			t.Fatal(err)
		}
		runtimes := "runc"
		if machines.CrunWorks(root) {
			runtimes += " crun"
		}
		inHost(t, root, runtimes)
	})
}

func FuzzSanitise(f *testing.F) {
	for _, o := range old {
		f.Add([]byte(oldConfig(o.process, o.linux, o.rest)))
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		spec, _, err := Sanitise(config, kernel)
		if err != nil || spec == nil {
			return
		}
		if spec.Hooks != nil || spec.Linux.CgroupsPath != "" || spec.Process.Capabilities == nil || spec.Process.Terminal {
			t.Errorf("%+v", spec)
		}
		for _, m := range spec.Mounts {
			if !filepath.IsAbs(m.Destination) || filepath.Clean(m.Destination) != m.Destination || m.Destination == "/" || m.Type == "bind" && !filepath.IsAbs(m.Source) {
				t.Errorf("mount %+v", m)
			}
		}
		first, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := Sanitise(first, kernel)
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		if second, _ := json.Marshal(again); string(first) != string(second) {
			t.Errorf("a second time it changes: %s, then %s", first, second)
		}
	})
}
