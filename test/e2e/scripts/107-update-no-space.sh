# SPDX-License-Identifier: Apache-2.0
# disk: /var/lib/syscontainer 128M
# Too little space is refused before anything is stopped. RemoveFirst=yes removes the old image first, and says that there is no way back.
own_registry
# tag NAME: 127.0.0.1:5000/app:1 is NAME:1.
tag() { skopeo copy -q --insecure-policy --src-tls-verify=false --dest-tls-verify=false "docker://127.0.0.1:5000/$1:1" docker://127.0.0.1:5000/app:1; }
unit() {
	container app <<END
[Container]
Image=127.0.0.1:5000/app:1
Exec=/bin/sh -c 'trap "exit 0" TERM; while :; do sleep 0.05; done'

[Update]
Keep=1
HealthySec=1
$1
END
}
image() { basename "$(readlink /run/syscontainer/app/image)"; }
tag payload
unit
systemctl start app
old=$(image)
# What is free stays free: nothing fits any more. sibling has other blobs, of nearly the same files.
printf '[Store]\nMinFreeSpace=%s\n' "$(($(stat -f -c '%f * %S' $store)))" >/etc/containers/syscontainer.conf
tag sibling
pid=$(show app MainPID)
fails syscontainer update app 2>/tmp/err
says 'app: not enough space' /tmp/err
test "$(show app MainPID)" = "$pid"

# An image that another unit needs would stay: nothing is stopped for that.
unit RemoveFirst=yes
systemctl restart app
pid=$(show app MainPID)
syscontainer pin "$old"
fails syscontainer update app 2>/tmp/err
says 'RemoveFirst=yes does not help' pinned /tmp/err
test "$(show app MainPID)" = "$pid"
syscontainer unpin "$old"

syscontainer update app >/tmp/out 2>/tmp/err
cat /tmp/err
says 'There is no way back' /tmp/err
says 'app: generation 2' healthy /tmp/out
test "$(show app ActiveState)" = active
test "$(image)" != "$old"
test ! -e "$store/images/$old"
fails syscontainer rollback app 2>/tmp/err
says 'app: there is no good generation to go back to' /tmp/err
sound
# What would not fit even then is refused as well, before anything is stopped.
pid=$(show app MainPID)
release one
printf '[Store]\nMinFreeSpace=1T\n' >/etc/containers/syscontainer.conf
fails syscontainer update app 2>/tmp/err
says 'RemoveFirst=yes does not help' 'that nothing else has' /tmp/err
test "$(show app MainPID)" = "$pid"
sound
