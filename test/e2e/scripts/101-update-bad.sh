# SPDX-License-Identifier: Apache-2.0
# A release that is bad in any way goes back to the one before: the service runs that, the reason is told, and history knows.
own_registry
release one
unit() {
	cat <<END
[Container]
Image=127.0.0.1:5000/app:1
Tmpfs=/tmp
$1

[Service]
RestartSec=100ms
TimeoutStopSec=1
$2

[Update]
HealthySec=${3:-1}
$4
END
}
unit '' '' 1 | container app
systemctl start app
runs app one

# bad TAG WORD…: the update ends with 3, the old release runs, and the reason has the words.
bad() {
	release "$1"
	syscontainer update app >/tmp/out 2>/tmp/err && status=0 || status=$?
	cat /tmp/err
	test $status = 3
	says 'app: not updated to sha256:' "${@:2}" 'back at generation' /tmp/err
	test ! -s /tmp/out
	runs app one
	told app 0b1a1f20182a4a0b8289be5527296bb6 'not updated to' "${@:2}"
	syscontainer history app >/tmp/out
	tail -n 1 /tmp/out >/tmp/last
	says failed "${@:2}" /tmp/last
	# It stays that way after the next start, too.
	systemctl restart app
	runs app one
}
bad exits 'exited with 3 after'
# Restart= begins it again and again: the first end counts.
unit '' 'Restart=always' | container app
systemctl restart app
bad dies 'exited with 7'
bad missing 'cannot start' /nowhere
# Active, but it does not serve.
unit '' '' 1 "HealthExec=sh -c 'test -e /tmp/healthy || { echo does not serve; exit 4; }'" | container app
systemctl restart app
bad hangs 'HealthExec= failed: status 4: does not serve'
# Healthy for two seconds, of three.
unit '' '' 3 'HealthExec=test -e /tmp/healthy' | container app
systemctl restart app
bad later 'HealthExec= failed: status 1'
unit '' '' 1 "HealthExecHost=/bin/sh -c 'test -e /proc/\$(systemctl show -P MainPID \$SYSCONTAINER_NAME)/root/new || { echo no /new; exit 1; }'" | container app
systemctl restart app
bad three 'HealthExecHost= failed: status 1: no /new'
# A probe without an end is ended, and leaves nothing behind.
unit '' '' 1 'HealthExec=sleep 1234' | container app
systemctl restart app
bad two 'HealthExec= failed: no answer within 5 s'
fails pgrep -f 'sleep 1234'
# READY never comes.
unit 'Notify=yes' 'TimeoutStartSec=3' | container app
systemctl restart app
bad unready 'not READY within 3 s'

# Bad before it is there: nothing is stopped, and the status is that of any failure.
unit '' '' 1 | container app
systemctl restart app
pid=$(show app MainPID)
# refused WORD…: the update fails, and the service has not noticed.
refused() {
	syscontainer update app >/tmp/out 2>/tmp/err && status=0 || status=$?
	cat /tmp/err
	test $status = 1
	says app: "$@" /tmp/err
	test "$(show app MainPID)" = "$pid"
	runs app one
	told app a901922ea03a447599812ec1cf6fdc5b "$@"
}
release arch
refused 'the image is for linux/'
# A manifest that is not what its digest says, and one that is none.
skopeo copy -q --insecure-policy oci:/srv/oci:app-two oci:/root/broken:x
manifest=/root/broken/blobs/$(sed 's/.*"manifests":\[[^]]*"digest":"\([^"]*\)".*/\1/; s|:|/|' /root/broken/index.json)
cp "$manifest" /root/manifest
sed -i 's/layers/lawyers/' "$manifest"
unit '' '' 1 | sed 's|^Image=.*|Image=oci:/root/broken:x|' | container app
refused manifest
echo '{' >"$manifest"
refused manifest
unit '' '' 1 | container app
systemctl stop registry
refused 'connection refused'
systemctl start registry
within 5 listens 5000
syscontainer update --image oci:/srv/oci:app-cut app 2>/tmp/err && status=0 || status=$?
test $status = 1
says app: layer /tmp/err
test "$(show app MainPID)" = "$pid"
runs app one
# Its templates want a value that the unit does not give.
syscontainer update --image oci:/srv/oci:template app 2>/tmp/err && status=0 || status=$?
cat /tmp/err
test $status = 1
says app: NEEDED /tmp/err
says 'hint: write into' Set=NEEDED= /tmp/err
test "$(show app MainPID)" = "$pid"
runs app one
# All of it is told, and a release that is good is taken in the end.
release three
syscontainer update app
runs app three
sound
