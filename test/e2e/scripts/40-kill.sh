# SPDX-License-Identifier: Apache-2.0
# disk: /var/lib/syscontainer 512M
# kill -9 of a pull, at ten points: what is published is whole, the next pull works, libostree finds no fault.
registry
image=127.0.0.1:5000/many:1
empty() { find $store -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} +; }
millis() { echo $(($(date +%s%N) / 1000000)); }

# A good one to compare with, and to know how long one takes.
syscontainer pull $image
good() { (cd "$1" && find . -printf '%P %y %m %U %G %s %l\n' | sort; find . -type f -exec sha256sum {} + | sort) | sha256sum; }
good=$(cd "$(rootfs many:1)" && good .)
empty
start=$(millis)
syscontainer pull $image
took=$(($(millis) - start))
empty

points=10
[ ! -e /etc/syscontainer-test-long ] || points=100
# Each point must hit a living pull: one that came too late is no point, and the next comes earlier.
killed=0
for attempt in $(seq $((points * 4))); do
	[ $killed -lt $points ] || break
	i=$((killed + 1))
	# Every second time there is something to lose: an image that shares files with the one being pulled.
	[ $((attempt % 2)) = 1 ] || syscontainer pull 127.0.0.1:5000/base:1
	setsid syscontainer pull $image &
	pull=$!
	sleep "$(printf '0.%06d' $((took * 1000 * i / (points + 1))))"
	kill -9 -- $pull || :
	status=0
	wait $pull || status=$?
	if [ $status = 137 ]; then killed=$((killed + 1)); else took=$((took * 9 / 10)); fi
	# The published, if any, is complete.
	for link in $store/references/*; do
		[ -L "$link" ] || continue
		test -d "$link/rootfs"
		case $link in
		*many*) test "$(good "$link/rootfs")" = "$good" ;;
		esac
	done
	# objects/ is what makes it a repository, also for libostree: it comes last.
	if [ -e $store/repo/objects ]; then
		ostree fsck --quiet --repo=$store/repo
	fi
	[ $((attempt % 2)) = 1 ] || rootfs base:1
	syscontainer pull $image
	test "$(good "$(rootfs many:1)")" = "$good"
	sound
	ls -A $store $store/images $store/repo/tmp
	# No debris: one directory for each image, nothing else.
	test "$(find $store/images -mindepth 1 -maxdepth 1 | wc -l)" = "$(find $store/references -type l -exec readlink -f {} + | sort -u | wc -l)"
	empty
done
echo "killed $killed in $attempt attempts, a pull takes $took ms"
test $killed = $points
