# SPDX-License-Identifier: Apache-2.0
# Most keys at once: the payload prints what it sees, and that is what the file says. Namespaces are joined, reloads
# and credentials reach the payload, and the shared checkout is as it was.
registry
syscontainer pull 127.0.0.1:5000/base:1
before=$(snapshot "$(rootfs base:1)")
mkdir -p /srv/keys/parts.d /srv/out /srv/keys/drop
echo one >/srv/keys/parts.d/10-one.conf
echo two >/srv/keys/parts.d/20-two.conf
printf '# read at start\nFROM=file\nLAYER=file\nOWN\n' >/srv/keys/env
echo '{"process":{"oomScoreAdj":321}}' >/srv/keys/patch.json
echo topsecret >/srv/keys/token
cat >/srv/keys/inspect <<'END'
exec >/out/report
echo "arguments:$*"
echo "environment:$FROM:$LAYER:$OWN:$LATE:$INVOCATION_ID"
echo "identity:$(id -u):$(id -g):$(id -G)"
echo "parts:$(cat /parts/* | tr '\n' ' ')"
echo "bind:$(touch /bound/x 2>/dev/null && echo rw || echo ro)"
echo "scratch:$(stat -c '%a' /scratch):$(df -k /scratch | awk 'END { print $2 }')"
echo "shm:$(df -k /dev/shm | awk 'END { print $2 }')"
echo "tmp:$(touch /tmp/x 2>/dev/null && echo rw || echo ro)"
echo "zone:$(tail -n 1 /etc/localtime)"
echo "device:$(stat -c '%t %T' /dev/nothing):$(ls /dev/absent 2>/dev/null)"
echo "hosts:$(grep db.example.com /etc/hosts)"
echo "resolver:$(cat /etc/resolv.conf | tr '\n' ' ')"
echo "privileges:$(sed -n 's/^NoNewPrivs:[[:space:]]*//p' /proc/self/status)"
echo "limits:$(ulimit -Sn):$(ulimit -Hn):$(ulimit -c)"
echo "masked:$(ls /srv | wc -l):$(cat /proc/timer_list 2>/dev/null | wc -c)"
echo "sysctl:$(cat /proc/sys/net/ipv4/ip_default_ttl):$(cat /proc/sys/kernel/msgmax)"
echo "patched:$(cat /proc/self/oom_score_adj)"
echo "credential:$(cat "$CREDENTIALS_DIRECTORY/token"):$CREDENTIALS_DIRECTORY:$(stat -c '%u %a' "$CREDENTIALS_DIRECTORY/token")"
touch "$CREDENTIALS_DIRECTORY/new" 2>/dev/null && echo "credentials were written"
echo "name:$(hostname)"
trap 'echo reloaded >>/out/report' HUP
echo end
while :; do sleep 0.05; done
END
chown 1000 /srv/out
mount -o remount,rw,bind /proc/sys # for crun's way to sysctls, which are the container's
container app <<'END'
[Container]
Image=127.0.0.1:5000/base:1
ContainerName=my_keys.1
Exec=/bin/sh /inspect a "b c"
User=app
Group=extra
GroupAdd=4242
Environment=LATE=unit
EnvironmentFile=/srv/keys/env -/srv/keys/absent
EnvironmentHost=yes
Volume=/srv/keys/inspect:/inspect:ro
Volume=/srv/out:/out
Volume=/srv/keys/drop:/scratch
Mount=type=bind,source=/srv/keys/drop,target=/bound,readonly
Mount=type=glob,source=/srv/keys/parts.d/*.conf,target=/parts,ro
Mount=type=tmpfs,target=/scratch,tmpfs-size=2m,tmpfs-mode=0700,uid=1000
ShmSize=3m
ReadOnlyTmpfs=no
Timezone=UTC
AddDevice=/dev/null:/dev/nothing
AddDevice=-/dev/absent
NoNewPrivileges=no
SeccompProfile=unconfined
Mask=/srv
Unmask=/proc/timer_list
Ulimit=nofile=500:600
Ulimit=core=0
Network=none
Sysctl=net.ipv4.ip_default_ttl=63 kernel.msgmax=9999
HostName=keys.example.com
AddHost=db;db.example.com:192.0.2.7
DNS=192.0.2.53
DNSSearch=example.com
DNSOption=ndots:3
Credential=token:/srv/keys/token
ConfigPatch=/srv/keys/patch.json
RuntimeArgs=--debug
ReloadSignal=SIGHUP
Annotation=org.example.a=b
StopSignal=SIGKILL
[Service]
Environment=OWN=service LAYER=service
END
systemctl start app
within 5 grep -qx end /srv/out/report
report() { grep -Fxq -- "$1" /srv/out/report || { echo "no line '$1'" >&2; cat /srv/out/report >&2; return 1; }; }
report 'arguments:a b c'
report 'environment:file:file:service:unit:'
report 'identity:1000:1001:1001 4242'
report 'parts:one two '
report 'bind:ro'
report 'scratch:700:2048'
report 'shm:3072'
report 'tmp:ro'
report 'zone:UTC0'
report 'device:1 3:'
report "hosts:$(printf '192.0.2.7\tdb db.example.com')"
report 'resolver:nameserver 192.0.2.53 search example.com options ndots:3 '
report 'privileges:0'
report 'limits:500:600:0'
grep -q '^masked:0:' /srv/out/report
report 'sysctl:63:9999'
report 'patched:321'
report 'credential:topsecret:/run/credentials:1000 400'
report 'name:keys.example.com'
fails grep written /srv/out/report
test "$(runc list -q)" = my_keys.1
test "$(runc state my_keys.1 | grep -c org.example.a)" = 1
systemctl reload app
within 5 grep -qx reloaded /srv/out/report
test ! -e /srv/keys/drop/x

# Its namespaces, joined by another that comes with it and goes with it.
container friend <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'cat /etc/hosts /etc/resolv.conf; sleep 1000'
Network=app.syscontainer
PID=app.syscontainer
IPC=app.syscontainer
UTS=app.syscontainer
ReloadCmd=/bin/sh -c 'echo reload $0 in $(hostname)' now
StopSignal=SIGKILL
END
systemctl start friend
main() { show "$1" MainPID; }
for ns in net pid ipc uts; do
	test "$(readlink "/proc/$(main app)/ns/$ns")" = "$(readlink "/proc/$(main friend)/ns/$ns")"
done
test "$(readlink "/proc/$(main app)/ns/mnt")" != "$(readlink "/proc/$(main friend)/ns/mnt")"
logged friend 192.0.2.7 db.example.com
logged friend nameserver 192.0.2.53
systemctl reload friend
logged friend 'reload now in keys.example.com'
systemctl stop app
within 5 ended friend
test -z "$(runc list -q)"

# A namespace file, and one that is not there.
mkdir -p /run/netns
touch /run/netns/blue
unshare --net sh -c 'mount --bind /proc/$$/ns/net /run/netns/blue'
container blue <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
Network=ns:/run/netns/blue
StopSignal=SIGKILL
END
systemctl start blue
test "$(stat -Lc %i /run/netns/blue)" = "$(stat -Lc %i "/proc/$(main blue)/ns/net")"
systemctl stop blue
umount /run/netns/blue
rm /run/netns/blue
fails systemctl start blue
logged blue Network=ns:/run/netns/blue 'no such file'

# A command that reloads and fails, fails the reload alone.
container deaf <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
ReloadCmd=/bin/sh -c 'echo cannot reload; exit 5'
StopSignal=SIGKILL
END
systemctl start deaf
fails systemctl reload deaf
logged deaf 'cannot reload'
test "$(show deaf ActiveState)" = active
systemctl stop deaf

# Root sees systemd's own credentials, whoever loads them.
container rooted <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'echo "seen: $(cat $CREDENTIALS_DIRECTORY/key)"; sleep 1000'
StopSignal=SIGKILL
[Service]
SetCredential=key:value of the service
END
systemctl start rooted
logged rooted 'seen: value of the service'
systemctl stop rooted

# An init is process 1 and hands on what ends the payload; without one to be found, the start says so.
container tended <<'END'
[Container]
Image=127.0.0.1:5000/base:1
RunInit=yes
Exec=/bin/sh -c 'trap "echo handed on; exit 0" TERM; tr "\\000" " " </proc/1/cmdline; echo; while :; do sleep 0.05; done'
END
systemctl start tended
logged tended '/run/init -- /bin/sh'
systemctl stop tended
logged tended 'handed on'
test "$(show tended Result)" = success
container tended <<'END'
[Container]
Image=127.0.0.1:5000/base:1
RunInit=yes
Exec=/bin/true
END
mkdir /srv/hidden
mount --bind /srv/hidden /opt/parts
fails systemctl start tended
logged tended RunInit=yes catatonit
umount /opt/parts

# A new name while it runs: the stop finds the container by the old one.
container renamed <<'END'
[Container]
Image=127.0.0.1:5000/base:1
ContainerName=before
Exec=/bin/sleep 1000
StopSignal=SIGKILL
END
systemctl start renamed
test "$(runc list -q)" = before
sed -i s/=before/=after/ /etc/containers/systemd/renamed.syscontainer
systemctl daemon-reload
systemctl stop renamed
test -z "$(runc list -q)"

test "$(snapshot "$(rootfs base:1)")" = "$before"
