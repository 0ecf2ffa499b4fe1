# SPDX-License-Identifier: Apache-2.0
# crun hands on sockets and stored descriptors as runc does. The patch leaves out the device filter, which crun wants
# RLIMIT_MEMLOCK raised for and not every host may.
registry
mkdir -p /srv/out
printf '[Socket]\nListenStream=127.0.0.1:7000\nFileDescriptorName=front\n' >/etc/systemd/system/web.socket
container web <<'X'
[Container]
Runtime=crun
ConfigPatch={"linux":{"resources":{"devices":null}}}
Image=127.0.0.1:5000/payload:1
Notify=yes
Volume=/srv/out:/out
Exec=/bin/sh -c 'echo "$LISTEN_FDS $LISTEN_FDNAMES $((LISTEN_PID == $$))" >>/out/got; echo kept >/tmp/a; \
	payload notify --stdin FDSTORE=1 FDNAME=ledger </tmp/a; payload notify READY=1; exec payload serve'
[Service]
FileDescriptorStoreMax=1
X
systemctl start web.socket
read -r -t 20 line <>/dev/tcp/127.0.0.1/7000
test "$line" = 'front is descriptor 3 of 1'
test "$(cat /srv/out/got)" = '1 front 1'
systemctl restart web
test "$(tail -n 1 /srv/out/got)" = '2 front:ledger 1'
systemctl stop web.socket web
