# SPDX-License-Identifier: Apache-2.0
# A fetch longer than the start timeout succeeds as long as bytes arrive, and `systemctl status` tells how far it is.
registry
container app <<'END'
[Container]
Image=127.0.0.1:5000/etcd:1
Exec=/usr/local/bin/etcd --data-dir=/tmp/etcd
Tmpfs=/tmp
Notify=yes

[Service]
TimeoutStartSec=2
END
# The registry stands still for most of each second: the line is slow, but it moves.
slow() { while :; do systemctl kill -s STOP registry; sleep 0.6; systemctl kill -s CONT registry; sleep 0.02; done; }
slow &
systemctl start --no-block app
within 20 sh -c 'systemctl show -P StatusText app | tee -a /tmp/texts | grep -q .'
within 60 sh -c 'systemctl show -P StatusText app >>/tmp/texts; systemctl -q is-active app'
sort -u /tmp/texts
