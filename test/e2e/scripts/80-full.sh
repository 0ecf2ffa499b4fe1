# SPDX-License-Identifier: Apache-2.0
# disk: /var/lib/syscontainer 16M
# No space left: the pull says so and leaves nothing; what was there still works, and what fits still comes.
registry
syscontainer pull 127.0.0.1:5000/base:1
before=$(published)
fails syscontainer pull 127.0.0.1:5000/etcd:1 2>/tmp/said
cat /tmp/said
says 'no space left' /tmp/said
test "$(published)" = "$before"
sound
container app <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
END
container big <<'END'
[Container]
Image=127.0.0.1:5000/etcd:1
Exec=/usr/local/bin/etcd
END
systemctl start app
fails systemctl start big
logged big 'no space left'
syscontainer pull 127.0.0.1:5000/sibling:1
sound
