# SPDX-License-Identifier: Apache-2.0
# needs: shared/atomic-images
# Images of Project Atomic, unmodified but for the programs in them: installed, started, used, uninstalled, and of the whole
# machine nothing differs afterwards but data.
images='hello-world etcd net-snmp kubernetes-apiserver'
for name in $images; do syscontainer pull oci:/srv/oci:public-$name; done
mkdir -p /etc/containers/systemd
# Another one first, so that the store has what all containers share: the folder of their data, the lock of their records.
syscontainer run --rm --name first -k Export=/etc/rival2 -k Set=GREETING=once oci:/srv/oci:exports-once true
systemctl daemon-reload
# All that is there, but what systemd keeps for itself in /run/systemd and /var/lib/systemd, logs, and the home and the caches
# of whoever runs this.
all() {
	ls -A /
	find /boot /dev /etc /home /media /mnt /opt /run /srv /usr /var \( -path /run/host-proc -o -path '/dev/pts/*' -o -path /run/log -o -path /var/log \
		-o -path /var/cache -o -path /var/tmp -o -path '/run/systemd/*' -o -path '/var/lib/systemd/*' \) -prune -o -printf '%p %y %m %U %G %l\n' | sort
	find /run/systemd/generator* /run/systemd/transient /run/systemd/system -printf '%p %y %m %l\n' | sort
	find /sys/fs/cgroup -type d | sort
	cut -d' ' -f4- /proc/self/mountinfo | sort
	systemctl list-unit-files --no-legend
	systemctl --failed --no-legend
	runc list -q
}
# Files whose content or owner is another since then. Images are left to verify: what was linked to the host has another time.
changed() { find /boot /etc /home /opt /srv /usr /var \( -path $store/repo/objects -o -path $store/images -o -path /var/log -o -path /var/cache -o -path /var/lib/containers/cache -o -path '/var/lib/systemd/*' \) -prune -o -type f -cnewer /tmp/since -print; }
touch /tmp/since
all >/tmp/before
grep -q '^/etc/passwd f' /tmp/before
page() { exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && cat <&3; }
serves() { page "$1" 2>/dev/null | grep -qx "$2"; }

# Capabilities and limits where they were in 2017; two of them, side by side.
syscontainer install oci:/srv/oci:public-hello-world --name hello
syscontainer install oci:/srv/oci:public-hello-world --name greetings --set PORT=8082 --set 'RECEIVER=all "of" \ you, 100%'
systemctl start hello greetings
within 10 serves 8081 'hello World'
within 10 serves 8082 'hello all "of" \\ you, 100%'
test "$(show hello Description)" = 'Hello World System Container'
grep '^Max open files  *1024  *1024 ' "/proc/$(show hello MainPID)/limits"
syscontainer uninstall hello
fails serves 8081 'hello World'
within 10 serves 8082 'hello all "of" \\ you, 100%'

# Lines of tmpfiles.d, options that runtimes refuse today, a list that a value continues, files for the host by other names.
mkdir /srv/certificates
syscontainer install oci:/srv/oci:public-etcd --name=kv --set ETCD_NAME=one --set ETCD_DATA_DIR=/var/lib/etcd/data \
	--set ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:2379 --set ETCD_ADVERTISE_CLIENT_URLS=http://127.0.0.1:2379 \
	--set 'ADDTL_MOUNTS=, {"type": "bind", "source": "/srv/certificates", "destination": "/etc/certificates", "options": ["rbind", "ro", "mode=755"]}'
cat /etc/containers/systemd/kv.syscontainer
systemctl start kv
put() { /opt/parts/etcdctl put key "$1" >/dev/null 2>&1; }
within 20 put value
test "$(/opt/parts/etcdctl get --print-value-only key)" = value
grep ' /etc/certificates ro' "/proc/$(show kv MainPID)/mountinfo"
test "$(/usr/local/bin/kvctl) $(cat /etc/kv/etcd.conf)" = 'etcdctl configured'
fails test -e /etc/etcd
test "$(show kv Restart)" = on-failure
systemctl restart kv
within 20 put again

# The machine's /dev with a link in it, single files, a child of the shell that tells systemd; snmpd is the real one.
syscontainer install oci:/srv/oci:public-net-snmp --name snmp
systemctl start snmp
test "$(show snmp Type) $(show snmp ActiveState)" = 'notify active'
test "$(stat -c %a /etc/snmp/snmpd.conf)" = 600
# SNMPv1: get sysLocation.0 of public.
location() {
	exec 3<>/dev/udp/127.0.0.1/161
	printf '\x30\x29\x02\x01\x00\x04\x06public\xa0\x1c\x02\x04\x00\x00\x00\x01\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x06\x00\x05\x00' >&3
	timeout 5 dd bs=200 count=1 <&3 2>/dev/null | grep -qa 'machine room'
}
location
within 5 grep -qx configured /var/lib/net-snmp/seen
grep -qx 'of snmp' /var/lib/net-snmp/seen

# A payload of its own user, and the directory it writes to.
syscontainer install oci:/srv/oci:public-kubernetes-apiserver --name=apiserver
systemctl start apiserver
within 5 test -s /run/kubernetes/seen
test "$(cat /run/kubernetes/seen)" = '996 994 0000000020000424'
test "$(stat -c %u:%g /run/kubernetes) $(cat /etc/kubernetes/config)" = '996:994 configured'

# All of them: nothing is wrong, and what had to be put right is told.
for name in greetings kv snmp apiserver; do test -n "$(processes $name)"; done
syscontainer check >/tmp/said
fails grep -e error: -e warning: /tmp/said
syscontainer check --image >/tmp/said
says snmp.syscontainer 'config.json.template: mount' 'without the option mode=' /tmp/said
says greetings.syscontainer 'config.json.template: linux.capabilities moves to process.capabilities' /tmp/said
fails grep error: /tmp/said

# Its tmpfiles.template is empty: what Export= does not bring is not made either, but told.
syscontainer uninstall snmp
container bare <<'X'
[Container]
Image=oci:/srv/oci:public-net-snmp
X
fails systemctl start bare
logged bare 'config.json.template of the image: mount /etc/snmp on /etc/snmp: no such file or directory'
fails test -e /etc/snmp
syscontainer uninstall bare

# Only data stays, and is named; the images are as they were.
syscontainer uninstall greetings kv apiserver >/tmp/said
cat /tmp/said
says 'stays /var/lib/etcd/kv.etcd' data /tmp/said
test -d /var/lib/etcd/kv.etcd/data
test -s /var/lib/net-snmp/seen
says 'stays /var/run/kubernetes' /tmp/said
rm -r /var/lib/etcd /var/lib/net-snmp /run/kubernetes /srv/certificates
all >/tmp/after
diff /tmp/before /tmp/after
changed >/tmp/changed
cat /tmp/changed
test ! -s /tmp/changed
syscontainer verify
