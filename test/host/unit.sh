#!/bin/bash
# The last unit of a host. The status file is written last: its absence means that the host died before.
export TERM=dumb LC_ALL=C.UTF-8 SYSTEMD_PAGER= SYSTEMD_COLORS=0
cd /root
bash -e -x /host/script >/host/stdout 2>/host/stderr </dev/null
status=$?
journalctl --sync
journalctl --boot --output=short-monotonic --no-hostname --quiet >/host/journal 2>&1
echo $status >/host/status
