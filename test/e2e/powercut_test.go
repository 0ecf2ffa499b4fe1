// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	_ "embed"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

//go:embed powercut.sh
var powerCut string

// cuttable are the moments of an update: from when a phase begins, how long the power may still last. Most of the time goes
// by in the first and in judging; a moment that is uniform over the whole would hardly ever hit the others.
var cuttable = []struct {
	at    string
	lasts time.Duration
}{
	{"fetching", 500 * time.Millisecond},
	{"switching", 20 * time.Millisecond},
	{"judging", 300 * time.Millisecond}, // it is stopped and started
	{"judging", time.Second},
	{"committing", 30 * time.Millisecond},
	{"good", 50 * time.Millisecond}, // generations are given up
	{"prune", 300 * time.Millisecond},
}

// cutAtBoot cuts while a boot mends what the cut before has left.
const cutAtBoot = `[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/opt/test/payload cut /var/lib/syscontainer now %v
ExecStart=/usr/bin/touch /run/cut
`

// Two containers of a group are updated again and again, and each time the power fails somewhere between the first byte that is
// fetched and the last that is pruned: the next boot runs the old release or the new one, of both, by itself, and the next
// update succeeds.
//
// Each life is that of a throw-away host, whose store is on a file system that loses at the cut what had not reached its disk.
// A whole machine takes a minute for a life where it has to be emulated: the long form of package vm cuts some of those.
//
// SYSCONTAINER_TEST_SEED=NUMBER repeats a run's choices; its moments are never quite the same.
func TestPowerCut(t *testing.T) {
	host.Need(t, "systemd-nspawn", "runc", "ostree", "skopeo", "mkfs.ext4", host.Part("busybox"), host.Part("docker-registry"),
		filepath.Join(host.Stage(), "usr/bin/syscontainer"))
	cuts := 5
	if host.Long() {
		cuts = 100
	}
	seed := rand.N(1 << 15)
	if s := os.Getenv("SYSCONTAINER_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SYSCONTAINER_TEST_SEED=%d", seed)
	rnd := rand.New(rand.NewPCG(uint64(seed), 0))

	dir := t.TempDir()
	// What the machine's own disk is busy with costs nothing here.
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	storage, program := releases(t, dir)
	life := func(script string, more map[string]string) host.Result {
		t.Helper()
		o := host.Options{
			Script: prelude + script,
			Files:  fixture{}.files(),
			Binds:  map[string]string{"/srv/registry": storage, "/opt/test": filepath.Dir(program)},
			Disks:  []host.Disk{{Target: "/var/lib/syscontainer", Size: "256M", Image: filepath.Join(dir, "disk")}},
		}
		maps.Copy(o.Files, more)
		return host.Check(t, o)
	}
	life("own_registry\nfor name in app side; do\nrelease a $name\nsyscontainer pull 127.0.0.1:5000/$name:1\ndone\n", nil)
	unit := "[Container]\nImage=127.0.0.1:5000/%s:1\nTmpfs=/tmp\n[Service]\nTimeoutStopSec=1\n[Update]\nGroup=pair\nHealthySec=500ms\n"
	files := map[string]string{
		"/etc/containers/systemd/app.syscontainer":           fmt.Sprintf(unit, "app"),
		"/etc/containers/systemd/side.syscontainer":          fmt.Sprintf(unit, "side"),
		"/etc/systemd/system/host-script.target.d/boot.conf": "[Unit]\nWants=app.service side.service boot-complete.target\n",
	}
	// With two generations to be kept of three releases, each has to be fetched again when its turn comes.
	turn := func(n int) string { return string("abc"[n%3]) }
	told, hits := "", map[string]int{}
	for n := range cuts + 1 {
		if n > 0 && rnd.IntN(3) == 0 {
			after := time.Duration(rnd.Int64N(int64(2 * time.Second)))
			t.Log(n, "at=boot after=", after)
			more := maps.Clone(files)
			more["/etc/systemd/system/cut.service"] = fmt.Sprintf(cutAtBoot, after)
			more["/etc/systemd/system/sysinit.target.d/cut.conf"] = "[Unit]\nWants=cut.service\n"
			life("within 60 test -e /run/cut\n", more)
			hits["boot"]++
		}
		point := cuttable[(n+seed)%len(cuttable)]
		after := time.Duration(rnd.Int64N(int64(point.lasts)))
		next := turn(n + 2)
		if n == cuts {
			next = ""
		}
		what := fmt.Sprintf("old=%s new=%s told=%s next=%s at=%s after=%s\n", turn(n), turn(n+1), told, next, point.at, after)
		t.Log(n, strings.TrimSpace(what))
		if n == 0 {
			what = strings.Replace(what, "new=b", "new=a", 1)
		}
		res := life(what+powerCut, files)
		told = ""
		if slices.Contains(strings.Split(res.Stdout, "\n"), "told") {
			told = "yes"
		}
		if next != "" {
			hits[point.at]++
		}
	}
	t.Logf("cut: %v", hits)
}

// releases are 127.0.0.1:5000/app:a to c, whose files differ in part, in the storage of a registry, and a program for hosts.
func releases(t *testing.T, dir string) (storage, program string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(dir, "program"), 0o755))
	program = buildPayload(t, filepath.Join(dir, "program"))
	payload, err := image.Copy("bin/payload", program)
	must(err)
	busybox, err := image.Busybox(host.Part("busybox"))
	must(err)
	l, err := image.Create(filepath.Join(dir, "oci"))
	must(err)
	storage = filepath.Join(dir, "registry")
	must(os.Mkdir(storage, 0o755))
	r, err := image.Serve(host.Part("docker-registry"), storage)
	must(err)
	defer r.Close()
	base := image.Layer{Entries: busybox}
	one := updateImages(base, payload, image.Config{Env: []string{"PATH=/bin"}})["one"]
	for i, tag := range []string{"a", "b", "c"} {
		entries := []image.Entry{image.File("etc/release", 0o644, tag+"\n"), image.Dir("srv", 0o755)}
		for k := range 300 {
			content := fmt.Sprint("of all ", k, "\n")
			if k%3 == i {
				content = fmt.Sprint("of ", tag, " ", k, "\n")
			}
			entries = append(entries, image.File(fmt.Sprintf("srv/%d", k), 0o644, strings.Repeat(content, 1000)))
		}
		img := one
		img.Layers = append(slices.Clone(one.Layers), image.Layer{Entries: entries})
		_, err := l.Put(tag, img)
		must(err)
		must(r.Push("oci:"+l.Dir+":"+tag, "app:"+tag))
	}
	return storage, program
}
