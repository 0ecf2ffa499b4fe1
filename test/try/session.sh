# SPDX-License-Identifier: Apache-2.0
# What examples/try shows, typed on its host: each command, then what it says.
{ set +x; } 2>/dev/null
systemctl start registry
until (exec 3<>/dev/tcp/127.0.0.1/5000) 2>/dev/null; do sleep 0.05; done
curl() { /opt/parts/busybox wget -q -O - "$1"; }
type() {
	printf '\n# %s\n' "$*"
	"$@" 2>&1
}
cd /root
type cat hello.syscontainer
mkdir -p /etc/containers/systemd
type cp hello.syscontainer /etc/containers/systemd/
type systemctl daemon-reload
type systemctl start hello
for i in 1 2 3 4 5 6 7 8 9 10; do curl http://127.0.0.1:8080/ >/dev/null 2>&1 && break; sleep 0.1; done
type systemctl status --no-pager --full hello
type curl http://127.0.0.1:8080/
type systemctl stop hello
journalctl --sync
type journalctl --quiet --no-hostname --output=short -u hello
