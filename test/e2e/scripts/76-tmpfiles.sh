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
Volume=/var/lib/with %%percent:/c
Mount=type=bind,source=/run/app-state,target=/d
END
test ! -e /var/lib/missing
systemctl start app
test "$(stat -c '%u %g %a' /var/lib/missing/deep)" = '0 0 755'
test "$(stat -c '%u %g %a' /var/lib/present)" = '1000 1000 2710'
test -d /run/app-state
test -d '/var/lib/with %percent'
systemctl stop app

# All there: no process is spent on them, so that even a machine without systemd-tmpfiles can start it.
mount --bind /dev/null /usr/bin/systemd-tmpfiles
systemctl start app
test "$(show app ActiveState)" = active
systemctl stop app
rmdir /run/app-state
fails systemctl start app
logged app systemd-tmpfiles
umount /usr/bin/systemd-tmpfiles
systemctl start app
test "$(show app ActiveState)" = active

# What is made for a payload that is not root is the payload's.
container owned <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'echo mine >/data/file; exec sleep 1000'
User=1234:4321
StopTimeout=1
Volume=/var/lib/owned:/data
END
systemctl start owned
test "$(stat -c '%u %g %a' /var/lib/owned)" = '1234 4321 755'
within 5 grep -q mine /var/lib/owned/file

# The unit's specifiers are replaced, and those that only systemd-tmpfiles knows are left to it.
container lines@ <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
StopTimeout=1
Tmpfiles=d %S/lines-%i 0750 1000 1000 -
Tmpfiles=f %S/lines-%i/file 0640 root root - content with blanks of %b
Volume=/var/lib/lines-%i:/data
END
systemctl start lines@one
test "$(stat -c '%u %g %a' /var/lib/lines-one)" = '1000 1000 750'
test "$(cat /var/lib/lines-one/file)" = "content with blanks of $(tr -d - </proc/sys/kernel/random/boot_id)"

# A line that cannot be done fails the start and says why.
container wrong <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
Tmpfiles=d /proc/no/way 0755 - - -
END
fails systemctl start wrong
logged wrong systemd-tmpfiles /proc/no

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
test ! -e /srv/not
