# SPDX-License-Identifier: Apache-2.0
# Privileged=yes: all rights, every device, nothing hidden, and each reload and check says so.
syscontainer pull oci:/srv/oci:base
mknod /dev/extra c 1 7
container agent <<'END'
[Container]
Image=oci:/srv/oci:base
Exec=/bin/sh -c 'while read -r line; do echo "inside $line"; done </proc/self/status; echo x >/dev/extra; touch /x || echo read-only; while read -r from to rest; do echo "mounted $to"; done </proc/mounts; echo end; exec sleep 1000'
Privileged=yes
StopSignal=SIGKILL
END
before=$(snapshot "$(rootfs oci:/srv/oci:base)")
mkdir /tmp/out
/usr/lib/systemd/system-generators/syscontainer-generator /tmp/out 2>/tmp/said
says agent.syscontainer:4 'Privileged=yes gives the payload all rights over the machine' /tmp/said
syscontainer check /etc/containers/systemd/agent.syscontainer >/tmp/said 2>&1
says agent.syscontainer:4 'all rights over the machine' /tmp/said

systemctl start agent
all=$(sed -n 's/^CapBnd:\t//p' /proc/self/status)
logged agent "inside CapBnd:	$all"
logged agent "inside CapEff:	$all"
fails grep seccomp /run/syscontainer/agent/config.json
logged agent "No space left"
logged agent read-only
logged agent end
# Nothing lies over /proc and /sys, and the payload is still in a world of its own.
says 'mounted /proc' /tmp/journal
fails grep -E 'mounted /(proc|sys/firmware|sys/dev)/' /tmp/journal
test "$(readlink "/proc/$(show agent MainPID)/ns/pid")" != "$(readlink /proc/1/ns/pid)"
systemctl stop agent
test -c /dev/extra
test "$(snapshot "$(rootfs oci:/srv/oci:base)")" = "$before"

# Without it there is neither.
sed -i 's/^Privileged=yes/Privileged=no/' /etc/containers/systemd/agent.syscontainer
systemctl daemon-reload
systemctl start agent
grep -q seccomp /run/syscontainer/agent/config.json
logged agent 'mounted /proc/sys'
fails test -c "/proc/$(show agent MainPID)/root/dev/extra" # the payload made a file there
systemctl stop agent
