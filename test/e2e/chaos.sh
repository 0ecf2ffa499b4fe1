# SPDX-License-Identifier: Apache-2.0
# Random actions on containers of every kind, for TestChaos: seed, actions and crun come from there.
{ set +x; } 2>/dev/null
RANDOM=$seed
syscontainer pull oci:/srv/oci:base
before=$(snapshot "$(rootfs base)")
units=()

# kind NAME PAYLOAD [LINE…]: a container that comes back when it is killed.
kind() {
	units+=("$1")
	{
		printf '[Unit]\nStartLimitIntervalSec=0\n[Container]\nImage=oci:/srv/oci:base\nPull=never\n'
		printf "Exec=/bin/sh -c '%s'\n" "$2"
		printf '%s\n' "${@:3}"
		printf '[Service]\nRestart=on-failure\nRestartSec=50ms\n'
	} >"/etc/containers/systemd/$1.syscontainer"
}
mkdir -p /etc/containers/systemd
polite='trap "exit 0" TERM; sleep 1000 & wait'
kind plain "$polite"
kind writable "date >/etc/started; $polite" ReadOnly=no
# The host's own systemd-notify, with all it needs.
kind notify 'systemd-notify --ready; exec sleep 1000' Notify=yes StopSignal=KILL \
	Environment=PATH=/bin:/usr/bin Volume=/usr:/usr:ro Volume=/usr/lib:/lib:ro Volume=/usr/lib64:/lib64:ro
kind mapped 'exec sleep 1000' UIDMap=0:200000:65536 StopSignal=KILL
printf 'containers:2000000:2000000\n' | tee /etc/subuid >/etc/subgid
kind auto 'exec sleep 1000' UserNS=auto StopSignal=KILL
kind bridge "$polite" Network=bridge PublishPort=8080:80
kind bridged "$polite" Network=bridge
units+=(job)
cat >/etc/containers/systemd/job.syscontainer <<'END'
[Unit]
StartLimitIntervalSec=0
[Container]
Image=oci:/srv/oci:base
Pull=never
Exec=/bin/sh -c 'sleep 0.2'
StopSignal=KILL
[Service]
Type=oneshot
END
# $crun is empty where it cannot raise a limit, which it wants to do for its list of devices.
if command -v crun; then
	more='ConfigPatch={"linux":{"resources":{"devices":null}}}'
	[ -z "$crun" ] || more=''
	kind crun "$polite" Runtime=crun "$more"
fi
systemctl daemon-reload
mounts() { awk '{print $4, $5, $6}' /proc/self/mountinfo | sort; }
mounts >/tmp/mounts
[ -e /run/syscontainer ] || mkdir /run/syscontainer

# cgroup NAME: where the unit's processes are, known without asking.
cgroup() { echo "/sys/fs/cgroup/system.slice/$1.service"; }

# programs NAME render|runtime: those that run for the unit now. What removes a stopped container is spared: nobody would
# do its work after it.
programs() {
	local pid line
	for pid in $(find "$(cgroup "$1")" -name cgroup.procs -exec cat {} + 2>/dev/null); do
		line=$(tr '\0' ' ' <"/proc/$pid/cmdline") 2>/dev/null
		case $2:$line in
		render:*--clean*) ;;
		render:*/render\ *) echo "$pid" ;;
		runtime:runc* | runtime:*/runc\ * | runtime:*/crun\ *) echo "$pid" ;;
		esac
	done
}
jobs_of() { systemctl list-jobs --plain --no-legend "${@/%/.service}" | grep -F .service; }
chance() { [ $((RANDOM % $1)) = 0 ]; }
pause() { sleep "$(printf '0.%03d' $((RANDOM % ${1:-60})))"; }

# control COMMAND: sometimes without waiting, so that the next action meets it half done.
control() {
	local block=
	if chance 2; then block=--no-block; fi
	echo "$n: $1 $name $block"
	timeout 40 systemctl $block "$1" "$name" || [ $? != 124 ] || { echo "$1 $name hangs"; exit 1; }
}

# catch KIND: kill -9 what a start runs, at whatever it is doing.
catch() {
	local pid victims='' end=$((SECONDS + 2))
	if chance 2; then systemctl --no-block restart "$name"; else systemctl --no-block start "$name"; fi
	pause 40
	while [ -z "$victims" ] && [ $SECONDS -lt $end ] && jobs_of "$name" >/tmp/jobs; do
		victims=$(programs "$name" "$1")
	done
	echo "$n: start $name, kill $1:" $victims
	for pid in $victims; do
		kill -9 "$pid" || :
		caught=$((caught + 1))
	done
}

