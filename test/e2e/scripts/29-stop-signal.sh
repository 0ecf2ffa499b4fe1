# SPDX-License-Identifier: Apache-2.0
# The image says which signal ends it, USR1 here, unless the unit does.
registry
# payload NAME LINES…: notes the signals it gets, and ends of any.
payload() {
	local name=$1
	shift
	container "$name" <<X
[Container]
Image=127.0.0.1:5000/signal:1
Exec=/bin/sh -c 'for s in TERM USR1 USR2; do trap "echo got \$s; sleep 0.3; echo leaves; exit 0" \$s; done; echo listens; while :; do sleep 0.05; done'
StopTimeout=5
$(printf '%s\n' "$@")
X
	systemctl start "$name"
	logged "$name" listens
	systemctl stop "$name"
	logged "$name" leaves
}
payload image
says 'got USR1' /tmp/journal
# It is left to end in peace: systemd's own signal comes to nobody.
fails says 'got TERM' /tmp/journal
test "$(show image Result)" = success
test ! -e /run/syscontainer/image
payload unit StopSignal=USR2
says 'got USR2' /tmp/journal
fails says 'got USR1' /tmp/journal
payload service '[Service]' KillSignal=SIGTERM
says 'got TERM' /tmp/journal
fails says 'got USR1' /tmp/journal

# Deaf to the image's signal, it is killed when the time is over: the time does not begin anew.
container deaf <<'X'
[Container]
Image=127.0.0.1:5000/signal:1
Exec=/bin/sh -c 'trap "" USR1 TERM; echo listens; while :; do sleep 0.05; done'
StopTimeout=2
X
systemctl start deaf
logged deaf listens
systemctl stop deaf
test "$(show deaf Result)" = timeout
logged deaf 'Stopping timed out'
fails says "State 'stop-sigterm' timed out" /tmp/journal
test -z "$(runc list -q)"
systemctl reset-failed deaf

# A oneshot service, too, is stopped as its image wants it.
container once <<'X'
[Container]
Image=127.0.0.1:5000/signal:1
Exec=/bin/sh -c 'for s in TERM USR1; do trap "echo got $s; exit 0" $s; done; echo listens; while :; do sleep 0.05; done'
[Service]
Type=oneshot
X
systemctl start --no-block once
logged once listens
systemctl stop once
logged once got
says 'got USR1' /tmp/journal
sed -i '$aKillSignal=SIGTERM' /etc/containers/systemd/once.syscontainer
systemctl daemon-reload
journalctl --rotate --vacuum-time=1ms -q
systemctl start --no-block once
logged once listens
systemctl stop once
logged once got
says 'got TERM' /tmp/journal

# One that ends by itself has nobody to be sent a signal.
container short <<'X'
[Container]
Image=127.0.0.1:5000/signal:1
Exec=/bin/true
X
systemctl start short
within 5 sh -c 'test "$(systemctl show -P ActiveState short)" = inactive'
test "$(show short Result)" = success
test ! -e /run/syscontainer/short
# The script's other image says nothing.
container silent <<'X'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'trap "echo got TERM; exit 0" TERM; echo listens; while :; do sleep 0.05; done'
X
systemctl start silent
test ! -e /run/syscontainer/silent/stop-signal
logged silent listens
systemctl stop silent
logged silent 'got TERM'
