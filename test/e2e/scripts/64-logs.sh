# SPDX-License-Identifier: Apache-2.0
# logs shows what the payload wrote and what systemd and render say of the unit, and nothing of others.
registry
container app <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'for n in 1 2 3; do echo "line $n of the payload"; done; echo complaint >&2; exec sleep 1000'
StopTimeout=1
END
container other <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'echo other speaks; exec sleep 1000'
StopTimeout=1
END
container missing <<'END'
[Container]
Image=127.0.0.1:5000/no-such-image:1
Pull=never
END
container 'web@' <<'END'
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'echo %i speaks; exec sleep 1000'
ServiceName=site@
StopTimeout=1
END
systemctl start app other site@blue site@green
fails systemctl start missing
for unit in app other site@blue site@green; do logged $unit Started; done
logged app complaint
logged site@green speaks
logged site@blue speaks

syscontainer logs app >/tmp/said
says 'line 3 of the payload' /tmp/said
says complaint /tmp/said
says systemd Started app.service /tmp/said
fails grep -q 'other speaks' /tmp/said
test "$(syscontainer logs -n 1 app.service | grep -c .)" = 1
syscontainer logs missing.syscontainer >/tmp/said
says 'missing[' no-such-image /tmp/said
# A file is called otherwise than its service; a template stands for its instances.
syscontainer logs web@blue >/tmp/said
says 'blue speaks' /tmp/said
fails grep -q 'green speaks' /tmp/said
syscontainer logs web@ >/tmp/said
says 'blue speaks' /tmp/said
says 'green speaks' /tmp/said
# What is later than now is nothing yet.
fails grep -q payload <(syscontainer logs --since=+1h app)
syscontainer logs --since=-1h app | grep -q 'line 1 of the payload'

# -f goes on.
syscontainer logs -f -n 0 app >/tmp/followed & job=$!
within 5 grep -q journalctl "/proc/$job/comm"
within 5 sh -c 'systemctl restart app; sleep 1; grep -q "line 3 of the payload" /tmp/followed'
kill $job 2>/dev/null || :
wait $job || :

fails syscontainer logs apq 2>/tmp/said
says 'did you mean app?' /tmp/said
