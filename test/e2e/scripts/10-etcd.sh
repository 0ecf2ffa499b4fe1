# SPDX-License-Identifier: Apache-2.0
# Drop a file, reload, start: etcd answers. A restart keeps the data, stop stops.
registry
mkdir -p /etc/containers/systemd
cp /usr/share/doc/syscontainer/examples/etcd.syscontainer /etc/containers/systemd/
systemctl daemon-reload
test ! -e /var/lib/etcd
systemctl start etcd
test "$(show etcd ActiveState)" = active
etcdctl put greeting hello
test "$(etcdctl get --print-value-only greeting)" = hello

first=$(show etcd MainPID)
systemctl restart etcd
test "$(show etcd MainPID)" != "$first"
test "$(etcdctl get --print-value-only greeting)" = hello

systemctl stop etcd
test "$(show etcd ActiveState) $(show etcd Result)" = "inactive success"
fails listens 2379
test ! -e /proc/"$first"
test -z "$(runc list -q)"
test -z "$(ls -A /run/syscontainer)"
test -d /var/lib/etcd/member
test -L "/run/systemd/generator/multi-user.target.wants/etcd.service"
sound
test -n "$(ostree refs --repo=$store/repo)"
