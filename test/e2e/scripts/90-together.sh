# SPDX-License-Identifier: Apache-2.0
# Ten services of the same missing image start at once: one image, ten containers. Pulls side by side do not disturb each other.
registry
mkdir -p /etc/containers/systemd
for i in $(seq 10); do
	cat >/etc/containers/systemd/app$i.syscontainer <<'END'
[Container]
Image=127.0.0.1:5000/many:1
Exec=/bin/sleep 1000
END
done
systemctl daemon-reload
systemctl start app{1..10}
for i in $(seq 10); do test "$(show app$i ActiveState)" = active; done
test "$(ls $store/images | wc -l)" = 1
syscontainer pull 127.0.0.1:5000/base:1 &
syscontainer pull 127.0.0.1:5000/sibling:1 &
syscontainer pull 127.0.0.1:5000/multi:1 &
wait -n
wait -n
wait -n
rootfs base:1
rootfs sibling:1
rootfs multi:1
sound
