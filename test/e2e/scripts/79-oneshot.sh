# SPDX-License-Identifier: Apache-2.0
# Type=oneshot: the start is over when the payload is, and its end is the unit's.
registry
job() {
	{
		printf '[Container]\nImage=127.0.0.1:5000/base:1\nExec=/bin/sh -c '"'%s'"'\nVolume=/srv/out:/out\n' "$2"
		printf '[Service]\nType=oneshot\n%s\n' "${3:-}"
	} | container "$1"
}
mkdir -p /srv/out
job good 'sleep 0.3; echo said; echo done >/out/good'
systemctl start good
test "$(cat /srv/out/good)" = done
test "$(show good ActiveState) $(show good Result) $(show good ExecMainStatus)" = 'inactive success 0'
logged good said
before=$(snapshot "$(rootfs base:1)")
test ! -e /run/syscontainer/good
test -z "$(runc list -q)"

job bad 'exit 3'
fails systemctl start bad
test "$(show bad ActiveState) $(show bad Result) $(show bad ExecMainStatus)" = 'failed exit-code 3'
test ! -e /run/syscontainer/bad

# 3 can be meant well; a signal is a signal.
job meant 'exit 3' SuccessExitStatus=3
systemctl start meant
container killed <<'END'
[Container]
Image=127.0.0.1:5000/base:1
PID=host
Exec=/bin/sh -c 'kill -SEGV $$'
[Service]
Type=oneshot
END
fails systemctl start killed
test "$(show killed Result) $(show killed ExecMainStatus)" = 'signal 11'

job stays 'echo done >/out/stays' RemainAfterExit=yes
systemctl start stays
test "$(show stays ActiveState) $(show stays SubState)" = 'active exited'
test "$(cat /srv/out/stays)" = done
systemctl stop stays
test ! -e /run/syscontainer/stays

# What is ordered after it waits for its end.
cat >/etc/systemd/system/later.service <<'END'
[Unit]
Requires=slow.service
After=slow.service
[Service]
Type=oneshot
ExecStart=/bin/cp /srv/out/slow /srv/out/later
END
job slow 'sleep 1; echo slow >/out/slow'
systemctl start later
test "$(cat /srv/out/later)" = slow

# A stop while it runs reaches the payload, which may end as it likes.
job long 'trap "echo stopped >/out/long; exit 0" TERM; echo ready >/out/long; while :; do sleep 0.05; done'
systemctl start --no-block long
within 10 grep -q ready /srv/out/long
test "$(show long ActiveState)" = activating
systemctl stop long
test "$(cat /srv/out/long)" = stopped
test "$(show long ActiveState)" = inactive
test -z "$(runc list -q)"

# The signal is the unit's to choose, and any other that reaches the service reaches the payload.
job picky 'trap "echo usr1 >>/out/picky" USR1; trap "echo usr2 >>/out/picky; exit 0" USR2; echo ready >/out/picky; while :; do sleep 0.05; done' KillSignal=SIGUSR2
systemctl start --no-block picky
within 10 grep -q ready /srv/out/picky
systemctl kill --kill-who=main -s SIGUSR1 picky
within 5 grep -qx usr1 /srv/out/picky
systemctl stop picky
grep -qx usr2 /srv/out/picky

# Deaf to it, it goes when the time is up.
job deaf 'trap "" TERM; echo ready >/out/deaf; while :; do sleep 0.05; done' TimeoutStopSec=1
systemctl start --no-block deaf
within 10 grep -q ready /srv/out/deaf
systemctl stop deaf
test -z "$(runc list -q)"
test ! -e /run/syscontainer/deaf

test "$(snapshot "$(rootfs base:1)")" = "$before"
