// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"archive/tar"

	"syscontainer/test/image"
)

// volumeImages declare volumes. Two are one image before and after an update, one has contents that a copy must not follow.
func volumeImages(base image.Layer, shell image.Config) map[string]image.Image {
	with := func(entries []image.Entry, volumes ...string) image.Image {
		config := shell
		config.Volumes = make(map[string]struct{})
		for _, name := range volumes {
			config.Volumes[name] = struct{}{}
		}
		return image.Image{Layers: []image.Layer{base, {Entries: entries}}, Config: config}
	}
	owned := func(e image.Entry) image.Entry {
		e.Uid, e.Gid = 1000, 1001
		return e
	}
	version := func(v string) []image.Entry {
		return []image.Entry{owned(image.Dir("data", 0o750)), image.File("data/version", 0o644, v+"\n"), owned(image.Dir("data/own", 0o700)),
			owned(image.File("data/own/file", 0o600, "own\n")), image.File("version", 0o644, v+"\n"), image.Dir("var/log", 0o755)}
	}
	fifo := image.Entry{Header: tar.Header{Typeflag: tar.TypeFifo, Name: "data/pipe", Mode: 0o600}}
	return map[string]image.Image{
		"volumes":   with(version("one"), "/data", "/cache/deep", "/var/log"),
		"volumes-2": with(version("two"), "/data", "/cache/deep", "/var/log", "/more"),
		"volumes-hostile": with([]image.Entry{image.Dir("data", 0o755), image.Symlink("data/victim", "/srv/victim"), image.Symlink("data/srv", "/srv"),
			image.Symlink("data/up", "../../../../../../../srv"), image.Symlink("data/loop", "loop"), fifo, image.Symlink("out", "../../../../../srv"),
			image.Symlink("chain", "out/evil"), image.Symlink("far", "/srv/evil-far")}, "/data", "/out", "/chain", "/far", "/../../srv/evil-dots"),
		"volumes-proc": with([]image.Entry{image.Symlink("kernel", "../proc/self/attr")}, "/kernel"),
		"volumes-loop": with([]image.Entry{image.Symlink("ring", "ring")}, "/ring"),
		"volumes-file": with([]image.Entry{image.File("plain", 0o644, "")}, "/plain"),
		"volumes-root": with(nil, "/.."),
	}
}
