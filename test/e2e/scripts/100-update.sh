# SPDX-License-Identifier: Apache-2.0
# update gives a container the image that its tag names now; what is bad goes back, whichever way it is bad, and says why.
own_registry
release one
container app <<'END'
[Container]
Image=127.0.0.1:5000/app:1
Tmpfs=/tmp
Volume=/srv/out:/out

[Service]
RestartSec=100ms

[Update]
HealthySec=1
END
mkdir -p /srv/out
# Before there is anything, nothing is restarted: the first start takes it.
syscontainer update app >/tmp/out
says 'app: generation 1' 'from the next start on' /tmp/out
systemctl start app
runs app one
syscontainer update app >/tmp/out
says 'app: up to date' /tmp/out

# What would change.
release two
syscontainer update --dry-run app >/tmp/out
says image sha256 '->' /tmp/out
says fetch 'in 1 layer' /tmp/out
says files 'known once it is fetched' /tmp/out
says config 'Env NEW: not set -> yes' /tmp/out
says restart app.service /tmp/out
runs app one
test "$(ls $store/images | wc -l)" = 1

# A good one.
pid=$(show app MainPID)
syscontainer update app >/tmp/out 2>/tmp/err
says 'app: generation 2' healthy /tmp/out
runs app two
test "$(show app MainPID)" != "$pid"
told app 8840f319358f4afc956cf4d0f0a0d5aa 'is in the store'
told app eac87f9928cf4ca48216929049124d7c 'switched to'
told app 87e6332d875b4c28bdc0793d4813ae9a healthy
# Both are here now: rolling back would change what came.
syscontainer rollback app >/tmp/out
says 'app: generation 3' /tmp/out
runs app one
# The digest that a person went back from is not taken by --all, but by name.
syscontainer update --all 2>/tmp/err
says 'has failed before' /tmp/err
runs app one
syscontainer update --dry-run --json app >/tmp/out
says '"failed_before": true' /tmp/out
says '"fetch_bytes": 0' /tmp/out
says '/new' /tmp/out
says 'set-user-ID' /tmp/out
syscontainer update app
runs app two

# systemd has not read what the file says now: it would start something else than what is judged.
release one
echo '# changed' >>/etc/containers/systemd/app.syscontainer
fails syscontainer update app 2>/tmp/err
says 'app: its unit was changed' /tmp/err
says 'hint: systemctl daemon-reload' /tmp/err
systemctl daemon-reload
runs app two

# What is held goes when it is named.
release three
syscontainer hold app
syscontainer update --all 2>/tmp/err
says 'app: held, leaving it alone' /tmp/err
runs app two
syscontainer update app 2>/tmp/err
says 'app: held' 'by name' /tmp/err
runs app three

# Another image than the unit names, for once; --no-restart waits for the next start.
syscontainer update --image 127.0.0.1:5000/app:one --no-restart app >/tmp/out
says 'from the next start on' /tmp/out
runs app three
systemctl restart app
runs app one
syscontainer update app
runs app three

# How long nobody is there: with an update, with a rollback, and with a plain restart. Seen by the clock of systemd.
down() {
	local from to
	from=$(show app InactiveEnterTimestampMonotonic)
	to=$(show app ActiveEnterTimestampMonotonic)
	echo "$1: stopping $(($(show app InactiveEnterTimestampMonotonic) - $(show app ActiveExitTimestampMonotonic))) us, down $((to - from)) us"
}
release two
systemctl restart app; down restart
syscontainer update app; down update
began=$(cut -d. -f1,2 /proc/uptime | tr -d .)
syscontainer rollback app; down rollback
echo "rollback, with HealthySec=1: $(($(cut -d. -f1,2 /proc/uptime | tr -d .) - began))0 ms"
sound
