# SPDX-License-Identifier: Apache-2.0
# Type=oneshot with Runtime=crun: the same parent, the same statuses. The patch leaves out the device filter, which crun
# wants RLIMIT_MEMLOCK raised for and not every host may.
registry
for status in 0 3; do
	container job$status <<-END
	[Container]
	Image=127.0.0.1:5000/base:1
	Runtime=crun
	Exec=/bin/sh -c 'sleep 0.2; exit $status'
	ConfigPatch={"linux":{"resources":{"devices":null}}}
	[Service]
	Type=oneshot
	END
done
systemctl start job0
fails systemctl start job3
test "$(show job3 Result) $(show job3 ExecMainStatus)" = 'exit-code 3'
test -z "$(crun list -q)"
test ! -e /run/syscontainer/job0
container mapped <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Runtime=crun
RunInit=yes
Exec=/bin/sh -c 'trap "echo reloaded" HUP; echo "seen: $(id -u) in $(cat /proc/self/uid_map)"; while :; do sleep 0.05; done'
UIDMap=0:200000:65536
Volume=/run/mapped:/data:idmap
ReloadCmd=/bin/sh -c 'echo "from inside: $(id -u)"'
StopSignal=SIGKILL
ConfigPatch={"linux":{"resources":{"devices":null}}}
END
mount -t tmpfs tmpfs /var/lib/syscontainer # can show other owners
systemctl start mapped
logged mapped 'seen: 0 in' 200000
systemctl reload mapped
logged mapped 'from inside: 0'
systemctl stop mapped
test -z "$(crun list -q)"
