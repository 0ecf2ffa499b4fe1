# SPDX-License-Identifier: Apache-2.0
# Network=none has a loopback interface of its own and nothing else; the default is the host's network.
registry
container alone <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'cat /proc/net/dev; readlink /proc/self/ns/net; exec sleep 1000'
Network=none
END
container with <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
END
systemctl start alone with
test "$(readlink "/proc/$(show with MainPID)/ns/net")" = "$(readlink /proc/self/ns/net)"
test "$(readlink "/proc/$(show alone MainPID)/ns/net")" != "$(readlink /proc/self/ns/net)"
# Of a machine without /etc/hosts, the network knows localhost all the same.
rm -f /etc/hosts
systemctl stop with
systemctl start with
syscontainer exec with cat /etc/hosts >/tmp/hosts
says 127.0.0.1 localhost /tmp/hosts
