# SPDX-License-Identifier: Apache-2.0
# A stop right after the start, when the service is up already but its payload is not, ends as well as any other: it used to hit
# the runtime's own process, and the unit was failed.
registry
# A runtime that takes its time to let the payload run.
mkdir -p /srv/slow
for runtime in runc crun; do
	printf '#!/bin/sh\ncase " $* " in *" start "*) sleep 1 ;; esac\nexec %s "$@"\n' "$(command -v $runtime || echo /bin/false)" >/srv/slow/$runtime
done
chmod 755 /srv/slow/*
for runtime in runc crun; do
	command -v $runtime || continue
	# crun wants a limit raised for its list of devices, which not every machine lets it do.
	more=''
	[ $runtime != crun ] || more='ConfigPatch={"linux":{"resources":{"devices":null}}}'
	for patience in 0 0.4; do # until it handles signals
		container "early-$runtime" <<END
[Container]
Image=127.0.0.1:5000/base:1
Runtime=/srv/slow/$runtime
Exec=/bin/sh -c 'sleep $patience; trap "echo bye after $patience; exit 0" TERM; while :; do sleep 0.05; done'
StopTimeout=5
$more
END
		systemctl start "early-$runtime"
		systemctl stop "early-$runtime"
		test "$(show "early-$runtime" Result) $(show "early-$runtime" ActiveState)" = 'success inactive'
		logged "early-$runtime" "bye after $patience"
		test ! -e "/run/syscontainer/early-$runtime"
	done
done

# The unit's own signal waits as well. The runtime's process would drop this one, and the service be killed in the end.
container early-own <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Runtime=/srv/slow/runc
Exec=/bin/sh -c 'sleep 0.4; trap "echo bye by USR1; exit 0" USR1; while :; do sleep 0.05; done'
StopSignal=SIGUSR1
StopTimeout=5
END
systemctl start early-own
systemctl stop early-own
test "$(show early-own Result) $(show early-own ActiveState)" = 'success inactive'
logged early-own 'bye by USR1'

# One that handles nothing is waited for no longer than a moment, and one that is killed meanwhile not at all.
container deaf <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
StopTimeout=3
END
systemctl start deaf
systemctl stop deaf
logged deaf "State 'stop-sigterm' timed out"
fails says 'Stopping timed out' /tmp/journal
systemctl reset-failed deaf
systemctl start deaf
systemctl stop --no-block deaf
kill -KILL "$(show deaf MainPID)"
within 3 sh -c 'test "$(systemctl show -P ActiveState deaf)" = failed'
test ! -e /run/syscontainer/deaf
test -z "$(runc list -q)"
