# SPDX-License-Identifier: Apache-2.0
# What list, status and history tell of updates is so; prune keeps what a rollback needs, and uninstall forgets it all.
own_registry
release one
container app <<'END_OF_UNIT'
[Container]
Image=127.0.0.1:5000/app:1
Tmpfs=/tmp
Volume=/srv/out:/out

[Update]
HealthySec=1
END_OF_UNIT
mkdir -p /srv/out
systemctl start app
digest() { readlink /run/syscontainer/app/image | xargs basename; }
one=$(digest)
# row WORD…: the line of app has these words.
row() {
	local line
	line=$(syscontainer list | grep '^app ')
	case " $(echo $line) " in
	*" $* "*) ;;
	*) echo "want '$*' in: $line" >&2; return 1 ;;
	esac
}
row "${one:0:12}" - active - -
release two
row "${one:0:12}" - active - -
syscontainer update app
two=$(digest)
row "${two:0:12}" 2 active good -
syscontainer status app >/tmp/status
says 'Running:' "$two" 'generation 2, good' /tmp/status
says 'Back to:' "$one" 'generation 1' /tmp/status
says 'Last update:' 'by update: good' /tmp/status

# A bad one is told for what it is, and what runs is what ran.
release exits
fails syscontainer update app
row "${two:0:12}" 2 active good failed
runs app two
syscontainer history app >/tmp/history
test "$(awk 'NR > 1 { print $NF != "" ? $1 : "" }' /tmp/history | tr '\n' ' ')" = '1 2 3 '
says 1 '<' start "${one:0:12}" good /tmp/history
says 2 '>' update "${two:0:12}" good /tmp/history
says 3 update failed /tmp/history
syscontainer pull 127.0.0.1:5000/app:1
row "${two:0:12}" 2 active good failed

# Nothing that a rollback needs goes, whoever else lets go of it.
release three
syscontainer update app
three=$(digest)
syscontainer prune --grace=0 >/tmp/pruned
cat /tmp/pruned
test -d $store/images/$two/rootfs -a -d $store/images/$three/rootfs
fails test -e $store/images/$one
sound
syscontainer verify
fails syscontainer rmi sha256:$two 2>/tmp/err
says 'still needed' 'generation 2 of app' /tmp/err
systemctl stop registry
syscontainer rollback app
runs app two
row "${two:0:12}" 5 active good failed
says 4 failed 'rolled back' <(syscontainer history app)
syscontainer prune --grace=0
runs app two

# Without its unit nothing of this is left, but data is.
mkdir -p $store/containers/app/volumes
syscontainer uninstall app >/tmp/out
says stays containers/app 'data of the container' /tmp/out
test "$(ls $store/containers/app)" = volumes
test -z "$(syscontainer list | sed 1d)"
syscontainer prune --grace=0
test -z "$(ls $store/images)"
