# SPDX-License-Identifier: Apache-2.0
# With the image in the store a start needs no network at all. Without both it fails in time and says so.
registry
container here <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
END
container absent <<'END'
[Container]
Image=127.0.0.1:5000/absent:1
Exec=/bin/sleep 1000

[Service]
TimeoutStartSec=20
END
container never <<'END'
[Container]
Image=127.0.0.1:5000/sibling:1
Exec=/bin/sleep 1000
Pull=never
END
syscontainer pull 127.0.0.1:5000/base:1
systemctl stop registry
ip link set lo down

systemctl start here
test "$(show here ActiveState)" = active

start=$SECONDS
fails systemctl start absent
test $((SECONDS - start)) -lt 30
test "$(show absent Result)" = exit-code
journal absent
says 127.0.0.1:5000/absent:1 /tmp/journal
says 'connect' /tmp/journal

# Pull=never does not even try, also with the network there.
ip link set lo up
registry
fails systemctl start never
journal never
says sibling 'not in the store' /tmp/journal || says sibling 'Pull=never' /tmp/journal
fails rootfs sibling:1

# A systemd that waits is told how far it is; nothing is left of a failed start.
test -z "$(runc list -q | grep -v here)"
ls /run/syscontainer
test ! -e /run/syscontainer/absent
