# SPDX-License-Identifier: Apache-2.0
# A file that cannot be converted becomes a unit that fails and says why, file and line. Its neighbours are not touched.
generator=/usr/lib/systemd/system-generators/syscontainer-generator
d=/etc/containers/systemd
mkdir -p $d
printf '[Container]\nImage=127.0.0.1:5000/base:1\nExec=/bin/sleep 1000\n' >$d/good.syscontainer
printf '[Container]\nImage=127.0.0.1:5000/base:1\nImgae=typo\nExec=/bin/sleep 1000\n' >$d/typo.syscontainer
printf '[Container]\nExec=/bin/true\n' >$d/noimage.syscontainer
printf '[Container]\n\nImage=Not A Reference!\n' >$d/badref.syscontainer
printf '[Container]\nImage=busybox\n' >$d/shortname.syscontainer
printf '[Container\nImage=127.0.0.1:5000/base:1\n' >$d/syntax.syscontainer
printf '[Container]\nImage=127.0.0.1:5000/base:1\nVolume=relative:/x\nReadOnly=maybe\nNetwork=pasta\n' >$d/many.syscontainer
head -c 3000 /dev/urandom >$d/garbage.syscontainer
mkdir $d/directory.syscontainer
ln -s /nowhere/at/all $d/dangling.syscontainer
printf '[Container]\nImage=127.0.0.1:5000/base:1\n' >$d/dropped.syscontainer
mkdir $d/dropped.syscontainer.d
printf '[Container]\nVolume=nonsense\n' >$d/dropped.syscontainer.d/10-broken.conf
ln -s /dev/null $d/masked.syscontainer
: >$d/empty.syscontainer
systemctl daemon-reload
registry
systemctl start good

# fails_with NAME WORD…: the start fails, the journal of the unit says all of the words in one line.
fails_with() {
	local name=$1
	shift
	fails systemctl start "$name"
	journal "$name"
	cat /tmp/journal
	says "$@" /tmp/journal
}
fails_with noimage noimage.syscontainer Image=
fails_with badref badref.syscontainer:3 'Not A Reference!'
fails_with shortname shortname.syscontainer:2 busybox
says docker.io/library/busybox /tmp/journal
fails_with syntax syntax.syscontainer:1
fails_with garbage garbage.syscontainer
fails_with dangling dangling.syscontainer
fails_with dropped 10-broken.conf:2 nonsense
fails_with many many.syscontainer:3 relative
# All errors of a file, not the first.
says many.syscontainer:4 maybe /tmp/journal
says many.syscontainer:5 pasta /tmp/journal
test "$(show masked LoadState)" != loaded
test "$(show empty LoadState)" != loaded

# An unknown key is a warning with a suggestion, and the unit works.
systemctl start typo
mkdir /tmp/out
$generator /tmp/out /tmp/out /tmp/out 2>/tmp/said || :
cat /tmp/said
says typo.syscontainer:3 Imgae /tmp/said
says 'did you mean' Image= /tmp/said

# Whoever lets systemd check the service hears it from the generator, with file and line.
systemd-analyze --generators=true verify --man=no badref.service >/tmp/said 2>&1 || :
cat /tmp/said
says badref.syscontainer:3 'Not A Reference!' /tmp/said
test "$(journalctl -b -q -o cat -t syscontainer-generator | wc -l)" = 0 || says badref.syscontainer:3 <(journalctl -b -q -o cat -t syscontainer-generator)

# A unit that exists already is not overwritten.
printf '[Service]\nExecStart=/bin/sleep 1000\n' >/etc/systemd/system/taken.service
printf '[Container]\nImage=127.0.0.1:5000/base:1\n' >$d/taken.syscontainer
systemctl daemon-reload
test "$(show taken FragmentPath)" = /etc/systemd/system/taken.service
