# SPDX-License-Identifier: Apache-2.0
# What Project Atomic's command has installed is taken over without the network, and stays as it was until it is switched.
# disk: /var/lib/syscontainer 300M
d=/etc/containers/systemd
old=/var/lib/containers/atomic
repo=$old/.storage/ostree
mkdir -p $d $old/.storage $old/one.0 /etc/tmpfiles.d /srv/layer1 /srv/layer2/usr/share /srv/manifest /srv/config

# A repository and an installation as that command made them: two layers, the upper one of which replaces and hides.
syscontainer pull oci:/srv/oci:greeter
cp -a "$(rootfs oci:/srv/oci:greeter)/." /srv/layer1
syscontainer rmi oci:/srv/oci:greeter
echo x >/srv/layer1/hidden
: >/srv/layer2/.wh.hidden
echo 'echo prepared $1 by the upper layer >/run/$1/prepared' >/srv/layer2/usr/share/prepare
ostree init --repo=$repo --mode=bare
commit() { ostree commit --repo=$repo -b "ociimage/$1" --tree=dir="$2" "${@:3}" >/dev/null; }
hex() { sha256sum "$@" | cut -d' ' -f1; }
one=$(echo one | hex) two=$(echo two | hex)
commit $one /srv/layer1 --add-metadata-string=docker.size=1
commit $two /srv/layer2 --add-metadata-string=docker.size=1
echo '{"architecture":"amd64","os":"linux","config":{"Labels":{"atomic.type":"system"}}}' >/srv/config/content
commit "$(hex /srv/config/content)" /srv/config
printf '{"schemaVersion":2,"config":{"digest":"sha256:%s"},"layers":[{"digest":"sha256:%s"},{"digest":"sha256:%s"}]}' \
	"$(hex /srv/config/content)" $one $two >/srv/manifest/manifest.json
digest=$(hex /srv/manifest/manifest.json)
commit q.io_2Ftools_2Fgreeter_3Alatest /srv/manifest --add-metadata-string=docker.manifest="$(cat /srv/manifest/manifest.json)" \
	--add-metadata-string=docker.digest=sha256:$digest
for layer in $one $two; do ostree checkout --repo=$repo --union ociimage/$layer $old/one.0/rootfs; done
rm $old/one.0/rootfs/{hidden,.wh.hidden}
ln -s $old/one.0 $old/one
cat >$old/one.0/one.service <<'X'
[Unit]
Description=Greeter one
[Service]
RuntimeDirectory=one
ExecStartPre=/bin/sh /var/lib/containers/atomic/one.0/rootfs/usr/share/prepare one
ExecStart=/bin/sh -c 'echo old one; exec sleep 1000'
WorkingDirectory=/var/lib/containers/atomic/one.0
[Install]
WantedBy=multi-user.target
X
printf 'd /var/lib/one 0750 0 0 - -\n' >$old/one.0/tmpfiles-one.conf
cp $old/one.0/one.service /etc/systemd/system/
cp $old/one.0/tmpfiles-one.conf /etc/tmpfiles.d/one.conf
printf '#!/bin/sh\nexec /usr/bin/atomic exec one "$@"\n' >/usr/local/bin/onectl
chmod 755 /usr/local/bin/onectl
cat >$old/one.0/info <<X
{"image": "q.io/tools/greeter", "revision": "$digest", "ostree-commit": "$(ostree rev-parse --repo=$repo ociimage/q.io_2Ftools_2Fgreeter_3Alatest)",
 "created": 1500000000, "has-container-service": true, "remote": null, "system-package": "no", "rpm-installed": null, "use-links": true, "runtime": "/usr/bin/runc",
 "installed-files": ["/usr/local/bin/onectl"], "installed-files-checksum": {"/usr/local/bin/onectl": "$(hex /usr/local/bin/onectl)"},
 "values": {"NAME": "one", "DESTDIR": "$old/one.0", "HOST_UID": 0, "HOST_GID": 0, "RUN_DIRECTORY": "/run", "STATE_DIRECTORY": "/var/lib", "CONF_DIRECTORY": "/etc",
  "PIDFILE": "/run/container-one.pid", "RUNTIME": "/usr/bin/runc", "WORD": "old \"day\" 100%", "NOTE": "as ever", "MEMORY": "64M", "EXEC_START": "/usr/bin/runc run 'one'"}}
