# SPDX-License-Identifier: Apache-2.0
# reboots
# At boot a group goes back as one, for the sake of the member that does not come up; the others may be tried again. What
# systemd restarts in between because it needs a moment is no bad one.
phase=$(cat /root/phase 2>/dev/null || echo first)
next() { echo "$1" >/root/phase; sync; systemctl reboot --force --force; sleep 60; }
booted() { within 30 systemctl is-active --quiet boot-complete.target; }
outcome() { grep '"outcome"' $store/containers/$1/generations/$2.json; }
bring() { own_registry; release "$1" left; release "$2" right; }

case $phase in
first)
	bring one one
	for name in left right; do
		container $name <<END
[Container]
Image=127.0.0.1:5000/$name:1
Tmpfs=/tmp
[Install]
WantedBy=host-script.target
[Update]
Group=both
Auto=registry
HealthySec=1
END
	done
	mkdir -p /etc/systemd/system/host-script.target.wants
	ln -s /usr/lib/systemd/system/boot-complete.target /etc/systemd/system/host-script.target.wants/
	syscontainer update left
	systemctl start left right
	next start ;;
start)
	booted
	bring two exits
	syscontainer update --no-restart left
	next bad ;;
bad)
	booted
	within 10 runs left one
	within 10 runs right one
	says '"failed"' <(outcome right 2)
	says '"interrupted"' <(outcome left 2)
	says 'taken back with right' $store/containers/left/generations/2.json
	says '"good"' <(outcome left 3)
	test "$(grep -l '"by": "boot"' $store/updates/* | wc -l)" = 1
	# A better one of the member that failed takes the other along again.
	bring two two
	syscontainer update --auto --all
	runs left two
	runs right two
	# One that needs a second attempt in this boot, and no more.
	bring three three
	syscontainer update --no-restart left
	mkdir -p /etc/containers/systemd/right.syscontainer.d
	cat >/etc/containers/systemd/right.syscontainer.d/late.conf <<'END'
[Service]
Restart=on-failure
RestartSec=100ms
ExecStartPre=/bin/sh -c 'test -e /run/second || { touch /run/second; exit 1; }'
END
	next late ;;
late)
	booted
	runs left three
	runs right three
	test "$(show right NRestarts)" = 1
	says '"good"' <(outcome right 5)
	says '"good"' <(outcome left 5) ;;
esac
