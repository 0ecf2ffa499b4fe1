# SPDX-License-Identifier: Apache-2.0
# The examples become units that systemd accepts, and the same bytes every time.
mkdir -p /etc/containers/systemd
cp /usr/share/doc/syscontainer/examples/*.syscontainer /etc/containers/systemd/
generator=/usr/lib/systemd/system-generators/syscontainer-generator
for i in $(seq 10); do
	mkdir -p /tmp/$i/normal /tmp/$i/early /tmp/$i/late
	$generator /tmp/$i/normal /tmp/$i/early /tmp/$i/late >/tmp/$i.out 2>&1
	test ! -s /tmp/$i.out
	diff -r --no-dereference /tmp/1 /tmp/$i
done
# Another time, another environment, another umask: the same.
(umask 077 && cd /tmp && env -i HOME=/ TZ=Asia/Tokyo SOURCE_DATE_EPOCH=1 LANG=C $generator /tmp/1/normal)
diff -r --no-dereference /tmp/1 /tmp/2
stat -c '%a %n' /tmp/1/normal/*.service | tee /tmp/modes
fails grep -v '^644 ' /tmp/modes

systemctl daemon-reload
for file in /etc/containers/systemd/*.syscontainer; do
	name=$(basename "$file" .syscontainer)
	test "$(show "$name" LoadState)" = loaded
	test "$(show "$name" SourcePath)" = "$file"
	systemd-analyze verify --man=no --recursive-errors=no "/run/systemd/generator/$name.service" >/tmp/verified 2>&1 || cat /tmp/verified >&2
	test ! -s /tmp/verified
done
