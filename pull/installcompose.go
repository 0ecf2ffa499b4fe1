package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syscontainer/generator/convert"
	"syscontainer/pull/atomic"
	"syscontainer/units"
)

// compose makes the text of the unit, and what a person has to know. The text loads and converts without an error.
func (in *installation) compose() (text string, said []string, err error) {
	_, c := in.judge(in.write(nil)) // drop-ins may set values, too
	in.values = placeOf(in.root, in.name.Full, in.reference+in.rootfs, in.image.Digest, c.Runtime).Values(in.known(c.Set), in.manifest())
	if err := in.checkTemplates(); err != nil {
		return "", nil, err
	}
	lines, err := in.translate()
	if err != nil {
		return "", nil, err
	}
	lines = in.takeover.adjust(lines)
	var w *writing
	for pass := 0; ; pass++ { // a line that is not possible becomes a comment, and then another may be told
		w = in.write(lines)
		problems, _ := in.judge(w)
		refused := false
		var wrong []string
		for _, p := range problems {
			i := in.origin(w, p)
			switch {
			case i >= 0 && lines[i].Section == "Service" && lines[i].Line > 0 && pass < mostPasses:
				refuse(lines, i, p)
				refused = true
			case i >= 0 && lines[i].Line > 0:
				wrong = append(wrong, located(lines[i].Line, p.Msg, p.Hint))
			case strings.Contains(p.Msg, " is there already") || strings.Contains(p.Msg, " becomes "):
				wrong = append(wrong, located(0, strings.TrimPrefix(p.Msg, "no service is made of it: "), "--name gives the container another name"))
			default:
				wrong = append(wrong, located(0, p.Error(), ""))
			}
		}
		if refused {
			continue
		}
		if len(wrong) > 0 {
			return "", nil, fmt.Errorf("install %s: %s", in.name.Full, strings.Join(wrong, "\n"))
		}
		break
	}
	return w.text.String(), in.say(lines), nil
}

func (in *installation) manifest() *atomic.Manifest {
	if in.exports == nil {
		return new(atomic.Manifest)
	}
	return in.exports.Manifest
}

// known are values without those that the container itself gives.
func (in *installation) known(set []string) []string {
	return slices.DeleteFunc(slices.Clone(set), func(s string) bool {
		name, _, _ := strings.Cut(s, "=")
		return atomic.ClassOf(name) == atomic.Forced
	})
}

// checkTemplates expands all templates, to say at once what is missing, has a look at the configuration they make, and lists
// the files for the host.
func (in *installation) checkTemplates() (err error) {
	if in.exports == nil {
		return nil
	}
	_, _, config := in.exports.Configuration(in.values, machineOf(in.root))
	err = errors.Join(config, in.exports.CheckOthers(in.values), in.listHostFiles())
	if err == nil {
		return nil
	}
	what := in.reference + in.rootfs
	var hints []string
	for _, name := range missingIn(err) {
		hints = append(hints, "--set "+name+"=…")
	}
	var said []string
	for line := range strings.SplitSeq(err.Error(), "\n") { // several may come of one file
		if !slices.Contains(said, line) {
			said = append(said, line)
		}
	}
	message := "install " + what + ": " + strings.Join(said, "\n")
	if len(hints) > 0 {
		message += "\nhint: " + strings.Join(hints, " ")
	}
	return errors.New(message)
}

