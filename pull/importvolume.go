package main

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// podmanVolumes is where podman has the data of its volumes.
const podmanVolumes = "/var/lib/containers/storage/volumes/"

// volume makes a directory of the host of a volume with a name, and memory of one
// without, which podman removes with the container.
func (im *imported) volume(item *quadletItem) {
	fields := strings.Split(item.value, ":")
	made := func(key, value string) *quadletItem {
		return &quadletItem{line: item.line, section: item.section, key: key, value: value, from: item.shown()}
	}
	if len(fields) == 1 {
		if why, hint := im.ask("Tmpfs", item.value); why != "" {
			im.drop(item, why, hint)
			return
		}
		im.comment("a volume without a name: " + item.value)
		im.assign("Tmpfs", item.value+":tmpcopyup")
		im.say(item, "a volume without a name goes with the container: its data is in memory now",
			"write Volume=/var/lib/"+im.name.Prefix+":"+item.value+" to keep them")
		return
	}
	source := fields[0]
	was := item
	if len(fields) == 3 {
		fields[2] = im.volumeOptions(item, fields[2])
		if fields[2] == "" {
			fields = fields[:2]
		}
		if value := strings.Join(fields, ":"); value != item.value {
			was = made("Volume", value)
		}
	}
	if source == "" || strings.ContainsRune("/.%", rune(source[0])) {
		if strings.HasPrefix(source, ".") && filepath.Dir(im.to) != filepath.Dir(im.file) {
			im.say(item, "is relative to the directory of the unit's file", "write an absolute path if the unit goes elsewhere")
		}
		im.asked(was)
		return
	}
	stem, isUnit := strings.CutSuffix(source, ".volume")
	name := stem
	if isUnit {
		name = "systemd-" + stem
		dir := filepath.Dir(im.file)
		if own, _ := quadletValue(dir, source, "Volume", "VolumeName"); own != "" {
			name = own
		}
		options, _ := quadletValue(dir, source, "Volume", "Options")
		device, _ := quadletValue(dir, source, "Volume", "Device")
		if strings.HasPrefix(device, "/") && slices.ContainsFunc(strings.Split(options, ","), func(o string) bool { return o == "bind" || o == "rbind" }) {
			fields[0] = device // a directory of the host all along
			im.asked(made("Volume", strings.Join(fields, ":")))
			return
		}
	}
	if strings.Trim(stem, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-@%") != "" || strings.Contains(stem, "..") {
		im.asked(item)
		return
	}
	fields[0] = path.Join("/var/lib", im.name.Prefix, stem)
	value := strings.Join(fields, ":")
	if why, hint := im.ask("Volume", value); why != "" {
		im.drop(item, why, hint)
		return
	}
	im.comment("the volume of podman: " + item.value)
	im.assign("Volume", value)
	im.say(item, source+" becomes the directory "+fields[0]+", which is empty at first; name it in every unit that shares it",
		"copy what is there: mkdir -p "+fields[0]+" && cp -a "+podmanVolumes+name+"/_data/. "+fields[0]+"/")
}

// mount takes a volume of podman for what Volume= would have said.
func (im *imported) mount(item *quadletItem) {
	kind, source, target := "volume", "", ""
	var options []string
	for field := range strings.SplitSeq(item.value, ",") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "type":
			kind = value
		case "source", "src":
			source = value
		case "target", "destination", "dst":
			target = value
		case "readonly", "ro":
			if value == "" || value == "true" {
				options = append(options, "ro")
			}
		default:
			options = append(options, field)
		}
	}
	if kind != "volume" || target == "" || strings.ContainsAny(item.value, `":`) {
		im.asked(item)
		return
	}
	value := target
	if source != "" {
		value = source + ":" + target
		if len(options) > 0 {
			value += ":" + strings.Join(options, ",")
		}
	}
	from := item.shown()
	im.volume(&quadletItem{line: item.line, section: item.section, key: item.key, value: value, from: from})
}

// volumeOptions leaves out what is not needed or not possible here, and says so where
// that matters.
func (im *imported) volumeOptions(item *quadletItem, options string) string {
	var kept []string
	for o := range strings.SplitSeq(options, ",") {
		switch o {
		case "z", "Z":
			im.say(item, "option "+o+" is left out: SELinux labels are not changed", "on a host with SELinux: chcon -Rt container_file_t DIRECTORY")
		case "U":
			im.say(item, "option U is left out: a directory that a start makes has the payload's user as owner, another keeps its owner", "")
		case "copy", "nocopy":
		default:
			kept = append(kept, o)
		}
	}
	return strings.Join(kept, ",")
}
