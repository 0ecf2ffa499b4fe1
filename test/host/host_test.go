// SPDX-License-Identifier: Apache-2.0

package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A host is systemd with cgroup v2, the files of the test and no network; its script's status and words come back.
func TestBoot(t *testing.T) {
	t.Parallel()
	before, _ := os.ReadFile("/proc/self/mountinfo")
	res := Run(t, Options{
		Bare: true,
		Files: map[string]string{
			"/etc/systemd/system/x.service": "[Service]\nExecStart=/usr/bin/sleep 100\n",
			"/srv/program":                  "#!/bin/sh\necho program runs\n",
		},
		Script: `
systemctl start x
systemctl is-active x
stat -fc %T /sys/fs/cgroup
/srv/program
logger -t someone something to say
test "$(ls /sys/class/net)" = lo
exit 3
`,
	})
	if res.Exit != 3 || res.Stdout != "active\ncgroup2fs\nprogram runs\n" {
		t.Error(res)
	}
	if !strings.Contains(res.Journal, "]: something to say") {
		t.Error("the journal lacks a line:", res)
	}
	after, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(after)) {
		if strings.Contains(line, "syscontainer-host-") && !strings.Contains(string(before), line) {
			t.Errorf("a mount of the host is one of this machine: %s", line)
		}
	}
	if exists("/srv/program") {
		t.Error("a file of the host is on this machine")
	}
}

// A disk with an image keeps its files from one host to the next; runc and crun run in a host.
func TestDiskAndRuntimes(t *testing.T) {
	t.Parallel()
	Need(t, "runc", "crun", "mkfs.ext4", Part("busybox"))
	image := filepath.Join(t.TempDir(), "disk")
	o := Options{Bare: true, Disks: []Disk{{Target: "/data", Size: "64M", Image: image}}}
	o.Script = "findmnt -no FSTYPE /data\necho kept >/data/file\n"
	if res := Check(t, o); res.Stdout != "ext4\n" {
		t.Error(res)
	}
	o.Script = `
cat /data/file
mkdir -p /data/b/rootfs
cp /opt/parts/busybox /data/b/rootfs/
cd /data/b
runc spec
sed -i 's/"terminal": true/"terminal": false/; s#"sh"#"/busybox","echo","from inside"#' config.json
runc run x
`
	want := "kept\nfrom inside\n"
	if CrunWorks("") {
		o.Script += "crun run x\n"
		want += "from inside\n"
	}
	if res := Check(t, o); res.Stdout != want {
		t.Error(res)
	}
}
