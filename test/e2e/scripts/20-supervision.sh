# SPDX-License-Identifier: Apache-2.0
# systemd supervises the payload itself: its main process, its cgroup, its journal, and nothing else that stays.
registry
container app <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'echo payload speaks; echo and complains >&2; exec sleep 1000'
StopTimeout=1
END
systemctl start app
pid=$(show app MainPID)
within 5 grep -qx sleep "/proc/$pid/comm"
test "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = "sleep 1000 "
cgroup=$(show app ControlGroup)
test "$cgroup" = /system.slice/app.service
grep -q "^0::$cgroup/" "/proc/$pid/cgroup"
within 5 alone app
# Its parent is the manager: nobody stands between.
test "$(awk '/^PPid/ {print $2}' "/proc/$pid/status")" = 1
for comm in /proc/[0-9]*/comm; do
	case $(cat "$comm" 2>/dev/null) in
	runc* | crun* | render | syscontainer* | conmon) echo "$(cat "$comm") is still there" >&2; exit 1 ;;
	esac
done

logged app 'payload speaks'
says 'and complains' /tmp/journal
test "$(journalctl -b -q -u app -o verbose --output-fields=_PID,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER -g 'and complains' | grep -c -e '_SYSTEMD_UNIT=app.service' -e 'SYSLOG_IDENTIFIER=app')" = 2

# A reload and a re-execution of the manager leave it alone.
systemctl daemon-reload
systemctl daemon-reexec
test "$(show app MainPID)" = "$pid"
test "$(show app ActiveState)" = active

# The exit status is the payload's, and the stop hook sees a clean host.
systemctl stop app
test "$(show app ActiveState)" = inactive -o "$(show app ActiveState)" = failed
test ! -e "/sys/fs/cgroup$cgroup"
test -z "$(runc list -q)"
test -z "$(ls -A /run/syscontainer)"
container exits <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'sleep 0.2; exit 7'
END
systemctl start exits
within 5 sh -c 'test "$(systemctl show -P ActiveState exits)" = failed'
test "$(show exits Result) $(show exits ExecMainStatus)" = "exit-code 7"
test -z "$(runc list -q)"
