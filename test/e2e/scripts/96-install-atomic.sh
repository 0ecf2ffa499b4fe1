# SPDX-License-Identifier: Apache-2.0
# Images of Project Atomic are installed, used and uninstalled, and nothing is left but data.
# disk: /var/lib/syscontainer 400M
# needs: shared/atomic-images
d=/etc/containers/systemd
mkdir -p $d /run/runc /run/syscontainer $store/containers
trace() { find /etc /usr/local /run/systemd/generator /var/lib ! -path "$store/*" ! -path '/var/lib/systemd*' ! -path /etc/resolv.conf | sort; ls /run "$store/containers" 2>/dev/null || :; }
for name in hello-world etcd net-snmp kubernetes-apiserver; do syscontainer pull oci:/srv/oci:whole-$name; done
trace >/tmp/before
install() { syscontainer install "oci:/srv/oci:whole-$@"; }
install hello-world --name hello
install hello-world --name greetings --set PORT=8082 --set 'RECEIVER=all "of" \ you 100%'
install etcd --name kv --set ETCD_NAME=one --set ETCD_DATA_DIR=/var/lib/etcd/data --set ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:2379 \
	--set ETCD_ADVERTISE_CLIENT_URLS=http://127.0.0.1:2379
install net-snmp --name snmp
install kubernetes-apiserver --name apiserver
cat $d/kv.syscontainer
syscontainer check >/tmp/said
fails grep -e error: -e warning: /tmp/said
syscontainer check --image >/tmp/said
says snmp.syscontainer 'config.json.template: mount' 'without the option mode=' /tmp/said
says hello.syscontainer 'config.json.template: linux.capabilities moves to process.capabilities' /tmp/said
fails grep error: /tmp/said

page() { exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && cat <&3; }
serves() { page "$1" 2>/dev/null | grep -qxF "$2"; }
systemctl start hello greetings kv snmp apiserver
within 10 serves 8081 'hello World'
within 10 serves 8082 'hello all "of" \ you 100%'
put() { /opt/parts/etcdctl put key value >/dev/null 2>&1; }
within 20 put
# Files for the host, by the names that the manifest gives them.
says 'etcd says /usr/local/bin/kvctl' <(/usr/local/bin/kvctl)
test "$(cat /etc/kv/etcd.conf)" = configured
fails test -e /etc/etcd
test "$(stat -c %a /etc/snmp/snmpd.conf)" = 600
# The payload of Type=notify said that it was ready.
test "$(show snmp StatusText)" = serving
test "$(show snmp Type) $(show kv Restart)" = 'notify on-failure'
within 5 grep -qx configured /var/lib/net-snmp/seen
within 5 test -s /run/kubernetes/seen
for name in hello greetings kv snmp apiserver; do test -n "$(processes $name)"; done
systemctl restart kv
within 20 put

syscontainer uninstall --data hello greetings kv snmp apiserver >/tmp/said
cat /tmp/said
test -d /var/lib/etcd/kv.etcd
test -s /var/lib/net-snmp/seen
rm -r /var/lib/etcd /var/lib/net-snmp /run/kubernetes
trace | diff /tmp/before -
test -z "$(ls /run/syscontainer)"
fails grep /run/syscontainer /proc/mounts
test -z "$(systemctl --failed --no-legend {hello,greetings,kv,snmp,apiserver}.service)"
