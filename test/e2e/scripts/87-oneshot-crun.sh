# SPDX-License-Identifier: Apache-2.0
# needs: crun
# Type=oneshot with Runtime=crun: the same parent, the same statuses.
registry
for status in 0 3; do
	container job$status <<-END
	[Container]
	Image=127.0.0.1:5000/base:1
	Runtime=crun
	Exec=/bin/sh -c 'sleep 0.2; exit $status'
	[Service]
	Type=oneshot
	END
done
systemctl start job0
fails systemctl start job3
test "$(show job3 Result) $(show job3 ExecMainStatus)" = 'exit-code 3'
test -z "$(crun list -q)"
test ! -e /run/syscontainer/job0
