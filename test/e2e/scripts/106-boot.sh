# SPDX-License-Identifier: Apache-2.0
# reboots
# Each boot judges what was updated since the last good one: what does not come up goes back, once; a machine that does not
# survive an update starts from the old image after a few boots. The host is reset again and again: this runs from its
# beginning at each boot.
trap 'cp /tmp/err /tmp/out /host/ 2>/dev/null || :' EXIT
phase=$(cat /root/phase 2>/dev/null || echo first)
echo "phase $phase, boot $(cat /proc/sys/kernel/random/boot_id)"
next() { kill -KILL $(jobs -p) 2>/dev/null || :; echo "$1" >/root/phase; sync; sleep 0.2; systemctl reboot --force --force; sleep 60; }
booted() { within 30 systemctl is-active --quiet boot-complete.target; }
generation() { readlink $store/containers/app/current; }
record() { cat $store/boot.json; }
outcome() { grep '"outcome"' $store/containers/app/generations/$1.json; }
bring() { own_registry; release "$1"; }

case $phase in
first)
	bring one
	container app <<'END'
[Container]
Image=127.0.0.1:5000/app:1
Tmpfs=/tmp
[Service]
Restart=no
[Install]
WantedBy=host-script.target
[Update]
HealthySec=1
END
	mkdir -p /etc/systemd/system/host-script.target.wants /etc/containers/syscontainer.conf.d
	ln -s /usr/lib/systemd/system/boot-complete.target /etc/systemd/system/host-script.target.wants/
	printf '[Update]\nBootTries=2\n' >/etc/containers/syscontainer.conf.d/boot.conf
	syscontainer update app
	systemctl start app
	runs app one
	next updated ;;
updated)
	# The first boot finds it healthy.
	booted
	within 10 runs app one
	says '"app"' <(record)
	test "$(show syscontainer-boot.service Result)" = success
	says good <(outcome 1)
	# One that nobody has judged, and that does not come up.
	bring exits
	syscontainer update --no-restart app
	runs app one
	next bad ;;
bad)
	booted
	within 5 runs app one
	test "$(show syscontainer-boot.service Result)" = success
	logged syscontainer-boot 'app: rolled back to generation 3' 'exited with 3'
	says '"failed"' <(outcome 2)
	says 'exited with 3' $store/containers/app/generations/2.json
	says '"boot"' $store/containers/app/generations/3.json
	told app 0b1a1f20182a4a0b8289be5527296bb6 'at boot' 'exited with 3'
	# It is not tried again by itself.
	bring exits
	printf '[Update]\nAuto=registry\n' >/etc/containers/systemd/syscontainer.d.conf
	mkdir -p /etc/containers/systemd/app.syscontainer.d
	mv /etc/containers/systemd/syscontainer.d.conf /etc/containers/systemd/app.syscontainer.d/auto.conf
	systemctl daemon-reload
	syscontainer update --auto --all 2>/tmp/err
	says 'waits for another image' /tmp/err
	# A good one, judged while the machine ran, and by the next boot.
	release two
	syscontainer update app
	runs app two
	next good ;;
good)
	booted
	within 10 runs app two
	test "$(generation)" = generations/4
	# Cut off while it was being judged: the boot does that.
	bring three
	sed -i 's/^HealthySec=.*/HealthySec=60/' /etc/containers/systemd/app.syscontainer
	systemctl daemon-reload
	syscontainer update app >/tmp/out 2>&1 &
	within 20 runs app three
	sed -i 's/^HealthySec=.*/HealthySec=1/' /etc/containers/systemd/app.syscontainer
	next cut ;;
cut)
	booted
	within 10 runs app three
	says '"good"' <(outcome 5)
	says '"phase": "good"' <(cat $store/updates/*)
	fails grep -l '"judging"' $store/updates/*
	# One with which the machine never comes as far as to be judged: it is reset each time before.
	bring one
	syscontainer update --no-restart app
	sed -i 's/^HealthySec=.*/HealthySec=60/' /etc/containers/systemd/app.syscontainer
	next crash-1 ;;
crash-1)
	within 20 runs app one
	next crash-2 ;;
crash-2)
	within 20 runs app one
	says '"boots": 2' <(record)
	sed -i 's/^HealthySec=.*/HealthySec=1/' /etc/containers/systemd/app.syscontainer
	next given-up ;;
given-up)
	# It starts from the last good one at once; the other never ran in this boot.
	booted
	within 10 runs app three
	fails in_journal app 'release one'
	says '"failed"' <(outcome 6)
	says '2 boots with it ended' $store/containers/app/generations/6.json
	says '"good"' <(outcome 7)
	test "$(generation)" = generations/7
	# Something is wrong with the machine: neither image comes up, the boot is no good one, and nothing loops.
	bring two
	syscontainer update --no-restart app
	printf '[Update]\nHealthExecHost=/bin/false\n' >/etc/containers/systemd/app.syscontainer.d/wrong.conf
	next hopeless ;;
hopeless)
	failed() { test "$(show syscontainer-boot.service Result)" = exit-code; }
	within 30 failed
	fails systemctl is-active --quiet boot-complete.target
	within 10 runs app three
	logged syscontainer-boot 'app: not healthy with its former image'
	test "$(generation)" = generations/9
	next hopeless-still ;;
hopeless-still)
	# What is left is what the last good boot had: there is nothing more to try.
	booted
	within 10 runs app three
	test "$(generation)" = generations/9
	syscontainer verify ;;
esac
