# SPDX-License-Identifier: Apache-2.0
# Socket activation: systemd listens, the first client starts the container, which finds the sockets under their numbers
# and names. With crun, and in a oneshot service, it is the same.
registry
mkdir -p /srv/out
# sockets NAME PORT: two sockets that start NAME.service. systemd says by name which is which, and keeps no order.
sockets() {
	printf '[Socket]\nListenStream=127.0.0.1:%s\nFileDescriptorName=front\n' "$2" >"/etc/systemd/system/$1.socket"
	printf '[Socket]\nListenStream=127.0.0.1:%s\nFileDescriptorName=back\nService=%s.service\n' "$(($2 + 1))" "$1" >"/etc/systemd/system/$1-back.socket"
}
# hears PORT PATTERN: the first line that a client gets.
hears() {
	local line
	exec 3<>"/dev/tcp/127.0.0.1/$1"
	read -r -t 20 line <&3
	exec 3>&-
	[[ $line = $2 ]] || { echo "port $1 said: $line" >&2; return 1; }
}

sockets web 7000
container web <<'X'
[Unit]
Requires=web.socket web-back.socket
[Container]
Image=127.0.0.1:5000/payload:1
Environment=LISTEN_FDS=9 LISTEN_FDNAMES=wrong
Exec=/bin/payload serve
X
systemctl start web.socket web-back.socket
test "$(show web ActiveState)" = inactive
hears 7000 'front is descriptor [34] of 2'
hears 7001 'back is descriptor [34] of 2'
test "$(show web ActiveState)" = active
# The payload has the sockets, and besides the three of every program nothing that systemd or the runtime had.
pid=$(show web MainPID)
test "$(find "/proc/$pid/fd" -lname 'socket:*' | grep -c '/[34]$')" = 2
environment=$(tr '\0' '\n' <"/proc/$pid/environ" | grep -e LISTEN_FDS -e LISTEN_PID | sort)
test "$environment" = $'LISTEN_FDS=2\nLISTEN_PID=1'
# Whoever connects while it is away is served by the next one.
systemctl stop web
hears 7001 'back is descriptor [34] of 2'
test "$(show web MainPID)" != "$pid"
systemctl stop web.socket web-back.socket web
fails listens 7000

# A program that no socket started has none.
container plain <<'X'
[Container]
Image=127.0.0.1:5000/payload:1
Exec=/bin/sh -c 'echo "${LISTEN_FDS-none}" >/out/plain; ls /proc/self/fd >/out/descriptors'
Volume=/srv/out:/out
[Service]
Type=oneshot
X
systemctl start plain
test "$(cat /srv/out/plain)" = none
# ls itself has the directory open.
test "$(tr '\n' ' ' </srv/out/descriptors)" = '0 1 2 3 '

# A oneshot service.
sockets once 7010
container once <<'X'
[Container]
Image=127.0.0.1:5000/payload:1
Exec=/bin/sh -c 'echo "$LISTEN_FDS $((LISTEN_PID == $$))" >/out/once; ls -l /proc/self/fd/3 /proc/self/fd/4 >>/out/once'
Volume=/srv/out:/out
[Service]
Type=oneshot
RemainAfterExit=yes
X
systemctl start once.socket once-back.socket
(exec 3<>/dev/tcp/127.0.0.1/7010)
within 10 grep -q socket: /srv/out/once
test "$(head -n 1 /srv/out/once)" = '2 1'
test "$(grep -c socket: /srv/out/once)" = 2
systemctl stop once.socket once-back.socket once

# Among the host's processes the payload has a number that nobody knows before: it is told so, and not started deaf.
sockets host 7020
container host <<'X'
[Container]
Image=127.0.0.1:5000/payload:1
PID=host
Exec=/bin/payload serve
[Service]
StartLimitBurst=1
X
systemctl start host.socket host-back.socket
fails systemctl start host
logged host 'hand on' 'not process 1'
logged host 'hint: leave out PID='
test -z "$(runc list -q)"
systemctl stop host.socket host-back.socket
