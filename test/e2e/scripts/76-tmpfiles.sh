# SPDX-License-Identifier: Apache-2.0
# Directories for bind sources appear before the start and cost nothing when they are there; Tmpfiles= lines are applied.
registry
mkdir -p /var/lib/present
chown 1000:1000 /var/lib/present
chmod 2710 /var/lib/present
container app <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
StopTimeout=1
Volume=/var/lib/missing/deep:/a
Volume=/var/lib/present:/b
END
test ! -e /var/lib/missing
systemctl start app
test -d /var/lib/missing/deep
test "$(stat -c '%u %g %a' /var/lib/present)" = '1000 1000 2710'
journalctl --sync
systemctl stop app

# All there: no process is spent on them.
runs() { journalctl --sync; journalctl -b -q -o cat _PID=1 UNIT=app-tmpfiles.service JOB_RESULT=done | wc -l; }
systemctl stop app-tmpfiles
systemctl start app
test "$(show app-tmpfiles ConditionResult)" = no
test "$(show app ActiveState)" = active

container lines <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
StopTimeout=1
Tmpfiles=d /var/lib/lines 0750 1000 1000 -
Tmpfiles=f /var/lib/lines/file 0640 root root - content with blanks
END
systemctl start lines
test "$(stat -c '%u %g %a' /var/lib/lines)" = '1000 1000 750'
test "$(cat /var/lib/lines/file)" = 'content with blanks'

# A bind source elsewhere is not made up: the start fails and names it.
container elsewhere <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
StopTimeout=1
Volume=/srv/not/there:/x
END
fails systemctl start elsewhere
logged elsewhere /srv/not/there
