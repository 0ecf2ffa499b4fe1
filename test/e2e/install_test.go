// SPDX-License-Identifier: Apache-2.0

package e2e

import "syscontainer/test/image"

// installImages bring a service of their own, as images of Project Atomic did: one in two versions, one
// that is files for the host only, one whose service starts a program of the host.
func installImages(base image.Layer, program image.Entry, config image.Config) map[string]image.Image {
	const configuration = `{
	"ociVersion": "1.0.0",
	"process": {"user": {"uid": 0, "gid": 0}, "args": ["/bin/greet", "$NAME"], "cwd": "/", "env": ["PATH=/bin", "WORD=$WORD", "NOTE=$NOTE"]},
	"root": {"path": "rootfs", "readonly": true},
	"mounts": [
		{"destination": "/proc", "type": "proc", "source": "proc"},
		{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
		{"destination": "/data", "type": "bind", "source": "${STATE_DIRECTORY}/$NAME", "options": ["rbind", "rw"]},
		{"destination": "/run/own", "type": "bind", "source": "${RUN_DIRECTORY}/$NAME", "options": ["rbind", "rw"]}
	],
	"linux": {"namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "mount"}]}
}`
	const greet = "#!/bin/sh\ntrap 'exit 0' TERM\necho \"$1 says $WORD, $NOTE, $(cat /run/own/prepared)\"\necho \"$WORD\" >/data/word\npayload notify READY=1\nwhile :; do sleep 0.05; done\n"
	service := func(more string) string {
		return `[Unit]
Description=Greeter $NAME
After=network.target

[Service]
Type=notify
NotifyAccess=all
ExecStartPre=/bin/sh $DESTDIR/rootfs/usr/share/prepare $NAME "100%% %n"
ExecStart=$EXEC_START
ExecStop=$EXEC_STOP
Restart=no
WorkingDirectory=$DESTDIR
RuntimeDirectory=${NAME}
MemoryMax=${MEMORY}
User=greeter
` + more + `
[Install]
WantedBy=multi-user.target
`
	}
	with := func(config image.Config, entries ...image.Entry) image.Image {
		all := []image.Entry{program, image.Dir("exports", 0o755), image.Dir("usr", 0o755), image.Dir("usr/share", 0o755),
			image.File("bin/greet", 0o755, greet), image.File("usr/share/prepare", 0o644, "echo prepared $1 \"$2\" >/run/$1/prepared\n")}
		return image.Image{Layers: []image.Layer{base, {Entries: append(all, entries...)}}, Config: config}
	}
	version := func(more, control string) image.Image {
		return with(config, image.File("exports/config.json.template", 0o644, configuration), image.File("exports/service.template", 0o644, service(more)),
			image.File("exports/tmpfiles.template", 0o644, "d ${STATE_DIRECTORY}/$NAME 0750 0 0 - -\nf /run/flag-of-$NAME 0644 - - - $NOTE\nr /run/flag-of-$NAME\n"),
			image.File("exports/manifest.json", 0o644, `{"version": "1.0", "defaultValues": {"NOTE": "as ever", "MEMORY": "64M"},
				"renameFiles": {"/usr/local/bin/greetctl": "/usr/local/bin/${NAME}ctl"}, "installedFilesTemplate": ["/usr/local/bin/onectl", "/usr/local/bin/twoctl", "/usr/local/bin/remotectl"]}`),
			image.Dir("exports/hostfs", 0o755), image.Dir("exports/hostfs/usr", 0o755), image.Dir("exports/hostfs/usr/local", 0o755),
			image.Dir("exports/hostfs/usr/local/bin", 0o755), image.File("exports/hostfs/usr/local/bin/greetctl", 0o755, control))
	}
	const control = "#!/bin/sh\nexec $ATOMIC exec $NAME \"$$@\"\n"
	return map[string]image.Image{
		"greeter":   version("", control),
		"greeter-2": version("Nice=5\n", control+"# second\n"),
		"greeter-files": with(config, image.Dir("exports/hostfs", 0o755), image.Dir("exports/hostfs/etc", 0o755), image.File("exports/hostfs/etc/greeting", 0o644, "hello\n"),
			image.File("exports/manifest.json", 0o644, `{"noContainerService": true}`)),
		"greeter-agent": with(config, image.File("exports/service.template", 0o644, "[Service]\nExecStart=$DESTDIR/rootfs/bin/greet\n")),
	}
}
