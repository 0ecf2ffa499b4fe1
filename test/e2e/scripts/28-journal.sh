# SPDX-License-Identifier: Apache-2.0
# The journal knows whose a line is, and machines find what happened at a start: without reading messages.
registry
journalctl --update-catalog
# found FIELD=VALUE…: messages with all of these, as lines of JSON.
found() { journalctl --sync; journalctl -b -q -o json "$@" >/tmp/found; test -s /tmp/found; }
missing=95148dd7b5eb46fd99b5726a23bdd440 start=5325ca9d38da4f0b810673a9dfdd5756 failed=53dafc3ab99a4e5a8a9f70f0e0a4a4fc

container web <<'X'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'echo from the payload; echo complaint >&2; exec sleep 1000'
StopTimeout=1
[Service]
LogExtraFields=TIER=front
X
systemctl start web
digest=sha256:$(basename "$(readlink /run/syscontainer/web/image)")
within 5 found SYSCONTAINER_NAME=web MESSAGE='from the payload'
grep -q '"SYSCONTAINER_IMAGE":"127.0.0.1:5000/base:1"' /tmp/found
grep -q '"TIER":"front"' /tmp/found
found SYSCONTAINER_IMAGE=127.0.0.1:5000/base:1 MESSAGE=complaint

# The image was fetched and is started from: each told once, as the unit's.
within 5 found MESSAGE_ID=$missing SYSCONTAINER_NAME=web SYSCONTAINER_IMAGE=127.0.0.1:5000/base:1
within 5 found MESSAGE_ID=$start SYSCONTAINER_NAME=web SYSCONTAINER_DIGEST="$digest"
grep -q '"PRIORITY":"6"' /tmp/found
logged web 'starting 127.0.0.1:5000/base:1' "$digest"
journalctl -q -b -x MESSAGE_ID=$start >/tmp/explained
says 'The container web starts' /tmp/explained
says "$digest." /tmp/explained
systemctl restart web
within 5 sh -c "journalctl --sync; test \$(journalctl -b -q -o cat MESSAGE_ID=$start SYSCONTAINER_NAME=web | wc -l) = 2"
test "$(journalctl -b -q -o cat MESSAGE_ID=$missing | wc -l)" = 1

# A failure is one message, whose hint is a line of it, and has the image that could not be had.
container broken <<'X'
[Container]
Image=127.0.0.1:5000/absent:1
Pull=never
X
fails systemctl start broken
within 5 found MESSAGE_ID=$failed SYSCONTAINER_NAME=broken
test "$(wc -l </tmp/found)" = 1
grep -q '"PRIORITY":"3"' /tmp/found
grep -q '"SYSCONTAINER_IMAGE":"127.0.0.1:5000/absent:1"' /tmp/found
logged broken 'absent:1 is not in the store'
says 'hint: syscontainer pull 127.0.0.1:5000/absent:1' /tmp/journal
systemctl status broken >/tmp/status || :
says 'is not in the store' /tmp/status
# One that fails later has the digest.
container wrong <<'X'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/not-there
X
fails systemctl start wrong
within 5 found MESSAGE_ID=$failed SYSCONTAINER_NAME=wrong SYSCONTAINER_DIGEST="$digest"
logged wrong not-there

# Every number has its text.
for id in $missing $start $failed; do journalctl --list-catalog $id | grep -q syscontainer; done

# The name of an image is a word, whatever is in it; in a template it may be known at the start only.
cp -r /srv/oci "/srv/a b%c"
container odd <<'X'
[Container]
Image=oci:/srv/a b%%c:base
Exec=/bin/echo odd one
[Service]
Type=oneshot
X
systemctl start odd
within 5 found SYSCONTAINER_IMAGE='oci:/srv/a b%c:base' MESSAGE='odd one'
container each@ <<'X'
[Container]
Image=127.0.0.1:5000/%i:1
Exec=/bin/echo an instance
[Service]
Type=oneshot
X
systemctl start each@base
within 5 found SYSCONTAINER_NAME=each@base MESSAGE='an instance'
within 5 found SYSCONTAINER_NAME=each@base MESSAGE_ID=$start SYSCONTAINER_IMAGE=127.0.0.1:5000/base:1

# With its output elsewhere, what goes wrong goes there.
container file <<'X'
[Container]
Image=127.0.0.1:5000/absent:1
Pull=never
[Service]
StandardError=file:/srv/error
X
fails systemctl start file
says 'render: file: image 127.0.0.1:5000/absent:1 is not in the store' /srv/error
