# SPDX-License-Identifier: Apache-2.0
# disk: /var/lib/syscontainer 256M
# run is a container now, as a service without a file: its streams, status, name, limits; nothing of it stays.
registry
image=127.0.0.1:5000/base:1
printf '#!/bin/sh\nexec syscontainer run --rm "$@"\n' >/usr/local/bin/run
chmod 755 /usr/local/bin/run

# status_of COMMAND…: its status, with what it says in /tmp/out and /tmp/err.
status_of() { "$@" >/tmp/out 2>/tmp/err && status=0 || status=$?; cat /tmp/err >&2; }
nothing_left() {
	within 5 no_service
	test -z "$(runc list -q)"
	test -z "$(ls -A /run/syscontainer | grep -vx '+lock')"
	fails grep ' /run/syscontainer' /proc/self/mountinfo
	test -z "$(find /run/systemd/transient -name '*run-*' -o -name '50-syscontainer.conf')"
	test -z "$(ls -A "$store/containers" 2>/dev/null)"
}
no_service() { test -z "$(systemctl list-units --all --plain --no-legend 'run-*.service' 'job*.service')"; }

# The image is not there: run fetches it, before anything starts.
test "$(run $image echo hello)" = hello
nothing_left

# Streams and status are the payload's.
run $image true
status_of run $image sh -c 'echo out; echo err >&2; exit 7'
test "$status:$(cat /tmp/out):$(cat /tmp/err)" = 7:out:err
status_of run $image sh -c 'sh -c "kill -9 \$PPID" & wait'
echo "killed itself: $status"
head -c 1048576 /dev/urandom >/tmp/blob
run $image cat </tmp/blob | cmp - /tmp/blob
cat /tmp/blob | run $image cat >/tmp/copy
cmp /tmp/blob /tmp/copy
test "$(cat /tmp/blob | run $image busybox wc -c)" = 1048576
test "$(run $image cat </dev/null | wc -c)" = 0
# A reader that goes away ends the payload, which notices.
run $image busybox yes 2>/dev/null | head -n 1 | grep -qx y
nothing_left

# The caller's files stay the caller's, whoever the payload is: it has a pipe.
echo in >/tmp/input
run -u 1000:1000 $image sh -c 'echo $(id -u); cat; echo over >/proc/self/fd/0 || :' </tmp/input >/tmp/output 2>/dev/null
test "$(stat -c %u /tmp/input /tmp/output | sort -u):$(cat /tmp/input):$(head -n 2 /tmp/output | tr '\n' ,)" = 0:in:1000,in,

# Words reach the payload as they are; whatever is in them, none becomes another line or option.
run $image busybox printf '%s|' 'two words' '$HOME ${HOME} %n %%' "quote' and \"" '' '\x41\' $'new\nline\ttab' 'ünï' -t --rm ';' '\' >/tmp/out
test "$(cat /tmp/out)" = "two words|\$HOME \${HOME} %n %%|quote' and \"||\\x41\\|$(printf 'new\nline\ttab')|ünï|-t|--rm|;|\\|"
long=$(head -c 102400 /dev/zero | tr '\0' '%')
test "$(run $image sh -c 'echo ${#1}' sh "$long")" = 102400
status_of run $image echo $'\xff\xfe'
test $status = 125
says 'not UTF-8' /tmp/err
status_of run -k $'HostName=a\nPrivileged=yes' $image true
test $status = 125
says 'line end' /tmp/err
test "$(run -e 'A=%n "$x"\' $image sh -c 'echo "$A"')" = '%n "$x"\'
nothing_left

# Options that hands know, and any key.
mkdir -p /tmp/here
cd /tmp/here
echo shared >file
EXPORTED=caller run -e B=2 -e EXPORTED -v ./:/data:ro -w /data -k HostName=inside -k Tmpfs=/tmp $image \
	sh -c 'echo $B:$EXPORTED:$(pwd):$(cat file):$(hostname); touch /tmp/x; ! touch new' >/tmp/out 2>/dev/null
