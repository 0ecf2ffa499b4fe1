# SPDX-License-Identifier: Apache-2.0
# disk: /var/lib/syscontainer 256M
# A stop ends in time whatever the payload thinks of signals, and leaves no mount, no bundle, no state of the runtime.
syscontainer pull oci:/srv/oci:base
mounts() { awk '{print $4, $5, $6}' /proc/self/mountinfo | sort; }
mounts >/tmp/mounts
mkdir -p /etc/containers/systemd /run/syscontainer

# payload NAME COMMAND [LINE…]: it says when its traps are set.
payload() {
	{
		printf "[Container]\nImage=oci:/srv/oci:base\nExec=/bin/sh -c '%s'\n" "${2//ready/echo ready}"
		printf '%s\n' "${@:3}"
	} >"/etc/containers/systemd/$1.syscontainer"
}
tools='while :; do sleep 0.1; done'
payload polite "trap \"exit 0\" TERM; ready; $tools"
payload interrupted "trap \"echo interrupted; exit 0\" INT; trap \"exit 3\" TERM; ready; $tools" StopSignal=SIGINT
payload careful "trap \"exit 7\" TERM; ready; $tools"
# Process 1 has no default action for a signal: it must not come to the ten seconds of a unit that says nothing.
payload deaf "ready; exec sleep 1000" StopTimeout=1s
payload defiant "trap \"\" TERM; ready; $tools" StopTimeout=1s
payload deaf-int "ready; exec sleep 1000" StopTimeout=1s StopSignal=SIGINT
payload writable "trap \"\" TERM; ready; $tools" StopTimeout=1s ReadOnly=no
payload mapped "trap \"\" TERM; ready; $tools" StopTimeout=1s UIDMap=0:200000:65536
# With an init the same sleep ends at once, and what ignores the signal is killed as before.
payload tended "ready; exec sleep 1000" RunInit=yes
payload tended-defiant "trap \"\" TERM; ready; $tools" RunInit=yes StopTimeout=1s
# What the main process leaves behind in the host's process namespace does not outlive it.
payload parent "trap \"exit 0\" TERM; (trap \"\" TERM; exec sleep 1000) & ready; $tools" PID=host
payload killed "ready; exec sleep 1000" StopSignal=SIGKILL
payload job "trap \"\" TERM; ready; $tools" StopTimeout=1s '[Service]' Type=oneshot
systemctl daemon-reload

# stopped NAME RESULT STATUS: what the unit says after systemctl stop; nothing is left of it.
stopped() {
	local cgroup began
	if [ "$1" = job ]; then systemctl start --no-block job; else systemctl start "$1"; fi
	logged "$1" ready
	cgroup=/sys/fs/cgroup$(show "$1" ControlGroup)
	test -d "$cgroup/payload"
	began=$(date +%s%N)
	systemctl stop "$1"
	echo "$1: $((($(date +%s%N) - began) / 1000000)) ms, $(show "$1" ActiveState), $(show "$1" Result), status $(show "$1" ExecMainStatus)"
	test "$(show "$1" Result) $(show "$1" ExecMainStatus)" = "$2 $3"
	test "$(show "$1" ActiveState)" = "$([ "$2" = success ] && echo inactive || echo failed)"
	# Far below the ten seconds of a unit that says nothing.
	test $((($(date +%s%N) - began) / 1000000000)) -lt 5
	test ! -e "$cgroup"
	test -z "$(ls -A /run/syscontainer)"
	test -z "$(runc list -q)"
	mounts | diff /tmp/mounts -
	systemctl reset-failed
}
stopped polite success 0
stopped interrupted success 0
stopped careful exit-code 7
stopped deaf timeout 9
stopped defiant timeout 9
stopped deaf-int timeout 9
stopped writable timeout 9
stopped mapped timeout 9
stopped tended success 0
stopped tended-defiant timeout 9
stopped parent success 0
stopped killed signal 9
stopped job timeout 9
for exe in /proc/[0-9]*/exe; do
	case $(readlink "$exe") in
	*/render | *runc* | */busybox | */catatonit | */run/init) echo "process is left: $exe" >&2; exit 1 ;;
	esac
done
