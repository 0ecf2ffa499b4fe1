# SPDX-License-Identifier: Apache-2.0
# disk: /var/lib/syscontainer 256M
# What an image declares as a volume is kept over restarts and updates, filled once, and nothing in it leads out of the root.
storage=$store/containers/app/volumes
echo precious >/srv/victim
mkdir /srv/mine

for tag in volumes volumes-2 volumes-hostile volumes-proc volumes-loop volumes-file volumes-root; do syscontainer pull oci:/srv/oci:$tag; done
before=$(snapshot "$(rootfs oci:/srv/oci:volumes)")

# app TAG [LINE…]: a container of that image, started.
app() {
	local tag=$1
	shift
	container app <<-END
	[Container]
	Image=oci:/srv/oci:$tag
	Exec=/bin/sh -c 'echo "data: \$(cat /data/version), image: \$(cat /version), seen: \$(cat /data/seen)"; stat -c "owner %%n %%u %%g %%a" /data /data/own/file /cache/deep; echo x >>/data/seen; echo y >/cache/deep/y; exec sleep 1000'
	StopSignal=SIGKILL
	$(printf '%s\n' "$@")
	END
	systemctl reset-failed app 2>/dev/null || : # many starts in a row
	systemctl start app
}

# counted N LINE: the journal has so many of that line.
counted() { journal app && test "$(grep -cFx "$2" /tmp/journal)" = "$1"; }

# The first start fills it, as the image has it; the next finds what the payload left.
app volumes User=1000:1001
logged app 'data: one, image: one, seen:'
logged app 'owner /data 1000 1001 750'
logged app 'owner /data/own/file 1000 1001 600'
logged app 'owner /cache/deep 1000 1001 755'
within 5 grep -qx x $storage/data/seen
grep -qx y $storage/cache_2Fdeep/y
fails test -e "$(rootfs oci:/srv/oci:volumes)/data/seen"
fails grep /run/syscontainer /proc/mounts
systemctl restart app
logged app 'seen: x'
systemctl stop app
test -z "$(ls /run/syscontainer)"
test ! -e $storage/data.new

# Another image: what is there stays, what is new is filled, and no file of the image is hidden.
app volumes-2 User=1000:1001
logged app 'data: one, image: two, seen: x'
test -d $storage/more
systemctl stop app
fails grep $storage /proc/mounts

# Users of its own see the same owners.
app volumes-2 UIDMap=0:200000:65536
within 5 counted 4 'owner /data 1000 1001 750'
systemctl stop app
test "$(stat -c '%u %g' $storage/data)" = '1000 1001'
test "$(stat -c '%u' $storage/data/seen)" = 1000

# Where the unit mounts, the image has no say, not below either.
rm -r $store/containers/app
app volumes Volume=/srv/mine:/data Tmpfs=/cache:mode=0755 'ReadOnly=no'
within 5 test -e /srv/mine/seen
test "$(ls $storage)" = var_2Flog
systemctl stop app

# In memory: filled at each start, forgotten at each stop.
rm -r $store/containers/app
app volumes Volatile=yes
within 5 counted 2 'data: one, image: one, seen:'
within 5 grep -qx y "/proc/$(show app MainPID)/root/cache/deep/y"
systemctl restart app
within 5 counted 3 'data: one, image: one, seen:'
systemctl stop app
fails test -e $store/containers/app

# Contents that would lead out are copied as they are.
victim() { snapshot /srv | grep -v ' oci\| registry' | sha256sum; }
untouched=$(victim)
for runtime in runc crun; do
	command -v $runtime || continue
	rm -rf $store/containers/hostile
	container hostile <<-END
	[Container]
	Image=oci:/srv/oci:volumes-hostile
	Exec=/bin/sh -c 'cat /data/victim; for d in /data /out /srv /srv/evil /srv/evil-far /srv/evil-dots; do echo x >\$d/x && echo "wrote \$d"; done; exec sleep 1000'
	StopSignal=SIGKILL
	Runtime=$runtime
	END
	if systemctl start hostile; then
		logged hostile 'wrote /srv/evil-dots'
		logged hostile 'wrote /srv'
		logged hostile "can't open '/data/victim'"
		systemctl stop hostile
		test "$(readlink $store/containers/hostile/volumes/data/victim)" = /srv/victim
		test -p $store/containers/hostile/volumes/data/pipe
		ls $store/containers/hostile/volumes
	else
		[ $runtime = crun ] # which cannot run on every machine
	fi
	test "$(victim)" = "$untouched"
	test "$(cat /srv/victim)" = precious
	fails grep precious /tmp/journal
done

# What cannot be a volume is an error that says why, and leaves nothing.
for case in 'proc which leads to /proc' 'loop too many links' 'file is no directory' 'root would hide the image'; do
	container bad <<-END
	[Container]
	Image=oci:/srv/oci:volumes-${case%% *}
	END
	fails systemctl start bad
	logged bad "${case#* }"
	systemctl reset-failed bad
	test -z "$(ls /run/syscontainer)"
done
test "$(snapshot "$(rootfs oci:/srv/oci:volumes)")" = "$before"
