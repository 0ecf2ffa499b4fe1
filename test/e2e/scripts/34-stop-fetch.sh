# SPDX-License-Identifier: Apache-2.0
# A stop while an image is fetched ends that, whatever signal the payload would get.
# A registry that takes connections and says nothing: nobody accepts them.
mkdir -p /run/systemd/system
printf '[Socket]\nListenStream=127.0.0.1:5999\n' >/run/systemd/system/silent.socket
printf '[Service]\nExecStart=/bin/sleep 1000\n' >/run/systemd/system/silent.service
systemctl daemon-reload
systemctl start silent.socket
for signal in SIGTERM SIGQUIT SIGUSR1 SIGRTMIN+3; do
	container waits <<-END
	[Container]
	Image=127.0.0.1:5999/nothing:1
	StopSignal=$signal
	StopTimeout=infinity
	END
	systemctl start --no-block waits
	fetches() { test "$(show waits ActiveState)" = activating && for p in $(processes waits); do tr '\0' ' ' <"/proc/$p/cmdline"; done | grep -q 'pull .*127.0.0.1:5999'; }
	within 10 fetches
	timeout 30 systemctl stop waits # which has no other end
	logged waits 'stopped while asking for 127.0.0.1:5999/nothing:1'
	test "$(show waits Result)" = exit-code
	test ! -e /sys/fs/cgroup/system.slice/waits.service
	test ! -e /run/syscontainer/waits
	journal waits
	fails grep goroutine /tmp/journal
	systemctl reset-failed waits
done
