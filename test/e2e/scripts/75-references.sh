# SPDX-License-Identifier: Apache-2.0
# Files name each other by their files; systemd and the payload see the services, namespaces and directories behind them.
is() { test "$(show "$1" ActiveState)" = "$2"; }
registry
d=/etc/containers/systemd
mkdir -p $d /srv/shared
echo from db >/srv/shared/file
cat >$d/db.syscontainer <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
ServiceName=database
ContainerName=my-db
Network=none
IPC=private
Volume=/srv/shared:/data
StopTimeout=1
Memory=64m
PidsLimit=50
Credential=password:/etc/password
END
echo secret >/etc/password
cat >$d/app.syscontainer <<'END'
[Unit]
Requires=other.container
After=other.syscontainer
Wants=not-there.syscontainer

[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'trap "echo reloaded" HUP; cat /mine/file; while :; do sleep 0.1; done'
Network=db.syscontainer
IPC=db.container
Volume=db.syscontainer/data:/mine:ro
ReloadSignal=HUP
StopTimeout=1
END
container other <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
StopTimeout=1
END
systemctl start app
logged app 'from db'
test "$(show database ActiveState)" = active
test "$(show other ActiveState)" = active
test "$(show db LoadState)" = not-found
show app BindsTo | grep -w database.service
show app Requires | grep -w other.service
for ns in net ipc; do
	test "$(readlink "/proc/$(show app MainPID)/ns/$ns")" = "$(readlink "/proc/$(show database MainPID)/ns/$ns")"
	test "$(readlink "/proc/$(show app MainPID)/ns/$ns")" != "$(readlink "/proc/self/ns/$ns")"
done

# Limits are systemd's own, the runtime knows the container by the name that was asked for.
test "$(show database MemoryMax)" = $((64 * 1024 * 1024))
test "$(show database TasksMax)" = 50
test "$(cat "/proc/$(show database MainPID)/root/run/credentials/password")" = secret
runc list -q | grep -x my-db

systemctl reload app
logged app reloaded

# Who shares the namespaces goes with their owner.
systemctl stop database
within 5 fails is app active
fails grep -x my-db <(runc list -q)

# What is missing is told; only what cannot do without fails, and says so.
cat >$d/needy.syscontainer <<'END'
[Unit]
Requires=databse.syscontainer

[Container]
Image=127.0.0.1:5000/base:1
END
cat >$d/one.syscontainer <<'END'
[Container]
Image=127.0.0.1:5000/base:1
ServiceName=both
END
cp $d/one.syscontainer $d/two.syscontainer
systemctl daemon-reload
fails systemctl start needy
logged needy needy.syscontainer:2 'there is no databse.syscontainer'
fails systemctl start both
logged both one.syscontainer:3 two.syscontainer
logged both two.syscontainer:3 one.syscontainer
mkdir /tmp/out
/usr/lib/systemd/system-generators/syscontainer-generator /tmp/out 2>/tmp/said || :
says app.syscontainer:4 not-there.syscontainer /tmp/said
