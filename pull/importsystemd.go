package main

import (
	"path"
	"slices"
	"strings"
)

// podmanInits are the commands that podman runs as a systemd without being asked, beside
// every one of the name systemd (podman-run(1), --systemd).
var podmanInits = []string{"/sbin/init", "/usr/sbin/init", "/usr/local/sbin/init"}

// exec keeps the command, and says what podman would find out by it. What the image
// itself would run is not known here.
func (im *imported) exec(item *quadletItem) {
	im.asked(item)
	words, ok := im.splitWords(item.value)
	if !ok || len(words) == 0 || path.Base(words[0]) != "systemd" && !slices.Contains(podmanInits, words[0]) {
		return
	}
	off := func(other *quadletItem) bool { return strings.Contains(other.value, "--systemd=false") }
	if !slices.ContainsFunc(im.items, off) {
		im.runsSystemd("podman knows this command for a systemd.")
	}
}

// systemd is --systemd of podman.
func (im *imported) systemd(item *quadletItem) {
	switch item.value {
	case "always":
		im.runsSystemd("as " + item.shown())
	case "true", "false": // exec sees to it
	default:
		im.asked(item)
	}
}

func (im *imported) runsSystemd(why string) {
	if !slices.Contains(im.out, "Systemd=yes") {
		im.comment(why)
		im.assign("Systemd", "yes")
	}
}
