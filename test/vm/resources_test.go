// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"strings"
	"testing"

	"syscontainer/test/host"
)

// resources: what [Service] says of memory that runs out, of processor, tasks and disk holds for the payload, whose status is
// the unit's; and a full cgroup keeps nobody from reloading by a signal and from stopping.
const resources = `
syscontainer pull oci:/srv/oci:base
show() { systemctl show -P "$2" "$1"; }
# unit NAME COMMAND LINE…
unit() {
	local name=$1 command=$2
	shift 2
	cat >/etc/containers/systemd/$name.syscontainer <<END
[Container]
Image=oci:/srv/oci:base
Exec=/bin/sh -c '$command'
StopTimeout=5
Volume=/srv/fifo:/fifo
$(printf '%s\n' "$@")
END
	systemctl daemon-reload
}
mkdir -p /srv/fifo /etc/containers/systemd
eater='trap "exit 0" TERM; sh -c "read x </fifo/go; x=0123456789abcdef; while :; do x=\\$x\\$x; done"; echo outlived; while :; do sleep 0.1; done'
for policy in stop kill continue; do
	rm -f /srv/fifo/go
	mkfifo /srv/fifo/go
	unit oom-$policy "$eater" '[Service]' MemoryMax=32M OOMPolicy=$policy
	systemctl start oom-$policy
	echo go >/srv/fifo/go
	if [ $policy = continue ]; then
		for i in $(seq 300); do journalctl -b -q -o cat -u oom-continue | grep -qx outlived && break; sleep 0.1; done
		sleep 1
		test "$(show oom-continue ActiveState)" = active
		systemctl stop oom-continue
		test "$(show oom-continue Result)" = success
	else
		for i in $(seq 300); do systemctl -q is-failed oom-$policy && break; sleep 0.1; done
		test "$(show oom-$policy Result)" = oom-kill
	fi
	test ! -e /run/syscontainer/oom-$policy
	echo oom $policy is well
done

unit status 'exit 7' '[Service]' SuccessExitStatus=7 "ExecStopPost=/bin/sh -c 'echo \$SERVICE_RESULT \$EXIT_CODE \$EXIT_STATUS >/run/ended'"
systemctl start status
for i in $(seq 100); do test -s /run/ended && break; sleep 0.1; done
test "$(cat /run/ended)" = 'success exited 7'
unit again 'exit 9' '[Service]' Restart=on-failure RestartPreventExitStatus=9
systemctl start again
for i in $(seq 100); do systemctl -q is-failed again && break; sleep 0.1; done
test "$(show again Result) $(show again ExecMainStatus) $(show again NRestarts)" = 'exit-code 9 0'
echo status is well

unit limited 'trap "exit 0" TERM; trap "echo reloaded" HUP; until [ -e /fifo/full ]; do sleep 0.1; done; n=0; while [ $n -lt 40 ]; do sleep 1000 & n=$((n + 1)); done; while :; do read x </fifo/never; done' \
	ReloadSignal=HUP '[Service]' CPUQuota=50% TasksMax=60 IOWeight=50 CPUWeight=20
systemctl start limited
cgroup=/sys/fs/cgroup$(show limited ControlGroup)
pid=$(show limited MainPID)
grep -qx "0::$(show limited ControlGroup)/payload" /proc/$pid/cgroup
test "$(cat $cgroup/cpu.max)" = '50000 100000'
test "$(cat $cgroup/pids.max)" = 60
test "$(cat $cgroup/cpu.weight)" = 20
if [ -e $cgroup/io.weight ]; then grep -qx 'default 50' $cgroup/io.weight; fi
# The payload itself takes what its limit gives.
mkfifo /srv/fifo/never
touch /srv/fifo/full
for i in $(seq 100); do test "$(cat $cgroup/pids.current)" -ge 41 && break; sleep 0.1; done
test "$(cat $cgroup/payload/pids.current)" -ge 41
# Nothing more can run in there, a reload's command neither; that is told, harms nobody, and passes.
systemctl set-property --runtime limited TasksMax=41
if systemctl reload limited; then exit 1; fi
journalctl --sync
journalctl -b -q -o cat -u limited | grep -E 'failed to create new OS thread|Resource temporarily unavailable' # the command, or systemd's own
systemctl set-property --runtime limited TasksMax=60
systemctl reload limited
for i in $(seq 100); do journalctl -b -q -o cat -u limited | grep -qx reloaded && break; sleep 0.1; done
journalctl -b -q -o cat -u limited | grep -x reloaded
systemctl set-property --runtime limited TasksMax=41
test "$(show limited ActiveState)" = active
systemctl stop limited
# From version 255 on systemd starts commands in the unit's cgroup: while that is full it cannot run ExecStop=, ends the payload
# all the same, and calls that a failure.
case $(show limited Result) in success) ;; resources) test "$(systemctl --version | sed -n 's/^systemd \([0-9]*\).*/\1/p')" -ge 255 ;; *) false ;; esac
test ! -e $cgroup
test ! -e /run/syscontainer/limited
test -z "$(runc list -q)"
echo limits are well
`

func TestResources(t *testing.T) {
	t.Parallel()
	l, _ := layout(t)
	res, err := Boot(t.Context(), Options{
		Script:   resources,
		Packages: []string{"runc"},
		Trees:    map[string]string{"/": host.Stage(), "/srv/oci": l.Dir},
		Files:    map[string]string{"/etc/containers/policy.json": `{"default":[{"type":"insecureAcceptAnything"}]}`, "/etc/containers/registries.conf": ""},
	})
	if err != nil {
		t.Fatal(err)
	}
	if res.Exit != 0 || strings.Count(res.Stdout, "is well")+strings.Count(res.Stdout, "are well") != 5 {
		t.Fatal(res)
	}
	t.Log(res.Stdout)
}
