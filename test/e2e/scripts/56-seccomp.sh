# SPDX-License-Identifier: Apache-2.0
# Which list of system calls a container gets: the machine's, which the admin may replace, or the built-in one.
registry
# all_but CALL: a list that lets everything else through.
all_but() {
	printf '{"defaultAction":"SCMP_ACT_ALLOW","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86","SCMP_ARCH_X32"]}],'
	printf '"syscalls":[{"names":["%s"],"action":"SCMP_ACT_ERRNO","errnoRet":38},{"names":["%sat"],"action":"SCMP_ACT_ERRNO","errno":"ENOSYS"}]}' "$1" "$1"
}
mkdir -p /etc/containers /usr/share/containers
all_but mkdir >/usr/share/containers/seccomp.json
rm -f /etc/containers/seccomp.json

# try LINE…: a container that says what it may do, in /tmp/said with what render says of its start.
try() {
	container app <<END
[Container]
Image=127.0.0.1:5000/base:1
Exec=/bin/sh -c 'grep ^Seccomp: /proc/self/status; for what in "mkdir /tmp/d" "ln -s a /tmp/l" "unshare -U true"; do \$0 \$what 2>/dev/null && echo may \$what || echo may not \$what; done; echo end; sleep 1000' /bin/busybox
StopSignal=SIGKILL
$(printf '%s\n' "$@")
END
	systemctl start app
	logged app end
	journalctl --sync
	journalctl -b -q -o cat "_SYSTEMD_INVOCATION_ID=$(show app InvocationID)" >/tmp/said
	systemctl stop app
	systemctl reset-failed app 2>/dev/null || :
	grep -q '^Seccomp:.*2$' /tmp/said
}
try
says 'may not mkdir' /tmp/said
says 'may ln' /tmp/said

all_but symlink >/etc/containers/seccomp.json
try
says 'may mkdir' /tmp/said
says 'may not ln' /tmp/said

# The built-in one, where the unit asks for it and where the machine's cannot be used: never none.
builtin() {
	says 'may mkdir' /tmp/said
	says 'may ln' /tmp/said
	says 'may not unshare' /tmp/said
}
try SeccompProfile=builtin
builtin
fails says seccomp.json /tmp/said
echo '{"defaultAction":"SCMP_ACT_ALLOW",' >/etc/containers/seccomp.json
try
builtin
says 'warning: /etc/containers/seccomp.json: unexpected end' 'using the built-in list' /tmp/said
rm /etc/containers/seccomp.json /usr/share/containers/seccomp.json
try
builtin
