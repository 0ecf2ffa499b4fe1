# SPDX-License-Identifier: Apache-2.0
# disk: /var/lib/syscontainer 200M
# POSIX shared memory goes with IPC=: the container that joins sees what the other has in /dev/shm, and nobody else does.
registry
container owner <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'echo from-owner >/dev/shm/owner; sleep 1000'
ShmSize=3m
StopSignal=SIGKILL
END
systemctl start owner
within 5 test -s "/proc/$(show owner MainPID)/root/dev/shm/owner"
joins() { # joins NAME LINE…
	local name=$1
	shift
	container "$name" <<END
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'cat /dev/shm/owner; echo from-$name >/dev/shm/$name; df -k /dev/shm; grep " /dev/shm " /proc/self/mountinfo; sleep 1000'
IPC=owner.syscontainer
StopSignal=SIGKILL
$(printf '%s\n' "$@")
END
	systemctl start "$name"
	logged "$name" ' /dev/shm '
	says from-owner /tmp/journal
	says '3072 ' /tmp/journal # the owner's size
	says nosuid nodev noexec ' /dev/shm ' /tmp/journal
	test "$(cat "/proc/$(show owner MainPID)/root/dev/shm/$name")" = "from-$name"
}
joins friend
# crun wants a limit raised for its list of devices, which not every machine lets it do.
! command -v crun || joins crun-friend Runtime=crun 'ConfigPatch={"linux":{"resources":{"devices":null}}}'
joins mapped UIDMap=0:500000:65536 GIDMap=0:500000:65536
# Also where the root is mounted on the host for the time of the start.
mkdir -p /srv/both
joins sharing Volume=/srv/both:/both:rshared
test -z "$(findmnt -rn -o TARGET | grep /run/syscontainer)"
grep -q . /dev/shm/owner 2>/dev/null && exit 1
container stranger <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'ls /dev/shm; echo end; sleep 1000'
StopSignal=SIGKILL
END
systemctl start stranger
logged stranger end
fails says owner /tmp/journal

# It stays as long as somebody has it, as the namespace does; the unit goes with its owner.
systemctl stop owner
for name in friend mapped sharing; do within 5 sh -c "! systemctl -q is-active $name"; test ! -e /run/syscontainer/$name; done
test "$(runc list -q)" = stranger

# An owner without one is a reason not to start.
sed -i 's|^ShmSize.*|ConfigPatch={"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","type":"tmpfs","source":"tmpfs"}]}|; s|^Exec.*|Exec=/bin/sleep 1000|' /etc/containers/systemd/owner.syscontainer
systemctl daemon-reload
systemctl start owner
fails systemctl start friend
logged friend 'share /dev/shm with owner.service: no such file or directory'
