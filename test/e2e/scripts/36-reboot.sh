# SPDX-License-Identifier: Apache-2.0
# disk: /var/lib/syscontainer 256M
# What a crash or a /run that outlives the boot leaves lying around does not stand in the way of the first start.
syscontainer pull oci:/srv/oci:base
before=$(snapshot "$(rootfs base)")
container app <<'END'
[Container]
Image=oci:/srv/oci:base
Exec=/bin/sh -c 'echo "kept: $(cat /kept 2>/dev/null)"; echo written >/kept; exec sleep 1000'
ReadOnly=no
StopSignal=KILL
END
bundle=/run/syscontainer/app
upper=/var/lib/syscontainer/containers/app
saved=/root/saved

# One good run, whose bundle and state are kept to be laid out again.
systemctl start app
within 5 test -e $upper/upper/kept
mkdir $saved
cp -a $bundle $saved/bundle
cp -a /run/runc/app $saved/state
systemctl stop app
test ! -e $bundle

running() { [ "$(runc list -f json | grep -o '"status":"[a-z]*"')" = '"status":"running"' ]; }

# starts WHAT: with it lying around, the container runs, what it wrote before is there, and the stop leaves nothing.
starts() {
	echo "first start with $1"
	systemctl start app
	logged app 'kept: written'
	within 5 running
	within 5 alone app
	systemctl stop app
	test ! -e $bundle
	test -z "$(runc list -q)"
	test ! -e /run/runc/app
	fails grep /run/syscontainer /proc/mounts
	systemctl reset-failed app
	journalctl --rotate --vacuum-time=1us -q
}
lay() { mkdir -p /run/runc; cp -a $saved/bundle $bundle; cp -a $saved/state /run/runc/app; }

lay
starts 'the bundle and the state of an earlier boot'

# The numbers of dead processes are other programs' now, and these stay alive.
sleep 1000 &
other=$!
lay
echo $other >$bundle/pid
sed -i "s/\"init_process_pid\":[0-9]*/\"init_process_pid\":$other/" /run/runc/app/state.json
starts "the process number of another program"
kill -0 $other
mkdir -p $bundle
echo 1 >$bundle/pid
starts 'a pid file that names process 1'

# Cut off by a power loss, in every place and at several lengths.
for file in launch.json root.json config.json pid; do
	for size in 0 1 20; do
		cp -a $saved/bundle $bundle
		truncate -s $size $bundle/$file
		starts "$file of $size bytes"
	done
done
for size in 0 1 200; do
	lay
	truncate -s $size /run/runc/app/state.json
	starts "runc's state of $size bytes"
done
mkdir -p /run/runc/app
starts 'an empty state directory'
cp -a $saved/bundle $bundle
head -c 100 /dev/urandom >$bundle/launch.json
starts 'noise for launch.json'

# Another name of the container was recorded, whose state is half there too.
lay
mv /run/runc/app /run/runc/was
sed -i 's/"id":"app"/"id":"was"/' $bundle/launch.json
starts 'the state of an earlier name'
test ! -e /run/runc/was
# A record that leads out of the runtime's directory is no order to delete there.
mkdir -p /srv/victim
cp -a $saved/state/state.json /srv/victim/
cp -a $saved/bundle $bundle
printf '{"runtime":"/usr/bin/env","id":"../../srv/victim","args":["touch","/srv/ran"]}\n' >$bundle/launch.json
starts 'a record that names a foreign directory'
test -e /srv/victim/state.json
test ! -e /srv/ran

# The root was mounted when everything died, and the overlay's own directory is dirty.
lay
mount -t overlay overlay -o "lowerdir=$(rootfs base),upperdir=$upper/upper,workdir=$upper/work" $bundle/rootfs
starts 'the root still mounted'
test -e $upper/upper/kept
mkdir -p $upper/work/work/'#1a' $upper/work/index $upper/work/incompat/volatile
echo half >$upper/work/work/'#1b'
starts 'a dirty work directory'
rm -rf $upper/work
starts 'no work directory'
mkdir $upper/upper.new
echo x >$upper/upper.new/debris
starts 'a half-made upper directory'
test "$(snapshot "$(rootfs base)")" = "$before"
