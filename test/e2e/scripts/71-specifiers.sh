# SPDX-License-Identifier: Apache-2.0
# A specifier means to a container what it means to a plain service of the same name, with and without an instance.
registry
mkdir -p /srv/in /srv/out
cat >/srv/in/print <<'PRINT'
file=$1
shift
printf '%s\n' "$@" >"$file.new"
mv "$file.new" "$file"
[ -z "$SLEEP" ] || exec sleep 1000
PRINT
# Everything has a value, and some have blanks and quotes in it.
cp --remove-destination /usr/lib/os-release /etc/os-release
cat >>/etc/os-release <<'RELEASE'
BUILD_ID="build 7"
IMAGE_ID=image
IMAGE_VERSION=33
VARIANT_ID=server
RELEASE
echo "PRETTY_HOSTNAME=\"It's \\\"our\\\" host\"" >/etc/machine-info
letters='a A b B C d E f g G h H i I j J l L m M n N o p P q s S t T u U v V w W %'
if [ "$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')" -ge 256 ]; then letters="$letters D"; fi
words=$(for letter in $letters; do printf '"%s=%%%s" ' "%$letter" "$letter" | sed 's/^"%/"%%/'; done)

# compare FILE SERVICE: the unit FILE.service, then FILE.syscontainer, both started as SERVICE.
compare() {
	printf '[Service]\nType=oneshot\nExecStart=/bin/sh /srv/in/print /srv/out/service %s\n' "$words" >"/run/systemd/system/$1.service"
	systemctl daemon-reload
	systemctl start "$2"
	systemctl stop "$2"
	rm "/run/systemd/system/$1.service"
	container "$1" <<UNIT
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh /in/print /out/container $words
Environment=SLEEP=1
Volume=/srv/in:/in:ro
Volume=/srv/out:/out
StopTimeout=1
UNIT
	systemctl start "$2"
	within 5 test -e /srv/out/container
	systemctl stop "$2"
	diff /srv/out/service /srv/out/container
	test "$(wc -l </srv/out/container)" = "$(wc -w <<<"$letters")"
	cp /srv/out/container /tmp/last
	rm /srv/out/service /srv/out/container "/etc/containers/systemd/$1.syscontainer"
}
compare plain plain.service
says '%i=' /tmp/last
compare 'one-t\x2do@' 'one-t\x2do@i\x2dj-k\x20l.service'
says '%P=one/t-o' /tmp/last
says '%I=i-j/k l' /tmp/last
says '%f=/i-j/k l' /tmp/last
says '%B=build 7' /tmp/last
