# SPDX-License-Identifier: Apache-2.0
# Runs in a mount namespace of its own: every mount below ends with the last process in it, whatever kills that.
# work, lower, stage, parts, result, machine, cgroup, disks and reboots come from host.go, and options for systemd-nspawn as arguments.
set -eu

mount -t tmpfs -o mode=755,size=80% host "$work"
mkdir "$work/upper" "$work/work" "$work/root"
# What this machine has there is its own: a whiteout hides it.
for dir in srv var/lib/syscontainer var/lib/etcd usr/lib/syscontainer \
	etc/containers/systemd usr/share/containers/systemd etc/containers/certs.d; do
	[ -e "$lower/$dir" ] || continue
	hidden=$work/upper/$dir
	mkdir -p "${hidden%/*}"
	mknod "$hidden" c 0 0
done
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$work/upper,workdir=$work/work" "$work/root"
mkdir -p "$work/root/srv"
# Copied, not further layers: overlayfs takes none that lie below another, and stacked ones would leave no depth for the
# overlay that a container may get.
[ -z "$stage" ] || cp -R --no-dereference "$stage/." "$work/root/"
cp -R "$result/files/." "$work/root/"
if [ -d "$parts" ]; then
	set -- "$@" --bind-ro="$parts/usr/bin:/opt/parts"
	for program in "$parts"/usr/bin/*; do
		ln -sf "/opt/parts/${program##*/}" "$work/root/usr/local/bin/"
	done
fi

# A file of its own is a disk of its own: ext4 on a loop device, so that space can run out and time is measured fairly.
n=0
while read -r target size image options; do
	[ -n "$target" ] || continue
	n=$((n + 1))
	[ "$image" != - ] || image=$work/disk$n
	if [ ! -s "$image" ]; then
		truncate -s "$size" "$image"
		mkfs.ext4 -q -F -m 0 -O verity "$image"
	fi
	mkdir "$work/mnt$n"
	mount -o "loop,$options" "$image" "$work/mnt$n"
	set -- "$@" --bind="$work/mnt$n:$target"
done <<END
$disks
END

# Two hosts in one cgroup would both be its root: each gets its own.
if [ -n "$cgroup" ]; then
	mkdir -p "$cgroup"
	echo $$ >"$cgroup/cgroup.procs"
fi

# cgroup v2 inside, whatever the machine has: runc finds no usable cgroup otherwise. The two groups of system calls are
# for its session keyring and device filter.
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
set -- --quiet --boot --directory="$work/root" --machine="$machine" \
	--register=no --keep-unit --settings=no --link-journal=no --resolv-conf=off --timezone=off \
	--capability=all --system-call-filter="@keyring bpf" \
	--bind="$result:/host" "$@" \
	systemd.unit=host-script.target systemd.log_target=journal systemd.show_status=0
[ "$reboots" = true ] || exec systemd-nspawn "$@"
status=133 # what it says of a reboot
while [ $status = 133 ]; do
	status=0
	setpriv --pdeathsig KILL systemd-nspawn "$@" || status=$?
done
exit $status
