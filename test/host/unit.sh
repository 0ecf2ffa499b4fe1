#!/bin/bash
# The last unit of a host. The status file is written last: its absence means that the host died before.
export TERM=dumb LC_ALL=C.UTF-8 SYSTEMD_PAGER= SYSTEMD_COLORS=0
cd /root
# A /proc of which nothing is covered: nspawn covers parts of its own, and the kernel lets a user namespace mount one only
# where a whole one is in sight.
mkdir -p /run/host-proc && mount -t proc proc /run/host-proc
bash -e -x /host/script >/host/stdout 2>/host/stderr </dev/null
status=$?
journalctl --sync
journalctl --boot --output=short-monotonic --no-hostname --quiet >/host/journal 2>&1
echo $status >/host/status