caught=0
for n in $(seq "$actions"); do
	name=${units[RANDOM % ${#units[@]}]}
	case $((RANDOM % 16)) in
	0 | 1 | 2 | 3) control start ;;
	4 | 5) control stop ;;
	6 | 7) control restart ;;
	8 | 9)
		pid=$(show "$name" MainPID)
		echo "$n: kill payload $name: $pid"
		[ "$pid" = 0 ] || kill -9 "$pid" || :
		;;
	10)
		echo "$n: kill all $name"
		systemctl kill -s KILL "$name" || :
		;;
	11 | 12) catch render ;;
	13) catch runtime ;;
	14) echo "$n: daemon-reload"; systemctl daemon-reload ;;
	15) echo "$n: daemon-reexec"; systemctl daemon-reexec ;;
	esac 2>>/tmp/noise
	pause
done
echo "killed $caught programs on the start path"

settled() {
	local state
	for name in "${units[@]}"; do
		state=$(show "$name" ActiveState)
		case $state in active | inactive | failed) ;; *) return 1 ;; esac
	done
	! jobs_of "${units[@]}"
}
wrong=0
bad() { echo "WRONG: $*"; wrong=1; }

# gone NAME: nothing is left of a unit that does not run.
gone() {
	[ ! -e "/run/syscontainer/$1" ] || bad "$1: bundle is left: $(ls "/run/syscontainer/$1")"
	[ ! -e "/run/runc/$1" -a ! -e "/run/crun/$1" ] || bad "$1: the runtime's state is left"
	[ ! -e "$(cgroup "$1")" ] || bad "$1: cgroup is left"
}

within 30 settled
for name in "${units[@]}"; do
	state=$(show "$name" ActiveState)
	pid=$(show "$name" MainPID)
	echo "$name is $state, process $pid, $(show "$name" Result), $(show "$name" NRestarts) restarts"
	case $state in
	active)
		grep -q "^0::/system.slice/$name.service/payload" "/proc/$pid/cgroup" || bad "$name: process $pid is not in its cgroup"
		tool=runc
		[ "$name" != crun ] || tool=crun
		$tool state "$name" | tr -d ' \n' >/tmp/state
		grep -q "\"pid\":$pid,.*\"status\":\"running\"" /tmp/state || bad "$name: $(cat /tmp/state)"
		# None but the payload and its children.
		for other in $(processes "$name"); do
			case $(cat "/proc/$other/comm") in sh | sleep) ;; *) bad "$name: $(cat "/proc/$other/comm") is there" ;; esac
		done

		;;
	*) gone "$name" ;;
	esac
done

systemctl stop "${units[@]}" || bad 'systemctl stop'
within 30 settled
for name in "${units[@]}"; do
	[ "$(show "$name" ActiveState)" != active ] || bad "$name is active after stop"
	gone "$name"
done
left=$(find /run/syscontainer /run/runc /run/crun -mindepth 1 -maxdepth 1 ! -path /run/crun/.cache 2>/dev/null || :) # crun's own, of filters
[ -z "$left" ] || bad "left: $left"
[ -z "$(find /sys/fs/cgroup -type d \( -name payload -o -name runtime \))" ] || bad 'a cgroup is left'
for exe in /proc/[0-9]*/exe; do
	case $(readlink "$exe") in
	*/render | *runc* | *crun* | */busybox) bad "process is left: $exe $(readlink "$exe")" ;;
	esac
done
! rules | grep -E 'syscontainer|10\.90\.' || bad 'rules of the firewall are left'
[ -z "$(ls -d /sys/class/net/{syscontainer,veth}* 2>/dev/null)" ] || bad "links are left: $(ls /sys/class/net)"
mounts | diff /tmp/mounts - || bad 'mounts have changed'
[ "$(snapshot "$(rootfs base)")" = "$before" ] || bad 'the shared checkout has changed'

# And all of them still work.
systemctl reset-failed
systemctl start "${units[@]}"
[ "$caught" -gt 0 ] || bad 'no start was hit'
exit $wrong
