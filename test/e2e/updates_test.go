// SPDX-License-Identifier: Apache-2.0

package e2e

import "syscontainer/test/image"

// updateImages are releases of one service: "app-TAG" is 127.0.0.1:5000/app:TAG. Each says which it is, and the bad ones
// are bad in one way. A file /tmp/healthy is there while a release serves.
func updateImages(base image.Layer, program image.Entry, config image.Config) map[string]image.Image {
	config.Entrypoint, config.Cmd = []string{"/app"}, nil
	const ready = "[ -z \"$NOTIFY_SOCKET\" ] || payload notify READY=1\n"
	const serve = "echo >/tmp/healthy\n" + ready + "while :; do sleep 0.02; done\n"
	release := func(tag, does string, more ...image.Entry) image.Image {
		entries := append([]image.Entry{image.File("app", 0o755, "#!/bin/sh\necho \"release "+tag+"\"\ntrap 'exit 0' TERM\n"+does),
			image.File("etc/release", 0o644, tag+"\n")}, more...)
		return image.Image{Layers: []image.Layer{base, {Entries: []image.Entry{program}}, {Entries: entries}}, Config: config}
	}
	images := map[string]image.Image{
		"one":     release("one", serve, image.File("old", 0o644, "gone in two\n")),
		"two":     release("two", serve, image.File("new", 0o4755, "of two\n")),
		"three":   release("three", serve),
		"exits":   release("exits", ready+"exit 3\n"),
		"hangs":   release("hangs", ready+"trap '' TERM\nwhile :; do sleep 0.1; done\n"),
		"unready": release("unready", "while :; do sleep 0.1; done\n"),
		"later":   release("later", "echo >/tmp/healthy\n"+ready+"sleep 2\nrm /tmp/healthy\nwhile :; do sleep 0.1; done\n"),
		"dies":    release("dies", ready+"sleep 0.5\nexit 7\n"),
	}
	two := images["two"]
	two.Config.Env = append([]string{"NEW=yes"}, two.Config.Env...)
	images["two"] = two
	missing := release("missing", serve)
	missing.Config.Entrypoint = []string{"/nowhere"}
	images["missing"] = missing
	arch := release("arch", serve)
	arch.Architecture = foreign()
	images["arch"] = arch
	cut := release("cut", serve)
	cut.Layers[2].CutBlob = true
	images["cut"] = cut
	return images
}
