# Containers with Network=bridge reach each other, the machine and what is beyond it; published ports lead to them; and
# after the stop nothing is left of it.
registry
links() { ip -o link | sed 's/^[0-9]*: //; s/[@:].*//' | sort; }
links >/tmp/links

container web <<'END'
[Unit]
StartLimitIntervalSec=0

[Container]
Image=127.0.0.1:5000/payload:1
Exec=/bin/sh -c 'trap "exit 0" TERM; mkdir -p /tmp/www; hostname >/tmp/www/name; payload udp 53 & httpd -f -p 80 -h /tmp/www & wait'
Network=bridge
PublishPort=8080:80
PublishPort=127.0.0.1:5353:53/udp
PublishPort=9000-9001:80-81
END
container peer <<'END'
[Container]
Image=127.0.0.1:5000/payload:1
StopSignal=KILL
Exec=/bin/sleep 1000
Network=bridge
AddHost=machine:host-gateway
END
# The first start makes chains that netavark shares between all networks, podman's among them, and keeps.
systemctl start web peer
systemctl stop web
systemctl stop peer
rules >/tmp/rules
fails grep -e 10.90 -e 8080 /tmp/rules
systemctl start web peer
inside() { syscontainer exec "$@"; }
address() { inside "$1" busybox ip -4 -o addr show eth0 | sed 's/.*inet \([0-9.]*\).*/\1/'; }
web=$(address web)
peer=$(address peer)
test "$web" != "$peer"
case $web in 10.90.*) ;; *) exit 1 ;; esac

# The machine to the container, by its address and by its ports, on every address of the machine.
fetch() { exec 3<>"/dev/tcp/$1/$2"; printf 'GET /name HTTP/1.0\r\n\r\n' >&3; timeout 5 cat <&3 | tail -n 1; exec 3<&-; }
within 5 listens 8080
test "$(fetch "$web" 80)" = web
test "$(fetch 127.0.0.1 8080)" = web
test "$(fetch 10.90.0.1 8080)" = web
test "$(fetch 127.0.0.1 9000)" = web
answers() { exec 3<>"/dev/udp/$1/$2"; echo ping >&3; test "$(timeout 2 head -n 1 <&3)" = ping; }
answers 127.0.0.1 5353
answers "$web" 53
fails answers 10.90.0.1 5353 # published on another address
# From one container to the other, to a port of the machine, and to the machine itself, by address and name.
from() { printf 'GET /%s HTTP/1.0\r\n\r\n' "$3" | inside "$1" payload dial "$2" | tail -n 1; }
test "$(from peer "$web:80" name)" = web
test "$(from peer 10.90.0.1:8080 name)" = web
test "$(from web web:80 name)" = web
busybox httpd -f -p 8888 -h /etc/registry &
server=$!
within 10 listens 8888
from peer machine:8888 ca.pem | grep -q END
from peer host.containers.internal:8888 ca.pem | grep -q END
kill $server
inside web cat /etc/hosts | grep -qx "$web[[:space:]]*web"

# Another container shares all of it.
container guest <<'END'
[Container]
Image=127.0.0.1:5000/payload:1
StopSignal=KILL
Exec=/bin/sleep 1000
Network=web.syscontainer
END
systemctl start guest
test "$(from guest 127.0.0.1:80 name)" = web
inside guest cat /etc/hosts | grep -qx "$web[[:space:]]*web"
systemctl stop guest

# The address stays over a restart and nothing gathers.
rules >/tmp/running
for _ in 1 2 3 4 5 6 7 8 9 10; do systemctl restart web; done
test "$(address web)" = "$web"
rules | diff /tmp/running -
within 5 listens 8080
test "$(fetch 127.0.0.1 8080)" = web

systemctl stop web
fails listens 8080
test ! -e /run/syscontainer/web
ip link show syscontainer0 # peer is there
test "$(address peer)" = "$peer"
systemctl stop peer
links | diff /tmp/links -
rules | diff /tmp/rules -
test -z "$(ls /run/syscontainer)"
fails systemctl is-failed web
journal web
fails grep -E 'warning|error' /tmp/journal
