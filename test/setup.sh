# SPDX-License-Identifier: Apache-2.0
# Sourced by test/run and examples/try: what this machine needs before anything can be built or booted.
#
#   setup_go             Go as new as go.mod asks, or stop at once
#   setup_packages WHAT  Debian packages, only what is missing; WHAT is "try" or "test"
#   setup_parts WHAT     payloads and a kernel, unpacked into the cache and not installed: no daemon starts
#   setup_build          the three programs, installed by meson into $stage
#
# Speech goes to stderr. $top is the checkout; $cache survives between runs and may be deleted at any time.

cache=${SYSCONTAINER_TEST_CACHE:-/var/cache/syscontainer-test}
build=${SYSCONTAINER_TEST_BUILD:-$top/build}
stage=$build/stage
parts=$cache/parts

PATH=$PATH:/usr/local/go/bin:/usr/sbin:/sbin
# No cgo, but in test/libostree: nothing else needs a C compiler. The tags are meson.build's.
CGO_ENABLED=0
GOFLAGS="-buildvcs=false -tags=containers_image_openpgp,containers_image_storage_stub,containers_image_docker_daemon_stub"
GOTOOLCHAIN=local
export PATH CGO_ENABLED GOFLAGS GOTOOLCHAIN
export SYSCONTAINER_TEST_STAGE="$stage" SYSCONTAINER_TEST_CACHE="$cache"

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

setup_root() {
	[ "$(id -u)" = 0 ] || die "needs root: it mounts, boots and unpacks"
}

setup_go() {
	want=$(sed -n 's/^go //p' "$top/go.mod")
	command -v go >/dev/null || die "needs Go $want or newer in PATH or /usr/local/go/bin: none found
hint: https://go.dev/dl/"
	have=$(go env GOVERSION)
	have=${have#go}
	[ "$(printf '%s\n%s\n' "$want" "${have%%[!0-9.]*}" | sort -V | head -n 1)" = "$want" ] ||
		die "needs Go $want or newer: $(command -v go) is $have
hint: https://go.dev/dl/"
}

# One line per need: what to look for (a command, or a path), the Debian package, and "test" where examples/try does without.
needs() {
	cat <<-'END'
	systemd-nspawn systemd-container
	/lib/systemd/systemd systemd
	/sbin/init systemd-sysv
	/usr/bin/dbus-daemon dbus
	/etc/ssl/certs/ca-certificates.crt ca-certificates
	runc runc
	meson meson
	ninja ninja-build
	scdoc scdoc
	skopeo skopeo
	ip iproute2
	mount mount
	crun crun test
	ostree ostree test
	umoci umoci test
	/usr/share/containers/seccomp.json golang-github-containers-common test
	strace strace test
	patch patch test
	iptables iptables test
	nft nftables test
	mkfs.ext4 e2fsprogs test
	cpio cpio test
	zstd zstd test
	gpg gpg test
	gpg-agent gpg-agent test
	/usr/include/asm-generic/unistd.h linux-libc-dev test
	qemu-system-x86_64 qemu-system-x86 test
	gcc gcc test
	pkg-config pkg-config test
	/usr/include/ostree-1/ostree.h libostree-dev test
	END
	case $1 in
	bench) printf '%s\n' "debootstrap debootstrap" "podman podman" ;;
	long) printf '%s\n' "debootstrap debootstrap" "/usr/include/seccomp.h libseccomp-dev" ;;
	esac
}

