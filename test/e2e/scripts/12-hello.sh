# SPDX-License-Identifier: Apache-2.0
# The example of examples/try: an unprivileged web server, started, asked, stopped.
registry
mkdir -p /etc/containers/systemd
cp /usr/share/doc/syscontainer/examples/hello.syscontainer /etc/containers/systemd/
systemctl daemon-reload
systemctl start hello
within 5 listens 8080
test "$(/opt/parts/busybox wget -qO - http://127.0.0.1:8080/)" = 'Hello from a container that systemd supervises'
test "$(stat -c %u "/proc/$(show hello MainPID)")" = 1000
systemctl stop hello
test "$(show hello Result)" = success
logged hello 'listens on port 8080 as app'
says bye /tmp/journal
