# SPDX-License-Identifier: Apache-2.0
# With the image in the store a start needs no network at all. Without both it fails in time and says so.
registry
container here <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
StopTimeout=1
END
container absent <<'END'
[Container]
Image=192.0.2.1:5000/absent:1
Exec=/bin/sleep 1000
StopTimeout=1

[Service]
TimeoutStartSec=20
END
container never <<'END'
[Container]
Image=127.0.0.1:5000/sibling:1
Exec=/bin/sleep 1000
StopTimeout=1
Pull=never
END
container blackhole <<'END'
[Container]
Image=127.0.0.1:5000/absent:1
Exec=/bin/sleep 1000
StopTimeout=1

[Service]
TimeoutStartSec=40
END
syscontainer pull 127.0.0.1:5000/base:1
systemctl stop registry

# fails_soon NAME SECONDS
fails_soon() {
	local start=$SECONDS
	fails systemctl start "$1"
	test $((SECONDS - start)) -lt "$2"
	# Nothing is left of a failed start.
	test ! -e "/run/syscontainer/$1"
}
# No route: refused at once, tried again a few times.
fails_soon absent 20
test "$(show absent Result)" = exit-code
logged absent 192.0.2.1:5000/absent:1 'network is unreachable'

# An interface that is down drops the packets without a word.
ip link set lo down
systemctl start here
test "$(show here ActiveState)" = active
fails_soon blackhole 45
logged blackhole 127.0.0.1:5000/absent:1 'cannot connect'

# Pull=never does not even try, also with the network there.
ip link set lo up
registry
fails_soon never 5
logged never sibling 'not in the store'
fails rootfs sibling:1
test "$(runc list -q)" = here
