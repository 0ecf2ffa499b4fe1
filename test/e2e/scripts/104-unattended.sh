# SPDX-License-Identifier: Apache-2.0
# Nobody is there: the timer updates what its file lets it, waits for a registry that is away, and leaves alone what is held,
# what waits for its window, and what has failed before.
own_registry
for name in app still held shut; do release one $name; done
for name in app still held shut; do
	container $name <<END
[Container]
Image=127.0.0.1:5000/$name:1
Tmpfs=/tmp
[Update]
HealthySec=500ms
END
done
mkdir /etc/containers/systemd/{app,held,shut}.syscontainer.d
echo AutoUpdate=registry | sed '1i [Container]' >/etc/containers/systemd/app.syscontainer.d/auto.conf # as Quadlet has it
printf '[Update]\nAuto=registry\n' >/etc/containers/systemd/held.syscontainer.d/auto.conf
# A window that opens in three hours, for one hour.
printf '[Update]\nAuto=registry\nWindow=%s-%s\n' "$(date -d '+3 hours' +%H:00)" "$(date -d '+4 hours' +%H:00)" >/etc/containers/systemd/shut.syscontainer.d/auto.conf
systemctl daemon-reload
systemctl start app still held shut
syscontainer hold held

# The shipped timer, with less patience.
systemd-analyze verify --man=no syscontainer-update.timer syscontainer-update@app.service syscontainer-boot.service 2>&1 | grep syscontainer >/tmp/verify || :
test ! -s /tmp/verify
show syscontainer-update.timer TimersCalendar >/tmp/out
says 'OnCalendar=*-*-* 00:00:00' /tmp/out
mkdir -p /etc/systemd/system/syscontainer-update.timer.d /etc/systemd/system/syscontainer-update.service.d
printf '[Timer]\nOnBootSec=\nOnCalendar=\nOnCalendar=*:*:0/2\nRandomizedDelaySec=0\nAccuracySec=100ms\n' >/etc/systemd/system/syscontainer-update.timer.d/often.conf
printf '[Unit]\nOnFailure=alarm.service\nStartLimitIntervalSec=0\n' >/etc/systemd/system/syscontainer-update.service.d/alarm.conf
printf '[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo alarm >>/tmp/alarms"\n' >/etc/systemd/system/alarm.service
systemctl daemon-reload
for name in app still held shut; do release two $name; done
systemctl enable --now syscontainer-update.timer
within 20 runs app two
runs still one
runs held one
runs shut one
logged syscontainer-update 'held is held'
logged syscontainer-update 'shut waits for its window'
test ! -e /tmp/alarms
# For the window there is a run of its own, in its first half.
within 10 systemctl is-active --quiet syscontainer-update-again.timer
show syscontainer-update-again.timer TimersCalendar >/tmp/out
says "OnCalendar=@$(date -d "$(date -d '+3 hours' +%Y-%m-%dT%H:00)" +%s)" /tmp/out || says "$(date -d '+3 hours' +%H:00)" /tmp/out

# The registry goes away: that is no failure, and nothing changes.
systemctl stop registry
journalctl --rotate --vacuum-time=1us -q
logged_late() { within 30 in_journal "$@"; }
logged_late syscontainer-update 'app waits for its image' refused
runs app two
test "$(show syscontainer-update.service Result)" = success
test ! -e /tmp/alarms
# It comes back, with something new.
registry
release three
within 40 runs app three
syscontainer unhold held
within 40 runs held two
runs still one
test ! -e /tmp/alarms

# Something bad: taken back, told by OnFailure=, and not tried again by itself.
release exits
within 40 test -e /tmp/alarms
within 10 runs app three
journalctl --rotate --vacuum-time=1us -q
logged_late syscontainer-update 'app waits for another image' 'failed (exited with 3'
sleep 3
test "$(wc -l </tmp/alarms)" = 1
runs app three
systemctl stop syscontainer-update.timer

# By name it is tried, by those who drive it with systemctl; their OnFailure= works, too.
mkdir -p /etc/systemd/system/syscontainer-update@.service.d
printf '[Unit]\nOnFailure=alarm.service\n' >/etc/systemd/system/syscontainer-update@.service.d/alarm.conf
systemctl daemon-reload
fails systemctl start syscontainer-update@app
alarms() { test "$(wc -l </tmp/alarms)" = "$1"; }
within 10 alarms 2
within 10 runs app three
release two shut
systemctl start syscontainer-update@shut # asks for no window
runs shut two

# A section that nobody understands updates nothing, and is told each time.
systemctl stop syscontainer-update-again.timer
printf '[Update]\nHold=perhaps\n' >/etc/containers/systemd/app.syscontainer.d/wrong.conf
systemctl daemon-reload
release one
fails syscontainer update --auto --all 2>/tmp/err
says 'app is not updated' 'wrong.conf:2' /tmp/err
runs app three
