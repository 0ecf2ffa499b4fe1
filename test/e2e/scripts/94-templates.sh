# SPDX-License-Identifier: Apache-2.0
# Images with /exports/config.json.template: the image's configuration is the base, the unit's keys go on top, and what is missing is told.
for tag in template template-plain; do syscontainer pull oci:/srv/oci:$tag; done
syscontainer tag oci:/srv/oci:template q.io/tool:1
before=$(snapshot "$(rootfs oci:/srv/oci:template)")

# Two of one image, side by side: a value with what JSON, systemd and shells have their own meaning for, and a default.
container one <<'X'
[Container]
Image=q.io/tool:1
Set="WORD=a \"b\" \\c %% %%n $WORD ${X} 'd'" NEEDED=first
Set="MORE=, {\"destination\": \"/more\", \"type\": \"bind\", \"source\": \"/srv/more\", \"options\": [\"ro\"]}"
X
container two <<'X'
[Container]
Image=q.io/tool:1
Set=NEEDED=second
X
mkdir /srv/more
echo spliced >/srv/more/new
systemctl start one two
logged one "one says <a \"b\" \\c % %n \$WORD \${X} 'd'> first"
logged two 'two says <default> second'
within 5 test -s /var/lib/two/capabilities
test "$(cat /var/lib/one/more)" = spliced
fails test -s /var/lib/two/more
test "$(cat /var/lib/one/capabilities)" = 0000000000002020 # what it asks for, and no more
test "$(stat -c %a /var/lib/one)" = 750                    # by its tmpfiles.template
test "$(cat /run/made-for-one) $(cat /run/made-for-two)" = 'first second'
fails test -e /var/lib/one/written
processes one | grep -qx "$(show one MainPID)"
fails test -e /srv/hooked
fails test -e /dead
read -r uuid id </var/lib/one/seen
test "$id" = "$(basename "$(dirname "$(rootfs q.io/tool:1)")")"
fails grep "$uuid" /var/lib/two/seen
# What the image takes is told, and what had to be put right, to those who look for it.
logged one 'config.json.template of the image gives the payload CAP_NET_RAW; of the machine' '/var/lib/one' 'all system calls'
logged one 'hint: Template=no'
logged one 'warning: tmpfiles.template of the image' 'nobody-of-one'
journalctl -b -q -o cat -p debug..debug -u one >/tmp/debug
says 'ociVersion: "0.3.0" becomes' /tmp/debug
says 'hooks go' /tmp/debug
says 'mount /data: without the option mode=755' /tmp/debug
# Killed, it starts again, as the same one.
rm /var/lib/one/seen
systemctl kill --signal=SIGKILL one
ended() { test "$(show "$1" ActiveState)" != active; }
within 5 ended one
systemctl reset-failed one
systemctl start one
within 5 test -s /var/lib/one/seen
grep "^$uuid " /var/lib/one/seen
systemctl stop one two
test -z "$(ls /run/syscontainer)"
fails grep /run/syscontainer /proc/mounts
says 'd /var/lib/one 0750 0 0' $store/containers/one/tmpfiles.conf

# An image without these lines: they are undone.
syscontainer tag oci:/srv/oci:template-plain q.io/tool:1
systemctl start one two
fails test -e $store/containers/one/tmpfiles.conf
fails test -e /run/made-for-one
# A new default counts, unless the unit says something.
logged two 'two says <newer> second'
journalctl -b -q -o cat -u one | grep -c 'one says <a "b"' | grep -qx 3
systemctl stop one two

# The unit's word is the last one. A directory that is missing is made for the payload.
container keys <<'X'
[Container]
Image=oci:/srv/oci:template-plain
Set=NEEDED=x
Exec=/bin/report other
Environment=WORD=unit
User=1000:1001
AddCapability=CHOWN
DropCapability=NET_RAW
Volume=/var/lib/own:/data
Volatile=yes
PID=host
Network=none
HostName=keys.example
Set="MORE=, {\"destination\": \"/environment\", \"type\": \"bind\", \"source\": \"/run/systemd/environment-of-keys\", \"options\": [\"rbind\", \"ro\"]}"
[Service]
Environment=OF=service
ExecStartPre=/run/syscontainer/%N/image/rootfs/bin/before %N
ExecStartPre=/bin/sh -c 'export -p >/run/systemd/environment-of-%N'
X
systemctl start keys
logged keys 'other says <unit> x'
logged keys 'before keys on'
within 5 test -s /var/lib/own/capabilities
test "$(cat /var/lib/own/capabilities)" = 0000000000000001 # what it adds; of root's nothing is left
test "$(stat -c %u:%g /var/lib/own)" = 1000:1001
fails test -e /var/lib/keys
pid=$(show keys MainPID)
test "$(nsenter -t "$pid" -u uname -n)" = keys.example
grep "OF=.service" "/proc/$pid/root/environment"
fails test "$(readlink "/proc/$pid/ns/net")" = "$(readlink /proc/1/ns/net)"
test "$(readlink "/proc/$pid/ns/pid")" = "$(readlink /proc/1/ns/pid)"
systemctl stop keys

# All that is missing is told at once, in all files, and nothing is made.
container none <<'X'
[Container]
Image=oci:/srv/oci:template
X
fails systemctl start none
logged none "The template file 'config.json.template' still contains an unreplaced value for: ''NEEDED''"
logged none "The template file 'tmpfiles.template' still contains an unreplaced value for: ''NEEDED''"
logged none 'hint: Set=NEEDED=… in [Container]'
fails test -e /var/lib/none
fails test -e /run/made-for-none

# Template=no: an image as any other.
container plain <<'X'
[Container]
Image=oci:/srv/oci:template
Template=no
Exec=-c 'echo ordinary $FROM; id -u; exec sleep 1000'
Entrypoint=/bin/sh
StopSignal=SIGKILL
X
systemctl start plain
logged plain 'ordinary image'
fails test -e /run/made-for-plain
systemctl stop plain
test "$(snapshot "$(rootfs oci:/srv/oci:template)")" = "$before"
