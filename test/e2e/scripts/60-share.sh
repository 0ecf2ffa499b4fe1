# SPDX-License-Identifier: Apache-2.0
# disk: /var/lib/syscontainer 512M
# Containers of one image share one checkout and no start changes it, although runtimes create missing mount targets in the
# root they are given. A second image with the same files costs its differences.
registry
syscontainer pull 127.0.0.1:5000/base:1
root=$(rootfs base:1)
state() { snapshot $store/images; snapshot $store/repo; }
state >/tmp/before
mkdir -p /srv/a /srv/b
echo file >/srv/a/file
for name in one two; do
	container $name <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'echo "sees $(cat /not/in/image/file) $(cat /etc/extra)"; exec sleep 1000'
StopTimeout=1
Volume=/srv/a:/not/in/image
Volume=/srv/b:/opt/also-missing:ro
Volume=/srv/a/file:/etc/extra
Tmpfs=/missing-tmpfs
END
done
container writer <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'echo x >/written && rm /etc/passwd && echo wrote; exec sleep 1000'
StopTimeout=1
ReadOnly=no
END
systemctl start one two
for name in one two; do
	logged $name 'sees file file'
done
systemctl start writer || :
systemctl stop one two
systemctl stop writer
state | diff /tmp/before -
test "$(ls $store/images | wc -l)" = 1
test ! -e "$root/not" -a ! -e "$root/missing-tmpfs" -a ! -e "$root/written"

# Both images name their root apart, all files of them are the same.
used() { sync; du -s --block-size=1 $store | cut -f1; }
first=$(used)
syscontainer pull 127.0.0.1:5000/sibling:1
second=$(used)
echo "first image $first bytes, second $((second - first)) more"
test $((second - first)) -lt 200000
test $((first)) -gt 1500000
test "$(stat -c %i "$root/bin/busybox")" = "$(stat -c %i "$(rootfs sibling:1)/bin/busybox")"
sound
# Pulled again, nothing is fetched and nothing written. (sound lets ostree make its cache directory.)
second=$(used)
find $store -printf '%p %b %s\n' | sort >/tmp/second
syscontainer pull 127.0.0.1:5000/sibling:1
find $store -printf '%p %b %s\n' | sort | diff /tmp/second -
test "$(used)" = "$second"
