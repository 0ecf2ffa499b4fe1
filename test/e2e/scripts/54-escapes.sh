# SPDX-License-Identifier: Apache-2.0
# disk: /var/lib/syscontainer 256M
# Whatever an image has where a container's files, mounts and directories are expected: nothing leads out of its root. It works
# inside, or the start fails with a message; the machine is as before, and so is the image.
syscontainer pull oci:/srv/oci:base
base=$(rootfs oci:/srv/oci:base)
mkdir -p /srv/mine /srv/outside/deep /srv/roots
echo precious >/srv/victim
echo mine >/srv/mine/file
echo 'stranger:x:4242:4242::/:' >/srv/passwd

# The cases: what is done in the root; lines of [Container]; "runs", or what the failure says.
cat >/tmp/cases <<'END'
ln -s /srv/outside target ; Volume=/srv/mine:/target ; runs
ln -s ../../../../../../srv/outside target ; Volume=/srv/mine:/target ; runs
ln -s ../../../../../../srv/outside target ; Volume=/srv/mine:/target/new/deep ; runs
ln -s a target; ln -s b a; ln -s /srv/outside/deep b ; Volume=/srv/mine:/target ; runs
ln -s /srv/victim target ; Volume=/srv/mine/file:/target ; runs
ln -s target target ; Volume=/srv/mine:/target ; too many links
ln -s ring target; ln -s target ring ; Volume=/srv/mine:/target/x ; too many links
ln -s /proc/self/root/srv/outside target ; Volume=/srv/mine:/target ; which is the kernel's
ln -s /proc/self/attr target ; Volume=/srv/mine:/target ; which is the kernel's
ln -s /proc/1/cwd target ; Tmpfs=/target ; which is the kernel's
ln -s /dev/shm target ; Volume=/srv/mine:/target ; runs
ln -s /srv/outside target ; Tmpfs=/target ; runs
ln -s /srv/outside target ; AddDevice=/dev/zero:/target/zero ; runs
ln -s /srv/outside target ; WorkingDir=/target ; runs
echo x >target ; WorkingDir=/target ; working directory
echo x >target ; Volume=/srv/mine:/target ; one is a directory, the other is not
mkdir target ; Volume=/srv/mine/file:/target ; one is a directory, the other is not
echo x >target ; Volume=/srv/mine:/target/x ; no directory
mkfifo target ; Volume=/srv/mine/file:/target ; runs
mkfifo target ; Volume=/srv/mine:/target ; one is a directory, the other is not
mknod target c 1 3 ; Volume=/srv/mine/file:/target ; runs
mknod target b 7 0 ; Tmpfs=/target ; one is a directory, the other is not
rm etc/passwd; ln -s /srv/passwd etc/passwd ; User=stranger ; user "stranger" is not in the image
rm etc/passwd; ln -s ../../../../../srv/passwd etc/passwd ; User=stranger ; user "stranger" is not in the image
rm etc/passwd; ln -s /proc/self/root/srv/passwd etc/passwd ; User=stranger ; user "stranger" is not in the image
rm etc/passwd; ln -s passwd etc/passwd ; User=app ; etc/passwd
rm etc/passwd; mkfifo etc/passwd ; User=app ; no regular file
rm etc/passwd; mkdir etc/passwd ; User=app ; no regular file
rm etc/passwd; mknod etc/passwd c 1 5 ; User=app ; no regular file
rm etc/passwd; mknod etc/passwd c 5 0 ; User=app ; etc/passwd
rm etc/group; ln -s /srv/victim etc/group ; User=app:stranger ; group "stranger" is not in the image
rm etc/group; mkfifo etc/group ; GroupAdd=extra ; no regular file
rm -r etc; ln -s /srv etc ; User=stranger ; user "stranger" is not in the image
rm -r etc; ln -s /srv/outside etc ; AddHost=a:192.0.2.1 ; runs
rm -r etc; echo x >etc ; AddHost=a:192.0.2.1 ; etc
ln -s /srv/outside/evil etc/resolv.conf ; DNS=192.0.2.1 ; runs
ln -s ../../../../../srv/victim etc/resolv.conf ; DNS=192.0.2.1 ; runs
ln -s /proc/self/fd/1 etc/resolv.conf ; DNS=192.0.2.1 ; which is the kernel's
mkdir etc/resolv.conf ; DNS=192.0.2.1 ; one is a directory, the other is not
mkfifo etc/hosts ; AddHost=a:192.0.2.1 ; runs
mknod etc/hosts c 1 8 ; AddHost=a:192.0.2.1 ; runs
ln -s /srv/victim etc/localtime ; Timezone=Etc/UTC ; runs
mkdir etc/localtime ; Timezone=Etc/UTC ; one is a directory, the other is not
rm -rf dev; ln -s /srv/outside dev ; ; /dev in the image is a link, to /srv/outside
rm -rf dev; ln -s ../../../../dev dev ; ; too many links
rm -rf dev; echo x >dev ; ; one is a directory, the other is not
mkdir -p dev; ln -s /srv/victim dev/null; ln -s /srv/outside dev/pts; ln -s /srv/outside dev/shm ; ; runs
rm -rf proc; ln -s /srv/outside proc ; ; /proc in the image is a link, to /srv/outside
rm -rf proc; ln -s / proc ; ; /proc in the image is a link, to /
rm -rf proc; echo x >proc ; ; one is a directory, the other is not
mkdir -p proc; ln -s /srv/victim proc/kcore ; ; runs
rm -rf sys; ln -s /srv/outside sys ; ; /sys in the image is a link, to /srv/outside
rm -rf sys; mkfifo sys ; ; one is a directory, the other is not
rm -rf run; ln -s /srv/outside run ; Notify=yes ; runs
rm -rf run; ln -s ../../../srv/outside run ; ReadOnlyTmpfs=no ; runs
rm -rf run; echo x >run ; ; one is a directory, the other is not
rm -rf run; mkdir run; ln -s /srv/victim run/x; ln -s /srv/outside run/y ; Volume=/srv/mine:/run/y ; runs
rm -rf tmp; ln -s /srv/outside tmp ; ; runs
rm -rf var/tmp; ln -s ../../../../../srv/outside var/tmp ; ; runs
ln -s /srv/victim evil ; Mask=/evil ; runs
ln -s /srv/outside evil ; Mask=/evil ; runs
END

