# SPDX-License-Identifier: Apache-2.0
# shutdown
# Stopping: the signal asked for, a short patience with a payload that ignores it, and the end of the host itself.
registry
container polite <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'trap "echo bye; exit 0" USR1; echo listening; while :; do sleep 0.1; done'
StopSignal=USR1
END
container deaf <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
StopTimeout=1
END
systemctl start polite deaf
within 5 sh -c "journalctl --sync; journalctl -q -b -u polite -g listening"
systemctl stop polite
logged polite bye
test "$(show polite Result)" = success
systemctl stop deaf
test "$(show deaf ActiveState)" != active
test -z "$(runc list -q)"
systemctl reset-failed
systemctl start polite deaf
