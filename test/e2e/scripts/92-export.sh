# SPDX-License-Identifier: Apache-2.0
# Files that an image brings for the host: there with the start, with another version others, the admin's untouched, and gone
# with the unit. What stands against it is told before anything is touched.
for v in 1 2 rival; do syscontainer pull oci:/srv/oci:exports-$v; done
use() { syscontainer tag "oci:/srv/oci:exports-$1" q.io/tool:1; }
record=$store/containers/tool/exports.json
host() { find /usr/bin/tool* /usr/lib/tool* /etc/tool* /opt -printf '%p %y %m %U %G %l\n' 2>/dev/null | sort || :; }
host >/tmp/nothing

kill='[Service]\nTimeoutStopSec=1\n[Container]\nExec=/bin/sleep 1000\n'
unit() { { printf "${kill}Image=q.io/tool:1\n"; cat; } | container tool; }

# Export=no is the default.
use 1
unit </dev/null
systemctl start tool
host | diff /tmp/nothing -
unit <<<'Export=yes'
syscontainer export --dry-run tool >/tmp/said
grep -qx 'would create /usr/bin/tool-ctl' /tmp/said
host | diff /tmp/nothing -
test ! -e $record

systemctl restart tool
grep -qx 'version 1' /etc/tool.conf
test "$(readlink /usr/bin/tool-link) $(readlink /opt/dangling)" = 'tool-ctl /no/where'
test "$(stat -c '%a %u %g' /opt/data/owned)" = '640 1000 1001'
test "$(stat -c '%F %a' /opt/empty)" = 'directory 711'
grep -qx '# hello' /usr/bin/tool-ctl
# Scripts of the image run commands in the container, by either program.
test "$(tool-ctl cat /exports/hostfs/etc/tool.conf)" = 'version 1'
test "$(tool-ctl runtime cat /exports/hostfs/etc/tool.conf)" = 'version 1'
# They are links, or share their blocks, or lie on another file system.
test "$(stat -c %h /usr/lib/tool-data)" -gt 1 || test "$(stat -c %d /usr/lib)" != "$(stat -c %d $store)"
test "$(stat -c %h /opt/data/owned)" = 1
host >/tmp/first

# Nothing is done again for nothing.
stat -c %i $record >/tmp/inode
systemctl restart tool
stat -c %i $record | diff /tmp/inode -
test -z "$(syscontainer export tool 2>&1)"

# A missing value, and after it another version. The admin's edit stays, and is told.
use 2
fails systemctl restart tool
logged tool "''GREETING''"
logged tool 'Set=GREETING=… in [Container]'
host | diff /tmp/first -
echo mine >>/etc/tool.conf
unit <<'END2'
Export=yes
Set="GREETING=hello again"
END2
systemctl restart tool
logged tool /etc/tool.conf 'was changed' kept
grep -qx mine /etc/tool.conf
grep -qx '# hello again' /usr/bin/tool-ctl
test "$(cat /usr/lib/tool-new /usr/lib/tool-data)" = $'new\ndata 2'
test ! -e /usr/lib/tool-old -a ! -L /opt/dangling -a ! -e /opt/empty
test "$(tool-ctl cat /exports/hostfs/etc/tool.conf)" = 'version 2'

# Back, and forth again.
use 1
systemctl restart tool
test "$(cat /usr/lib/tool-old /usr/lib/tool-data)" = $'old\ndata 1'
test ! -e /usr/lib/tool-new
use 2
systemctl restart tool
test ! -e /usr/lib/tool-old

# Another value, nothing else.
unit <<'END2'
Export=yes
Set=GREETING=bye
END2
systemctl restart tool
grep -qx '# bye' /usr/bin/tool-ctl

# Two containers that want one path.
printf "${kill}Image=oci:/srv/oci:exports-rival\nExport=yes\n" | container rival
fails systemctl start rival
logged rival /usr/lib/tool-data tool rival
test ! -e /etc/rival
grep -qx 'data 2' /usr/lib/tool-data
printf "${kill}Image=oci:/srv/oci:exports-rival\nExport=/etc\n" | container rival
systemctl start rival
grep -qx rival /etc/rival

# /usr is read-only: it is told, and nothing is touched.
use 1
host >/tmp/second
mount --bind /usr /usr
mount -o remount,bind,ro /usr
fails systemctl restart tool
logged tool /usr/lib is read-only
host | diff /tmp/second -
umount -l /usr
systemctl restart tool
test -e /usr/lib/tool-old

# Two names of one image.
printf "${kill}Image=q.io/tool:1\nExport=/usr/bin/other-ctl\nSet=GREETING=other\n" | container other
systemctl start other
test "$(other-ctl hostname)" = "$(hostname)"
grep -qx '# other' /usr/bin/other-ctl

# A container without a file leaves nothing either.
syscontainer run --rm --name once -k Export=/etc/rival2 -k Set=GREETING=once oci:/srv/oci:exports-once cat /exports/hostfs/etc/rival2 >/tmp/said
grep -qx once /tmp/said
test ! -e /etc/rival2 -a ! -e $store/containers/once
syscontainer run --name once -k Export=/etc/rival2 oci:/srv/oci:exports-once true
grep -qx once /etc/rival2
syscontainer prune
test ! -e /etc/rival2

# Export=no at the next start, and prune for units that are gone.
printf "${kill}Image=q.io/tool:1\n" | container other
systemctl restart other
test ! -e /usr/bin/other-ctl
rm /etc/containers/systemd/tool.syscontainer
systemctl daemon-reload
syscontainer prune --grace=0
test -e /usr/bin/tool-ctl # it runs
systemctl stop tool
syscontainer prune --dry-run >/tmp/said
grep -qx 'would remove /usr/bin/tool-ctl' /tmp/said
test -e /usr/bin/tool-ctl
syscontainer prune --grace=0
rm /etc/tool.conf # the admin's now
host | diff /tmp/nothing -
test ! -e $store/containers/tool
syscontainer export --undo rival
test ! -e /etc/rival
test -z "$(find / -xdev -name '.syscontainer-*')"
test -z "$(syscontainer verify)"
