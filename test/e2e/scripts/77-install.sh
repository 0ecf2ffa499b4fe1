# SPDX-License-Identifier: Apache-2.0
# [Install] holds without systemctl enable; a drop-in, a mask and another file's name take it back or are told.
is() { test "$(show "$1" ActiveState)" = "$2"; }
d=/etc/containers/systemd
mkdir -p $d /usr/share/containers/systemd
unit() { printf '[Container]\nImage=127.0.0.1:5000/base:1\nExec=/bin/sleep 1000\nStopTimeout=1\n[Install]\n%s\n' "$2" >"$1.syscontainer"; }
unit $d/wanted 'WantedBy=multi-user.target
RequiredBy=boot-complete.target
Alias=also-wanted.service'
unit /usr/share/containers/systemd/shipped 'WantedBy=multi-user.target'
mkdir $d/shipped.syscontainer.d
printf '[Install]\nWantedBy=\n' >$d/shipped.syscontainer.d/disabled.conf
unit $d/web@ 'DefaultInstance=blue
WantedBy=multi-user.target
Alias=www@.service'
unit $d/masked 'WantedBy=multi-user.target'
systemctl mask masked
unit $d/thief 'Alias=wanted.service dbus.service'
printf '[Container]\nImage=nope\n[Install]\nWantedBy=multi-user.target\n' >$d/broken.syscontainer
systemctl daemon-reload

wants() { show multi-user.target Wants | tr ' ' '\n' | grep -x "$1"; }
wants wanted.service
wants web@blue.service
wants broken.service
fails wants shipped.service
fails wants masked.service
show boot-complete.target Requires | grep -w wanted.service
test "$(show also-wanted Id)" = wanted.service
test "$(show www@red Id)" = web@red.service
test "$(show masked LoadState)" = masked
test "$(systemctl is-enabled wanted)" = generated
test "$(show dbus FragmentPath)" != /run/systemd/generator/thief.service

# A start of the target starts them, as a boot does; the broken one holds nobody up.
registry
systemctl start multi-user.target
within 10 is wanted active
within 10 is web@blue active
test "$(show shipped ActiveState)" = inactive
within 5 is broken failed

# Both sides of a conflict are told.
fails systemctl start thief
logged thief thief.syscontainer:6 'wanted.service is taken by' wanted.syscontainer
mkdir /tmp/out
/usr/lib/systemd/system-generators/syscontainer-generator /tmp/out 2>/tmp/said || :
says wanted.syscontainer 'wanted.service stays its name' thief.syscontainer /tmp/said

# Taking the file away takes the links away.
rm $d/wanted.syscontainer
systemctl daemon-reload
fails wants wanted.service
test "$(show also-wanted LoadState)" = not-found
