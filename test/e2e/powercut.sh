# SPDX-License-Identifier: Apache-2.0
# One life of a machine: it finds what a power cut in an update from $old to $new has left, and has its power cut in the next, to
# $next: $after the update came to the phase $at, or after a prune began. $told: the update to $new had reported success.
# Nothing has helped it to come up; there is no registry until it is up. The two containers are of one group.
run() { runs app $1 && runs side $1; }
either() { run $old || run $new; }
if [ -n "$told" ]; then either() { run $new; }; fi
publish() { release $1 && release $1 side; }
within 60 systemctl is-active --quiet boot-complete.target
within 60 either
syscontainer verify
fails grep -l '"failed"' $store/containers/*/generations/*.json
unfinished='"phase": *"(fetching|switching|judging|committing|leaving|returning)"'

own_registry
publish $new
syscontainer update --all
run $new
fails grep -lE "$unfinished" $store/updates/*.json
syscontainer prune --grace=0
sound
syscontainer verify
run $new

[ -n "$next" ] || exit 0
publish $next
sync -f $store
if [ "$at" = prune ]; then
	syscontainer update --all
	echo told
	/opt/test/payload cut $store now $after & cut=$!
	syscontainer prune --grace=0 && echo pruned || :
else
	coproc /opt/test/payload cut $store $at $after
	cut=$!
	read -r <&"${COPROC[0]}"
	if syscontainer update --all >/tmp/out 2>&1; then echo told; fi
fi
wait $cut
