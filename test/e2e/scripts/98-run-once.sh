# SPDX-License-Identifier: Apache-2.0
# Images with the label atomic.run=once are run, by run and by install, and nothing of them stays. Scripts that an image puts
# on the host run "$ATOMIC run $NAME COMMAND…", as Project Atomic's did.
# disk: /var/lib/syscontainer 300M
syscontainer pull oci:/srv/oci:once
syscontainer tag oci:/srv/oci:once q.io/task:1
before=$(snapshot "$(rootfs q.io/task:1)")
d=/etc/containers/systemd
mkdir -p $d /run/runc /run/syscontainer $store/containers
trace() { find /etc /usr/local /run/systemd /var/lib ! -path "$store/*" ! -path '/var/lib/systemd*' ! -path /etc/resolv.conf ! -path '/run/systemd/units*' ! -path '/run/systemd/journal*' ! -path '/run/systemd/propagate*' | sort; ls -A /run /run/syscontainer "$store/containers"; }
status_of() { "$@" >/tmp/out 2>/tmp/err && status=0 || status=$?; cat /tmp/out /tmp/err >&2; }
gone() { test -z "$(systemctl list-units --all --plain --no-legend 'run-*.service' 'task*.service' 'job.service')"; }
nothing_left() {
	within 5 gone
	trace | diff /tmp/before -
	test -z "$(runc list -q)"
	fails grep ' /run/syscontainer' /proc/self/mountinfo
	test "$(snapshot "$(rootfs q.io/task:1)")" = "$before"
	rm -f /srv/ran /srv/waits
}
# No package manager takes part.
for manager in dnf yum rpm rpmbuild rpm-ostree; do
	printf '#!/bin/sh\n>/srv/packaged\n' >/usr/local/bin/$manager
	chmod 755 /usr/local/bin/$manager
done
syscontainer run --set WORD=x q.io/task:1 || :
within 5 gone
rm /srv/ran
systemctl daemon-reload
trace >/tmp/before

# In the foreground, with its status; of the layers the last one counts; the root may be written, for this time.
status_of syscontainer run --set 'WORD=a "b" \ 100% $x' q.io/task:1
test $status = 6
says 'run-' 'says <a "b" \ 100% $x>' /tmp/out
test "$(sed 1d /tmp/out)" = written
says run- /srv/ran
nothing_left
# Twice: nothing of the first time is in the way.
status_of syscontainer run --name job --set $'WORD=two\nlines' q.io/task:1 /bin/sh -c 'echo "<$WORD>"; cat /new /data/kept; ls /data'
test "$status:$(cat /tmp/out)" = $'0:<two\nlines>'
nothing_left
# What the templates lack is told before anything is made; so is what is no value.
status_of syscontainer run q.io/task:1
test $status = 125
says "'config.json.template' still contains an unreplaced value for: ''WORD''" /tmp/err
says 'hint: --set WORD=…' /tmp/err
status_of syscontainer run --set WORD q.io/task:1
test $status = 125
says "Invalid value 'WORD'.  Expected form NAME=VALUE" /tmp/err
nothing_left
echo | script -qec "syscontainer run -t --set WORD=x q.io/task:1 /bin/sh -c 'test -t 1 && echo on a terminal'" /tmp/typescript
says 'on a terminal' <(sed 1d /tmp/typescript)
nothing_left
# In the background, stopped and killed: the same, and for files on the host.
test "$(syscontainer run -d --name job --set WORD=x -k Export=yes q.io/task:1 /bin/task job wait)" = job.service
within 5 test -e /srv/waits
test -e /run/task-job
test "$(cat /etc/of-task)" = task
test -e $store/containers/job/exports.json
systemctl stop job
nothing_left
syscontainer run --name job --set WORD=x q.io/task:1 /bin/task job wait >/tmp/out & job=$!
within 5 test -e /srv/waits
kill -9 $job
systemctl kill --signal=SIGKILL job
wait $job || :
nothing_left

# install runs it, under the name that it would install, and installs nothing.
status_of syscontainer install q.io/task:1 --set WORD=installed --dry-run
test "$status:$(cat /tmp/out)" = 0:
says 'q.io/task:1 would be run once, as task-1, and nothing installed' /tmp/err
fails test -e /srv/ran
status_of syscontainer install q.io/task:1 --set WORD=installed
test $status = 6
says 'task-1 says <installed>' /tmp/out
test "$(cat /srv/ran)" = task-1
nothing_left
# Pruned around it, the image is still one to be run once.
syscontainer pin q.io/task:1
syscontainer prune --grace=0
syscontainer images info q.io/task:1 >/tmp/out
says 'to be run once' /tmp/out
status_of syscontainer install --name job --set WORD=pruned q.io/task:1
test $status = 6
test ! -e $d/job.syscontainer
nothing_left

# The scripts that another image has for the host, as they are.
syscontainer install oci:/srv/oci:wrapped --name tool
fails syscontainer run tool /bin/tool 2>/tmp/err
says 'hint: systemctl start tool' /tmp/err
syscontainer run tool
logged tool 'tool runs'
says 'exec /usr/bin/syscontainer run tool' /usr/local/bin/tool
status_of tool 'two words' '$x' < <(echo input)
test "$status:$(cat /tmp/out)" = $'5:<two words> <$x> of it\ninput'
tool-later 100%
within 5 test -s /run/task-tool/later
test "$(cat /run/task-tool/later)" = 100%
tool-start
test "$(show tool ActiveState)" = active
# On a terminal, with one.
echo | script -qec 'tool a b' /tmp/typescript || :
says 'on a terminal' <(sed 1d /tmp/typescript)
# People at a terminal see no mark for the journal, even where their shell is a service as this script is.
script -qec 'syscontainer run no-such-tool true' /tmp/typescript </dev/null || :
says 'syscontainer: run: ' no-such-tool /tmp/typescript
fails grep '<[0-9]>' /tmp/typescript
script -qec 'syscontainer exec no-such-tool true' /tmp/typescript </dev/null || :
says 'syscontainer: there is no unit "no-such-tool"' /tmp/typescript
fails grep '<[0-9]>' /tmp/typescript
# Of a unit it is the unit that says what runs; an image has a registry before its name.
status_of syscontainer run --rm tool true
test $status = 125
says '--rm is not possible' /tmp/err
status_of syscontainer run -e A=B tool true
says '-e A=B is not possible' /tmp/err
status_of syscontainer run no-such-tool true
test $status = 125
says 'no-such-tool' registry /tmp/err
systemctl stop tool
status_of syscontainer run tool echo '$x'
test $status = 125
says 'hint: systemctl start tool; or, in a container of its own' "syscontainer run oci:/srv/oci:wrapped echo '\$x'" /tmp/err
syscontainer run tool
within 5 processes tool | grep -q .
syscontainer uninstall --data tool
within 5 gone
trace | diff /tmp/before -
test -z "$(runc list -q)"
fails test -e /srv/packaged
