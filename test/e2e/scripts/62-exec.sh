# SPDX-License-Identifier: Apache-2.0
# exec runs a command beside the payload: its streams, status, signals, terminal, user; in the unit's cgroup, with the payload's rights.
registry
container app <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'echo started; exec sleep 1000'
Environment=FROM=unit
WorkingDir=/tmp
Tmpfs=/tmp
HostName=inside
StopTimeout=1
END

fails syscontainer exec app true 2>/tmp/said
says 'app does not run' /tmp/said
says 'hint: systemctl start app' /tmp/said
fails syscontainer exec apq true 2>/tmp/said
says 'did you mean app?' /tmp/said

systemctl start app
main=$(show app MainPID)
group=$(show app ControlGroup)

# Streams and status are the command's; words reach it as they are.
test "$(echo across | syscontainer exec app.service cat)" = across
test "$(syscontainer exec app.syscontainer busybox printf '%s|' 'two words' '$HOME %n' '' -t)" = 'two words|$HOME %n||-t|'
syscontainer exec app sh -c 'echo out; echo err >&2; exit 7' >/tmp/out 2>/tmp/err && status=0 || status=$?
test "$status:$(cat /tmp/out):$(cat /tmp/err)" = 7:out:err
fails syscontainer exec app no-such-program 2>/tmp/said
says no-such-program /tmp/said

# What the payload sees and may, the command sees and may.
test "$(syscontainer exec -e A=1 -e FROM=caller app sh -c 'echo $FROM:$A:$(pwd):$(hostname)')" = caller:1:/tmp:inside
test "$(syscontainer exec -w /bin app sh -c 'echo $FROM:$(pwd)')" = unit:/bin
for what in CapEff CapBnd Seccomp: NoNewPrivs; do
	test "$(syscontainer exec app busybox grep "^$what" /proc/self/status)" = "$(grep "^$what" "/proc/$main/status")"
done
test "$(syscontainer exec app cat /proc/1/comm)" = sleep
fails syscontainer exec app touch /new
test "$(syscontainer exec -u app app sh -c 'echo $(id -u):$(id -g):$HOME; busybox grep ^CapEff /proc/self/status')" = \
	"1000:1000:$(awk -F: '$1=="app"{print $6}' "/proc/$main/root/etc/passwd")
CapEff:	0000000000000000"
test "$(syscontainer exec -u 5:6 app sh -c 'echo $(id -u):$(id -g)')" = 5:6
fails syscontainer exec -u nobody-here app true 2>/tmp/said
says 'user "nobody-here" is not in' /tmp/said

# A signal to the program reaches the command; ended by one, it says so.
syscontainer exec app sh -c 'trap "echo got; exit 3" TERM; echo ready; while :; do sleep 0.1; done' >/tmp/out & job=$!
within 5 grep -q ready /tmp/out
# It lives in the unit's cgroup, where the unit's limits are, and does not turn it into something systemd cannot use.
command=$(grep -l '^trap "echo got' /proc/[0-9]*/cmdline 2>/dev/null -z | tr -dc '0-9\n' | grep -vx $job | tail -n 1)
grep -qx "0::$group/payload.*" "/proc/$command/cgroup"
test "$(cat "/sys/fs/cgroup$group/cgroup.type")" = domain
kill -TERM $job
wait $job && status=0 || status=$?
test $status = 3
grep -qx got /tmp/out
syscontainer exec app sh -c 'kill -9 $$' && status=0 || status=$?
test $status = 137

# A terminal: the command's own, as large as the caller's, and resized with it.
fails syscontainer exec -t app true </dev/null 2>/tmp/said
says '-t needs a terminal' /tmp/said
cat >/tmp/inner <<'END'
stty rows 33 cols 77
tty >/tmp/tty
exec syscontainer exec -it app sh -c 'test -t 0 && test -t 1 && echo terminal:$TERM
	n=0; until busybox stty size 2>/dev/null; do sleep 0.1; n=$((n+1)); [ $n -lt 100 ] || exit 1; done; touch /tmp/ready  # runc may set it a moment late
	n=0; until [ "$(busybox stty size)" = "44 99" ]; do sleep 0.1; n=$((n+1)); [ $n -lt 100 ] || exit 1; done; echo resized; exit 9'
END
TERM=vt220 script -qec 'sh /tmp/inner' /tmp/typescript </dev/null & job=$!
within 5 test -e "/proc/$main/root/tmp/ready"
stty -F "$(cat /tmp/tty)" rows 44 cols 99
wait $job && status=0 || status=$?
cat /tmp/typescript
test $status = 9
grep -q 'terminal:vt220' /tmp/typescript
grep -q '33 77' /tmp/typescript
grep -q resized /tmp/typescript

# The service has not noticed any of it, and stops as if nothing had been.
test "$(show app MainPID):$(show app NRestarts):$(show app ActiveState)" = "$main:0:active"
# A command that is still there when the service stops goes with it.
syscontainer exec app sleep 1000 & job=$!
within 5 sh -c "test \$(cat /sys/fs/cgroup$group/payload/cgroup.procs | wc -l) = 2"
systemctl stop app
wait $job && status=0 || status=$?
test $status != 0
test ! -e "/sys/fs/cgroup$group"
test -z "$(runc list -q)"
test ! -e /run/syscontainer/app

# An instance by its name; a container whose file is gone; the name of its service, and of the runtime's container.
container 'web@' <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
Environment=ME=%i
ServiceName=site@
StopTimeout=1
END
systemctl start site@blue site@green
test "$(syscontainer exec web@blue sh -c 'echo $ME'):$(syscontainer exec site@green sh -c 'echo $ME')" = blue:green
fails syscontainer exec web@ true 2>/tmp/said
says 'template' /tmp/said
rm '/etc/containers/systemd/web@.syscontainer'
test "$(syscontainer exec site@green sh -c 'echo $ME')" = green
# Everything killed: what is left of it is no container.
systemctl kill -s KILL site@green
within 5 sh -c "! systemctl is-active -q site@green"
fails syscontainer exec site@green true