missing() {
	needs "$1" | while read -r what package only; do
		[ "$1" = try ] && [ "$only" = test ] && continue
		case $what in
		/*) [ -e "$what" ] || echo "$package" ;;
		*) command -v "$what" >/dev/null || echo "$package" ;;
		esac
	done
}

is_debian() {
	[ -e /etc/os-release ] || return 1
	# shellcheck disable=SC1091
	[ "$(. /etc/os-release; echo "$ID")" = debian ]
}

# APT fetches as root here: the cache directory is not for its own user. Lists are renewed once, and only on failure.
apt() {
	apt-get -o APT::Sandbox::User=root -q "$@" >>"$cache/apt.log" 2>&1 && return
	if [ -z "${apt_updated:-}" ]; then
		say "updating the package lists"
		apt-get -o APT::Sandbox::User=root -q update >>"$cache/apt.log" 2>&1 || :
		apt_updated=1
		apt-get -o APT::Sandbox::User=root -q "$@" >>"$cache/apt.log" 2>&1 && return
	fi
	tail -n 20 "$cache/apt.log" >&2
	die "apt-get $* failed, the whole log is $cache/apt.log"
}

setup_packages() {
	mkdir -p "$cache"
	packages=$(missing "$1" | sort -u | tr '\n' ' ')
	[ -n "$packages" ] || return 0
	is_debian || die "this system is not Debian 12 or 13 and lacks: $packages
hint: install what these Debian packages hold, then run again"
	say "installing $packages"
	# Nothing that is installed for a test may start on this machine.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt install -y --no-install-recommends $packages
	trap - EXIT
	if grep -qs '^exit 101$' $policy && [ "$(wc -l <$policy)" = 2 ]; then rm -f $policy; fi
	left=$(missing "$1" | sort -u | tr '\n' ' ')
	[ -z "$left" ] || die "installed, but still not found: what $left should hold"
}

# part PACKAGE PROGRAM…: programs of a Debian package, copied to $parts/usr/bin.
part() {
	package=$1
	shift
	absent=
	for f; do [ -x "$parts/usr/bin/$f" ] || absent=1; done
	[ -n "$absent" ] || return 0
	is_debian || die "this system is not Debian 12 or 13 and lacks: $package"
	unpack "$package"
	mkdir -p "$parts/usr/bin"
	for f; do
		found=
		for d in bin usr/bin usr/lib/podman usr/libexec/podman; do
			[ -e "$tmp/x/$d/$f" ] || continue
			cp "$tmp/x/$d/$f" "$parts/usr/bin/.$f" && mv "$parts/usr/bin/.$f" "$parts/usr/bin/$f"
			found=1
		done
		[ -n "$found" ] || die "$package holds no $f"
	done
	rm -rf "$tmp"
}

# unpack PACKAGE: downloads it and leaves its files in $tmp/x.
unpack() {
	say "fetching $1"
	tmp=$(mktemp -d "$cache/tmp.XXXXXX")
	(cd "$tmp" && apt download "$1") || exit 1
	dpkg-deb -x "$tmp"/*.deb "$tmp/x"
}

# snmpd and all that it loads, as they lie in the root of an image, in $parts/usr/lib/snmpd.
setup_snmpd() {
	to=$parts/usr/lib/snmpd
	[ -x "$to/usr/sbin/snmpd" ] && return
	is_debian || die "this system is not Debian 12 or 13 and lacks: snmpd"
	say "fetching snmpd"
	tmp=$(mktemp -d "$cache/tmp.XXXXXX")
	# What of its dependencies is not installed here; the rest is taken from here.
	apt_list() { apt-get -s install --reinstall --no-install-recommends snmpd 2>/dev/null | sed -n 's/^Inst \([^ ]*\).*/\1/p'; }
	[ -n "$(apt_list)" ] || apt update
	# shellcheck disable=SC2046
	(cd "$tmp" && apt download $(apt_list)) || exit 1
	for package in "$tmp"/*.deb; do dpkg-deb -x "$package" "$tmp/x"; done
	libraries=$(find "$tmp/x" -name '*.so.*' -exec dirname {} + | sort -u | paste -sd:)
	mkdir -p "$tmp/root/usr/sbin"
	cp "$tmp/x/usr/sbin/snmpd" "$tmp/root/usr/sbin/"
	LD_LIBRARY_PATH=$libraries ldd "$tmp/x/usr/sbin/snmpd" | grep -o '/[^ ]*' | while read -r file; do
		dir=$(dirname "${file#"$tmp/x"}")
		mkdir -p "$tmp/root$dir"
		cp -L "$file" "$tmp/root$dir/"
	done
	mkdir -p "$parts/usr/lib"
	rm -rf "$to"
	mv "$tmp/root" "$to"
	rm -rf "$tmp"
}

# Quadlet to compare with: the machine's, or that of Debian 13, which runs on 12 too; its own podman has none.
setup_quadlet() {
	[ -x /usr/libexec/podman/quadlet ] || [ -x "$parts/usr/libexec/podman/quadlet" ] && return
	is_debian || return 0
	say "fetching quadlet"
	tmp=$(mktemp -d "$cache/tmp.XXXXXX")
	mkdir -p "$tmp/lists/partial" "$parts/usr/libexec/podman"
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' | grep '/debian/*$' | head -n 1)
	echo "deb ${mirror:-http://deb.debian.org/debian} trixie main" >"$tmp/list"
	for command in update "download podman"; do
		# shellcheck disable=SC2086
		(cd "$tmp" && apt -o Dir::Etc::SourceList="$tmp/list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$tmp/lists" \
			-o Dir::Cache="$tmp" $command) || exit 1
	done
	dpkg-deb -x "$tmp"/*.deb "$tmp/x"
	mv "$tmp/x/usr/libexec/podman/quadlet" "$parts/usr/libexec/podman/quadlet"
	rm -rf "$tmp"
}

# runc of other ages than Debian's, from its own source.
setup_runtimes() {
	for v in 1.3.6 1.4.3 1.5.2; do
		to=$parts/usr/bin/runc-$v
		[ -x "$to/runc" ] && continue
		say "building runc $v"
		tmp=$(mktemp -d "$cache/tmp.XXXXXX")
		(
			cd "$tmp" && export CGO_ENABLED=1 GOFLAGS=-mod=mod
			go mod init build && go get "github.com/opencontainers/runc@v$v" &&
				go build -tags seccomp -ldflags=-s -o runc github.com/opencontainers/runc
		) >"$cache/runc.log" 2>&1 || { tail -n 20 "$cache/runc.log" >&2; die "building runc $v failed"; }
		mkdir -p "$to" && mv "$tmp/runc" "$to/.runc" && mv "$to/.runc" "$to/runc"
		rm -rf "$tmp"
	done
}

setup_parts() {
	mkdir -p "$cache"
	[ "$1" != long ] || setup_runtimes
	[ "$1" = try ] || setup_quadlet
	part busybox-static busybox
	part docker-registry docker-registry
	[ "$1" = try ] && return
	part etcd-server etcd
	part etcd-client etcdctl
	part catatonit catatonit
	part netavark netavark
	setup_snmpd
	[ -e "$cache/kernel/vmlinuz" ] && return
	is_debian || die "this system is not Debian 12 or 13 and lacks: linux-image-cloud-amd64"
	meta=linux-image-cloud-amd64
	apt-cache show $meta >/dev/null 2>&1 || apt update
	image=$(apt-cache depends $meta | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\).*/\1/p' | head -n 1)
	[ -n "$image" ] || die "$meta names no kernel package"
	unpack "$image"
	rm -rf "$cache/kernel"
	mv "$tmp"/x/boot/vmlinuz-* "$tmp/vmlinuz"
	modules=$(ls -d "$tmp"/x/lib/modules/* "$tmp"/x/usr/lib/modules/* 2>/dev/null | head -n 1)
	mkdir "$tmp/kernel"
	mv "$modules" "$tmp/kernel/modules"
	mv "$tmp/vmlinuz" "$tmp/kernel/vmlinuz"
	mv "$tmp/kernel" "$cache/kernel"
	rm -rf "$tmp"
}

setup_build() {
	mkdir -p "$build"
	if [ ! -e "$build/meson/build.ninja" ]; then
		rm -rf "$build/meson"
		meson setup "$build/meson" "$top" >"$build/meson.log" 2>&1 || { cat "$build/meson.log" >&2; die "meson setup failed"; }
	else
		meson setup --reconfigure "$build/meson" "$top" >"$build/meson.log" 2>&1 || { cat "$build/meson.log" >&2; die "meson setup failed"; }
	fi
	say "building"
	meson compile -C "$build/meson" >"$build/meson.log" 2>&1 || { cat "$build/meson.log" >&2; die "meson compile failed"; }
	rm -rf "$stage"
	DESTDIR=$stage meson install -C "$build/meson" --no-rebuild --quiet >"$build/meson.log" 2>&1 || { cat "$build/meson.log" >&2; die "meson install failed"; }
}
