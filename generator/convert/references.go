package convert

import (
	"path"
	"slices"
	"strings"

	"syscontainer/units"
)

// dependencies are the keys of [Unit] that list units (systemd.unit(5)). Of those that
// are needed, the service cannot start without what they name.
var dependencies = [...]dependency{
	{"After", false}, {"Before", false}, {"Wants", false}, {"Requires", true}, {"Requisite", true}, {"BindsTo", true}, {"PartOf", false},
	{"Upholds", false}, {"Conflicts", false}, {"OnFailure", false}, {"OnSuccess", false}, {"PropagatesReloadTo", false},
	{"ReloadPropagatedFrom", false}, {"PropagatesStopTo", false}, {"StopPropagatedFrom", false}, {"JoinsNamespaceOf", false},
}

type dependency struct {
	key    string
	needed bool
}

// kinds are the suffixes of files that become services, and what Quadlet adds to the
// name for it.
var kinds = [...]kind{
	{".syscontainer", ""}, {".container", ""}, {".kube", ""}, {".pod", "-pod"}, {".volume", "-volume"}, {".network", "-network"},
	{".image", "-image"}, {".build", "-build"}, {".artifact", "-artifact"},
}

type kind struct{ suffix, part string }

// target is what a word of an author stands for that names a file.
type target struct {
	service string      // for systemd; in a template it may hold specifiers
	unit    *units.Unit // of ours, perhaps the template of the service; nil: a file of Quadlet, or none at all
	missing string      // why there is no such file; "": there is
	hint    string
}

// resolve says which service a word means; !ok: it names no file. Specifiers are those
// of from.
func (c *converter) resolve(from *units.Unit, word string) (t target, ok bool) {
	suffix := path.Ext(word)
	is := slices.IndexFunc(kinds[:], func(k kind) bool { return k.suffix == suffix })
	if is < 0 {
		return t, false
	}
	name := strings.TrimSuffix(word, suffix)
	if strings.Contains(name, "%") {
		same := func(s string) string { return s }
		if expanded, err := from.Name.Rewrite(name, units.AllSpecifiers, same, same); err == nil {
			name = expanded
		}
	}
	prefix, instance, isInstance := strings.Cut(name, "@")
	part := kinds[is].part
	t.service = prefix + part + ".service"
	if isInstance {
		t.service = prefix + part + "@" + instance + ".service"
	}
	if strings.Contains(prefix, "%") {
		return t, true // only systemd knows
	}
	if suffix != ".syscontainer" { // podman's own file comes first
		for _, service := range []string{strings.TrimSuffix(t.service, ".service"), prefix + part + "@"} {
			if file, is := c.set.Quadlet[service]; is && path.Ext(file) == suffix && (isInstance || service != prefix+part+"@") {
				return t, true
			}
		}
	}
	if part == "" && suffix != ".kube" {
		stems := c.stems()
		if u := stems[name]; u != nil {
			t.service, t.unit = u.Name.Service(), u
			return t, true
		}
		if u := stems[prefix+"@"]; u != nil && instance != "" {
			t.service, t.unit = u.Name.Full+instance+".service", u
			return t, true
		}
		if slices.Contains(c.set.Masked, name) {
			t.missing = word + " is masked"
			return t, true
		}
	}
	t.missing = "there is no " + units.Printable(word)
	if near := c.nearest(name, suffix); near != "" {
		t.hint = `did you mean "` + near + `"?`
	}
	return t, true
}

// stems are the units by the names of their files.
func (c *converter) stems() map[string]*units.Unit {
	if c.byStem == nil {
		c.byStem = make(map[string]*units.Unit, len(c.set.Units))
		for _, u := range c.set.Units {
			c.byStem[u.Stem.Full] = u
		}
	}
	return c.byStem
}

// mostHints bounds the search for names that were meant: each looks at all.
const mostHints = 20

// nearest is the file that was probably meant, "" if none.
func (c *converter) nearest(name, suffix string) string {
	if c.hints++; suffix != ".syscontainer" && suffix != ".container" || c.hints > mostHints {
		return ""
	}
	names := make([]string, len(c.set.Units))
	for i, u := range c.set.Units {
		names[i] = u.Stem.Full
	}
	near := units.Nearest(name, names)
	if near != "" {
		near += ".syscontainer"
	}
	return near
}

// translate hands on a line that may list units: files become their services.
func (d *draft) translate(line *units.Line) string {
	if !strings.Contains(line.Value, ".") {
		return line.Value
	}
	key := slices.IndexFunc(dependencies[:], func(d dependency) bool { return d.key == line.Key })
	if key < 0 {
		return line.Value
	}
	words, changed := fields(line.Value), false
	for i, word := range words {
		t, is := d.resolve(d.u, word)
		if !is {
			continue
		}
		words[i], changed = t.service, true
		switch {
		case t.missing == "":
		case dependencies[key].needed:
			d.fail(line, line.Key+"=: "+t.missing, t.hint)
		default:
			d.warn(line, line.Key+"=: "+t.missing+", taking it for "+units.Printable(t.service), t.hint)
		}
	}
	if !changed {
		return line.Value
	}
	return strings.Join(words, " ")
}
