# SPDX-License-Identifier: Apache-2.0
# A start without the image: one fetch for all units that want it, the network asked for only then, a registry that hangs or is
# away told by name, and another try by Restart=, as for any service.
sed -i 's/disabled: true/disabled: false/' /etc/registry/registry.yml # tell requests
registry
app() { # app NAME IMAGE [LINE…]: the lines are of [Service]
	local name=$1 image=$2
	shift 2
	container "$name" <<END
[Unit]
StartLimitIntervalSec=0
[Container]
Image=127.0.0.1:5000/$image
Exec=/bin/sleep 1000
[Service]
$(printf '%s\n' "$@")
END
}
online() { systemctl -q is-active network-online.target; }
# requests TEXT: the paths with it that the registry was asked for, one a line.
requests() { journalctl --sync; journalctl -b -q -o cat -u registry | sed -n 's/.*"GET \([^ ]*\) HTTP.*/\1/p' | grep -F "$1" || :; }

# With the image there nobody asks for the network.
syscontainer pull 127.0.0.1:5000/base:1
app here base:1
fails online
systemctl start here
fails online

# Several units that want the same one start it at once: each layer comes over the line once.
for name in a b c; do app shared-$name many:1; done
systemctl kill -s STOP registry # until all three are at it
systemctl start --no-block shared-a shared-b shared-c
for name in a b c; do
	logged shared-$name 'image 127.0.0.1:5000/many:1 is not in the store, fetching it'
	test "$(show shared-$name ActiveState)" = activating
done
within 5 online
sleep 1; for name in a b c; do show shared-$name StatusText; done
systemctl kill -s CONT registry
for name in a b c; do within 30 systemctl -q is-active shared-$name; done
requests /v2/many/blobs/ >/tmp/blobs
test "$(wc -l </tmp/blobs)" = 2 # the configuration and the layer that base has not
test -z "$(sort /tmp/blobs | uniq -d)"
sound

# A registry that takes the connection and says nothing: the start ends when the unit's patience does.
app hangs etcd:1 TimeoutStartSec=2
systemctl kill -s STOP registry
fails systemctl start hangs
test "$(show hangs Result)" = timeout
logged hangs 'cannot be fetched: stopped while asking for 127.0.0.1:5000/etcd:1'
test ! -e /run/syscontainer/hangs
systemctl kill -s CONT registry

# One that is away: the unit says which, and why, and tries again as long as Restart= says.
systemctl stop registry
app away hello:1 Restart=on-failure RestartSec=1s
fails systemctl start away
within 10 sh -c 'test "$(systemctl show -P SubState away)" = auto-restart'
systemctl status away >/tmp/status || :
says '127.0.0.1:5000/hello:1' 'cannot be fetched' '127.0.0.1:5000' 'connection refused' /tmp/status
test ! -e /run/syscontainer/away
within 20 sh -c 'test "$(systemctl show -P NRestarts away)" -ge 1'
fails systemctl -q is-active away
registry
within 30 systemctl -q is-active away
test -z "$(show away StatusText)"
test "$(show away Result)" = success