X
systemctl daemon-reload
systemctl enable --now one
logged one 'old one'
pid=$(show one MainPID)
snapshot $old >/tmp/before
sha256sum /etc/systemd/system/one.service /etc/tmpfiles.d/one.conf /usr/local/bin/onectl >/tmp/sums

# A look changes nothing; taking over writes the unit and the image, and lets the old service run.
unshare --net syscontainer import --atomic --dry-run >/tmp/dry
test -z "$(ls $d)"
test "$(syscontainer images --json)" = '[]'
unshare --net syscontainer import --atomic one >/tmp/said
says 'syscontainer import --atomic --switch one' /tmp/said
diff /tmp/dry $d/one.syscontainer
cat $d/one.syscontainer
grep -qx 'Image=q.io/tools/greeter:latest' $d/one.syscontainer
test "$(grep -c ^Set= $d/one.syscontainer)" = 1
grep -qx 'Export=/usr/local/bin/onectl' $d/one.syscontainer
syscontainer images | grep q.io/tools/greeter
syscontainer verify
sound
snapshot $old | diff /tmp/before -
sha256sum -c --quiet /tmp/sums
test "$(show one MainPID) $(show one FragmentPath)" = "$pid /etc/systemd/system/one.service"

# A switch that is killed at any step has not begun, or is ended by the next run, whatever that was told; what ran runs again.
stopped=0 kills=0
for nth in {5..10}; do
	if ! GOMAXPROCS=1 strace -qq -f -o /tmp/trace -e trace=unlinkat -e inject=unlinkat:signal=KILL:when=$nth \
		syscontainer import --atomic --switch one >/tmp/said 2>&1; then
		kills=$((kills + 1))
		[ "$(show one ActiveState)" = active ] || stopped=$((stopped + 1))
	fi
	option=
	if [ ! -e $store/atomic/one/switching ] || [ $((kills % 2)) = 0 ]; then option=--switch; fi
	[ -e $store/atomic/one/switching ] || [ "$(show one ActiveState)" = active ]
	syscontainer import --atomic $option one >/tmp/said 2>&1
	cat /tmp/said
	test "$(show one FragmentPath) $(show one ActiveState)" = '/run/systemd/generator/one.service active'
	fails test -e /etc/systemd/system/one.service -o -e /etc/tmpfiles.d/one.conf -o -L /etc/systemd/system/multi-user.target.wants/one.service
	test ! -e $store/atomic/one/switching
	test "$(syscontainer import --atomic one)" = 'one: nothing to do, it is taken over'
	syscontainer uninstall one
	cp -a $store/atomic/one/etc/. /etc/
	printf '#!/bin/sh\nexec /usr/bin/atomic exec one "$@"\n' >/usr/local/bin/onectl
	chmod 755 /usr/local/bin/onectl
	systemctl daemon-reload
	systemctl start one
	syscontainer import --atomic one
done
test $kills -ge 3
test $stopped -ge 1 # between the one service and the other
sha256sum -c --quiet /tmp/sums
pid=$(show one MainPID)

# Switched: the new service runs, with the values of the old one.
unshare --net syscontainer import --atomic --switch one >/tmp/said
cat /tmp/said
says 'one: moved /etc/systemd/system/one.service to' /tmp/said
says 'one: started' /tmp/said
test "$(show one FragmentPath) $(show one ActiveState)" = '/run/systemd/generator/one.service active'
fails kill -0 $pid
logged one 'one says old "day" 100%, as ever, prepared one by the upper layer'
test "$(/usr/local/bin/onectl cat /data/word)" = 'old "day" 100%'
fails /usr/local/bin/onectl ls /hidden
show multi-user.target Wants | tr ' ' '\n' | grep -x one.service
fails test -e /etc/systemd/system/one.service -o -e /etc/tmpfiles.d/one.conf -o -L /etc/systemd/system/multi-user.target.wants/one.service
cmp $old/one.0/one.service $store/atomic/one/etc/systemd/system/one.service
snapshot $old | diff /tmp/before -
for again in '' --switch; do
	syscontainer import --atomic $again >/tmp/said
	says 'one: nothing to do, it is taken over' /tmp/said
done

# What it had put on the host goes with it, and Atomic's own stays.
syscontainer uninstall one
fails test -e /usr/local/bin/onectl
snapshot $old | diff /tmp/before -
