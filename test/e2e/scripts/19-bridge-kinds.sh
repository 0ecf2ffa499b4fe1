# A bridge goes with everything else that a unit can say: a user namespace, Type=oneshot, Notify=, IPv6, an address and
# a host name of its own, mounts that end with a process; and ten containers that start together get ten addresses.
# disk: /var/lib/syscontainer 256M
registry
mkdir -p /etc/containers
printf '[Network]\nSubnet=192.168.90.0/24 fd00:90::/64\n' >/etc/containers/syscontainer.conf
maps=$'UIDMap=0:200000:65536\nGIDMap=0:200000:65536' owner=200000
own_sysfs || maps='' owner=0
container all <<END
[Container]
Image=127.0.0.1:5000/payload:1
Exec=/bin/sh -c 'payload notify READY=1; mkdir -p /tmp/www; id -u >/tmp/www/id; exec httpd -f -p 80 -h /tmp/www'
Notify=yes
StopSignal=KILL
Network=bridge
IP=192.168.90.77
IP6=fd00:90::77
HostName=shop
$maps
Sysctl=net.ipv4.ip_unprivileged_port_start=1
PublishPort=8080:80
PublishPort=[::1]:8443:80

[Service]
PrivateTmp=yes
ProtectSystem=full
ProtectHome=yes
END
systemctl start all || { journal all; cat /tmp/journal; exit 1; }
fetch() { exec 3<>"/dev/tcp/$1/$2"; printf 'GET /id HTTP/1.0\r\n\r\n' >&3; timeout 5 cat <&3 | tail -n 1; exec 3<&-; }
within 5 listens 8080
test "$(fetch 192.168.90.77 80)" = 0
test "$(fetch 127.0.0.1 8080)" = 0
within 5 fetch fd00:90::77 80 >/tmp/six
test "$(cat /tmp/six)" = 0
syscontainer exec all cat /etc/hosts >/tmp/hosts
grep -x '192.168.90.77[[:space:]]shop all' /tmp/hosts
grep -x 'fd00:90::77[[:space:]]shop all' /tmp/hosts
test "$(syscontainer exec all hostname)" = shop
test "$(stat -c %u "/proc/$(show all MainPID)")" = $owner

container once <<'END'
[Container]
Image=127.0.0.1:5000/payload:1
Exec=/bin/sh -c 'printf "GET /id HTTP/1.0\\r\\n\\r\\n" | payload dial 192.168.90.77:80; busybox ip -o addr show eth0'
Network=bridge

[Service]
Type=oneshot
END
systemctl start once
logged once 192.168.90.
test ! -e /run/syscontainer/once

# A resolver on the machine itself cannot be reached from there.
container names <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
StopSignal=KILL
Network=bridge
END
mkdir -p /run/systemd/resolve
printf 'nameserver 192.0.2.1\nsearch example.com\n' >/run/systemd/resolve/resolv.conf
rm -f /etc/resolv.conf
printf 'nameserver 127.0.0.53\noptions edns0\n' >/etc/resolv.conf
systemctl start names
syscontainer exec names cat /etc/resolv.conf | grep -x 'nameserver 192.0.2.1'
rm /run/systemd/resolve/resolv.conf
systemctl restart names
logged names warning 'no name server' DNS=
fails grep 127.0.0.53 <(syscontainer exec names cat /etc/resolv.conf)

# Ten at once.
mkdir -p /etc/containers/systemd
for i in 1 2 3 4 5 6 7 8 9 10; do
	printf '[Container]\nImage=127.0.0.1:5000/base:1\nExec=/bin/sleep 1000\nStopSignal=KILL\nNetwork=bridge\nPublishPort=%d:80\n' $((9000 + i)) >"/etc/containers/systemd/many$i.syscontainer"
done
systemctl daemon-reload
systemctl start many{1..10}
for i in 1 2 3 4 5 6 7 8 9 10; do syscontainer exec "many$i" cat /etc/hosts | grep "many$i\$"; done >/tmp/hosts
test "$(cut -f 1 /tmp/hosts | grep -c 192.168.90)" = 10
test "$(cut -f 1 /tmp/hosts | sort -u | wc -l)" = 20
systemctl stop many{1..10} all names
test -z "$(ls /run/syscontainer)" -a ! -e /sys/class/net/syscontainer0
