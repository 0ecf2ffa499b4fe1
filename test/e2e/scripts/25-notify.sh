# SPDX-License-Identifier: Apache-2.0
# Notify=yes: all that sd_notify(3) knows goes from the payload straight to systemd, and what systemd does about it comes back.
registry
talker() {
	{
		printf '[Container]\nImage=127.0.0.1:5000/payload:1\nNotify=yes\nVolume=/srv/out:/out\nStopTimeout=1\n'
		cat
	} | container "$1"
}
is() { test "$(show "$1" "$2")" = "$3"; }
mkdir -p /srv/out

# READY and STATUS: the start waits for the one, and both are shown.
talker ready <<'X'
Exec=/bin/sh -c 'payload notify "STATUS=loading the shop"; while [ ! -e /out/go ]; do sleep 0.05; done; payload notify READY=1 "STATUS=open"; trap "exit 0" TERM; while :; do sleep 0.05; done'
X
systemctl start --no-block ready
within 10 is ready StatusText 'loading the shop'
test "$(show ready ActiveState)" = activating
touch /srv/out/go
within 10 is ready ActiveState active
test "$(show ready StatusText)" = open
# A process number from inside is not one of the host's: the main process stays who it is.
systemctl stop ready
talker liar <<'X'
Exec=/bin/sh -c 'payload notify READY=1; payload notify MAINPID=1; echo told >/out/told; exec sleep 1000'
X
systemctl start liar
within 5 test -e /srv/out/told
pid=$(show liar MainPID)
test "$pid" -gt 1
within 5 grep -qx sleep "/proc/$pid/comm"
systemctl stop liar

# One that ends before it is ready fails the start, with its own exit status.
talker early <<'X'
Exec=/bin/sh -c 'payload notify ERRNO=13 "STATUS=no key"; exit 9'
X
fails systemctl start early
test "$(show early Result) $(show early ExecMainStatus) $(show early StatusErrno)" = 'exit-code 9 13'

# RELOADING: reloading until it says that it is ready again. STOPPING: deactivating, though nobody asked.
talker reloads <<'X'
ReloadSignal=HUP
Exec=/bin/sh -c 'trap "payload notify RELOADING=1; echo reloading >/out/reload; while [ ! -e /out/again ]; do sleep 0.05; done; payload notify READY=1 STATUS=reloaded" HUP; \
	trap "payload notify STOPPING=1; echo stopping >/out/stop; while [ ! -e /out/end ]; do sleep 0.05; done; exit 0" USR1; \
	payload notify READY=1; while :; do sleep 0.05; done'
X
systemctl start reloads
systemctl --no-block reload reloads
within 5 grep -q reloading /srv/out/reload
test "$(show reloads ActiveState)" = reloading
touch /srv/out/again
within 5 is reloads ActiveState active
test "$(show reloads StatusText)" = reloaded
kill -USR1 "$(show reloads MainPID)"
within 5 grep -q stopping /srv/out/stop
test "$(show reloads ActiveState)" = deactivating
touch /srv/out/end
within 5 is reloads ActiveState inactive
test "$(show reloads Result)" = success

# notify-reload is of systemd 253: refused, with what to write instead.
talker modern <<'X'
Exec=/bin/sleep 1000
[Service]
Type=notify-reload
X
fails systemctl start modern
logged modern modern.syscontainer:8 'Type= in [Service] is not possible'
logged modern 'ReloadSignal='

# The watchdog: content while it is fed, a new start when it is not.
talker dog <<'X'
Exec=/bin/sh -c 'echo "$WATCHDOG_USEC" >>/out/starts; payload notify READY=1; while [ ! -e /out/hang ]; do payload notify WATCHDOG=1; sleep 0.2; done; exec sleep 1000'
[Service]
WatchdogSec=2
Restart=on-watchdog
RestartSec=100ms
X
systemctl start dog
pid=$(show dog MainPID)
sleep 3
test "$(show dog MainPID)" = "$pid"
touch /srv/out/hang
within 10 sh -c 'test "$(wc -l </srv/out/starts)" -ge 2'
test "$(sort -u /srv/out/starts)" = 2000000
test "$(show dog NRestarts)" -ge 1
logged dog 'watchdog'
systemctl stop dog

# The store of descriptors: what the payload gives to systemd it gets back after a restart, by name.
talker keeps <<'X'
Exec=/bin/sh -c 'if [ "$LISTEN_FDS" ]; then echo "$LISTEN_FDS $LISTEN_FDNAMES $((LISTEN_PID == $$)) $(cat <&3)" >>/out/back; \
	else echo one >/tmp/a; payload notify --stdin FDSTORE=1 FDNAME=ledger </tmp/a; echo none >>/out/back; fi; payload notify READY=1; exec sleep 1000'
[Service]
FileDescriptorStoreMax=2
Restart=on-failure
RestartSec=100ms
X
systemctl start keeps
test "$(show keeps NFileDescriptorStore)" = 1
systemctl restart keeps
test "$(cat /srv/out/back)" = $'none\n1 ledger 1 one'
# Also when it was killed. The file is read to its end: it is the same open file, not a copy.
kill -KILL "$(show keeps MainPID)"
within 10 grep -qx '1 ledger 1 ' /srv/out/back
systemctl stop keeps
test "$(show keeps NFileDescriptorStore)" = 0
