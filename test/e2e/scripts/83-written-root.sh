# SPDX-License-Identifier: Apache-2.0
# disk: /var/lib/syscontainer 256M
# A root that keeps what is written (ReadOnly=no): the next start meets what the payload left, and finds users and mount targets
# there, not in the image. No link of the payload's leads out of the root or to what the kernel shows.
registry
syscontainer pull 127.0.0.1:5000/base:1
before=$(snapshot "$(rootfs base:1)")
mkdir -p /srv/mine /srv/outside
echo mine >/srv/mine/file
echo precious >/srv/victim
machine=$(find /srv -path /srv/registry -prune -o -path /srv/oci -prune -o -printf '%p %y %m %s %T@\n' | sort)

# run NAME RUNTIME COMMAND LINE…: starts it anew, waits for the end of the command.
run() {
	local name=$1 runtime=$2 command=$3 more=''
	shift 3
	# crun wants a limit raised for its list of devices, which not every machine lets it do.
	[ $runtime != crun ] || more='ConfigPatch={"linux":{"resources":{"devices":null}}}'
	container "$name" <<END
[Container]
Image=127.0.0.1:5000/base:1
Runtime=$runtime
ReadOnly=no
Exec=/bin/sh -c '$command; echo end; exec sleep 1000'
StopSignal=SIGKILL
$more
$(printf '%s\n' "$@")
END
	journalctl --rotate --vacuum-time=1ms -q
	systemctl start "$name" || return
	logged "$name" end
	systemctl stop "$name"
	systemctl reset-failed "$name"
}
runtimes=runc
! command -v crun || runtimes='runc crun'
for r in $runtimes; do
	run kernel-$r $r 'mkdir -p /opt/attr'
	run kernel-$r $r 'mv /opt /opt2; ln -s /proc/self /opt' Volume=/srv/mine:/opt/attr
	fails run kernel-$r $r 'true' Volume=/srv/mine:/opt/attr
	logged kernel-$r "links of the image lead to /proc/self/attr, which is the kernel's"
	systemctl reset-failed kernel-$r

	run out-$r $r 'ln -s /srv/outside /up; ln -s ../../../../../../srv/elsewhere /relative; ln -s /srv/victim /file; ln -s /nowhere/deep /missing'
	run out-$r $r 'cat /up/file /srv/elsewhere/below/file /nowhere/deep/file; echo evil >/up/evil; echo evil >/file' \
		Volume=/srv/mine:/up:ro Volume=/srv/mine:/relative/below:ro Volume=/srv/mine/file:/file:ro Volume=/srv/mine:/missing:ro
	test "$(grep -cx mine /tmp/journal)" = 3
	run out-$r $r 'rm -r /up /relative; echo text >/up'
	fails run out-$r $r 'true' Volume=/srv/mine:/up/below
	logged out-$r 'is no directory, but /up/below leads through it'
	systemctl reset-failed out-$r

	run user-$r $r 'echo made:x:77:78::/: >>/etc/passwd'
	run user-$r $r 'id -u; id -g' User=made
	says 77 /tmp/journal
	says 78 /tmp/journal
done
test "$(find /srv -path /srv/registry -prune -o -path /srv/oci -prune -o -printf '%p %y %m %s %T@\n' | sort)" = "$machine"
test "$(snapshot "$(rootfs base:1)")" = "$before"

# Mounts of a patch are made as all others: nothing is created in the image, links are followed within it, what is shown must be there.
for r in $runtimes; do
	devices=''
	[ $r != crun ] || devices=',"linux":{"resources":{"devices":null}}'
	for mount in '"destination":"/new/place","type":"bind","options":["rbind","ro"],"source":"/srv/mine"' \
		'"destination":"/new/file","options":["bind","ro"],"source":"/srv/mine/file"' '"destination":"/gone","type":"bind","source":"/srv/gone"'; do
		container patched <<END
[Container]
Image=127.0.0.1:5000/base:1
Runtime=$r
Exec=/bin/sh -c 'cat /new/place/file /new/file; echo end; exec sleep 1000'
StopSignal=SIGKILL
ConfigPatch={"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","type":"tmpfs","source":"tmpfs"},{$mount}]$devices}
END
		journalctl --rotate --vacuum-time=1ms -q
		if [[ $mount == */gone* ]]; then
			fails systemctl start patched
			logged patched 'ConfigPatch=: mount /srv/gone on /gone: no such file or directory'
		else
			systemctl start patched
			logged patched end
			says mine /tmp/journal
		fi
		systemctl stop patched
		systemctl reset-failed patched || :
	done
done
test "$(snapshot "$(rootfs base:1)")" = "$before"
