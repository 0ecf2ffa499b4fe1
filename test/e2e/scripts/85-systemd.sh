# SPDX-License-Identifier: Apache-2.0
# Systemd=yes: an init inside boots, runs and logs services of its own in the unit's cgroup, and ends well.
# disk: /var/lib/syscontainer 256M
syscontainer pull oci:/srv/oci:systemd
before=$(snapshot "$(rootfs oci:/srv/oci:systemd)")
echo 'containers:2147483647:2147483648' | tee /etc/subuid >/etc/subgid

# inner NAME [LINE…]: a container of that image.
inner() {
	local name=$1
	shift
	container "$name" <<-END
	[Container]
	Image=oci:/srv/oci:systemd
	Systemd=yes
	Notify=yes
	StopTimeout=60
	$(printf '%s\n' "$@")
	END
}
ask() { syscontainer exec "$@"; }
# gone NAME: nothing of it is left.
gone() {
	test "$(show "$1" ActiveState)" = inactive && test "$(show "$1" Result)" = success && test "$(show "$1" ExecMainStatus)" = 0 &&
		test ! -e "/sys/fs/cgroup/system.slice/$1.service" && test ! -e "/run/syscontainer/$1" && test -z "$(runc list -q)" &&
		fails grep /run/syscontainer /proc/mounts
}
# forwarded NAME LINE: what the journal inside got stands in the service's, under the name it has inside.
forwarded() { journalctl --sync; journalctl -b -q -o cat -u "$1" -t "$2" | grep -qFx -- "$3"; }

inner sealed
inner kept ReadOnly=no
inner forgets Volatile=yes
inner sealed-users UserNS=auto
inner kept-users ReadOnly=no UserNS=auto
network=none
own_sysfs || network=host
inner forgets-users Volatile=yes UserNS=auto Network=$network
for mode in sealed kept forgets sealed-users kept-users forgets-users; do
	# With Notify=yes it is active when the boot has come to its end.
	systemctl start $mode
	test "$(ask $mode systemctl is-system-running)" = running
	test "$(show $mode StatusText)" = Ready.
	ask $mode systemctl is-active greet worker
	ask $mode cat /proc/1/cgroup | grep -qx 0::/init.scope
	cgroup=/sys/fs/cgroup$(show $mode ControlGroup)
	worker=$(cat "$cgroup/payload/system.slice/worker.service/cgroup.procs")
	case $mode in
	*-users) first=$(stat -c %u "$cgroup/payload/init.scope"); test "$first" -gt 65536 ;;
	*) first=0 ;;
	esac
	test "$(stat -c %u "/proc/$worker")" = $((first + 1000))

	# Its journal is inside, and the service's.
	ask $mode journalctl -q -o cat -u greet -u worker >/tmp/inside
	grep -qx 'greetings from inside' /tmp/inside
	grep -qx 'working as 1000' /tmp/inside
	within 5 forwarded $mode echo 'greetings from inside'
	within 5 forwarded $mode systemd 'Reached target multi-user.target - Multi-User System.'

	# A number of its own, which stays.
	id=$(ask $mode cat /etc/machine-id)
	test ${#id} = 32
	echo "$id" >>/tmp/ids
	fails grep -qx "$id" /etc/machine-id

	# It sees and manages its own control groups, and no others.
	ask $mode mkdir /sys/fs/cgroup/own.slice
	test -d "$cgroup/payload/own.slice"
	ask $mode sh -c 'echo $$ >/sys/fs/cgroup/own.slice/cgroup.procs && cat /proc/self/cgroup' | grep -qx 0::/own.slice
	ask $mode busybox rmdir /sys/fs/cgroup/own.slice
	ask $mode busybox find /sys/fs/cgroup /sys/fs/cgroup/.. -maxdepth 2 -name '*.service' >/tmp/seen
	grep -q worker.service /tmp/seen
	fails grep -E "host-script|$mode" /tmp/seen
	fails ask $mode mount -t cgroup2 none /tmp
	fails ask $mode busybox umount /sys/fs/cgroup
	fails ask $mode sh -c 'echo x >/proc/sys/kernel/hostname'
	fails ask $mode busybox chmod 600 /run/systemd/journal/syslog
	fails ask $mode busybox chmod 600 /run/notify/notify.sock
	test "$(cat "$cgroup/cgroup.procs")" = ''

	ask $mode systemctl restart worker
	fails test -e "/proc/$worker"
	ask $mode systemctl is-active worker
	case $mode in sealed*) fails ask $mode touch /etc/new ;; *) ask $mode touch /etc/new ;; esac
	systemctl stop $mode
	gone $mode
	logged $mode 'Stopped worker.service'

	systemctl start $mode
	test "$(ask $mode cat /etc/machine-id)" = "$id"
	case $mode in
	kept*) ask $mode test -e /etc/new; boots=2 ;;
	*) fails ask $mode test -e /etc/new; boots=1 ;;
	esac
	test "$(ask $mode journalctl -q -o cat -t echo | grep -cFx 'greetings from inside')" = $boots
	# Whoever it is that ends it, from inside or by force.
	case $mode in
	sealed) ask $mode systemctl poweroff ;;
	kept) ask $mode systemctl reboot || : ;; # the command may be ended, too
	forgets) ask $mode systemctl halt || : ;;
	*) systemctl stop $mode ;;
	esac
	within 10 gone $mode
done
test "$(sort -u /tmp/ids | wc -l)" = 6
systemctl start kept-users
systemctl kill --signal=SIGKILL kept-users
killed() { test "$(show kept-users ActiveState)" = failed; }
within 10 killed
systemctl start kept-users
test "$(ask kept-users systemctl is-system-running)" = running
systemctl stop kept-users
gone kept-users

# With Restart=always, a reboot inside is one.
inner again '[Service]' Restart=always RestartSec=0
systemctl start again
pid=$(show again MainPID)
ask again systemctl reboot || :
again_runs() { test "$(show again NRestarts)" = 1 && test "$(show again ActiveState)" = active && test "$(show again MainPID)" != "$pid"; }
within 10 again_runs
systemctl stop again
gone again

# Stopped as soon as it is up, which without Notify=yes is before systemd can take a signal; and in the middle of a boot.
inner hurried Notify=no
for round in 1 2; do
	systemctl start hurried
	systemctl stop hurried
	gone hurried
done
for delay in 0 0.05 0.2; do
	inner booting
	systemctl start --no-block booting
	begun() { test "$(show booting MainPID)" != 0; }
	within 10 begun
	sleep $delay
	systemctl stop booting
	gone booting
done

# Something else than a systemd.
inner wrong 'Exec=sh -c "exit 7"'
fails systemctl start wrong
logged wrong 'the payload ended before it could have been a systemd'

# What cannot go with it.
inner not RunInit=yes PID=host Cgroup=host
fails systemctl start not
logged not not.syscontainer:6 'RunInit=yes puts an init before the payload'
logged not not.syscontainer:7 'the first of the container'
logged not not.syscontainer:8 "shows the machine's control groups"
inner once '[Service]' Type=oneshot
fails systemctl start once
logged once once.syscontainer:3 'Systemd=yes is not possible with Type=oneshot'
inner nobody User=app
fails systemctl start nobody
logged nobody 'the payload runs as user 1000, and systemd must be root'
logged nobody 'hint: write User=root'
test "$(snapshot "$(rootfs oci:/srv/oci:systemd)")" = "$before"