cat /tmp/out
grep -qx '2:caller:/data:shared:inside' /tmp/out
test ! -e new
test "$(run --entrypoint /bin/echo $image 'a  b')" = 'a  b'
test "$(run --network none $image ls /sys/class/net)" = lo
cd /
status_of run -v data:/x:bad $image true
test $status = 125
says '-v data:/x:bad' /tmp/err
status_of run -k Volume=./x:/y $image true
test $status = 125
status_of run -k Imgae=x $image true
test $status = 125
says '-k Imgae=x' 'unknown key' /tmp/err
status_of run -p User=nobody $image true
test $status = 125
says '-p User=nobody' 'as root' /tmp/err
status_of run -p MemoryMax=lots $image true
test $status = 125
says '-p MemoryMax=lots' /tmp/err
status_of run -p After=x.service $image true
test $status = 125
nothing_left

# Detached: its name is the answer, the journal has what it says; limits are systemd's.
name=$(syscontainer run -d --rm --name job -p MemoryMax=64M -p Nice=3 -k ReadOnly=no -k StopTimeout=1 $image sh -c 'echo started; touch /kept; exec sleep 1000')
test "$name" = job.service
test "$(show job MemoryMax):$(show job Nice):$(show job ActiveState):$(show job NeedDaemonReload)" = 67108864:3:active:no
says 'base' 'sleep' <(show job Description)
logged job started
test "$(syscontainer exec job ls /kept)" = /kept
syscontainer logs job | grep -q started
test -e $store/containers/job
# A name that is somebody's.
status_of run --name job $image true
test $status = 125
says 'active already' /tmp/err
systemctl daemon-reload
test "$(show job ActiveState):$(show job MemoryMax)" = active:67108864
systemctl stop job
nothing_left
container web <<'END'
[Container]
Image=127.0.0.1:5000/base:1
END
for taken in web systemd-journald registry; do
	status_of run --name $taken $image true
	test $status = 125
	says "$taken" /tmp/err
done
says 'registry.service' /tmp/err
status_of run --name 'web@1' $image true
test $status = 125
status_of run --name '../x' $image true
test $status = 125
systemctl is-active registry
# It may refer to containers that have files.
test "$(run -k HostName=%p --name joba $image hostname)" = joba
nothing_left

# Without --rm, data and failures stay, under their name.
status_of syscontainer run --name job -k ReadOnly=no $image sh -c 'echo 1 >/kept; exit 3'
test "$status:$(show job ActiveState)" = 3:failed
status_of syscontainer run --name job -k ReadOnly=no $image cat /kept
test $status = 125
says 'systemctl reset-failed job' /tmp/err
syscontainer logs job | grep -q "Failed with result 'exit-code'"
systemctl reset-failed job
test "$(syscontainer run --name job -k ReadOnly=no $image cat /kept)" = 1
status_of run --name job $image true
test $status = 125
says 'would remove' /tmp/err
test -e $store/containers/job
rm -r $store/containers/job
nothing_left

# A signal is the payload's; who asks twice wants the end. (With job control, for bash ignores some in the background.)
set -m
rm -f /tmp/out
run $image sh -c 'trap "echo got; exit 4" INT; echo ready; while :; do sleep 0.1; done' >/tmp/out & job=$!
within 5 grep -q ready /tmp/out
kill -INT $job
wait $job && status=0 || status=$?
test "$status:$(tail -n 1 /tmp/out)" = 4:got
rm -f /tmp/out
run $image sh -c 'trap "echo got" TERM; echo ready; while :; do sleep 0.1; done' >/tmp/out & job=$!
within 5 grep -q ready /tmp/out
kill -TERM $job
within 5 grep -q got /tmp/out
kill -TERM $job
wait $job && status=0 || status=$?
test $status = 137
# Before there is a payload it ends the start.
for n in 02 04 06 08 10 12 15 20 30; do
	run $image sh -c 'trap "exit 130" INT; while :; do sleep 0.1; done' 2>/dev/null & job=$!
	sleep 0.$n
	kill -INT $job
	sleep 0.5
	kill -INT $job 2>/dev/null || :
	wait $job && status=0 || status=$?
	case $status in 125 | 130 | 137) ;; *) echo "SIGINT after 0.$n s: status $status" >&2; exit 1 ;; esac
