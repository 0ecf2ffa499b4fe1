// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Debian is the root of another release to boot, with what the hosts of tests need and more packages. It is made once and
// kept in the cache; needs debootstrap.
func Debian(ctx context.Context, release string, more ...string) (string, error) {
	root := filepath.Join(Cache(), strings.Join(append([]string{release}, more...), "-"))
	if exists(root) {
		return root, nil
	}
	const script = `exec 9>"$2.lock"
flock 9
[ ! -e "$2" ] || exit 0
rm -rf "$2.part"
debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,ca-certificates "$1" "$2.part" >&2
printf '#!/bin/sh\nexit 101\n' >"$2.part/usr/sbin/policy-rc.d"
chmod 755 "$2.part/usr/sbin/policy-rc.d"
root=$2
shift 2
DEBIAN_FRONTEND=noninteractive chroot "$root.part" apt-get install -qy --no-install-recommends runc crun ostree skopeo strace iproute2 "$@"
mv -T "$root.part" "$root"
`
	out, err := exec.CommandContext(ctx, "sh", append([]string{"-ec", script, "sh", release, root}, more...)...).CombinedOutput()
	if err != nil {
		os.RemoveAll(root + ".part")
		return "", fmt.Errorf("make a root of %s: %v: %s", release, err, out)
	}
	return root, nil
}

// CrunWorks says whether crun can run in a host with that root, "" for this machine's: crun 1.8 raises RLIMIT_MEMLOCK before
// it loads a device filter, for which some sandboxes leave no right (CAP_SYS_RESOURCE). The virtual machine always can.
func CrunWorks(root string) bool {
	if _, err := os.Stat(filepath.Join("/", root, "usr/bin/crun")); err != nil {
		return false
	}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		var caps uint64
		if _, err := fmt.Sscanf(line, "CapEff: %x", &caps); err == nil && caps&(1<<24) != 0 {
			return true
		}
	}
	// It reads /proc even to tell its version.
	const version = `mount --rbind /proc "$0/proc" && exec chroot "$0" crun --version`
	out, err := exec.Command("unshare", "--mount", "sh", "-c", version, filepath.Join("/", root)).Output()
	var minor int
	_, scan := fmt.Sscanf(string(out), "crun version 1.%d", &minor)
	return err == nil && scan == nil && minor >= 14
}
