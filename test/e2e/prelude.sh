# SPDX-License-Identifier: Apache-2.0
# Functions for the scripts. A script fails with its first failing command; `fails` is what `!` would be if bash let it count.
{ set +x; } 2>/dev/null
store=/var/lib/syscontainer
export ETCDCTL_API=3
# Where Debian's package of a payload is installed, its own unit has the name.
rm -f /usr/lib/systemd/system/{etcd,docker-registry}.service

fails() { if "$@"; then echo "should have failed: $*" >&2; return 1; fi; }

# says WORD… FILE: FILE has a line with all of them, in any case.
says() {
	local file=${*: -1} word lines
	lines=$(cat "$file")
	for word in "${@:1:$#-1}"; do
		lines=$(grep -iF -- "$word" <<<"$lines") || { echo "no line says '$word' in $file:" >&2; cat "$file" >&2; return 1; }
	done
}

# within SECONDS COMMAND…: the command succeeds before that.
within() {
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@"; do [ $SECONDS -lt $end ] || { echo "not in time: $*" >&2; return 1; }; sleep 0.05; done
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
registry() { systemctl start registry && within 10 listens 5000; }
secure_registry() { systemctl start secure && within 10 listens 5001; }

# container NAME <<END: the file of a container, loaded.
container() {
	mkdir -p /etc/containers/systemd
	cat >"/etc/containers/systemd/$1.syscontainer"
	systemctl daemon-reload
}

# ended NAME: the unit does not run any more.
ended() { fails test "$(show "$1" ActiveState)" = active 2>/dev/null; }

show() { systemctl show -P "$2" "$1"; }
journal() { journalctl --sync; journalctl -b -q -o cat -u "$1" >/tmp/journal; }

# logged NAME WORD…: the unit's journal gets a line with all of them; it may arrive a moment later.
in_journal() { journal "$1" && says "${@:2}" /tmp/journal 2>/dev/null; }
logged() { within 5 in_journal "$@" || { cat /tmp/journal >&2; return 1; }; }

# rules: the firewall's, without what they counted and chains that may be empty.
rules() {
	{ iptables-save || :; nft list ruleset || :; } 2>/dev/null |
		sed 's/ *counter packets [0-9]* bytes [0-9]*//; /^[#:]/d; /chain .* {$/d; /^[[:space:]]*}*$/d'
}

# own_sysfs: a user namespace may have a /sys of its own. Where newer versions of systemd-nspawn show a host only a part of
# it, the kernel lets none.
own_sysfs() { unshare -Urnm mount -t sysfs none /sys || { echo 'left out: a user namespace with its own /sys, which this host cannot have'; return 1; }; }

# processes NAME: those in the unit's cgroup, one a line.
processes() { find "/sys/fs/cgroup$(show "$1" ControlGroup)" -name cgroup.procs -exec cat {} +; }

# alone NAME: the payload is all that is in there; what started it may leave a moment after the unit is up.
alone() { test "$(processes "$1")" = "$(show "$1" MainPID)"; }

# rootfs REFERENCE: the checkout, by way of the store's own name for it.
rootfs() {
	local link
	for link in "$store"/references/*; do
		case $(printf '%b' "$(basename "$link" | sed 's/_\(..\)/\\x\1/g')") in
		*"$1") echo "$(readlink -f "$link")/rootfs"; return ;;
		esac
	done
	echo "no reference to $1 in $store" >&2
	return 1
}

# snapshot DIR: everything that a stranger could have changed below it, access times aside.
snapshot() { find "$1" -printf '%P %y %m %U %G %s %T@ %C@ %i %n %l\n' | sort; find "$1" -type f -exec sha256sum {} + | sort; }

# published: what the store offers. A failed pull must not change it.
published() {
	ls "$store/references" "$store/images" 2>/dev/null || :
	[ ! -e "$store/repo/objects" ] || ostree refs --repo="$store/repo" | sort
}

# sound: libostree accepts the repository, every reference leads to a whole image, nothing half done lies around.
sound() {
	local ref link
	ostree fsck --quiet --repo="$store/repo" >&2
	for ref in $(ostree refs --repo="$store/repo"); do ostree ls -R --repo="$store/repo" "$ref" >/dev/null; done
	for link in "$store"/references/*; do
		[ -e "$link" ] || [ -L "$link" ] || continue
		test -d "$link/rootfs" -a -s "$link/config.json" -a -s "$link/manifest.json"
	done
	test -z "$(find "$store/repo/tmp" -mindepth 1 -name 'txn-*' 2>/dev/null)"
}

# own_registry: the registry, writable: what is pushed there is gone with the host.
own_registry() {
	mkdir -p /run/own/{upper,work}
	mount -t overlay overlay -o lowerdir=/srv/registry,upperdir=/run/own/upper,workdir=/run/own/work /srv/registry
	registry
}

# release TAG [NAME]: 127.0.0.1:5000/NAME:1 (app) is what app:TAG is, from now on.
release() {
	skopeo copy -q --insecure-policy --src-tls-verify=false --dest-tls-verify=false "docker://127.0.0.1:5000/app:$1" "docker://127.0.0.1:5000/${2:-app}:1"
}

# runs NAME TAG: the service runs that release.
runs() { test "$(show "$1" ActiveState)" = active && test "$(syscontainer exec "$1" cat /etc/release)" = "$2"; }

# told NAME MESSAGE_ID WORD…: the journal has such a message about the container, with its fields.
told() {
	journalctl --sync
	journalctl -q -o cat MESSAGE_ID="$2" SYSCONTAINER_NAME="$1" >/tmp/journal
	says "${@:3}" /tmp/journal
}
set -x
