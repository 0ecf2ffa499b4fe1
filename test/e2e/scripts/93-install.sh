# SPDX-License-Identifier: Apache-2.0
# Images that bring their own service are installed as a file, run twice side by side, updated, and uninstalled without a trace.
# disk: /var/lib/syscontainer 300M
for tag in greeter greeter-2 greeter-agent; do syscontainer pull oci:/srv/oci:$tag; done
image=q.io/tools/greeter:latest
syscontainer tag oci:/srv/oci:greeter $image
d=/etc/containers/systemd
mkdir -p $d /run/runc /run/syscontainer $store/containers
trace() { find /etc /usr/local /run/systemd/generator /var/lib ! -path "$store/*" ! -path '/var/lib/systemd*' ! -path /etc/resolv.conf | sort; ls /run "$store/containers" 2>/dev/null || :; }
systemctl daemon-reload
trace >/tmp/before

# All that is wrong is told before anything is written.
fails syscontainer install $image 2>/tmp/said
says "The template file 'config.json.template' still contains an unreplaced value for: ''WORD''" /tmp/said
says 'hint: --set WORD=…' /tmp/said
fails syscontainer install oci:/srv/oci:greeter-agent 2>/tmp/said
says 'service.template:2: ExecStart= starts a program of the host' /tmp/said
fails syscontainer install $image --name dbus --set WORD=x 2>/tmp/said
says 'dbus.service is there already' /tmp/said
syscontainer install $image --set WORD=x --dry-run >/tmp/dry 2>/tmp/said
says 'service.template:15: not kept: User=greeter: the runtime must run as root' /tmp/said
says 'greeter.syscontainer runs programs on the host' 'service.template:8' /tmp/said
trace | diff /tmp/before -
syscontainer images info $image | grep 'WORD: must be set'
syscontainer check --image $image --set WORD=x | grep 'note: config.json.template: '

# Two of one image. The file is all there is; the service is enabled, and not started.
test "$(syscontainer install $image --name one --set 'WORD=good "day", 100% \' --set NOTE=first)" = $d/one.syscontainer
syscontainer install --name=two --set WORD=hello $image
# As a kill would leave it, before systemd had heard of the file: the next try puts that right.
mv $d/two.syscontainer /tmp/
systemctl daemon-reload
mv /tmp/two.syscontainer $d/
test "$(show two LoadState)" = not-found
syscontainer install --name=two --set WORD=hello $image
test "$(show two LoadState)" = loaded
test "$(trace | diff /tmp/before - | grep '^[<>]' | grep -cv /run/systemd/generator)" = 2
test "$(show one ActiveState) $(show one LoadState)" = 'inactive loaded'
show multi-user.target Wants | tr ' ' '\n' | grep -x two.service
syscontainer check >/tmp/said
fails grep error: /tmp/said
systemctl start one two
logged one 'one says good "day", 100% \, first, prepared one 100% one.service'
logged two 'two says hello, as ever, prepared two 100% two.service'
test "$(show one Description)" = 'Greeter one'
test "$(show one MemoryMax)" = $((64 << 20))
# Limits and status are the payload's, and after a kill of everything it starts again.
grep -q "^$(show one MainPID)$" <<<"$(processes one)"
systemctl kill --signal=SIGKILL one
within 5 ended one
systemctl reset-failed one
systemctl start one
# The wrapper on the host finds its container.
test "$(/usr/local/bin/onectl cat /data/word)" = 'good "day", 100% \'
test "$(/usr/local/bin/twoctl cat /data/word)" = hello
test "$(cat /run/flag-of-one)" = first

# Again: nothing to do; another value, and a newer image: shown, and written when told.
syscontainer install $image --name one 2>/tmp/said
says one.syscontainer 'is as it would be written' /tmp/said
sha256sum $d/one.syscontainer >/tmp/sum
fails syscontainer install $image --name one --set MEMORY=96M >/tmp/diff 2>/tmp/said
grep -qx -- +MemoryMax=96M /tmp/diff
says 'hint: --yes' /tmp/said
syscontainer tag oci:/srv/oci:greeter-2 $image
fails syscontainer install $image --name one >/tmp/diff 2>/tmp/said
grep -qx -- +Nice=5 /tmp/diff
sha256sum -c /tmp/sum
syscontainer install $image --name one --yes | diff /tmp/diff -
systemctl restart one
test "$(show one Nice)" = 5
grep -qx '# second' /usr/local/bin/onectl
fails grep -qx '# second' /usr/local/bin/twoctl
logged one 'one says good "day", 100% \, first'

# A unit of the system is not the admin's to remove.
syscontainer install --vendor --name three --set WORD=x $image
test -e /usr/share/containers/systemd/three.syscontainer
fails syscontainer uninstall three 2>/tmp/said
says 'hint: to take it away here: ln -s /dev/null' /tmp/said
rm -r /usr/share/containers/systemd/three.syscontainer
systemctl daemon-reload

# Away with it: what stays is named, and nothing else does.
mkdir $d/one.syscontainer.d
printf '[Container]\nVolume=/var/lib/one:/too\n' >$d/one.syscontainer.d/10-mine.conf
systemctl daemon-reload
syscontainer uninstall one two >/tmp/said
cat /tmp/said
says "removed $d/one.syscontainer" /tmp/said
says "stays $d/one.syscontainer.d: drop-ins" /tmp/said
says 'stays /var/lib/one: a volume' /tmp/said
says 'stays /var/lib/two: data' /tmp/said
says "stays $image: the image" /tmp/said
test "$(show one LoadState) $(show one ActiveState)" = 'not-found inactive'
test -z "$(ls /run/syscontainer)"
rm -r $d/one.syscontainer.d /var/lib/one /var/lib/two
trace | diff /tmp/before -
fails grep /run/syscontainer /proc/mounts
fails syscontainer uninstall one 2>/tmp/said
says 'there is no unit "one"' /tmp/said

# Files for the host alone: nothing runs, and they are there as long as the unit.
syscontainer install oci:/srv/oci:greeter-files --name files
systemctl start files
test "$(cat /etc/greeting)" = hello
test "$(show files ActiveState) $(show files SubState)" = 'active exited'
test -z "$(ls /run/syscontainer)"
systemctl restart files
test "$(show files Result)" = success
syscontainer uninstall files
fails test -e /etc/greeting
trace | diff /tmp/before -

# A directory of the machine in the place of an image, which stays as it is.
mkdir /srv/remote
cp -a "$(rootfs oci:/srv/oci:greeter)" /srv/remote/rootfs
snapshot /srv/remote >/tmp/remote
syscontainer install --rootfs /srv/remote --set WORD=there
grep -qx Rootfs=/srv/remote/rootfs $d/remote.syscontainer
systemctl start remote
logged remote 'remote says there, as ever, prepared remote 100% remote.service'
test "$(/usr/local/bin/remotectl cat /data/word)" = there
syscontainer uninstall remote
snapshot /srv/remote | diff /tmp/remote -
rm -r /var/lib/remote
trace | diff /tmp/before -

# Data goes when told to, also long after the unit.
container keeper <<X
[Container]
Image=oci:/srv/oci:base
ReadOnly=no
Exec=/bin/sh -c 'echo kept >/kept; sleep 1000'
StopTimeout=1
X
systemctl start keeper
within 5 test -s $store/containers/keeper/upper/kept
syscontainer pull oci:/srv/oci:base
syscontainer uninstall keeper >/tmp/said
says 'syscontainer uninstall --data keeper' /tmp/said
test -s $store/containers/keeper/upper/kept
syscontainer uninstall --data keeper
fails test -e $store/containers/keeper
