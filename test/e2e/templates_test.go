// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

// templateImages bring their own configuration, as images of Project Atomic did: one of the oldest form, and
// its next version, without tmpfiles.template and with another default.
func templateImages(base image.Layer, config image.Config) map[string]image.Image {
	const configuration = `{
	"ociVersion": "0.3.0",
	"platform": {"os": "linux", "arch": "amd64"},
	"process": {
		"terminal": false, "user": {"uid": 0, "gid": 0}, "args": ["/bin/report", "$NAME"], "cwd": "/",
		"env": ["PATH=/bin", "WORD=$WORD", "NEEDED=$NEEDED", "UUID=$UUID", "ID=${IMAGE_ID}"]
	},
	"root": {"path": "rootfs", "readonly": true},
	"mounts": [
		{"destination": "/proc", "type": "proc", "source": "proc"},
		{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
		{"destination": "/data", "type": "bind", "source": "${STATE_DIRECTORY}/$NAME", "options": ["rbind", "rw", "mode=755"]}
		$MORE
	],
	"hooks": {"prestart": [{"path": "/bin/touch", "args": ["touch", "/srv/hooked"]}]},
	"linux": {
		"capabilities": ["CAP_KILL", "cap_net_raw"],
		"resources": {"devices": [{"allow": false, "access": "rwm"}]},
		"namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "mount"}]
	}
}`
	const report = `#!/bin/sh
trap 'exit 0' TERM
echo "$1 says <$WORD> $NEEDED"
echo "$UUID $ID" >/data/seen
sed -n 's/^CapEff:.//p' /proc/self/status >/data/capabilities
cat /more/new >/data/more 2>/dev/null
touch /written 2>/dev/null && echo yes >/data/written
while :; do sleep 0.05; done
`
	put := func(word string, entries ...image.Entry) image.Image {
		all := []image.Entry{image.Dir("exports", 0o755), image.File("exports/config.json.template", 0o644, configuration),
			image.File("exports/manifest.json", 0o644, `{"version": "1.0", "defaultValues": {"WORD": "`+word+`", "MORE": "", "STATE_DIRECTORY": "/dead"}}`),
			image.File("bin/report", 0o755, report), image.File("bin/before", 0o755, "#!/bin/sh\necho before $1 on $(uname -n)\n")}
		return image.Image{Layers: []image.Layer{base, {Entries: append(all, entries...)}}, Config: config}
	}
	const lines = "d ${STATE_DIRECTORY}/$NAME 0750 0 0 -\nf /run/made-for-$NAME 0644 - - - $NEEDED\nr /run/made-for-$NAME\nd /run/no-user 0755 nobody-of-$NAME -\n"
	return map[string]image.Image{
		"template":       put("default", image.File("exports/tmpfiles.template", 0o644, lines)),
		"template-plain": put("newer"),
	}
}

// atomicHostFiles are the files for the host that those images had from packages, with other contents. A directory ends
// in a slash, a program lies in bin.
var atomicHostFiles = map[string][]string{
	"etcd":                 {"usr/local/bin/etcdctl", "etc/etcd/etcd.conf"},
	"net-snmp":             {"etc/sysconfig/snmpd", "etc/sysconfig/snmptrapd", "etc/snmp/snmpd.conf", "etc/snmp/snmptrapd.conf", "var/lib/net-snmp/"},
	"kubernetes-apiserver": {"usr/local/bin/kubectl", "etc/kubernetes/config", "etc/kubernetes/apiserver"},
}

// atomicImages are those of Project Atomic at hand, each around a userland and a script in the place of the program that it
// had. Of third parties, they are read where they are; without them there are none.
func atomicImages(t *testing.T, base image.Layer) map[string]image.Image {
	t.Helper()
	all := map[string]image.Image{}
	for name, scripts := range map[string]map[string]string{
		"hello-world": {"usr/bin/run.sh": "#!/bin/sh\ntrap 'exit 0' TERM\nmkdir /dev/www; echo \"hello $RECEIVER\" >/dev/www/index.html\nhttpd -f -p \"$PORT\" -h /dev/www &\nwait\n"},
		"etcd":        {"usr/bin/etcd-env.sh": "#!/bin/sh\nexec \"$@\"\n"},
		"net-snmp": {"usr/bin/run.sh": "#!/bin/sh\ntest -S /dev/log && echo of $NAME >/var/lib/net-snmp/seen\ncat /etc/sysconfig/snmpd >>/var/lib/net-snmp/seen\n" +
			"export SNMP_PERSISTENT_DIR=/var/lib/net-snmp\n/usr/sbin/snmpd -f -Lo udp:127.0.0.1:161 & snmpd=$!\ntrap 'kill $snmpd; wait; exit 0' TERM\nwait\n"},
		"kubernetes-apiserver": {"usr/bin/kube-apiserver-docker.sh": "#!/bin/sh\ntrap 'exit 0' TERM\n" +
			"echo $(id -u) $(id -g) $(sed -n 's/^CapEff:.//p' /proc/self/status) >/var/run/kubernetes/seen\nwhile :; do sleep 0.05; done\n"},
	} {
		dir := filepath.Join("../../../shared/atomic-images", name, "exports")
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		exports := os.DirFS(dir)
		entries := []image.Entry{image.Dir("exports", 0o755), image.Dir("usr", 0o755), image.Dir("usr/bin", 0o755)}
		for script, text := range scripts {
			entries = append(entries, image.File(script, 0o755, text))
		}
		err := fs.WalkDir(exports, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || path == "." {
				return err
			}
			if d.IsDir() {
				entries = append(entries, image.Dir("exports/"+path, 0o755))
				return nil
			}
			data, err := fs.ReadFile(exports, path)
			entries = append(entries, image.File("exports/"+path, 0o644, string(data)))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, hostFiles(atomicHostFiles[name])...)
		layers := []image.Layer{base}
		if name == "etcd" {
			layers = append(layers, etcd(t)...)
			server, err := image.Copy("usr/bin/etcd", host.Part("etcd"))
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, server, image.File("etc/hosts", 0o644, "127.0.0.1 localhost\n"))
		}
		if name == "net-snmp" {
			part := filepath.Join(host.Cache(), "parts/usr/lib/snmpd")
			host.Need(t, filepath.Join(part, "usr/sbin/snmpd"))
			daemon, err := image.Tree(part)
			if err != nil {
				t.Fatal(err)
			}
			layers = append(layers, image.Layer{Entries: daemon})
		}
		all[name] = image.Image{Layers: append(layers, image.Layer{Entries: entries}), Config: image.Config{Cmd: []string{"/bin/false"}}}
	}
	return all
}

// hostFiles are what an image has for the host, and their directories.
func hostFiles(names []string) (entries []image.Entry) {
	made := map[string]bool{}
	for _, name := range names {
		name = "exports/hostfs/" + name
		for i, c := range name {
			if c == '/' && !made[name[:i]] && name[:i] != "exports" {
				made[name[:i]] = true
				entries = append(entries, image.Dir(name[:i], 0o755))
			}
		}
		switch {
		case strings.HasSuffix(name, "/"):
		case filepath.Base(filepath.Dir(name)) == "bin":
			entries = append(entries, image.File(name, 0o755, "#!/bin/sh\necho "+filepath.Base(name)+"\n"))
		case filepath.Base(name) == "snmpd.conf":
			entries = append(entries, image.File(name, 0o600, "rocommunity public\nsysLocation machine room\n"))
		default:
			entries = append(entries, image.File(name, 0o644, "configured\n"))
		}
	}
	return entries
}
