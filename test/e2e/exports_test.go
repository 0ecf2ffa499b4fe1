// SPDX-License-Identifier: Apache-2.0

package e2e

import "syscontainer/test/image"

// exportImages bring files for the host: two versions of a tool with a script that runs in its container, and a rival that
// wants one of the tool's paths. Only the tool's second needs a value.
func exportImages(base image.Layer, config image.Config) map[string]image.Image {
	put := func(manifest string, entries ...image.Entry) image.Image {
		all := []image.Entry{image.Dir("exports", 0o755), image.File("exports/manifest.json", 0o644, manifest), image.Dir("exports/hostfs", 0o755)}
		for _, dir := range []string{"etc", "usr", "usr/bin", "usr/lib", "opt", "opt/data"} {
			all = append(all, image.Dir("exports/hostfs/"+dir, 0o755))
		}
		for _, e := range entries {
			e.Name = "exports/hostfs/" + e.Name
			all = append(all, e)
		}
		return image.Image{Layers: []image.Layer{base, {Entries: all}}, Config: config}
	}
	const rename = `"renameFiles": {"/usr/bin/ctl": "/usr/bin/$NAME-ctl", "/etc/tool.conf": "/etc/$NAME.conf"}`
	script := image.File("usr/bin/ctl", 0o755, "#!/bin/sh\n# $GREETING\ncase $$1 in\nruntime) shift; exec $RUNTIME exec $NAME \"$$@\" ;;\nesac\nexec $ATOMIC exec $NAME \"$$@\"\n")
	owned := image.File("opt/data/owned", 0o640, "owned\n")
	owned.Uid, owned.Gid = 1000, 1001
	return map[string]image.Image{
		"exports-1": put(`{`+rename+`, "installedFilesTemplate": ["/usr/bin/tool-ctl", "/usr/bin/other-ctl"], "defaultValues": {"GREETING": "hello"}}`,
			script, image.File("etc/tool.conf", 0o644, "version 1\n"), image.File("usr/lib/tool-old", 0o644, "old\n"), image.Symlink("usr/bin/tool-link", "tool-ctl"),
			image.Symlink("opt/dangling", "/no/where"), image.Dir("opt/empty", 0o711), owned, image.File("usr/lib/tool-data", 0o644, "data 1\n")),
		"exports-2": put(`{`+rename+`, "installedFilesTemplate": ["/usr/bin/tool-ctl", "/usr/bin/other-ctl"]}`,
			script, image.File("etc/tool.conf", 0o644, "version 2\n"), image.File("usr/lib/tool-new", 0o644, "new\n"), image.Symlink("usr/bin/tool-link", "tool-ctl"),
			owned, image.File("usr/lib/tool-data", 0o644, "data 2\n")),
		"exports-once":  put(`{}`, image.File("etc/rival2", 0o644, "once\n")),
		"exports-rival": put(`{}`, image.File("usr/lib/tool-data", 0o644, "rival\n"), image.File("etc/rival", 0o644, "rival\n")),
	}
}
