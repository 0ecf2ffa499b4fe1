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
HealthSec=1
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
sound
