# SPDX-License-Identifier: Apache-2.0
# needs: crun
# Runtime=crun: the same supervision.
registry
container app <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'echo payload speaks; exec sleep 1000'
StopTimeout=1
Runtime=crun
END
systemctl start app
pid=$(show app MainPID)
within 5 grep -qx sleep "/proc/$pid/comm"
within 5 alone app
logged app 'payload speaks'
systemctl restart app
systemctl stop app
test -z "$(crun list -q)"
