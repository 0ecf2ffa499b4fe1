// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"strings"
	"testing"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

// nested is for each runtime, with users of its own: a systemd in the container has the controllers that the
// unit has, limits its own services within the unit's limits, and none of these limits is its to change.
const nested = `
echo 'containers:2147483647:2147483648' | tee /etc/subuid >/etc/subgid
syscontainer pull oci:/srv/oci:systemd
for runtime in runc crun; do
	cat >/etc/containers/systemd/inner-$runtime.syscontainer <<END
[Container]
Image=oci:/srv/oci:systemd
Systemd=yes
Notify=yes
Runtime=$runtime
ReadOnly=no
UserNS=auto

[Service]
MemoryMax=128M
END
done
systemctl daemon-reload
for runtime in runc crun; do
	unit=inner-$runtime
	systemctl start $unit
	cgroup=/sys/fs/cgroup$(systemctl show -P ControlGroup $unit)
	test "$(syscontainer exec $unit systemctl is-system-running)" = running
	# A command beside it finds a place, though no process may be in a cgroup that has others with controllers below.
	grep -w memory $cgroup/payload/cgroup.subtree_control
	syscontainer exec $unit cat /proc/self/cgroup
	test "$(cat $cgroup/memory.max)" = 134217728
	test "$(cat $cgroup/payload/system.slice/worker.service/memory.max)" = 16777216
	test "$(syscontainer exec $unit systemctl show -P MemoryMax worker)" = 16777216
	test -n "$(syscontainer exec $unit systemctl show -P MemoryCurrent worker)"
	for d in $(find $cgroup -type d); do test "$(cat $d/cgroup.type)" = domain; done
	# In its cgroup's root are the machine's limits, of which systemd mounts the hierarchy with nsdelegate.
	syscontainer exec $unit sh -c 'ls /sys/fs/cgroup/memory.max; echo 1G >/sys/fs/cgroup/memory.max' && exit 1
	systemctl stop $unit
	test "$(systemctl show -P Result $unit)" = success
	test ! -e $cgroup
	test -z "$($runtime list -q)"
	test ! -e /run/syscontainer/$unit
	echo $unit is well
done
`

func TestSystemd(t *testing.T) {
	t.Parallel()
	l, busybox := layout(t, "crun")
	systemd, err := image.Systemd()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Put("systemd", image.Image{Layers: []image.Layer{{Entries: busybox}, {Entries: systemd}},
		Config: image.Config{Cmd: []string{"/sbin/init"}, Env: []string{"PATH=/bin"}}}); err != nil {
		t.Fatal(err)
	}
	res, err := Boot(t.Context(), Options{
		Script:   nested,
		Packages: []string{"runc", "crun"},
		Trees:    map[string]string{"/": host.Stage(), "/srv/oci": l.Dir},
		Files: map[string]string{
			"/etc/containers/policy.json":      `{"default":[{"type":"insecureAcceptAnything"}]}`,
			"/etc/containers/registries.conf":  "",
			"/etc/containers/systemd/x":        "",
			"/etc/containers/registries.d/x":   "",
			"/etc/systemd/journald.conf.d/x.c": "",
		},
	})
	if err != nil || res.Exit != 0 {
		t.Fatal(err, res)
	}
	for _, unit := range []string{"inner-runc", "inner-crun"} {
		if !strings.Contains(res.Stdout, fmt.Sprintf("%s is well\n", unit)) {
			t.Error(unit, res)
		}
	}
}
