# SPDX-License-Identifier: Apache-2.0
# An unattended run outside of a window changes nothing, and has systemd start another one in it, which does.
[ -e /etc/syscontainer-test-long ] || exit 0 # it waits for the clock
own_registry
release one
container app <<'END'
[Container]
Image=127.0.0.1:5000/app:1
Tmpfs=/tmp
[Update]
Auto=registry
HealthySec=500ms
END
systemctl start app
release two
[ $((10#$(date +%S))) -lt 45 ] || sleep 20 # not to be too late for the minute that comes
printf '[Update]\nWindow=%s-%s\n' "$(date -d '+1 minute' +%H:%M)" "$(date -d '+2 minutes' +%H:%M)" >/root/window.conf
mkdir /etc/containers/systemd/app.syscontainer.d
cp /root/window.conf /etc/containers/systemd/app.syscontainer.d/
systemctl daemon-reload
opens=$(date -d "$(date -d '+1 minute' +%Y-%m-%dT%H:%M)" +%s)
syscontainer update --auto --all 2>/tmp/err
says 'app waits for its window' /tmp/err
says 'going on between' /tmp/err
runs app one
systemctl is-active --quiet syscontainer-update-again.timer
within 100 runs app two
test "$(date +%s)" -ge "$opens"
test "$(date +%s)" -le $((opens + 50)) # the first half, and the update
within 10 fails systemctl is-active --quiet syscontainer-update-again.timer
# In its window, or without one, nothing waits.
printf '[Update]\nWindow=%s-%s\n' "$(date -d '-1 minute' +%H:%M)" "$(date -d '+30 minutes' +%H:%M)" >/etc/containers/systemd/app.syscontainer.d/window.conf
systemctl daemon-reload
release three
syscontainer update --auto --all
runs app three
