# SPDX-License-Identifier: Apache-2.0
# An update that is interrupted, by a signal or by a kill at any moment, leaves the old release or the new one, running; what it left
# the next command ends.
own_registry
release one
container app <<'END'
[Container]
Image=127.0.0.1:5000/app:1
Tmpfs=/tmp

[Service]
TimeoutStopSec=1

[Update]
HealthySec=2
END
systemctl start app
runs app one

# A signal while it is watched: back at once, and the release may be tried again.
release two
syscontainer update app >/tmp/out 2>/tmp/err & job=$!
within 10 runs app two
kill -TERM $job
wait $job && status=0 || status=$?
cat /tmp/err
test $status = 3
says 'app: not updated' interrupted /tmp/err
runs app one
fails grep -l '"failed"' $store/containers/app/generations/*.json
syscontainer update --all
runs app two

# A signal while it fetches: nothing has changed.
release one
pid=$(show app MainPID)
systemctl kill -s STOP registry
syscontainer update app 2>/tmp/err & job=$!
sleep 0.5
kill -TERM $job
wait $job && status=0 || status=$?
systemctl kill -s CONT registry
cat /tmp/err
test $status = 1
says app: interrupted /tmp/err
test "$(show app MainPID)" = "$pid"

# one_or_two: the service runs a release, whole, and the next start takes one, too.
one_or_two() { runs app one || runs app two; }
next=one
times='0.02 0.1 0.15 0.2 0.25 0.3 0.35 0.4 0.5 0.7 1 1.5 2 2.2 2.3'
for time in $times; do
	release $next
	syscontainer update app >/tmp/out 2>&1 & job=$!
	sleep "$time"
	kill -KILL $job 2>/dev/null || :
	wait $job && status=0 || status=$?
	echo "killed after $time: $status, $(cat $store/updates/*.json | grep -o '"phase": "[a-z]*"' | tail -n 1)"
	within 10 one_or_two
	systemctl restart app
	one_or_two
	# Whatever is left, this ends it.
	syscontainer update app || syscontainer update app
	within 10 runs app $next
	test -z "$(grep -lE '"phase": "(fetching|switching|judging|committing|leaving|returning)"' $store/updates/*.json)"
	[ $next = one ] && next=two || next=one
done
sound
syscontainer verify
syscontainer prune --grace=0
syscontainer rollback app
one_or_two
sound
