# SPDX-License-Identifier: Apache-2.0
# A payload that is killed comes back; state of the runtime that nobody cleaned up does not stand in the way.
registry
container app <<'END'
[Unit]
StartLimitIntervalSec=0

[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
StopTimeout=1

[Service]
Restart=on-failure
RestartSec=100ms
END
systemctl start app
for round in 1 2 3; do
	pid=$(show app MainPID)
	kill -9 "$pid"
	within 10 sh -c "test \"\$(systemctl show -P MainPID app)\" != $pid && systemctl -q is-active app"
	test "$(show app NRestarts)" = $round
	within 5 alone app
	test "$(runc list -q | wc -l)" = 1
done

# An unclean stop: the generated unit was gone, so that no ExecStopPost= ran, and runc still knows the container.
mv /etc/containers/systemd/app.syscontainer /root/
systemctl daemon-reload
systemctl stop app
mv /root/app.syscontainer /etc/containers/systemd/
systemctl daemon-reload
systemctl start app
test "$(show app ActiveState)" = active
test "$(runc list -q | wc -l)" = 1

# The whole cgroup at once, as the kernel or an operator would.
systemctl kill -s KILL app
within 10 sh -c 'systemctl -q is-active app && test "$(systemctl show -P NRestarts app)" -ge 1'

# A start while half of a bundle is lying around.
systemctl stop app
mkdir -p /run/syscontainer/app/rootfs /run/syscontainer/app/targets/x
echo '{' >/run/syscontainer/app/config.json
systemctl start app
test "$(show app ActiveState)" = active
systemctl stop app
test -z "$(runc list -q)"
