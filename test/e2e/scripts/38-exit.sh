# SPDX-License-Identifier: Apache-2.0
# However soon a payload ends, its exit status is the unit's: 7 is a failure with 7, 0 is none.
registry
for status in 7 0; do
	container "exits$status" <<END
[Unit]
StartLimitIntervalSec=0

[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'exit $status'
END
done
ended() { case $(show "$1" ActiveState) in inactive | failed) ;; *) return 1 ;; esac; }
for i in $(seq 20); do
	systemctl start exits7 || :
	within 5 ended exits7
	test "$(show exits7 Result) $(show exits7 ExecMainStatus)" = "exit-code 7"
	systemctl start exits0
	within 5 ended exits0
	test "$(show exits0 Result) $(show exits0 ExecMainStatus)" = "success 0"
done
test -z "$(runc list -q)"
journal exits0
fails says 'not our child' /tmp/journal