done
nothing_left
# nohup keeps it from the signal.
rm -f /tmp/out
nohup syscontainer run --rm --name job $image sh -c 'echo ready; read line; exit 8' < <(until [ -e /tmp/on ]; do sleep 0.1; done) >/tmp/out & job=$!
within 5 grep -q ready /tmp/out
kill -HUP $job
test "$(show job ActiveState)" = active
touch /tmp/on
wait $job && status=0 || status=$?
test $status = 8
set +m
nothing_left

# systemd may read everything anew, and itself, meanwhile.
rm -f /tmp/out
run --name job $image sh -c 'echo ready; read line; echo $line; exit 5' < <(until [ -e /tmp/go ]; do sleep 0.1; done; echo went on) >/tmp/out & job=$!
within 5 grep -q ready /tmp/out
systemctl daemon-reload
systemctl daemon-reexec
test "$(show job ActiveState)" = active
touch /tmp/go
wait $job && status=0 || status=$?
test "$status:$(tail -n 1 /tmp/out)" = '5:went on'
nothing_left

# Killed, at any time, run leaves a service that ends by itself; or nothing that the next one does not clear.
rm -f /tmp/out
run --name job $image sh -c 'echo ready; while echo more; do sleep 0.1; done; exit 6' >/tmp/out & job=$!
within 5 grep -q ready /tmp/out
kill -9 $job
wait $job || :
nothing_left
for n in 00 02 04 06 08 10 15 20 30 40; do
	run $image sleep 0.2 & job=$!
	sleep 0.$n
	kill -9 $job 2>/dev/null || :
	wait $job || :
done
mkdir -p /run/systemd/transient/run-dead.service.d /run/systemd/transient/run-dead2.service.d /run/syscontainer/+01234567
echo >/run/systemd/transient/run-dead.service.d/50-syscontainer.conf
within 10 no_service
run $image true
nothing_left

# What fails before there is a payload: 125, and the cause.
status_of run 127.0.0.1:5000/missing:1 true
test $status = 125
says '127.0.0.1:5000/missing' /tmp/err
status_of run 127.0.0.1:5009/web:1 true
test $status = 125
says 'refused' /tmp/err
status_of run -k Pull=never 127.0.0.1:5000/sibling:1 true
test $status = 125
says 'Pull=never' /tmp/err
says 'hint: syscontainer pull' /tmp/err
status_of run $image no-such-program
test $status = 125
says 'no-such-program' /tmp/err
status_of run -k Runtime=/no/runtime $image true
test $status = 125
says '/no/runtime' 'not installed' /tmp/err
status_of run -p ExecStartPre=/bin/false $image true
test $status = 125
says 'exit-code' /tmp/err
says 'hint: journalctl -u run-' /tmp/err
status_of run -p RuntimeMaxSec=1 -k StopTimeout=1 $image sleep 100
test $status = 125
says 'timeout' /tmp/err
status_of run -d -k Volume=/no/such/file.conf:/x $image true
test $status = 125
says '/no/such/file.conf' /tmp/err
test ! -s /tmp/out
status_of syscontainer run -d --name job -k Volume=/no/such/file.conf:/x -p Restart=always -p RestartSec=100 $image true
test $status = 125
says '/no/such/file.conf' /tmp/err
test "$(show job SubState)" = auto-restart
systemctl stop job
status_of run -p Restart=always $image true
test $status = 125
says 'Restart=always' /tmp/err
status_of run -t $image true </dev/null
test $status = 125
says '-t needs a terminal' /tmp/err
nothing_left

# A service reads what StandardInput= says; a file of the machine stays the machine's.
container reads <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/cat
User=1000
[Service]
Type=oneshot
StandardInputText=from the unit
END
systemctl start reads
logged reads 'from the unit'
mkdir -p /etc/containers/systemd/reads.syscontainer.d
printf '[Service]\nStandardInput=file:/tmp/input\n' >/etc/containers/systemd/reads.syscontainer.d/file.conf
echo 'from a file' >/tmp/input
systemctl daemon-reload
systemctl start reads
logged reads 'from a file'
test "$(stat -c %u /tmp/input)" = 0
