// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/test/host"
)

// broken are files with one thing wrong each, and what a person must be told: word by word, in one line.
var broken = []struct{ text, says string }{
	{"[Container]\n", ": Image= missing"},
	{"[Container]\nImage=busybox\n", ":2: names no registry"},
	{"[Container]\nImage=q.io/a:1\nReadOnly=ture\n", `:3: "ture" boolean`},
	{"[Container]\nImage=q.io/a:1\nVolume=data:/data\n", `:3: "data" absolute`},
	{"[Container]\nImage=q.io/a:1\nExec=\"/bin/true\n", ":3: quote"},
	{"[Container]\nImage=q.io/a:1\nPublishPort=80:80\n", ":3: PublishPort="},
	{"[Container]\nImage=q.io/a:1\nPod=x.pod\n", ":3: Pod="},
	{"[Container]\nImage=q.io/a:1\nHealthCmd=true\n", ":3: HealthCmd="},
	{"[Container]\nImage=q.io/a:1\nSecret=x\n", ":3: Secret="},
	{"[Container]\nImage=q.io/a:1\nAddCapability=NET_ADMN\n", `:3: NET_ADMN capability`},
	{"[Container]\nImage=q.io/a:1\nStopSignal=SIGFOO\n", ":3: SIGFOO signal"},
	{"[Container]\nImage=q.io/a:1\nMemory=12x\n", ":3: 12x"},
	{"[Container]\nImage=q.io/a:1\nConfigPatch={\"a\":}\n", ":3: ConfigPatch="},
	{"[Container]\nImage=q.io/a:1\nMount=type=volume,target=/x\n", ":3: Mount="},
	{"[Container]\nImage=q.io/a:1\n[Service]\nType=simple\n", ":4: Type="},
	{"[Container]\nImage=q.io/a:1\n[Service]\nUser=nobody\n", ":4: User="},
	{"[Container]\nImage=q.io/a:1\n[Unit]\nRequires=nobody.syscontainer\n", ":4: nobody.syscontainer"},
	{"[Container\nImage=q.io/a:1\n", ":1: section"},
	{"[Container]\nImage=q.io/a:1\nExec=\xff\n", ":3: UTF-8"},
	{"[Container]\nImage=q.io/a:1\nExec=date +%Q\n", ":3: %Q"},
}

// A boot with 200 units, of which 20 are broken in different ways: the good ones run, each of the others fails and says
// why where people look.
func TestBootWithBrokenUnits(t *testing.T) {
	host.Need(t, "systemd-nspawn", "runc", host.Part("busybox"), filepath.Join(host.Stage(), "usr/bin/syscontainer"))
	f := makeFixture(t)
	roots := map[string]string{"this": "/"}
	if host.Long() {
		roots["debian-13"] = debian(t, "trixie")
	}
	const all = 200
	install := "[Install]\nWantedBy=site.target\n"
	files := f.files()
	files["/etc/systemd/system/host-script.target.d/site.conf"] = "[Unit]\nWants=site.target\n"
	files["/etc/systemd/system/site.target"] = "[Unit]\nDescription=All containers of the site\nWants=preload.service\n"
	// A drop-in for all: they start when their image is there.
	files["/etc/containers/systemd/syscontainer.d/order.conf"] = "[Unit]\nAfter=preload.service\n"
	files["/etc/systemd/system/preload.service"] = "[Unit]\nBefore=site.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/syscontainer pull oci:/srv/oci:base\n"
	for i := range all - len(broken) {
		// Some in directories of their own, some as the vendor's.
		dir := []string{"/etc/containers/systemd", fmt.Sprintf("/etc/containers/systemd/group-%d", i%7), "/usr/share/containers/systemd"}[i%3]
		files[fmt.Sprintf("%s/good-%d.syscontainer", dir, i)] = "[Container]\nImage=oci:/srv/oci:base\nPull=never\nExec=/bin/sleep 1000\n[Service]\nTimeoutStartSec=3min\n" + install
	}
	var says strings.Builder
	for i, b := range broken {
		files[fmt.Sprintf("/etc/containers/systemd/bad-%d.syscontainer", i)] = b.text + install
		fmt.Fprintf(&says, "bad-%d.syscontainer%s\n", i, b.says)
	}
	files["/opt/says"] = says.String()
	script := `
within 120 systemctl is-active --quiet site.target
good=$(systemctl list-units --no-legend --plain --state=active 'good-*.service' | wc -l)
systemctl list-units --no-legend --plain --state=failed >/tmp/failed
test "$good" = 180
test "$(grep -c '^bad-' /tmp/failed)" = 20
i=0
while read -r file words; do
	test "$(show bad-$i ActiveState)" = failed
	systemctl status --full --lines=50 bad-$i >/tmp/status || :
	says "$file" $words /tmp/status
	i=$((i + 1))
done </opt/says
test $i = 20
`
	for name, root := range roots {
		t.Run(name, func(t *testing.T) {
			res := host.Run(t, host.Options{Root: root, Script: prelude + script, Files: files, Binds: map[string]string{"/srv/oci": f.layout}, Timeout: 5 * 60e9})
			if res.Exit != 0 {
				t.Fatal(res)
			}
		})
	}
}