// listHostFiles finds what the image brings for the host: the unit will say it, path by path.
func (in *installation) listHostFiles() error {
	dir := filepath.Join(in.root, in.rootfs)
	if in.rootfs == "" {
		dir = in.image.Rootfs()
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	files, err := atomic.ReadHostFiles(root, in.exports.Manifest, in.values, []string{"yes"})
	if err != nil {
		return err
	}
	host := openMachine(in.root)
	defer host.close()
	for _, f := range files.Files {
		why := host.refuse(f.Path, f.Path)
		if why == "" {
			why = in.takeover.refuse(f.Path)
		}
		if why != "" {
			in.refused = append(in.refused, f.Path+": "+why)
		} else {
			in.exported = append(in.exported, f.Path)
		}
	}
	return nil
}

// missingIn are the variables that an error, or those joined in it, say have no value.
func missingIn(err error) (names []string) {
	if missing, is := err.(*atomic.MissingError); is {
		return missing.Names
	}
	if joined, is := err.(interface{ Unwrap() []error }); is {
		for _, one := range joined.Unwrap() {
			names = append(names, missingIn(one)...)
		}
	} else if one := errors.Unwrap(err); one != nil {
		names = missingIn(one)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// translate makes lines of the image's service, or of the usual one.
func (in *installation) translate() ([]atomic.ServiceLine, error) {
	if in.exports != nil && in.exports.Manifest.NoService {
		return []atomic.ServiceLine{
			{Section: "Unit", Key: "Description", Value: "Files of " + strings.ReplaceAll(in.name.Full, "%", "%%") + " for the host"},
			{Section: "Container", Key: "Payload", Value: "no"},
			{Section: "Install", Key: "WantedBy", Value: "multi-user.target"},
		}, nil
	}
	if in.exports != nil && in.exports.Service != nil {
		lines, err := atomic.Translate(in.exports.Service, in.values)
		if err != nil {
			return nil, fmt.Errorf("install %s: %w", in.reference+in.rootfs, err)
		}
		return lines, nil
	}
	return []atomic.ServiceLine{
		{Section: "Unit", Key: "Description", Value: strings.ReplaceAll(in.name.Full, "%", "%%")},
		{Section: "Service", Key: "Restart", Value: "on-failure"},
		{Section: "Install", Key: "WantedBy", Value: "multi-user.target"},
	}, nil
}

// judge asks the generator what it makes of a text, among all other units.
func (in *installation) judge(w *writing) (problems units.Problems, c *units.Container) {
	extra := units.Extra{Path: in.file, Below: true, Text: w.text.String(), Given: true}
	set := units.Load(in.root, units.SearchPath(), extra)
	plan := convert.Convert(set, convert.Options{Root: in.takeover.judged(in.root), Render: renderPath})
	c = new(units.Container)
	for i := range plan.Services {
		s := &plan.Services[i]
		if s.Unit.Path != in.file {
			continue
		}
		for _, p := range s.Errors {
			if p.File == in.file { // drop-ins are the admin's
				problems = append(problems, p)
			}
		}
		c, _, _ = s.Unit.Container()
		if len(s.Unit.Sources) > 1 {
			return problems, c // which may name another image
		}
	}
	if c.Rootfs != in.rootfs || c.Image != in.reference {
		problems = append(problems, &units.Problem{File: in.file, Msg: "no unit file can name " + in.reference + in.rootfs})
	}
	return problems, c
}

// origin is which line of the translation a problem is about, -1 for none.
func (in *installation) origin(w *writing, p *units.Problem) int {
	if p.Line < 1 || p.Line > len(w.origins) {
		return -1
	}
	return w.origins[p.Line-1]
}

// mostPasses bounds how often a text is tried.
const mostPasses = 50

// refuse takes a line back that the generator refuses. What it had replaced does not count either, unless its key is a list.
func refuse(lines []atomic.ServiceLine, refused int, p *units.Problem) {
	key := lines[refused].Key
	lines[refused].Why, lines[refused].Hint = refusal(key, p.Msg), p.Hint
	if slices.Contains([]string{"ReadOnlyPaths", "RestrictNamespaces", "SystemCallFilter", "CapabilityBoundingSet", "ExecReload"}, key) {
		return
	}
	for i := range lines[:refused] {
		if l := &lines[i]; l.Section == "Service" && l.Key == key && l.Why == "" {
			l.Why = "a later line counts"
		}
	}
}

// refusal is the reason in an error of the generator.
func refusal(key, msg string) string {
	if _, why, found := strings.Cut(msg, " in [Service] is not possible: "); found {
		return why
	}
	return strings.TrimPrefix(msg, key+"=: ")
}

func located(line int, msg, hint string) string {
	if line > 0 {
		msg = fmt.Sprintf("%s:%d: %s", atomic.ServiceFile, line, msg)
	}
	if hint != "" {
		msg += "\nhint: " + hint
	}
	return msg
}

// say tells what of the template is lost, and what it does on the host.
func (in *installation) say(lines []atomic.ServiceLine) (said []string) {
	starts := in.exports == nil || in.exports.Service == nil || in.exports.Manifest.NoService
	var host []string
	for _, l := range lines {
		switch {
		case l.Ours && l.Key == "ExecStart":
			starts = true
		case l.Ours:
		case l.Why != "":
			said = append(said, located(l.Line, "not kept: "+units.Printable(l.Written)+": "+l.Why, l.Hint))
		case l.Section == "Service" && strings.HasPrefix(l.Key, "Exec") && l.Value != "":
			host = append(host, fmt.Sprint(l.Line))
		case slices.Contains(atomic.Variables(l.Written), "PIDFILE"):
			said = append(said, located(l.Line, "nothing writes "+in.values["PIDFILE"], ""))
		}
	}
	if !starts {
		said = append(said, atomic.ServiceFile+" starts no container; this unit does")
	}
	if len(host) > 0 {
		said = append(said, fmt.Sprintf("%s runs programs on the host, as the image asks: see %s:%s", filepath.Base(in.file), atomic.ServiceFile, strings.Join(host, ", ")))
	}
	for _, r := range in.refused {
		said = append(said, "not exported: "+r)
	}
	for _, s := range in.given {
		name, _, _ := strings.Cut(s, "=")
		if in.exports == nil || !slices.Contains(in.exports.Variables(), name) {
			m := "--set " + name + ": no template of the image asks for it"
			if in.exports != nil {
				if near := units.Nearest(name, in.exports.Variables()); near != "" {
					m += "\nhint: did you mean " + near + "?"
				}
			}
			said = append(said, m)
		}
	}
	return said
}
