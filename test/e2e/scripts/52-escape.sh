# SPDX-License-Identifier: Apache-2.0
# A layer that tries to leave its root is refused or contained: the host has no new file, lost none, and none changed.
echo precious >/srv/victim
files() { find / /srv /root /opt /tmp -xdev -maxdepth 1 ! -path '/tmp/*' ! -path / -printf '%p %i\n'; find /etc -xdev -printf '%p %i %s %T@ %n\n' | sort; }
files >/tmp/before
n=0
for tag in $(sed 's/"org.opencontainers.image.ref.name":"/\n&/g' /srv/oci/index.json | sed -n 's/.*ref.name":"\(escape-[^"]*\)".*/\1/p'); do
	n=$((n + 1))
	if syscontainer pull "oci:/srv/oci:$tag"; then
		root=$(rootfs "$tag")
		# Nothing but the image's own content, no link to a file of the host, no device.
		test -z "$(find "$root" -xdev \( -type b -o -type c \))"
		fails grep -rsq precious "$root/stolen"
		test -e "$root/bin/busybox"
	else
		fails rootfs "$tag"
	fi
	test "$(cat /srv/victim)" = precious
	files | diff /tmp/before -
done
test $n -ge 14
test -z "$(find /var /run /usr/lib/syscontainer -xdev -name 'evil*' -not -path "$store/*" 2>/dev/null)"
syscontainer pull oci:/srv/oci:base
sound
