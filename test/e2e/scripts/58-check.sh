# SPDX-License-Identifier: Apache-2.0
# What check says is what the generator does: silent about what is right, each error with its place, not a byte of the host changed.
generator=/usr/lib/systemd/system-generators/syscontainer-generator
d=/etc/containers/systemd
mkdir -p $d
cp /usr/share/doc/syscontainer/examples/*.syscontainer $d/
registry
sed -n 's/^Image=//p' $d/*.syscontainer | xargs syscontainer pull
syscontainer check >/tmp/said 2>&1
cat /tmp/said
test ! -s /tmp/said
test "$(syscontainer check --json)" = '[]'

# The tree of an OS build: what the generator made once is what it makes.
mkdir /tmp/tree
$generator /tmp/tree
syscontainer check --expect /tmp/tree >/tmp/said 2>&1
test ! -s /tmp/said
sed -i s/KillMode=mixed/KillMode=none/ /tmp/tree/etcd.service
rm /tmp/tree/multi-user.target.wants/etcd.service
: >/tmp/tree/more.service
fails syscontainer check --expect /tmp/tree >/tmp/said
cat /tmp/said
says /tmp/tree/etcd.service 'differs at line' 'want "KillMode=none", got "KillMode=mixed"' /tmp/said
says /tmp/tree/multi-user.target.wants/etcd.service missing /tmp/said
says /tmp/tree/more.service 'not expected' /tmp/said
test "$(wc -l </tmp/said)" = 3

# Ten kinds of errors.
rm $d/*
syscontainer pull 127.0.0.1:5000/base:1
unit() { cat >"$d/$1.syscontainer"; }
good='[Container]
Image=127.0.0.1:5000/base:1'
unit noimage <<<'[Unit]'
unit shortname <<<$'[Container]\nImage=busybox'
unit syntax <<<$'[Container\nImage=q.io/a:1'
unit boolean <<<"$good"$'\nReadOnly=maybe'
unit volume <<<"$good"$'\n  Volume = relative:/x'
unit quote <<<"$good"$'\nExec=sh -c "echo'
unit specifier <<<"$good"$'\nEnvironment=A=%Q'
unit service <<<"$good"$'\n[Service]\nUser=nobody'
unit alias <<<"$good"$'\n[Install]\nAlias=dbus.target'
unit requires <<<$'[Unit]\nRequires=nowhere.syscontainer\n'"$good"
unit dropped <<<"$good"
mkdir $d/dropped.syscontainer.d
printf '[Container]\n\nPull=perhaps\n' >$d/dropped.syscontainer.d/10.conf
ln -s /nowhere $d/dangling.syscontainer
printf '[Container]\nImage=caf\351\n' >$d/latin.syscontainer
cp $d/dropped.syscontainer "$d/we ird.syscontainer"
unit right <<<"$good"
snapshot $d >/tmp/before
fails syscontainer check >/tmp/said 2>/tmp/errors
cat /tmp/said /tmp/errors
place() { grep -F "$d/$1: error: " /tmp/said | says "${@:2}" /dev/stdin; }
place noimage.syscontainer Image=
place shortname.syscontainer:2:7 busybox
place syntax.syscontainer:1:1 '[Container'
place boolean.syscontainer:3:10 maybe
place volume.syscontainer:3:12 relative
place quote.syscontainer:3:6 quote
place specifier.syscontainer:3:13 %Q
place service.syscontainer:4:6 User=
place alias.syscontainer:4:7 dbus.target
place requires.syscontainer:2:10 nowhere.syscontainer
place dropped.syscontainer.d/10.conf:3:6 perhaps
place dangling.syscontainer nowhere
place latin.syscontainer:2:1 UTF-8
place 'we ird.syscontainer' 'we ird'
fails grep right.syscontainer /tmp/said
says 'syscontainer: 13 units would fail' /tmp/errors
says docker.io/library/busybox /tmp/said

# Word for word what the generator says, and the units that it makes fail.
mkdir /tmp/out
$generator /tmp/out 2>/tmp/generator || :
sed -n 's/^syscontainer-generator: //p' /tmp/generator | grep -v -e '^hint: ' -e ' will fail at its start and say so$' | sort -u >/tmp/want
grep -e ': error: ' -e ': warning: ' /tmp/said | grep -v ' is not there' | sed -E 's/^([^:]*:[0-9]+):[0-9]+: /\1: /; s/: (error|warning): /: /' | sort -u >/tmp/got
diff /tmp/want /tmp/got
systemctl daemon-reload
fails systemctl start shortname
journal shortname
says shortname.syscontainer:2 busybox /tmp/journal
snapshot $d | diff /tmp/before -

# One file, before it is installed: from an editor, too.
printf '%s\nPull=perhaps\n' "$good" >/tmp/new.syscontainer
fails syscontainer check /tmp/new.syscontainer >/tmp/said
says /tmp/new.syscontainer:3:6: perhaps /tmp/said
test "$(grep -c error /tmp/said)" = 1
fails syscontainer check --name new - </tmp/new.syscontainer >/tmp/said
says -:3:6: perhaps /tmp/said
