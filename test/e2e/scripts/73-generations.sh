# SPDX-License-Identifier: Apache-2.0
# A container runs its current generation, whatever its reference leads to since, until somebody edits Image=.
registry
image=127.0.0.1:5000/web:1
syscontainer pull 127.0.0.1:5000/base:1 127.0.0.1:5000/sibling:1
digest() { basename "$(dirname "$(rootfs "$1")")"; }
old=$(digest base:1) new=$(digest sibling:1)
fails test "$old" = "$new"
syscontainer tag 127.0.0.1:5000/base:1 $image
container web <<END_OF_UNIT
[Container]
Image=$image
Exec=/bin/sleep 1000
StopTimeout=1
END_OF_UNIT
systemctl start web
runs() { test "$(basename "$(readlink /run/syscontainer/web/image)")" = "$1"; }
runs "$old"

# Without a generation a tag that moves moves the container.
syscontainer tag 127.0.0.1:5000/sibling:1 $image
systemctl restart web
runs "$new"

# generation N DIGEST: as syscontainer-store(5) has it.
generation() {
	local dir=$store/containers/web
	mkdir -p $dir/generations
	printf '{"generation": %d, "digest": "%s", "for": "%s", "outcome": "good", "by": "update", "time": "2026-01-01T00:00:00Z"}\n' "$1" "$2" $image >$dir/generations/$1.json
	ln -sfn ../../../images/$2 $dir/generations/$1
	ln -sfn generations/$1 $dir/.next && mv -T $dir/.next $dir/current
}
generation 1 "$old"
systemctl restart web
runs "$old"
syscontainer pull 127.0.0.1:5000/sibling:1
systemctl restart web
runs "$old"
generation 2 "$new"
systemctl restart web
runs "$new"
generation 1 "$old"

# The registry is not asked, and prune leaves what a generation keeps.
systemctl stop registry
systemctl stop web
syscontainer rmi 127.0.0.1:5000/base:1 127.0.0.1:5000/sibling:1 2>/tmp/err || :
syscontainer prune --grace=0 >/tmp/pruned
systemctl start web
runs "$old"
test -d $store/images/$new/rootfs

# What an admin writes wins, and what nobody can read keeps nothing from running.
registry
container web <<'END_OF_UNIT'
[Container]
Image=127.0.0.1:5000/multi:1
Exec=/bin/sleep 1000
StopTimeout=1
END_OF_UNIT
systemctl restart web
fails runs "$old"
container web <<END_OF_UNIT
[Container]
Image=$image
Exec=/bin/sleep 1000
StopTimeout=1
END_OF_UNIT
systemctl restart web
runs "$old"
: >$store/containers/web/generations/1.json
systemctl restart web
runs "$new"
logged web 'what the last update was to is unknown' "$store/containers/web/generations/1.json"
generation 1 "$old"
rm -r $store/images/$old
systemctl restart web
runs "$new"
logged web 'generation 1 of web' "sha256:$old: its image is gone" 'starting with'
fails syscontainer verify >/tmp/out
says containers/web/generations/1 'leads to no image' /tmp/out
