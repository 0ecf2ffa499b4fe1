# SPDX-License-Identifier: Apache-2.0
# UserNS=auto: users of the machine for one container alone, that stay its own; and what is said where there are none.
# disk: /var/lib/syscontainer 256M
registry
syscontainer pull 127.0.0.1:5000/base:1 oci:/srv/oci:volumes
before=$(snapshot "$(rootfs base:1)")
containers=$store/containers
# users NUMBERS: what the machine gives to containers.
users() { printf 'alice:100000:65536\n%s' "${1:+containers:$1
}" | tee /etc/subuid >/etc/subgid; }
# first NAME: what root of the container is on the machine.
first() { awk '{ print $2 }' "/proc/$(show "$1" MainPID)/uid_map"; }

# auto NAME [LINE…]: a container that writes what it is told.
auto() {
	local name=$1
	shift
	container "$name" <<-END
	[Container]
	Image=127.0.0.1:5000/base:1
	Exec=/bin/sh -c 'test ! -e /kept || echo "kept: \$(cat /kept), \$(stat -c "%%u %%g" /kept)"; echo $name >/kept; chown 7:8 /kept; exec sleep 1000'
	StopSignal=SIGKILL
	$(printf '%s\n' "${@:-UserNS=auto}")
	END
}

# A machine that gives nothing says what to write.
users ''
auto one
fails systemctl start one
logged one '/etc/subuid gives nothing to "containers"'
logged one 'hint: add the line containers:2147483647:2147483648 to /etc/subuid and to /etc/subgid'
test ! -e $containers
echo 'containers 200000 65536' >>/etc/subuid
fails systemctl start one
logged one '/etc/subuid:2: "containers 200000 65536" is no range of users'
users 165535:65536
fails systemctl start one
logged one '/etc/subuid:2: 165535 to 231070 overlap those of "alice" in line 1'
test ! -e $containers

# Two containers: numbers of their own, root inside is nobody on the machine, and neither reads what is only the other's.
users 2147483647:2147483648
mkdir -p /srv/shared
chmod 1777 /srv/shared
auto one UserNS=auto Volume=/srv/shared:/shared ReadOnly=no
auto two UserNS=auto:size=100000 Volume=/srv/shared:/shared ReadOnly=no
systemctl start one
systemctl start two # after it: the first takes the highest
a=$(first one) b=$(first two)
test "$a" = $((4294967295 - 65536))
test "$b" = $((a - 100000))
test "$(cat "/proc/$(show two MainPID)/gid_map" | tr -s ' ')" = " 0 $b 100000"
for name in one two; do syscontainer exec $name sh -c 'umask 077; echo secret >/shared/'$name; done
fails getent passwd "$a"
test "$(stat -c '%u %g' /srv/shared/one /srv/shared/two | tr '\n' ' ')" = "$a $a $b $b "
test "$(syscontainer exec one cat /shared/one)" = secret
fails syscontainer exec two cat /shared/one
fails syscontainer exec one cat /shared/two
fails syscontainer exec one rm /shared/two
test "$(syscontainer exec two stat -c '%u %g' /bin/busybox /shared/one | tr '\n' ' ')" = '0 0 65534 65534 '

# What they wrote is still theirs after a stop, after the others have come and gone, and after everything was killed.
systemctl stop one two
systemctl start two
test "$(first two)" = "$b"
logged two 'kept: two, 7 8'
systemctl kill --signal=SIGKILL two
systemctl start one
test "$(first one)" = "$a"
logged one 'kept: one, 7 8'
test "$(stat -c '%u %g' $containers/one/upper/kept)" = "$((a + 7)) $((a + 8))"
systemctl stop one
systemctl reset-failed

# Volumes that the image asks for keep the owners that they have inside.
sed -e s,=127.*,=oci:/srv/oci:volumes, -e '/ReadOnly/d; /^Volume/d' /etc/containers/systemd/one.syscontainer | container volumes
systemctl start volumes
syscontainer exec volumes sh -c 'echo mine >/data/mine && chown 5:6 /data/mine'
systemctl restart volumes
test "$(syscontainer exec volumes stat -c '%u %g' /data/mine)" = '5 6'
systemctl stop volumes

# Another size would be other users: what was written is not given to them.
sed -i s/auto:size=100000/auto:size=65536/ /etc/containers/systemd/two.syscontainer
systemctl daemon-reload
fails systemctl start two
logged two "$containers/two, belongs to users of another"
auto two UserNS=auto:size=100000 ReadOnly=no
systemctl start two
test "$(first two)" = "$b"
systemctl stop two
# Nor to those whom a payload with a number beyond the range would be.
auto far UserNS=auto:size=1000 User=1000:1000
fails systemctl start far
logged far 'the payload runs with the user or group 1000' 'up to 999'
logged far 'hint: write UserNS=auto:size=1001'
systemctl reset-failed

# Ten first starts at once, and ten ranges.
many='m0 m1 m2 m3 m4 m5 m6 m7 m8 m9'
for name in $many; do auto $name; done
# shellcheck disable=SC2086
systemctl start $many
for name in $many; do first $name; done | sort >/tmp/firsts
test "$(sort -u /tmp/firsts | wc -l)" = 10
# shellcheck disable=SC2086
systemctl stop $many
for name in $many; do systemctl start $name; first $name; systemctl stop $name; done | sort | diff /tmp/firsts -

# None left: one that keeps something or runs has its own, one that has nothing gives way.
rm -r $containers
users 300000:20
auto runs UserNS=auto:size=10
auto keeps UserNS=auto:size=10 ReadOnly=no
auto late UserNS=auto:size=10
systemctl start runs
systemctl start keeps
systemctl stop keeps
fails systemctl start late
logged late 'no 10 users in a row are left of those that /etc/subuid and /etc/subgid give to "containers"'
logged late "hint: remove the directories of containers that are gone from $containers"
systemctl stop runs
systemctl start late
test "$(first late)" = 300010
logged late 'taking 300010 to 300019, which were those of runs'
fails systemctl start runs
systemctl start keeps
test "$(first keeps)" = 300000
auto much UserNS=auto:size=21
fails systemctl start much
logged much '21 users are asked for' 'at most 20 in a row'
systemctl stop late keeps

# What a unit cannot mean.
auto both UserNS=auto UIDMap=0:1:1
fails systemctl start both
logged both both.syscontainer:5 'UserNS=auto chooses the users'
test "$(snapshot "$(rootfs base:1)")" = "$before"
fails grep /run/syscontainer /proc/mounts
test -z "$(ls /run/syscontainer)"
