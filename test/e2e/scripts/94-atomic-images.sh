# SPDX-License-Identifier: Apache-2.0
# needs: shared/atomic-images
# Images of Project Atomic, unmodified but for the programs in them: installed, started, used, uninstalled, and only data stays.
images='hello-world etcd net-snmp kubernetes-apiserver'
for name in $images; do syscontainer pull oci:/srv/oci:public-$name; done
# Times of change aside: a link to a file counts as one.
seen() { find "$1" -printf '%P %y %m %U %G %s %T@ %i %n %l\n' | sort; find "$1" -type f -exec sha256sum {} + | sort; }
for name in $images; do seen "$(rootfs oci:/srv/oci:public-$name)" >/tmp/before-$name; done
mkdir -p /etc/containers/systemd /run/runc /run/syscontainer
systemctl daemon-reload
left() { find /etc /usr/local /run -xdev ! -path '/run/systemd/*' ! -path '/run/log/*' ! -path /etc/resolv.conf ! -path '/run/user*' | sort; }
left >/tmp/before
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
syscontainer uninstall greetings

# Lines of tmpfiles.d, options that runtimes refuse today, a list that a value continues, files for the host by other names.
mkdir /srv/certificates
syscontainer install oci:/srv/oci:public-etcd --name=kv --set ETCD_NAME=one --set ETCD_DATA_DIR=/var/lib/etcd/data \
	--set ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:2379 --set ETCD_ADVERTISE_CLIENT_URLS=http://127.0.0.1:2379 \
	--set 'ADDTL_MOUNTS=, {"type": "bind", "source": "/srv/certificates", "destination": "/etc/certificates", "options": ["rbind", "ro", "mode=755"]}'
systemctl start kv
put() { /opt/parts/etcdctl put key "$1" >/dev/null 2>&1; }
within 20 put value
test "$(/opt/parts/etcdctl get --print-value-only key)" = value
grep ' /etc/certificates ro' "/proc/$(show kv MainPID)/mountinfo"
test "$(/usr/local/bin/kvctl) $(cat /etc/kv/etcd.conf)" = 'etcdctl configured'
systemctl restart kv
within 20 put again
syscontainer uninstall kv
test -d /var/lib/etcd/kv.etcd/data

# The machine's /dev with a link in it, single files, a child of the shell that tells systemd.
syscontainer install oci:/srv/oci:public-net-snmp --name snmp
systemctl start snmp
test "$(show snmp StatusText)" = serving
within 5 grep -qx configured /var/lib/net-snmp/seen
grep -qx 'of snmp' /var/lib/net-snmp/seen
syscontainer uninstall snmp
test -s /var/lib/net-snmp/seen

# Its tmpfiles.template is empty: what Export= does not bring is not made either, but told.
container bare <<'X'
[Container]
Image=oci:/srv/oci:public-net-snmp
X
fails systemctl start bare
logged bare 'config.json.template of the image: mount /etc/snmp on /etc/snmp: no such file or directory'
fails test -e /etc/snmp
rm /etc/containers/systemd/bare.syscontainer
systemctl reset-failed bare

# A payload of its own user, and the directory it writes to.
syscontainer install oci:/srv/oci:public-kubernetes-apiserver --name=apiserver
systemctl start apiserver
within 5 test -s /run/kubernetes/seen
test "$(cat /run/kubernetes/seen)" = '996 994 0000000020000424'
test "$(stat -c %u:%g /run/kubernetes) $(cat /etc/kubernetes/config)" = '996:994 configured'
syscontainer uninstall apiserver
rm -r /run/kubernetes # what it wrote is data

systemctl daemon-reload
left | diff /tmp/before -
for name in $images; do seen "$(rootfs oci:/srv/oci:public-$name)" | diff /tmp/before-$name -; done
