// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"

	"syscontainer/test/image"
)

// onceImages bring a configuration of their own: one to be run once, whose second layer replaces a file of the first and
// deletes another; and a service with scripts for the host as images of Project Atomic had them, which run a command in it.
func onceImages(base image.Layer, config image.Config) map[string]image.Image {
	const configuration = `{
	"ociVersion": "1.0.0",
	"process": {"terminal": false, "user": {"uid": 0, "gid": 0}, "args": ["/bin/task", "$NAME"], "cwd": "/", "env": ["PATH=/bin", "WORD=$WORD"]},
	"root": {"path": "rootfs", "readonly": READONLY},
	"mounts": [
		{"destination": "/proc", "type": "proc", "source": "proc"},
		{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
		{"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
		{"destination": "/data", "type": "bind", "source": "${RUN_DIRECTORY}/task-$NAME", "options": ["rbind", "rw", "mode=755"]},
		{"destination": "/host", "type": "bind", "source": "/srv", "options": ["rbind", "rw"]}
	],
	"linux": {"namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "mount"}]}
}`
	with := func(readonly string, config image.Config, entries ...image.Entry) image.Image {
		text := strings.Replace(configuration, "READONLY", readonly, 1)
		return image.Image{Config: config, Layers: []image.Layer{base,
			{Entries: []image.Entry{image.Dir("exports", 0o755), image.File("exports/config.json.template", 0o644, text), image.Dir("opt", 0o755),
				image.File("exports/manifest.json", 0o644, `{"defaultValues": {"WORDS": "unused"}}`),
				image.File("exports/tmpfiles.template", 0o644, "d ${RUN_DIRECTORY}/task-$NAME 0755 0 0 -\nR ${RUN_DIRECTORY}/task-$NAME\n"),
				image.File("bin/task", 0o755, "#!/bin/sh\necho the first layer\n"), image.File("opt/deleted", 0o644, "x")}},
			{Entries: append([]image.Entry{image.File("opt/.wh.deleted", 0o644, "")}, entries...)}}}
	}
	task := image.File("bin/task", 0o755, `#!/bin/sh
echo "$1 says <$WORD>"
test ! -e /opt/deleted || echo still there
echo written >/new && cat /new
echo kept >/data/kept
ls /host >/dev/null && echo "$1" >/host/ran
[ "$2" != wait ] || { trap 'exit 9' TERM; echo waits >/host/waits; while :; do sleep 0.05; done; }
exit 6
`)
	once := config
	once.Labels = map[string]string{"atomic.type": "system", "atomic.run": "once"}
	wrapper := func(command string) string { return "#!/bin/sh\nexec $ATOMIC run " + command + "\n" }
	const dir = "exports/hostfs/usr/local/bin"
	return map[string]image.Image{
		"once": with("false", once, task, image.Dir("exports/hostfs", 0o755), image.Dir("exports/hostfs/etc", 0o755), image.File("exports/hostfs/etc/of-task", 0o644, "task\n")),
		"wrapped": with("true", config,
			image.File("bin/task", 0o755, "#!/bin/sh\ntrap 'exit 0' TERM\necho \"$1 runs\"\nwhile :; do sleep 0.05; done\n"),
			image.File("bin/tool", 0o755, "#!/bin/sh\necho \"<$1> <$2> of $WORD\"\ntest -t 0 && echo on a terminal\ncat\nexit 5\n"),
			image.File("bin/later", 0o755, "#!/bin/sh\nsleep 0.5\necho \"$1\" >/data/later\n"),
			image.File("exports/manifest.json", 0o644, `{"defaultValues": {"WORD": "it"}, "installedFilesTemplate": ["/usr/local/bin/tool", "/usr/local/bin/tool-later", "/usr/local/bin/tool-start"]}`),
			image.Dir("exports/hostfs", 0o755), image.Dir("exports/hostfs/usr", 0o755), image.Dir("exports/hostfs/usr/local", 0o755), image.Dir(dir, 0o755),
			image.File(dir+"/tool", 0o755, wrapper(`$NAME /bin/tool "$$@"`)),
			image.File(dir+"/tool-later", 0o755, wrapper(`--detach $NAME /bin/later "$$@"`)),
			image.File(dir+"/tool-start", 0o755, wrapper("$NAME"))),
	}
}
