# SPDX-License-Identifier: Apache-2.0
# A layer that tries to leave its root is refused or contained: the host has no new file, lost none, and none changed.
echo precious >/srv/victim
before=$(find /srv /etc /usr/local /root -xdev -printf '%p %i %s %T@ %n\n' | sort)
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
	after=$(find /srv /etc /usr/local /root -xdev -printf '%p %i %s %T@ %n\n' | sort)
	test "$after" = "$before"
	test -z "$(find / -xdev -name 'evil*' -not -path "$store/*" -not -path '/proc/*')"
done
test $n -ge 14
syscontainer pull oci:/srv/oci:base
sound
