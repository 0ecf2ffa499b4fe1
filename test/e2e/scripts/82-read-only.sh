# SPDX-License-Identifier: Apache-2.0
# An image baked into the OS runs with a store that cannot be written, or is not there; what is missing fails clearly.
registry
mkdir -p /tmp/os/etc
cp -R /etc/containers /tmp/os/etc/
syscontainer --root /tmp/os pull 127.0.0.1:5000/base:1
mkdir -p /usr/lib/syscontainer
cp -a /tmp/os/var/lib/syscontainer/. /usr/lib/syscontainer/
test ! -e $store/images
mkdir -p $store
mount -t tmpfs tmpfs $store
mount -o remount,ro $store
container baked <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
END
container missing <<'END'
[Container]
Image=127.0.0.1:5000/sibling:1
Exec=/bin/sleep 1000
END
systemctl start baked
test "$(show baked ActiveState)" = active
fails systemctl start missing
logged missing 'read-only file system'
fails syscontainer pull 127.0.0.1:5000/sibling:1 2>/tmp/said
says $store 'read-only file system' /tmp/said
