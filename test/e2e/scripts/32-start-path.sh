# SPDX-License-Identifier: Apache-2.0
# render, while the image is in the store: no program is executed, no socket but systemd's is opened.
registry
container app <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sleep 1000
END
syscontainer pull 127.0.0.1:5000/base:1
fragment=$(show app FragmentPath)
strace -f -o /tmp/trace -e trace=execve,socket,connect /usr/libexec/syscontainer/render --unit="$fragment" app
grep execve /tmp/trace
test "$(grep -c 'execve(' /tmp/trace)" = 1
fails grep -e AF_INET /tmp/trace
test -s /run/syscontainer/app/config.json
