# SPDX-License-Identifier: Apache-2.0
# needs: shared/atomic-images
# Images of Project Atomic run from a file, unmodified but for the programs in them.
images='hello-world etcd net-snmp kubernetes-apiserver'
for name in $images; do syscontainer pull oci:/srv/oci:$name; done
for name in $images; do snapshot "$(rootfs oci:/srv/oci:$name)" >/tmp/before-$name; done
page() { exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && cat <&3; }
serves() { page "$1" 2>/dev/null | grep -qx "$2"; }

# Capabilities and limits where they were in 2017; two of them, side by side.
container hello <<'X'
[Container]
Image=oci:/srv/oci:hello-world
X
container greetings <<'X'
[Container]
Image=oci:/srv/oci:hello-world
Set=PORT=8082 "RECEIVER=all \"of\" \\ you"
X
systemctl start hello greetings
within 10 serves 8081 'hello World'
within 10 serves 8082 'hello all "of" \\ you'
grep '^Max open files  *1024  *1024 ' "/proc/$(show hello MainPID)/limits"
systemctl stop hello greetings

# Lines of tmpfiles.d, options that runtimes refuse today, a list that a value continues.
container etcd <<'X'
[Container]
Image=oci:/srv/oci:etcd
Set=ETCD_NAME=one ETCD_DATA_DIR=/var/lib/etcd/data ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:2379 ETCD_ADVERTISE_CLIENT_URLS=http://127.0.0.1:2379
Set="ADDTL_MOUNTS=, {\"type\": \"bind\", \"source\": \"/srv/certificates\", \"destination\": \"/etc/certificates\", \"options\": [\"rbind\", \"ro\", \"mode=755\"]}"
[Service]
RuntimeDirectory=%N
X
mkdir /srv/certificates /etc/etcd # which Export= would fill
systemctl start etcd
put() { /opt/parts/etcdctl put key "$1" >/dev/null 2>&1; }
within 20 put value
test "$(/opt/parts/etcdctl get --print-value-only key)" = value
grep ' /etc/certificates ro' "/proc/$(show etcd MainPID)/mountinfo"
systemctl restart etcd
within 20 put again
test -d /var/lib/etcd/etcd.etcd/data
systemctl stop etcd

# The machine's /dev with a link in it, single files, a child of the shell that tells systemd. Nothing is made for it.
container net-snmp <<'X'
[Container]
Image=oci:/srv/oci:net-snmp
Notify=yes
[Service]
RuntimeDirectory=%N
X
fails systemctl start net-snmp
logged net-snmp 'config.json.template of the image: mount /etc/snmp on /etc/snmp: no such file or directory'
fails test -e /etc/snmp
mkdir -p /etc/snmp /etc/sysconfig /var/lib/net-snmp
echo configured >/etc/sysconfig/snmpd
touch /etc/sysconfig/snmptrapd
ls /run >/tmp/run-before
systemctl reset-failed net-snmp
systemctl start net-snmp
test "$(show net-snmp StatusText)" = serving
within 5 grep -qx configured /var/lib/net-snmp/seen
grep -qx 'of net-snmp' /var/lib/net-snmp/seen
systemctl stop net-snmp
ls /run | diff /tmp/run-before -
rm -r /etc/snmp /etc/sysconfig

# A payload of its own user, and the directory it writes to.
container apiserver <<'X'
[Container]
Image=oci:/srv/oci:kubernetes-apiserver
X
systemctl start apiserver
within 5 test -s /run/kubernetes/seen
test "$(cat /run/kubernetes/seen)" = '996 994 0000000020000424'
test "$(stat -c %u:%g /run/kubernetes)" = 996:994
systemctl stop apiserver

test -z "$(ls /run/syscontainer)"
for name in $images; do snapshot "$(rootfs oci:/srv/oci:$name)" | diff /tmp/before-$name -; done
