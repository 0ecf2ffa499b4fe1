// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

// lives is one boot of a machine that has its power cut in updates again and again. It finds what a cut in the update from
// $old to $new has left; $told: that had reported success. Then comes the next update, to $next.
const lives = `
for word in $(cat /proc/cmdline); do case $word in cut.*) declare "${word#cut.}" ;; esac; done
say() { echo "cut: $*" >/dev/ttyS0; }
runs() { test "$(systemctl show -P ActiveState app)" = active && test "$(syscontainer exec app cat /etc/release)" = "$1"; }
either() { [ -z "$told" ] && runs $old || runs $new; }
within() { for i in $(seq 300); do "$@" && return; sleep 0.2; done; "$@"; }
listens() { (exec 3<>/dev/tcp/127.0.0.1/5000) 2>/dev/null; }
registry() {
	systemd-run --quiet --unit=registry /opt/registry serve /etc/registry.yml
	within listens
}
release() {
	local tags=/srv/registry/docker/registry/v2/repositories/app/_manifests/tags
	rm -rf $tags/1
	cp -r $tags/$1 $tags/1
	sync
}
if [ $life = 0 ]; then
	registry
	release $old
	cat >/etc/containers/systemd/app.syscontainer <<END
[Container]
Image=127.0.0.1:5000/app:1
Exec=/bin/sh -c 'trap "exit 0" TERM; while :; do sleep 0.1; done'
[Update]
HealthySec=1
[Install]
WantedBy=host-script.target
END
	systemctl daemon-reload
	syscontainer pull 127.0.0.1:5000/app:1
	systemctl start app
	runs $old
else
	# It comes up by itself, without a registry.
	within systemctl is-active --quiet boot-complete.target
	within either
	syscontainer verify
	if grep -l '"failed"' /var/lib/syscontainer/containers/app/generations/*.json; then exit 1; fi
	registry
fi
release $new
begun=$(date +%s%3N)
syscontainer update app
syscontainer prune --grace=0
say took $(($(date +%s%3N) - begun))
runs $new
syscontainer verify
if [ -n "$next" ]; then
	release $next
	say updating
	syscontainer update app
	say told
	syscontainer prune --grace=0
	say pruned
	sleep 1000
fi
`

// The power of a whole machine fails in updates: the next boot runs the old release or the new one, by itself, and the next
// update succeeds. A life takes a minute here, where the machine is emulated: package e2e cuts far more often, on
// file systems of throw-away hosts, and in each phase of an update.
func TestPowerCut(t *testing.T) {
	if !host.Long() {
		t.Skip("takes long: SYSCONTAINER_TEST_LONG=1")
	}
	t.Parallel()
	const cuts = 10
	dir, storage := t.TempDir(), releases(t)
	registry, err := os.ReadFile(host.Part("docker-registry"))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Script:   lives,
		Packages: []string{"runc"},
		Trees:    map[string]string{"/": host.Stage(), "/srv/registry": storage},
		Files: map[string]string{
			"/opt/registry":                                      string(registry),
			"/etc/registry.yml":                                  image.Registry{Address: "127.0.0.1:5000", Storage: "/srv/registry"}.Config(),
			"/etc/containers/policy.json":                        `{"default":[{"type":"insecureAcceptAnything"}]}`,
			"/etc/containers/registries.conf":                    "[[registry]]\nlocation = \"127.0.0.1:5000\"\ninsecure = true\n",
			"/etc/containers/registries.d/x":                     "",
			"/etc/containers/systemd/x":                          "",
			"/etc/systemd/system/host-script.target.d/boot.conf": "[Unit]\nWants=boot-complete.target\n",
		},
		Disk: filepath.Join(dir, "disk"),
	}
	// Of three releases two are kept: each has to be fetched again when its turn comes.
	turn := func(n int) string { return string("abc"[n%3]) }
	took, told := 0, ""
	for life := range cuts + 2 {
		// The first two are one update that nobody disturbs, for its time.
		n := max(0, life-1)
		next := turn(n + 2)
		o.Cut = nil
		if life == 0 || life == cuts+1 {
			next = ""
		} else {
			after := time.Duration(rand.N(took)) * time.Millisecond
			o.Cut = func(console io.Reader) {
				for lines := bufio.NewScanner(console); lines.Scan(); {
					if strings.HasPrefix(lines.Text(), "cut: updating") {
						go io.Copy(io.Discard, console) // nobody else empties it
						time.Sleep(after)
						return
					}
				}
			}
			t.Logf("life %d: cut %v after the beginning of an update that took %d ms", life, after, took)
		}
		o.Parameters = fmt.Sprintf("cut.life=%d cut.old=%s cut.new=%s cut.told=%s cut.next=%s", life, turn(n), turn(n+1), told, next)
		res, err := Boot(t.Context(), o)
		if err != nil || next == "" && res.Exit != 0 || next != "" && res.Exit != -1 {
			t.Fatal(err, res)
		}
		told = ""
		for line := range strings.Lines(res.Console) {
			line = strings.TrimSpace(line)
			var ms int
			fmt.Sscanf(line, "cut: took %d", &ms)
			took = max(took, ms) // what a cut update has left to be done takes less
			if line == "cut: told" {
				told = "yes"
			}
		}
		if took == 0 {
			t.Fatal("the machine does not say how long an update took: ", res)
		}
	}
}

// releases are 127.0.0.1:5000/app:a to c in the storage of a registry.
func releases(t *testing.T) (storage string) {
	t.Helper()
	l, busybox := layout(t, "skopeo", host.Part("docker-registry"))
	storage = t.TempDir()
	r, err := image.Serve(host.Part("docker-registry"), storage)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, tag := range []string{"a", "b", "c"} {
		entries := []image.Entry{image.Dir("etc", 0o755), image.File("etc/release", 0o644, tag+"\n"), image.Dir("srv", 0o755)}
		for k := range 100 {
			entries = append(entries, image.File(fmt.Sprintf("srv/%d", k), 0o644, strings.Repeat(fmt.Sprint("of ", tag, " ", k, "\n"), 1000)))
		}
		if _, err := l.Put(tag, image.Image{Layers: []image.Layer{{Entries: busybox}, {Entries: entries}}, Config: image.Config{Env: []string{"PATH=/bin"}}}); err != nil {
			t.Fatal(err)
		}
		if err := r.Push("oci:"+l.Dir+":"+tag, "app:"+tag); err != nil {
			t.Fatal(err)
		}
	}
	return storage
}
