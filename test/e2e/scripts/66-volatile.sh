# SPDX-License-Identifier: Apache-2.0
# disk: /var/lib/syscontainer 256M
# Volatile=yes: the payload writes where it likes, and nothing of it is there after a stop, nor after everything was killed.
registry
syscontainer pull 127.0.0.1:5000/base:1
before=$(snapshot "$(rootfs base:1)")
mkdir /srv/out

# written NAME: it holds what the payload wrote.
written() { nsenter -t "$(show "$1" MainPID)" -m -r /bin/cat /etc/new >/tmp/seen && grep -qx new /tmp/seen; }
# nothing_left: no file and no mount of a container.
nothing_left() {
	test ! -e $store/containers && test -z "$(ls /run/syscontainer)" && fails grep /run/syscontainer /proc/mounts
}

for mode in plain shared mapped; do
	more=''
	[ $mode != shared ] || more=Volume=/srv/out:/out:rshared
	[ $mode != mapped ] || more=UIDMap=0:200000:65536
	container $mode <<-END
	[Container]
	Image=127.0.0.1:5000/base:1
	Exec=/bin/sh -c 'test ! -e /etc/new && test ! -e /deep || exit 7; mkdir -p /deep/er /etc; echo new >/etc/new; rm /bin/wget; exec sleep 1000'
	Volatile=yes
	$more
	StopSignal=SIGKILL
	END
	for round in 1 2; do
		systemctl start $mode
		within 5 written $mode
		fails grep /run/syscontainer /proc/mounts
		systemctl stop $mode
		nothing_left
	done
	# Killed, the payload and all that could have cleared up: the next start knows nothing of it.
	systemctl start $mode
	within 5 written $mode
	test -z "$(find /run/syscontainer -name new)" # its memory is its own
	systemctl kill --signal=SIGKILL $mode
	within 5 ended $mode
	systemctl reset-failed $mode || :
	within 10 nothing_left
	systemctl start $mode
	within 5 written $mode
	systemctl stop $mode
	nothing_left
done

# What is written is memory of the container, not the machine's /run: it cannot be filled.
container greedy <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'echo "of its own: $(df -k / | tail -n 1)"; dd if=/dev/zero of=/big bs=1M count=8 && echo written; exec sleep 1000'
Volatile=yes
StopSignal=SIGKILL
END
free() { df --output=avail -k /run | tail -n 1; }
before_run=$(free)
systemctl start greedy
logged greedy written
test $((before_run - $(free))) -lt 4096
systemctl stop greedy

# Kept and forgotten at once is no wish that can be granted.
container both <<'END'
[Container]
Image=127.0.0.1:5000/base:1
ReadOnly=no
Volatile=yes
END
fails systemctl start both
logged both both.syscontainer:4 'Volatile=yes forgets' 'ReadOnly=no keeps'
logged both 'hint: write one of them'
test "$(snapshot "$(rootfs base:1)")" = "$before"
