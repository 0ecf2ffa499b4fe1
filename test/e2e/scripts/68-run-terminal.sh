# SPDX-License-Identifier: Apache-2.0
# run -t: the payload has a terminal of its own, the caller's is raw meanwhile and as before afterwards, whatever ended it.
registry
image=127.0.0.1:5000/base:1
syscontainer pull $image
nothing_left() {
	within 10 no_service
	test -z "$(runc list -q)"
	test -z "$(ls -A /run/syscontainer | grep -vx '+lock')"
	fails grep ' /run/syscontainer' /proc/self/mountinfo
	test -z "$(find /run/systemd/transient -name 'run-*' -o -name '50-syscontainer.conf')"
}
no_service() { test -z "$(systemctl list-units --all --plain --no-legend 'run-*.service' 'job.service')"; }

# session WORDS…: run -t with WORDS on a terminal of 33 lines; /tmp/keys is its keyboard, /tmp/typescript its screen.
cat >/tmp/session <<'END'
stty rows 33 cols 77
stty -g >/tmp/before
tty >/tmp/tty
syscontainer run --rm --name job "$@" &
echo $! >/tmp/pid
fg >/dev/null
status=$?
stty -g >/tmp/after
echo $status >/tmp/status
END
session() {
	rm -f /tmp/keys /tmp/typescript /tmp/status /tmp/tty
	mkfifo /tmp/keys
	TERM=vt220 script -qefc "bash -m /tmp/session $*" /tmp/typescript <>/tmp/keys >/dev/null & script=$!
}
shows() { within 10 grep -q "$1" /tmp/typescript; }
ended() {
	within 20 test -s /tmp/status
	wait $script || :
	cat /tmp/typescript
	cmp /tmp/before /tmp/after
	test "$(cat /tmp/status)" = "$1"
	nothing_left
}

# Size, name and kind of the terminal; a new size; keys; the status.
cat >/tmp/payload.sh <<'END'
test -t 0 && test -t 1 && test -t 2 && echo "terminal:$TERM:$(busybox stty size)"
until [ "$(busybox stty size)" = "44 99" ]; do sleep 0.1; done
echo resized
read line
echo "line:$line"
trap 'echo interrupted' INT
echo waiting
until read none; do :; done
echo "then:$none"
exit 9
END
session -it -k Tmpfs=/tmp -v /tmp/payload.sh:/payload.sh:ro $image sh /payload.sh
shows 'terminal:vt220:33 77'
stty -F "$(cat /tmp/tty)" -a | grep -q -- '-icanon'
test "$(show job ActiveState)" = active
systemctl daemon-reload
stty -F "$(cat /tmp/tty)" rows 44 cols 99
shows resized
echo 'typed ünï' >/tmp/keys
shows 'line:typed ünï'
shows waiting
printf '\003' >/tmp/keys
shows interrupted
printf 'more\r' >/tmp/keys
shows then:more
ended 9

# Without a payload the terminal is not touched.
session -t $image no-such-program
ended 125
says no-such-program /tmp/typescript
session -t -k Pull=never 127.0.0.1:5000/never:1 true
ended 125

# Ended from elsewhere: by systemd, by a signal to run.
session -t -k StopTimeout=1 $image sleep 1000
within 10 sh -c 'test "$(systemctl is-active job)" = active'
systemctl stop job
within 20 test -s /tmp/status
ended "$(cat /tmp/status)"
test "$(cat /tmp/status)" != 0
session -t $image "sh -c 'trap \"echo bye; exit 3\" TERM; echo waiting; while :; do sleep 0.1; done'"
shows waiting
kill -TERM "$(cat /tmp/pid)"
shows bye
ended 3

# The terminal is closed: SIGHUP, and what does not mind is stopped.
session -t -k StopTimeout=1 $image "sh -c 'trap \"\" HUP; echo waiting; while :; do sleep 0.1; done'"
shows waiting
kill -9 $script
wait $script || :
nothing_left

# Killed, run leaves a terminal that hangs up.
session -t $image "sh -c 'trap \"exit 1\" HUP; echo waiting; while :; do sleep 0.1; done'"
shows waiting
kill -9 "$(cat /tmp/pid)"
nothing_left
wait $script || :
