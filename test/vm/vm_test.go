// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

// limits is for each runtime: a limit of [Service] kills the payload, the hook after the stop runs, a plain stop works, and
// all the while the unit's cgroup stays a proper domain, without which none of it would.
const limits = `
# What the generator had to say at boot, before there was a journal, is in the journal, with its priority.
journalctl -b -o cat -p err -t syscontainer-generator | grep -F '/etc/containers/systemd/broken.syscontainer:2: Image=: image "busybox" names no registry'
test "$(systemctl show -P LoadState broken)" = loaded
cat /sys/fs/cgroup/cgroup.controllers
grep -qw memory /sys/fs/cgroup/cgroup.controllers
syscontainer pull oci:/srv/oci:base
for runtime in runc crun; do
	cat >/etc/containers/systemd/app-$runtime.syscontainer <<END
[Container]
Image=oci:/srv/oci:base
Exec=/bin/sh -c 'echo small; read x </fifo/go; x=0123456789abcdef; while :; do x=\$x\$x; done'
Volume=/srv/fifo:/fifo
Runtime=$runtime

[Service]
MemoryMax=48M
ExecStopPost=/bin/sh -c 'echo \$SERVICE_RESULT >/run/stopped-$runtime'
END
done
mkdir -p /srv/fifo
systemctl daemon-reload
for runtime in runc crun; do
	rm -f /srv/fifo/go
	mkfifo /srv/fifo/go
	unit=app-$runtime
	systemctl start $unit
	cgroup=/sys/fs/cgroup$(systemctl show -P ControlGroup $unit)
	pid=$(systemctl show -P MainPID $unit)
	grep -q "^0::${cgroup#/sys/fs/cgroup}/" /proc/$pid/cgroup
	find $cgroup -name cgroup.type -exec grep -H . {} +
	test "$(cat $cgroup/cgroup.type)" = domain
	test "$(cat $cgroup/memory.max)" = 50331648
	# A command beside the payload has its limits, its signals, its status and a terminal of its own that is resized with
	# the caller's, and leaves the cgroups as they are.
	test "$(syscontainer exec -u app -w /bin -e A=1 $unit sh -c 'echo $A:$(pwd):$(id -u):$HOME; cat /proc/self/cgroup')" = "1:/bin:1000:/srv
0::/"
	syscontainer exec $unit sh -c 'trap "exit 7" TERM; echo >/fifo/trapped; while :; do sleep 0.1; done' & command=$!
	for i in $(seq 300); do [ -e /srv/fifo/trapped ] && break; sleep 0.1; done
	rm /srv/fifo/trapped
	test "$(wc -l <$cgroup/payload/cgroup.procs)" -ge 2
	cat >/tmp/inner <<END
stty rows 33 cols 77
tty >/tmp/tty
stty -g >/tmp/settings
syscontainer exec -it $unit sh -c 'busybox stty size; echo >/fifo/ready; until [ "\$(busybox stty size)" = "44 99" ]; do sleep 0.1; done; exit 9'
echo \$? >/tmp/status
stty -g | diff /tmp/settings -
END
	timeout 60 script -qec 'sh /tmp/inner' /tmp/typescript </dev/null & job=$!
	for i in $(seq 300); do [ -e /srv/fifo/ready ] && break; sleep 0.1; done
	rm /srv/fifo/ready
	stty -F "$(cat /tmp/tty)" rows 44 cols 99
	wait $job
	grep '33 77' /tmp/typescript
	test "$(cat /tmp/status)" = 9
	kill -TERM $command
	wait $command && status=0 || status=$?
	test $status = 7
	for d in $(find $cgroup -mindepth 1 -type d); do test "$(cat $d/cgroup.type)" = domain; done

	echo go >/srv/fifo/go
	for i in $(seq 300); do systemctl -q is-failed $unit && break; sleep 0.1; done
	systemctl show -P Result $unit
	test "$(systemctl show -P ActiveState $unit)" = failed
	test "$(systemctl show -P ExecMainStatus $unit)" = 9
	cat /run/stopped-$runtime
	test ! -e $cgroup
	test -z "$($runtime list -q)"

	# A container without a file: its streams, its status, its limit, a terminal of its own.
	run="syscontainer run --rm -k Runtime=$runtime -p MemoryMax=48M"
	test "$(echo across | $run oci:/srv/oci:base cat)" = across
	$run oci:/srv/oci:base sh -c 'x=0123456789abcdef; while :; do x=$x$x; done' && status=0 || status=$?
	test $status = 137
	$run -u 1000 oci:/srv/oci:base sh -c 'exit 7' && status=0 || status=$?
	test $status = 7
	echo "stty rows 22 cols 66; stty -g >/tmp/settings; $run -t oci:/srv/oci:base sh -c 'busybox stty size; exit 9'; echo \$? >/tmp/status; stty -g | diff /tmp/settings -" >/tmp/inner
	timeout 60 script -qec 'sh /tmp/inner' /tmp/typescript </dev/null
	grep '22 66' /tmp/typescript
	test "$(cat /tmp/status)" = 9
	test -z "$($runtime list -q)"
	test -z "$(find /run/systemd/transient -name '50-syscontainer.conf')"

	rm /run/stopped-$runtime
	systemctl reset-failed $unit
	systemctl start $unit
	test "$(cat $cgroup/cgroup.type)" = domain
	systemctl stop $unit
	test -s /run/stopped-$runtime
	test ! -e $cgroup
	test -z "$($runtime list -q)"
	echo $runtime is well
done
`

func TestLimits(t *testing.T) {
	t.Parallel()
	l, _ := layout(t, "crun")
	res, err := Boot(t.Context(), Options{
		Script:   limits,
		Packages: []string{"runc", "crun", "bsdutils"},
		Trees:    map[string]string{"/": host.Stage(), "/srv/oci": l.Dir},
		Files: map[string]string{
			"/etc/containers/policy.json":                 `{"default":[{"type":"insecureAcceptAnything"}]}`,
			"/etc/containers/systemd/broken.syscontainer": "[Container]\nImage=busybox\n",
			"/etc/containers/registries.conf":             "",
			"/etc/containers/registries.d/x":              "",
			"/etc/systemd/journald.conf.d/x.c":            "",
		},
	})
	if err != nil || res.Exit != 0 {
		t.Fatal(err, res)
	}
	for _, runtime := range []string{"runc", "crun"} {
		if !strings.Contains(res.Stdout, fmt.Sprintf("%s is well\n", runtime)) {
			t.Error(res)
		}
	}
}

// layout is an OCI layout with an image of a busybox, and the files of that. The machine that a test boots has it, runc, and
// the programs that are named.
func layout(t *testing.T, programs ...string) (*image.Layout, []image.Entry) {
	t.Helper()
	host.Need(t, append(programs, "qemu-system-x86_64", "mkfs.ext4", "debugfs", "cpio", "runc", host.Part("busybox"),
		filepath.Join(host.Cache(), "kernel/vmlinuz"), filepath.Join(host.Stage(), "usr/bin/syscontainer"))...)
	l, err := image.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	busybox, err := image.Busybox(host.Part("busybox"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Put("base", image.Image{Layers: []image.Layer{{Entries: busybox}}, Config: image.Config{Env: []string{"PATH=/bin"}}}); err != nil {
		t.Fatal(err)
	}
	return l, busybox
}
