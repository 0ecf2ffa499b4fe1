# SPDX-License-Identifier: Apache-2.0
# A stop while the runtime is making the container leaves nothing, wherever it hits.
registry
# A runtime that is slow at everything, and goes on after the program that executed it is dead.
mkdir -p /srv/slow
cat >/srv/slow/runc <<END
#!/bin/sh
case " \$* " in
*" create "*) bundle=\$(echo "\$*" | sed 's/.*--bundle \([^ ]*\).*/\1/')
	for i in \$(seq 300); do mkdir -p "\$bundle/made-\$i/below"; done ;;
esac
exec $(command -v runc) "\$@"
END
chmod 755 /srv/slow/runc
syscontainer pull 127.0.0.1:5000/base:1
making() { test -e /run/syscontainer/half/made-1; }
for signal in SIGTERM SIGUSR1; do # a program in Go would drop the second
	container half <<END
[Container]
Image=127.0.0.1:5000/base:1
Runtime=/srv/slow/runc
Exec=/bin/sh -c 'trap "exit 0" TERM USR1; while :; do sleep 0.05; done'
StopSignal=$signal
StopTimeout=5
END
	for delay in 0 0.02 0.05 0.1 0.15 0.2 0.3 0.5; do
		systemctl start --no-block half
		within 10 making
		sleep $delay
		systemctl stop half
		test "$(show half Result) $(show half ActiveState)" = 'success inactive'
		test ! -e /run/syscontainer/half
		test ! -e /sys/fs/cgroup/system.slice/half.service
		test -z "$(runc list -q)"
		fails grep -q /run/syscontainer /proc/mounts
		fails pgrep -f /srv/slow/runc
	done
done
