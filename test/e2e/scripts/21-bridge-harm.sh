# What goes wrong with Network=bridge says why, and leaves nothing behind: ports that are taken, no netavark, one that
# fails, SIGKILL for everything, rules that somebody else removed, a unit whose file went away.
registry
# Of rules, those stay that netavark has for all networks, podman's among them, if it has some for none.
clean() { fails grep -e '10[.]9[01]' -e 8080 <(rules) && test ! -e /sys/class/net/syscontainer0 && test -z "$(ls /run/syscontainer)"; }
server() {
	container "$1" <<-END
		[Unit]
		StartLimitIntervalSec=0

		[Container]
		Image=127.0.0.1:5000/base:1
		Exec=/bin/sleep 1000
		StopSignal=KILL
		Network=bridge
		PublishPort=$2
	END
}
refused() { # NAME WORD…
	fails systemctl start "$1"
	says "${@:2}" <(journal "$1"; cat /tmp/journal)
	systemctl reset-failed "$1"
}

# Ports: another unit's, and a program's.
server one 8080:80
server two 127.0.0.1:8080:80
syscontainer check >/tmp/said || :
says two.syscontainer one.syscontainer 8080 /tmp/said
systemctl start one
refused two two: PublishPort=127.0.0.1:8080:80/tcp one.service
systemctl stop one
systemctl start two
systemctl stop two
clean
busybox httpd -f -p 127.0.0.1:8080 &
server=$!
within 10 listens 8080
refused one 'PublishPort=8080:80/tcp' 'port 8080 open'
kill $server
wait $server || :
systemctl start one

# A fixed address is somebody's or nobody's.
container fixed <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
StopSignal=KILL
Network=bridge
IP=10.90.1.1
END
systemctl start fixed
syscontainer exec fixed cat /etc/hosts | grep '^10.90.1.1[[:space:]]fixed$'
sed s/web/x/ /etc/containers/systemd/fixed.syscontainer >/etc/containers/systemd/second.syscontainer
systemctl daemon-reload
refused second 'address 10.90.1.1' fixed.service
printf '[Network]\nSubnet=10.91.0.0/24\n' >/etc/containers/syscontainer.conf
refused second 'IP=10.90.1.1 is no address' 10.91.0.0/24
refused two 'still has the subnet 10.90.0.0/16'
systemctl stop fixed one # at once
journalctl -b -q -o cat -u fixed -u one >/tmp/journal
fails grep warning /tmp/journal
clean
systemctl start two
syscontainer exec two cat /etc/hosts | grep '^10.91.0.1[[:space:]]host.containers.internal$'
systemctl stop two
rm /etc/containers/syscontainer.conf
clean

# Everything is killed, many times over.
for _ in 1 2 3; do
	systemctl start one
	kill -9 $(processes one) || :
	within 10 systemctl is-failed one
	within 10 clean
	systemctl reset-failed one
done

# Somebody else removed the rules: said, and no more than that.
systemctl start one
iptables -t nat -F 2>/dev/null || :
nft flush ruleset
systemctl stop one
test ! -e /sys/class/net/syscontainer0 -a -z "$(ls /run/syscontainer)"
systemctl start one
rules | grep 8080
systemctl stop one
clean

# The file goes away: systemd clears nothing up. Who needs the port does.
systemctl start one
rm /etc/containers/systemd/one.syscontainer
systemctl daemon-reload
systemctl stop one
test -e /run/syscontainer/one/network.json
systemctl start two
test ! -e /run/syscontainer/one/network.json
systemctl stop two
test ! -e /sys/class/net/syscontainer0
rm -rf /run/syscontainer/one
runc delete --force one
clean

# netavark fails, is killed, or is not there.
program=$(ls /usr/lib/podman/netavark /usr/libexec/podman/netavark /usr/local/bin/netavark 2>/dev/null | head -n 1)
cp -L "$program" /root/netavark
rm -f /usr/lib/podman/netavark /usr/libexec/podman/netavark /usr/local/bin/netavark
refused two 'Network=bridge needs netavark, which is not installed'
journal two
says 'hint: apt install netavark' /tmp/journal
replace() { cat >/usr/local/bin/netavark; chmod 755 /usr/local/bin/netavark; }
replace <<'END'
#!/bin/sh
echo '{"error":"no luck today"}'
exit 1
END
refused two 'connect with the bridge: netavark setup: no luck today'
test -z "$(ls /run/syscontainer)" -a ! -e /sys/class/net/syscontainer0
replace <<'END'
#!/bin/sh
case $* in
*setup*) /root/netavark "$@" >/dev/null; kill -9 "$PPID" ;;
*) exec /root/netavark "$@" ;;
esac
END
fails systemctl start two
within 10 clean
replace <<'END'
#!/bin/sh
exec /root/netavark "$@"
END
systemctl reset-failed two
systemctl start two
systemctl stop two
clean
test -z "$(runc list -q)"
