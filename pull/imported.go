package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"syscontainer/generator/convert"
	"syscontainer/units"
)

// imported is one of Quadlet's files on its way to be one of ours.
type imported struct {
	file    string // as typed
	to      string // where it goes
	name    units.Name
	private bool
	text    string   // the result
	said    []string // what a person has to know, each with its line end

	items []*quadletItem
	out   []string
	end   int             // how many lines of out there are to the end of [Container]; 0: no such section yet
	has   map[string]bool // keys of [Container] that were set
	net   string          // "host", "none", "bridge", or another: other lines depend on it

	bridged bool // Network=bridge stands in place of a network of podman
}

var callsPodman = regexp.MustCompile(`^[-@:+!]*(/usr/bin/|/bin/)?podman( |$)`)

var (
	networkOption = regexp.MustCompile(`(^| )--net(work)?[= ]([^ ]+)`)
	publishOption = regexp.MustCompile(`(^| )(-p|--publish)[= ]`)
)

// importFile translates a file. An error means that it is none; what cannot be kept
// is said.
func importFile(file, to string) (*imported, error) {
	im := &imported{file: file, to: to, has: map[string]bool{}}
	var err error
	if im.name, err = units.ParseName(strings.TrimSuffix(filepath.Base(to), ".syscontainer")); err != nil {
		return nil, err
	}
	if im.items, im.private, err = readQuadlet(file); err != nil {
		return nil, err
	}
	im.net = "host"
	for _, item := range im.items {
		if item.section != "Container" || item.key == "" {
			continue
		}
		im.has[item.key] = true
		switch item.key {
		case "Network":
			im.net = networkKind(item.value)
		case "PodmanArgs":
			if said := networkOption.FindStringSubmatch(item.value); said != nil {
				im.has["Network"], im.net = true, networkKind(said[3])
			}
			im.has["PublishPort"] = im.has["PublishPort"] || publishOption.MatchString(item.value)
		}
	}
	if !im.has["Network"] && im.has["PublishPort"] {
		im.net = "bridge"
	}
	for _, item := range im.items {
		from := len(im.out)
		im.translate(item)
		im.keepComments(item, from)
		if item.section == "Container" && (item.header || item.key != "") {
			im.end = len(im.out)
		}
	}
	im.finish()
	im.text = strings.Join(im.out, "\n") + "\n"
	if dir := file + ".d"; isDir(dir) {
		im.said = append(im.said, units.Printable(dir)+": is not read\n    hint: put what is in it into "+units.Printable(im.to)+".d/\n")
	}
	return im, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (im *imported) translate(item *quadletItem) {
	switch {
	case item.section == "Quadlet" && item.header:
		im.out = append(im.out, "# not kept: ["+item.section+"]")
	case item.header:
		im.out = append(im.out, item.raw...)
	case item.key == "" && len(item.raw) == 1 && (strings.Trim(item.raw[0], " \t") == "" || isComment(strings.Trim(item.raw[0], " \t"))):
		im.out = append(im.out, item.raw...)
	case item.key == "":
		im.comment("not kept: " + strings.Join(item.raw, " "))
		im.say(item, "this is no assignment", "")
	case item.section == "Quadlet":
		im.drop(item, "there is no [Quadlet] section here: nothing is ordered after network-online.target by itself", "")
	case item.section == "Container":
		im.container(item)
	case item.section == "Unit" || item.section == "Install":
		im.dependencies(item)
	case item.section == "Service":
		why, hint := im.askGenerator(item)
		if why != "" {
			im.drop(item, why, hint)
			return
		}
		if strings.HasPrefix(item.key, "Exec") && callsPodman.MatchString(item.value) {
			im.say(item, "calls podman, which knows nothing of this container", "")
		}
		im.keep(item)
	default:
		im.keep(item)
	}
}

// keepComments keeps those between the lines of an assignment that was changed.
func (im *imported) keepComments(item *quadletItem, from int) {
	if len(item.raw) < 2 || slices.Equal(im.out[from:], item.asWritten()) {
		return
	}
	var inside []string
	for _, line := range item.raw {
		if isComment(strings.Trim(line, " \t")) {
			inside = append(inside, line)
		}
	}
	im.out = slices.Insert(im.out, from, inside...)
}

// keep leaves an assignment as it stands.
func (im *imported) keep(item *quadletItem) {
	lines := item.asWritten()
	if lines == nil || item.raw == nil {
		im.assign(item.key, item.value)
		return
	}
	im.out = append(im.out, lines...)
}

// assign writes an assignment on one line. A backslash at its end shall not join the
// next.
func (im *imported) assign(key, value string) {
	if n := len(value) - len(strings.TrimRight(value, `\`)); n%2 == 1 {
		value += " "
	}
	im.out = append(im.out, key+"="+value)
}

func (im *imported) comment(text string) {
	im.out = append(im.out, "# "+units.Printable(text))
}

// drop leaves an assignment as a comment, with the reason above it.
func (im *imported) drop(item *quadletItem, why, hint string) {
	if strings.HasPrefix(why, "is ") {
		im.comment(item.key + "= " + why)
	} else {
		im.comment(why)
	}
	im.comment("not kept: " + item.shown())
	im.say(item, why, hint)
}

func (im *imported) say(item *quadletItem, why, hint string) {
	key := item.key
	if item.from != "" {
		key, _, _ = strings.Cut(item.from, "=")
	}
	if key != "" {
		key += "=: "
	}
	s := units.Printable(im.file) + ":" + strconv.Itoa(item.line) + ": " + units.Printable(key+why) + "\n"
	if hint != "" {
		s += "    hint: " + units.Printable(hint) + "\n"
	}
	im.said = append(im.said, s)
}

// finish writes Quadlet's defaults where ours are others.
func (im *imported) finish() {
	if im.end == 0 {
		return
	}
	var lines []string
	for _, key := range []string{"ReadOnly", "NoNewPrivileges"} {
		if !im.has[key] {
			lines = append(lines, key+"=no")
		}
	}
	if len(lines) > 0 {
		lines = append([]string{"# As Quadlet has it; the default here is yes, which is safer."}, lines...)
		im.out = slices.Insert(im.out, im.end, lines...)
	}
	switch {
	case im.has["Network"]:
	case im.has["PublishPort"]:
		im.out = slices.Insert(im.out, im.end, "# As podman has it; the default here is the host's network.", "Network=bridge")
	default:
		im.said = append(im.said, units.Printable(im.file)+": Network=: podman gives the container a network of its own, here it has the host's\n    hint: write Network=bridge for one, or Network=none if it needs none\n")
	}
}

// ask is what units say of a line of [Container]; why is "" if it can be kept.
func (im *imported) ask(key, value string) (why, hint string) {
	path, err := filepath.Abs(im.to)
	if err != nil {
		return err.Error(), ""
	}
	u := &units.Unit{Name: im.name, Stem: im.name, Path: path}
	for _, context := range []units.Line{{Key: "Image", Value: "q.io/x:1"}, {Key: "Network", Value: im.net}, {Key: "User", Value: "0"}} {
		if context.Key != key && (context.Key != "User" || key == "Group" && im.has["User"]) && !(key == "Rootfs" && context.Key == "Image") {
			context.Section, context.File = "Container", "/context"
			u.Lines = append(u.Lines, context)
		}
	}
	u.Lines = append(u.Lines, units.Line{Section: "Container", Key: key, Value: value, File: path, Line: 1})
	_, errs, warnings := u.Container()
	for _, p := range errs {
		if p.File == path && p.Line == 1 {
			return im.words(key, p)
		}
	}
	for _, p := range warnings {
		if p.File == path && strings.Contains(p.Msg, "= of Quadlet ") {
			return im.words(key, p)
		}
	}
	return "", ""
}

// words are those of a problem, without what say adds.
func (im *imported) words(key string, p *units.Problem) (why, hint string) {
	why = strings.TrimPrefix(p.Msg, key+"=: ")
	if rest, ok := strings.CutPrefix(why, key+"= of Quadlet "); ok {
		why = strings.TrimSuffix(rest, ", ignoring") + " here"
	}
	if rest, ok := strings.CutPrefix(why, key+"= in [Service] is not possible: "); ok {
		why = "not possible in [Service]: " + rest
	}
	return why, p.Hint
}

// askGenerator is what the generator says of a line of [Service].
func (im *imported) askGenerator(item *quadletItem) (why, hint string) {
	const path = "/x.syscontainer"
	u := &units.Unit{Name: im.name, Stem: im.name, Path: path, Sources: []string{path}, Lines: []units.Line{
		{Section: "Container", Key: "Image", Value: "q.io/x:1", File: path, Line: 1},
		{Section: "Service", Key: item.key, Value: item.value, File: path, Line: 2},
	}}
	plan := convert.Convert(&units.Set{Units: []*units.Unit{u}}, convert.Options{Root: "/nonexistent", Render: renderPath})
	for _, s := range plan.Services {
		for _, p := range s.Errors {
			if p.Line == 2 {
				return im.words(item.key, p)
			}
		}
	}
	return "", ""
}
