# SPDX-License-Identifier: Apache-2.0
# disk: /var/lib/app 16M
# disk: /var/cache/app 16M
# disk: /var/log/app 16M
# Directories=yes: what systemd makes for the service is the payload's, at the same path; without it the payload sees none.
registry
mkdir -p /srv/out /etc/app
echo setting >/etc/app/file
services='RuntimeDirectory=app
StateDirectory=app app/deep
CacheDirectory=app
LogsDirectory=app
ConfigurationDirectory=app
StateDirectoryMode=0700
Type=oneshot
RemainAfterExit=yes'
container app <<X
[Container]
Image=127.0.0.1:5000/base:1
User=app
Directories=yes
Volume=/srv/out:/out
Exec=/bin/sh /out/inspect
[Service]
$services
X
cat >/srv/out/inspect <<'X'
env | grep _DIRECTORY= | sed 's/^/env /'
for dir in /run/app /var/lib/app /var/lib/app/deep /var/cache/app /var/log/app /etc/app; do
	echo "$dir $(stat -c %u:%g:%a $dir) $(echo me 2>/dev/null >$dir/mine && cat $dir/mine)"
done
cat /etc/app/file
X
systemctl start app
logged app setting
sort -u /tmp/journal >/tmp/said
has() { grep -Fxq -- "$1" /tmp/said || { cat /tmp/said >&2; return 1; }; }
has 'env RUNTIME_DIRECTORY=/run/app'
has 'env STATE_DIRECTORY=/var/lib/app:/var/lib/app/deep'
has 'env CACHE_DIRECTORY=/var/cache/app'
has 'env LOGS_DIRECTORY=/var/log/app'
has 'env CONFIGURATION_DIRECTORY=/etc/app'
has '/run/app 1000:1000:755 me'
has '/var/lib/app 1000:1000:700 me'
has '/var/lib/app/deep 1000:1000:700 me'
has '/var/cache/app 1000:1000:755 me'
has '/var/log/app 1000:1000:755 me'
# The configuration stays root's, and is not to be written.
has '/etc/app 0:0:755'
test ! -e /etc/app/mine
test "$(cat /var/lib/app/mine)" = me
# On the host it is root's, as systemd wants it; a restart changes nothing of that.
test "$(stat -c %u:%g /var/lib/app/mine /var/lib/app | sort -u)" = 0:0
before=$(snapshot "$(rootfs base:1)")
systemctl stop app
test ! -e /run/app
test ! -e /run/syscontainer/app
test "$(cat /var/lib/app/mine)" = me
test -z "$(grep syscontainer/app /proc/self/mounts || :)"
systemctl start app
test "$(snapshot "$(rootfs base:1)")" = "$before"
journal app
test "$(grep -c '^/var/lib/app/deep 1000:1000:700 me$' /tmp/journal)" = 2
systemctl stop app

# What the payload left in its place is not followed at the next start.
mkdir /srv/victim
rm -r /var/lib/app/deep
ln -s /srv/victim /var/lib/app/deep
fails systemctl start app
test "$(stat -c %u /srv/victim)" = 0
test -z "$(ls /srv/victim)"

# Not asked for, they are the host's business.
container quiet <<X
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'env | sed "s/^/env /"; ls -d /var/lib/app /run/app; echo done'
[Service]
$services
X
rm /var/lib/app/deep
systemctl start quiet
logged quiet done
fails says _DIRECTORY= /tmp/journal
says 'ls: /var/lib/app' /tmp/journal
