# SPDX-License-Identifier: Apache-2.0
# A directory as root, and users of its own: what is not to be written stays as it was, and nothing stays mounted.
# disk: /var/lib/syscontainer 256M
registry
syscontainer pull 127.0.0.1:5000/base:1
before=$(snapshot "$(rootfs base:1)")
mkdir /srv/out
main() { show "$1" MainPID; }

# A directory as root: read-only, for itself, or with what is written apart from it.
mkdir -p /srv/root
cp -a "$(rootfs base:1)/." /srv/root
tree=$(snapshot /srv/root)
for mode in read-only apart direct; do
	overlay='' readonly=yes
	[ $mode != apart ] || overlay=:O
	[ $mode != direct ] || readonly=no
	container $mode <<-END
	[Container]
	Rootfs=/srv/root$overlay
	ReadOnly=$readonly
	Exec=/bin/sh -c 'echo new >/new && cat /new || echo nothing; exec sleep 1000'
	Volume=/srv/out:/no/such/place
	StopSignal=SIGKILL
	END
	if [ $mode = direct ]; then break; fi
	systemctl start $mode
	if [ $mode = apart ]; then logged $mode new; else logged $mode nothing; fi
	systemctl stop $mode
	test "$(snapshot /srv/root)" = "$tree"
done
systemctl start direct
within 5 test -e /srv/root/new
systemctl stop direct
container none <<'END'
[Container]
Rootfs=/srv/root
END
fails systemctl start none
logged none 'nothing to run'

# Users of its own: root inside is nobody here, and the files of the image are root's inside.
container mapped <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'echo "seen: $(stat -c "%%u %%g" /bin/busybox) $(cat /proc/self/uid_map)"; echo x >/data/x; echo x >/plain/x; exec sleep 1000'
UIDMap=0:200000:65536
Volume=/run/mapped:/data:idmap
Volume=/run/plain:/plain
Volume=/srv/out:/no/such/place
StopSignal=SIGKILL
END
systemctl start mapped
logged mapped 'seen: 0 0' '200000'
test "$(stat -c %u "/proc/$(main mapped)")" = 200000
within 5 test -e /run/plain/x
test "$(stat -c %u /run/mapped /run/mapped/x /run/plain /run/plain/x | tr '\n' ' ')" = '0 0 200000 200000 '
systemctl stop mapped

# The same with a directory as root, and with mounts that are shared with the machine: nothing stays mounted.
cp -a "$(rootfs base:1)/." /run/root
for mode in read-only apart shared direct; do
	overlay='' readonly=yes options=idmap
	[ $mode != apart ] || overlay=:O
	[ $mode != direct ] || readonly=no
	[ $mode != shared ] || options=idmap,rshared
	container own-$mode <<-END
	[Container]
	Rootfs=/run/root$overlay
	ReadOnly=$readonly
	UIDMap=0:200000:65536
	Exec=/bin/sh -c 'echo "seen: \$(stat -c %%u /bin/busybox) \$(stat -c %%u /data)"; echo x >/x; exec sleep 1000'
	Volume=/run/mapped:/data:$options
	StopSignal=SIGKILL
	END
	systemctl start own-$mode
	logged own-$mode 'seen: 0 0'
	if [ $mode = direct ]; then within 5 test -e /run/root/x; else test ! -e /run/root/x; fi
	systemctl stop own-$mode
	fails grep /run/syscontainer /proc/mounts
done
test "$(stat -c %u /run/root/x)" = 0

# On a file system that cannot show other owners, it says so.
mkdir -p /srv/odd
sed 's,/run/mapped:,/srv/odd:,' /etc/containers/systemd/mapped.syscontainer | container odd
fails systemctl start odd
logged odd '/srv/odd with other owners'

test "$(snapshot "$(rootfs base:1)")" = "$before"
