package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
	machines "syscontainer/test/host"
	"syscontainer/units"
)

// plantImage puts an image of a busybox and some files into a store below root.
// A bare one has nothing to mount on.
func plantImage(t testing.TB, root, reference, config string, bare bool) store.Image {
	t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		need(t, "busybox-static")
	}
	digest := fmt.Sprintf("%064x", len(reference)*2+map[bool]int{true: 1}[bare])
	dir := filepath.Join(root, store.Dir, "images", digest)
	write := func(name, content string, mode fs.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("rootfs/bin/busybox", string(busybox), 0o755)
	if err := os.Symlink("busybox", filepath.Join(dir, "rootfs/bin/sh")); err != nil {
		t.Fatal(err)
	}
	write("config.json", config, 0o600)
	write("manifest.json", "{}", 0o600)
	if !bare {
		for _, d := range []string{"proc", "sys", "dev", "run/kept", "tmp", "var/tmp", "srv"} {
			if err := os.MkdirAll(filepath.Join(dir, "rootfs", d), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		os.Chmod(filepath.Join(dir, "rootfs/tmp"), 0o777|fs.ModeSticky)
		write("rootfs/etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\n", 0o644)
		write("rootfs/etc/group", "root:x:0:\napp:x:1001:\nextra:x:2000:app\nmore2:x:2001:app\n", 0o644)
		write("rootfs/etc/hosts", "", 0o644)
		write("rootfs/etc/resolv.conf", "", 0o644)
	}
	references := filepath.Join(root, store.Dir, "references")
	if err := os.MkdirAll(references, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../images/"+digest, filepath.Join(references, store.Escape(reference))); err != nil {
		t.Fatal(err)
	}
	image, err := store.Lookup(root, reference)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// inHost runs this test once more in a throw-away host, which has cgroup v2
// whatever this machine has.
func inHost(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	long := ""
	if machines.Long() {
		long = "SYSCONTAINER_TEST_LONG=1 "
	}
	res := machines.Run(t, machines.Options{Bare: true, Binds: map[string]string{"/srv/program": filepath.Dir(program), "/srv/render": here},
		Script: "cd /srv/render\n" + long + "/srv/program/" + filepath.Base(program) + " -test.v -test.run '^" + t.Name() + "$'\n"})
	t.Log(res.Stdout)
	if res.Exit != 0 {
		t.Fatal(res)
	}
}

// Every case is prepared as in a service and run by the real runtimes. The image
// must not change by it.
func TestRealRuntimes(t *testing.T) {
	var fsType unix.Statfs_t
	if unix.Statfs(cgroupRoot, &fsType) != nil || fsType.Type != unix.CGROUP2_SUPER_MAGIC || os.Getuid() != 0 {
		inHost(t)
		return
	}
	// What each container says of itself; every case runs the same questions.
	const questions = `busybox=/bin/busybox; exec 2>&1; for w in "id -u" "id -g" "id -G" hostname pwd; do $busybox $w 2>/dev/null; done; ` +
		`for d in / /tmp /run; do $busybox touch $d/x && echo $d writable || echo $d read-only; done; ` +
		`$busybox grep -E "^(CapBnd|CapEff|NoNewPrivs|Seccomp):" /proc/self/status; ` +
		`[ -S "$NOTIFY_SOCKET" ] && echo notify; $busybox ls -d /run/kept; $busybox ls /sys/class/net | $busybox wc -l; ` +
		`$busybox ls /opt/a/b | $busybox grep -cx sh; $busybox head -c 1 /dev/nothing | $busybox wc -c; ` +
		`$busybox env; echo files $(ulimit -Sn) $(ulimit -Hn); $busybox cat /etc/hosts /etc/resolv.conf; echo init $($busybox tr '\0' '\n' </proc/1/cmdline | $busybox head -n 1); ` +
		`echo zone $($busybox tail -n 1 /etc/localtime); $busybox ls -l /dev/nought | $busybox sed 's/^/nought /'; echo x >/opt/full || echo full 1; ` +
		`$busybox ls -d /opt/glob/*; $busybox stat -c 'scratch %a' /opt/scratch; $busybox df -k /opt/scratch | $busybox awk 'END { print $2 }'; ` +
		`$busybox df -k /dev/shm | $busybox awk 'END { print $2 " shm" }'; $busybox ls /opt/pts; echo oom $($busybox cat /proc/self/oom_score_adj); ` +
		`echo forward $($busybox cat /proc/sys/net/ipv4/ip_forward); echo msgmax $($busybox cat /proc/sys/kernel/msgmax); ` +
		`$busybox stat -c 'busybox %u %g' /bin/busybox; $busybox stat -c 'b %u %g' /opt/a/b; $busybox stat -c 'here %u %g' /srv/here /srv; ` +
		`$busybox stat -c 'etc %u %g' /etc; $busybox stat -c 'x %u %g' /x; echo map $($busybox cat /proc/self/uid_map); $busybox unshare -U true; echo end`
	expect := map[string]struct{ yes, no []string }{
		"plain": {[]string{"1000\n1001\n1001 2000 2001\n", "\n/srv\n", "/ read-only", "/tmp writable", "CapBnd:\t00000000800405fb",
			"CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "/run/kept\n"}, []string{"notify"}},
		"isolated": {[]string{"1234\n5678\n", "\nlonely.example\n", "/ read-only", "CapBnd:\t0000000000000400", "CapEff:\t0000000000000400",
			"notify\n", "\n1\n"}, nil},
		"bridge": {[]string{"\nrender-test-bridge\n", "\n1\n"}, nil}, // the link comes later
		"mounts": {[]string{"0\n0\n", "\n/srv/here\n", "/ read-only", "/run writable", "CapEff:\t00000000800405fb", "\n1\n"},
			[]string{"/run/kept\n"}},
		"writable": {[]string{"0\n0\n", "/ writable"}, []string{"unshare: "}},
		"process": {[]string{"1000\n2000\n2000 2001 4242\n", "NoNewPrivs:\t0", "LAYER=unit\n", "OWN=file\n", "MINE=from the test\n", "files 1000 2000\n",
			"192.0.2.7\tdb db.example.com\n", "nameserver 192.0.2.1\n", "init /run/init\n"}, []string{"INVOCATION_ID", "LAYER=host"}},
		"volatile":   {[]string{"0\n0\n", "/ writable", "x 0 0\n", "map 0 200000 65536\n", "busybox 0 0\n"}, nil},
		"privileged": {[]string{"0\n0\n", "/ read-only", "NoNewPrivs:\t1"}, []string{"CapEff:\t00000000800405fb", "unshare: "}},
		"volumes":    {[]string{"/ read-only", "0\n0\n", "etc 0 0\n", "map 0 200000 65536\n"}, nil},
		"files": {[]string{"/tmp read-only", "/run read-only", "zone UTC0\n", "nought crw", "full 1\n", "1024\n", "/opt/glob/passwd\n",
			"scratch 700\n", "10240 shm\n", "ptmx\n"}, []string{"sh\n1\n"}},
		"open":        {[]string{"ONLY=patched\n", "oom 500\n"}, []string{"LAYER=", "init /bin/sh\n", "unshare: "}},
		"profile":     {[]string{"Seccomp:\t2", "forward 1\n", "msgmax 9000\n"}, nil},
		"mapped":      {[]string{"0\n0\n", "busybox 0 0\n", "map 0 200000 65536\n", "/ read-only"}, nil},
		"bare-mapped": {[]string{"0\n0\n", "\n/srv/here\n", "busybox 0 0\n", "b 65534 65534\n", "here 0 0\n", "etc 0 0\n", "/ read-only", "/tmp writable"}, nil},
		"auto":        {[]string{"0\n0\n", "busybox 0 0\n", "map 0 4000000000 70000\n", "/ writable", "etc 0 0\n", "x 0 0\n"}, nil},
		"systemd":     {[]string{"/ read-only", "/run writable", "/tmp writable", "map 0 200000 65536\n", "container_uuid=", "/run/kept\n", "etc 0 0\n"}, nil},
		"kept":        {[]string{"0\n0\n", "busybox 0 0\n", "map 0 300000 1000 1000 400000 2\n", "/ writable", "here 0 0\n", "x 0 0\n"}, nil},
	}
	machineFor(t)
	socket := filepath.Join(t.TempDir(), "notify")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: socket})
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	t.Setenv("NOTIFY_SOCKET", socket)

	for label, file := range realRuntimes(t) {
		for _, name := range cases(t) {
			t.Run(label+"/"+name, func(t *testing.T) {
				c, _ := readCase(t, name)
				document, err := os.ReadFile("testdata/" + name + ".image")
				if err != nil {
					t.Fatal(err)
				}
				// An overlay may not lie on an overlay on an overlay, which a
				// directory of a test host can be.
				root := t.TempDir()
				if err := unix.Mount("tmpfs", root, "tmpfs", 0, ""); err != nil {
					t.Fatal(err)
				}
				defer unix.Unmount(root, unix.MNT_DETACH)
				if err := os.Chmod(filepath.Dir(root), 0o755); err != nil { // as /run is
					t.Fatal(err)
				}
				image := plantImage(t, root, c.Image, string(document), c.Image == "localhost/bare:1")
				before := listing(t, image.Dir)
				c.Entrypoint, c.Exec = []string{"/bin/sh", "-c"}, []string{questions}
				out := runCase(t, file, root, name, c, image)
				t.Logf("%s", out)
				for _, want := range expect[name].yes {
					if !strings.Contains(out, want) {
						t.Errorf("%q is missing", want)
					}
				}
				for _, no := range expect[name].no {
					if strings.Contains(out, no) {
						t.Errorf("%q should not be there", no)
					}
				}
				if !strings.HasSuffix(out, "end\n") {
					t.Error("the payload did not come to its end")
				}
				if name != "writable" && name != "open" && name != "privileged" && !strings.Contains(out, "unshare: ") {
					t.Error("the filter lets unshare through")
				}
				if name == "kept" {
					var st unix.Stat_t
					dir := filepath.Join(root, store.Dir, "containers/render-test-kept")
					if err := unix.Lstat(filepath.Join(dir, "upper/x"), &st); err != nil || st.Uid != 300000 {
						t.Errorf("kept file: owner %d, %v", st.Uid, err)
					}
					if err := sameMaps(dir, &idMaps{c.UIDMap, c.GIDMap}); err != nil {
						t.Error(err)
					}
					if err := sameMaps(dir, nil); err == nil || !strings.Contains(err.Error(), dir) {
						t.Errorf("without maps: %v", err)
					}
				}
				if after := listing(t, image.Dir); after != before {
					t.Errorf("the image changed\nbefore:\n%s\nafter:\n%s", before, after)
				}
			})
		}
	}
}

// realRuntimes are the machine's, and of other ages those that long tests have at hand.
func realRuntimes(t *testing.T) map[string]string {
	all := make(map[string]string)
	for _, kind := range stateKinds {
		file, err := exec.LookPath(kind)
		if err != nil {
			t.Run(kind, func(t *testing.T) { need(t, kind) })
			continue
		}
		all[kind] = file
	}
	if others, _ := filepath.Glob("/opt/parts/runc-*/runc"); machines.Long() {
		for _, file := range others {
			all[filepath.Base(filepath.Dir(file))] = file
		}
		if len(others) == 0 {
			t.Run("runc of other ages", func(t *testing.T) { need(t, "test/run --long") })
		}
	}
	return all
}

// machineFor puts what the cases name where they name it: this is a machine to throw away.
func machineFor(t *testing.T) {
	t.Helper()
	profile, err := os.ReadFile("testdata/profile.seccomp")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"/usr/share/render-test.json": string(profile),
		"/usr/share/render-test.env": "# layers\nLAYER=file\nOWN=file\nRENDER_TEST_*\n\nMINE=from the test\n"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll("/run/render-test", 0o755); err != nil {
		t.Fatal(err)
	}
	machineProfiles = nil // the list under test is ours
	// crun writes what a container's namespaces have by the machine's /proc, which a
	// host in a container cannot write.
	unix.Mount("", "/proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND, "")
	// This program is an init, too: see TestMain.
	if units.Inits[0], err = os.Executable(); err != nil {
		t.Fatal(err)
	}
}

// TestMain is also a simple process 1, where RunInit= puts this program.
func TestMain(m *testing.M) {
	if os.Args[0] != initPath {
		os.Exit(m.Run())
	}
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if cmd.Run() != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// runCase writes the bundle and lets the runtime run it to its end.
func runCase(t *testing.T, file, root, name string, c *units.Container, image store.Image) string {
	t.Helper()
	o := options{root: root, name: "render-test-" + name}
	if c.UserNSAuto > 0 {
		subordinateFiles(t, root, "containers:4000000000:70000\n")
	}
	b := bundleOf(root, o.name)
	if err := b.create(); err != nil {
		t.Fatal(err)
	}
	g, err := imageGround(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := fill(b, o, c, g, "/"+o.name); err != nil {
		t.Fatal(err)
	}
	l := launchOf(o, c, file)
	if filepath.Base(file) == "crun" && !mayRaiseLimits() {
		// crun wants RLIMIT_MEMLOCK raised for its device filter.
		data, err := os.ReadFile(b.file("config.json"))
		if err != nil {
			t.Fatal(err)
		}
		start := strings.Index(string(data), `"resources":{"devices":[`)
		end := start + strings.Index(string(data)[start:], "]}")
		text := string(data)[:start] + `"resources":{` + string(data)[end+1:]
		if err := os.WriteFile(b.file("config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	plan, err := b.plan()
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		out []byte
		err error
	}
	done := make(chan result)
	go func() { // its thread, in a mount namespace of its own, ends with it
		runtime.LockOSThread()
		release, err := plan.assemble(b.rootfs())
		if err != nil {
			done <- result{nil, err}
			return
		}
		out, err := runtimeCommand(l, root, "run", "--bundle", string(b), l.ID).CombinedOutput()
		release()
		done <- result{out, err}
	}()
	r := <-done
	if r.err != nil {
		t.Errorf("%s: %v\n%s", file, r.err, r.out)
	}
	if err := removeState(o, l, "/"+o.name); err != nil {
		t.Error(err)
	}
	if err := b.remove(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "run/*/*")); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
	return string(r.out)
}

func mayRaiseLimits() bool {
	data, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(data), "CapEff:\t")
	var held uint64
	fmt.Sscanf(rest, "%x", &held)
	return held&(1<<unix.CAP_SYS_RESOURCE) != 0
}

// With image and checkout in place, preparing executes nothing and changes nothing
// but the bundle.
func BenchmarkPrepare(b *testing.B) {
	root := b.TempDir()
	plantImage(b, root, "localhost/web:1", `{"config":{"Cmd":["/bin/sh"]}}`, false)
	unit := filepath.Join(root, "web.service")
	if err := os.WriteFile(unit, []byte("[X-Container]\nImage=localhost/web:1\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	if _, err := exec.LookPath("runc"); err != nil {
		need(b, "runc")
	}
	for b.Loop() {
		if err := prepare(options{root: root, unit: unit, name: "web"}); err != nil {
			b.Fatal(err)
		}
	}
}
