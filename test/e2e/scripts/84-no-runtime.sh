# SPDX-License-Identifier: Apache-2.0
# No runtime installed: the start says which one and what to do; it comes back when the runtime does.
registry
container app <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
END
container other <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
Runtime=no-such-runtime
END
runc=$(command -v runc)
mv "$runc" /root/runc
fails systemctl start app
logged app runc
says install /tmp/journal
fails systemctl start other
logged other no-such-runtime
mv /root/runc "$runc"
systemctl start app
test "$(show app ActiveState)" = active
