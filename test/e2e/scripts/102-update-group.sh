# SPDX-License-Identifier: Apache-2.0
# A group goes together: all is there before the first stops, systemd's order holds both ways, one bad member takes all
# back, and whatever depended on one of them is alive afterwards.
own_registry
unit() {
	container "$1" <<END
[Unit]
$2

[Container]
Image=127.0.0.1:5000/$1:1
Tmpfs=/tmp

[Service]
TimeoutStopSec=1

[Update]
Group=shop
HealthySec=2
END
}
for name in db mid web; do release one $name; done
unit db
unit mid $'Requires=db.service\nAfter=db.service'
unit web $'Wants=mid.service\nAfter=mid.service'
# Units of the admin that depend on them, in each way.
dependent() {
	printf '[Unit]\n%s\n[Service]\nExecStart=sleep 10000\n' "$2" >"/etc/systemd/system/$1.service"
}
dependent bound $'BindsTo=web.service\nAfter=web.service'
dependent part $'PartOf=db.service\nAfter=db.service'
dependent needs $'Requires=mid.service\nAfter=mid.service'
dependent far $'BindsTo=needs.service\nAfter=needs.service'
dependent idle $'Requires=mid.service\nAfter=mid.service'
systemctl daemon-reload
systemctl start db mid web bound part needs far
all() {
	local unit
	for unit in db mid web; do runs $unit "$1"; done
	for unit in bound part needs far; do within 5 systemctl -q is-active $unit; done
	fails systemctl -q is-active idle
}
all one

# order: what systemd did since the cursor in /tmp/cursor.
mark() { journalctl --sync; journalctl -n 0 --show-cursor | sed -n 's/^-- cursor: //p' >/tmp/cursor; }
order() {
	journalctl --sync
	journalctl -q -o cat --after-cursor "$(cat /tmp/cursor)" _PID=1 | grep -oE "^$1 (db|mid|web)\>" | cut -d' ' -f2 | head -n 3 | xargs
}
for name in db mid web; do release two $name; done
syscontainer update --dry-run mid >/tmp/out
says 'restart' 'web.service, bound.service' /tmp/out
says 'mid, of group shop' /tmp/out
mark
syscontainer update mid >/tmp/out
test "$(wc -l </tmp/out)" = 3
all two
test "$(order Stopped)" = 'web mid db'
test "$(order Started)" = 'db mid web'
test "$(find $store/updates -name '*.json' | wc -l)" = 1

# The third is bad: it starts last, and all go back.
release three db
release three mid
release exits web
mark
syscontainer update --all >/tmp/out 2>/tmp/err && status=0 || status=$?
cat /tmp/err
test $status = 3
says 'web: not updated' 'exited with 3' /tmp/err
says 'db: not updated' 'taken back with web' /tmp/err
all two
# Only web's image is to blame; and as long as that is what its tag names, the others do not go without it.
syscontainer update --all >/tmp/out 2>/tmp/err
cat /tmp/out /tmp/err
says 'web: sha256:' 'has failed before' /tmp/err
fails grep 'db: sha256' /tmp/err
all two
release three web
syscontainer update --all
all three

# The first is bad: those that need it are not started, and none of them is blamed.
release missing db
release two mid
release two web
syscontainer update web >/tmp/out 2>/tmp/err && status=0 || status=$?
cat /tmp/err
test $status = 3
says 'db: not updated' 'cannot start' /nowhere /tmp/err
says 'mid: not updated' 'taken back with db' /tmp/err
all three

# One image is not to be had: nobody is stopped.
pids="$(show db MainPID) $(show mid MainPID) $(show web MainPID)"
release arch mid
release one web
fails syscontainer update db 2>/tmp/err
says mid: 'the image is for linux/' /tmp/err
test "$(show db MainPID) $(show mid MainPID) $(show web MainPID)" = "$pids"

# A person takes the group back: what was updated together.
release two db
release two mid
release three web
syscontainer update db
two_of_three() { runs db two && runs mid two && runs web three; }
two_of_three
mark
syscontainer rollback mid >/tmp/out
test "$(wc -l </tmp/out)" = 2
all three
test "$(order Stopped)" = 'web mid db' || test "$(order Stopped)" = 'mid db'
sound
