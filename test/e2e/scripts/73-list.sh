# SPDX-License-Identifier: Apache-2.0
# list shows what is: a service that failed, or waits for another try, or has no process, counts for nothing else.
registry
image=127.0.0.1:5000/base:1
d=/etc/containers/systemd
# row NAME WORD…: the line of a container has these words, in this order.
row() {
	syscontainer list >/tmp/list
	local line
	line=$(grep "^$1 " /tmp/list) || { cat /tmp/list >&2; return 1; }
	shift
	case " $(echo $line) " in
	*" $* "*) ;;
	*) echo "want '$*' in: $line" >&2; return 1 ;;
	esac
}
# Nothing is there: the head, and no directory is made.
test "$(syscontainer list | wc -l)" = 1
test "$(syscontainer list --json)" = '[]'
fails test -e $store

mkdir -p $d
for name in up down many@ loses; do
	printf '[Container]\nImage=%s\nExec=/bin/sleep 1000\nStopTimeout=1\n' $image >$d/$name.syscontainer
done
printf '[Container]\nImage=%s\nExec=/bin/sh -c "exit 3"\n' $image >$d/bad.syscontainer
printf '[Container]\nImage=%s\nExec=/bin/sh -c "exit 3"\n[Service]\nRestart=always\nRestartSec=1000\n' $image >$d/loops.syscontainer
printf '[Container]\nImage=%s\nExec=/bin/true\n[Service]\nType=oneshot\nRemainAfterExit=yes\n' $image >$d/once.syscontainer
printf '[Container]\nImage=%s\nPayload=no\nExport=yes\n' $image >$d/files.syscontainer
printf '[Container]\nImage=%s\nPidsLimit=many\n' $image >$d/wrong.syscontainer
systemctl daemon-reload
printf '[Container]\nImage=%s\n' $image >$d/unread.syscontainer
row up $image - - inactive
fails test -e /run/syscontainer
systemctl start up many@a once loses files
systemctl start bad loops || :
says_of() { test "$(show "$1" "$2")" = "$3"; }
within 10 says_of bad ActiveState failed
within 10 says_of loops SubState auto-restart
digest=$(basename "$(dirname "$(rootfs base:1)")" | head -c 12)
row up up $image $digest - active
row down down $image $digest - inactive
row many@a $digest - active
fails row many@
row bad $digest - failed
row loops $digest - restarting
row once $digest - exited
row files $digest - exited
row wrong broken
row unread $digest - not-loaded
syscontainer list 2>/tmp/err >/dev/null
says wrong.syscontainer:3 many /tmp/err
test "$(wc -l </tmp/err)" = 1
fails systemctl start wrong
row wrong failed

# What a crash leaves is not what runs; what is started anew is.
syscontainer list --json >/tmp/json
grep -A6 '"name": "loses"' /tmp/json | grep -q '"running": "sha256:'
systemctl kill -s KILL loses
within 10 says_of loses ActiveState failed
row loses failed
syscontainer list --json >/tmp/json
grep -A6 '"name": "loses"' /tmp/json | grep -q '"running": null'
systemctl start loses
row loses active

# A container of run has no unit's file.
test "$(syscontainer run -d --name job $image sleep 1000)" = job.service
row job $image $digest - active
systemctl stop job

# The tag moves: nothing changes for what runs until its next start, and that is told.
syscontainer pull 127.0.0.1:5000/sibling:1
syscontainer tag 127.0.0.1:5000/sibling:1 $image
new=$(basename "$(dirname "$(rootfs base:1)")" | head -c 12)
fails test "$new" = "$digest"
row up $digest - active - restart
row down $new - inactive - -
systemctl restart up
row up $new - active - -

syscontainer status up many@a >/tmp/status
says State active 'process' "$(show up MainPID)" /tmp/status
says 'Running: sha256:' "$new" /tmp/status
says 'Running: sha256:' "$digest" /tmp/status
says 'Next start: sha256:' "$new" /tmp/status
syscontainer status --json bad >/tmp/json
says '"state": "failed"' /tmp/json
fails syscontainer status not-there 2>/tmp/err
says not-there /tmp/err
syscontainer history up 2>/tmp/err >/tmp/out
says 'up was never updated' /tmp/err
test ! -s /tmp/out