# The machine, but what is meant to be written to, and what the test makes.
machine() {
	find /srv /opt /etc /dev -xdev \( -path /srv/roots -o -path /srv/mine -o -path /srv/oci -o -path /srv/registry -o -path /etc/containers/systemd -o -path /dev/shm \) -prune -o -printf '%p %y %m %U %G %s %T@ %n %l\n' 2>/dev/null | sort
}
n=0
while IFS= read -r line; do
	n=$((n + 1))
	mutation=${line%% ; *} rest=${line#* ; }
	root=/srv/roots/$n
	cp -a "$base/." $root 2>/dev/null || { mkdir -p $root && cp -a "$base/." $root; }
	(cd $root && eval "$mutation")
	for runtime in runc crun; do
		for mode in ReadOnly=yes Volatile=yes; do
			# crun wants a limit raised for its list of devices, which not every machine lets it do.
			more=''
			[ $runtime != crun ] || more='ConfigPatch={"linux":{"resources":{"devices":null}}}'
			cat >"/etc/containers/systemd/case-$n-$runtime-${mode%%=*}.syscontainer" <<-END
			[Container]
			Rootfs=$root
			Exec=/bin/sh -c 'for d in /target /etc /dev /run /tmp /proc /sys /var/tmp /srv /srv/outside /evil; do echo evil >\$d/evil-\$\$; echo evil >\$d; mkdir \$d/evil-dir; done 2>/dev/null; cat /evil /etc/localtime /run/x /dev/null /proc/kcore 2>/dev/null; echo end; exec sleep 1000'
			StopSignal=SIGKILL
			Runtime=$runtime
			$mode
			$more
			${rest%% ; *}
			[Service]
			TimeoutStartSec=3
			END
		done
	done
done <<<"$(mkdir -p /etc/containers/systemd; cat /tmp/cases)"
test $n -ge 60
runtimes=runc
! command -v crun || runtimes='runc crun'
systemctl daemon-reload
machine >/tmp/machine
snapshot /srv/roots >/tmp/roots
wrong=0
n=0
while IFS= read -r line; do
	n=$((n + 1))
	want=${line##* ; }
	for runtime in $runtimes; do
		for mode in ReadOnly Volatile; do
			# Each runtime meets each case, each case both modes.
			case "$runtime $mode $((n % 2))" in
			'runc ReadOnly 1' | 'runc Volatile 0' | 'crun ReadOnly 0' | 'crun Volatile 1') [ -e /etc/syscontainer-test-long ] || continue ;;
			esac
			unit=case-$n-$runtime-$mode
			{ set +x; } 2>/dev/null
			got=runs
			systemctl start $unit 2>/dev/null || got=failed
			case $line in *Notify=yes*) got=runs ;; esac # nobody says READY
			sleep 0.05
			systemctl stop $unit
			journal $unit
			if [ "$want" = runs ]; then
				[ $got = runs ] || { echo "CASE $unit: $line"; cat /tmp/journal; wrong=$((wrong + 1)); }
			elif [ $got = runs ] || ! grep -qF -- "$want" /tmp/journal; then
				echo "CASE $unit: $line"; cat /tmp/journal; wrong=$((wrong + 1))
			fi
			if grep -q precious /tmp/journal || ! machine | diff /tmp/machine - || [ "$(cat /srv/victim)" != precious ] || [ -n "$(ls /run/syscontainer)" ]; then
				echo "ESCAPE $unit: $line"; wrong=$((wrong + 1))
				machine >/tmp/machine
			fi
		done
	done
done </tmp/cases
set -x
snapshot /srv/roots | diff /tmp/roots -
fails grep /run/syscontainer /proc/mounts
test $wrong = 0
