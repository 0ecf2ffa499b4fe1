package convert

import (
	"strings"

	"syscontainer/units"
)

// installed is what [Install] asks for, as systemctl enable would do it
// (systemd.unit(5)). systemd does not read [Install] of generated units: links in the
// generator's directory have the same effect.
type installed struct {
	links   []Link
	aliases []string               // names among links, for which no second unit may ask
	asked   map[string]*units.Line // where the aliases stand
}

var installKeys = []string{"Alias", "WantedBy", "RequiredBy", "UpheldBy", "Also", "DefaultInstance"}

// install reads [Install]. Of a line with an error nothing is taken, other lines
// count: a service that can only fail shall fail where it was wanted.
func (d *draft) install() {
	lines := d.u.Section("Install")
	if len(lines) == 0 {
		return
	}
	name := d.defaultInstance(lines)
	var last map[string]int // the last line of a key that takes all before it back
	for i := range lines {
		if lines[i].Value == "" {
			if last == nil {
				last = make(map[string]int)
			}
			last[lines[i].Key] = i
		}
	}
	for i := range lines {
		line := &lines[i]
		if line.Value == "" || line.Key == "DefaultInstance" || strings.HasPrefix(line.Key, "X-") {
			continue
		}
		if reset, is := last[line.Key]; is && i < reset {
			continue
		}
		if d.u.Derived && line.File == d.u.Path {
			continue // is for the template, not for every instance with a drop-in
		}
		switch line.Key {
		case "Alias":
			d.alias(line, name)
		case "WantedBy":
			d.wantedBy(line, name, ".wants")
		case "RequiredBy":
			d.wantedBy(line, name, ".requires")
		case "UpheldBy":
			d.wantedBy(line, name, ".upholds")
		case "Also":
			d.warn(line, "Also= is ignored: every file is enabled by itself", "")
		default:
			p := problem(line, "unknown key \""+units.Printable(line.Key)+"=\" in [Install], ignoring", "")
			p.Column = line.Column
			if near := units.Nearest(line.Key, installKeys); near != "" {
				p.Hint = "did you mean \"" + near + "=\"?"
			}
			d.warnings = append(d.warnings, p)
		}
	}
}

// defaultInstance is the name that is enabled: of a template, the instance it names.
func (d *draft) defaultInstance(lines []units.Line) units.Name {
	name := d.u.Name
	value, line := lastValue(lines, "DefaultInstance")
	if value == "" || name.Instance != "" {
		return name // DefaultInstance= in the file of an instance is the template's
	}
	if !name.Template {
		d.warn(line, "DefaultInstance= means something in a template only, ignoring", "")
		return name
	}
	instance, err := name.Expand(value)
	if err != nil {
		d.fail(line, line.Key+"=: "+err.Error(), units.Hint(err))
		return name
	}
	with, err := units.ParseName(name.Prefix + "@" + instance)
	if err != nil || with.Template {
		d.fail(line, line.Key+"=: \""+units.Printable(instance)+"\" is no name of an instance", "")
		return name
	}
	return with
}

// wantedBy makes links in directories of the units that want this one.
func (d *draft) wantedBy(line *units.Line, name units.Name, directory string) {
	if name.Template {
		d.warn(line, line.Key+"= of a template is ignored", "DefaultInstance= says which instance to enable")
		return
	}
	for _, word := range d.words(line) {
		other, ok := d.unitName(line, name, word)
		if !ok {
			continue
		}
		if t, is := d.resolve(d.u, word); is {
			other = t.service
			if t.missing != "" {
				d.warn(line, line.Key+"=: "+t.missing+", taking it for "+units.Printable(other), t.hint)
			}
		}
		if !units.IsUnitName(other) {
			d.fail(line, line.Key+"=: \""+units.Printable(other)+"\" is no name of a unit", "for example multi-user.target")
			continue
		}
		d.add(Link{other + directory + "/" + name.Service(), "../" + d.u.Name.Service()})
	}
}

// words splits a list of [Install], in which systemctl, unlike the keys of [Unit], knows
// quotes; a backslash is a character of names.
func (d *draft) words(line *units.Line) (words []string) {
	if !strings.ContainsAny(line.Value, `"'`) {
		return fields(line.Value)
	}
	var word []byte
	inside, twin := false, byte(0)
	for _, b := range []byte(line.Value + " ") {
		switch {
		case twin == 0 && (b == '"' || b == '\''):
			inside, twin = true, b
		case b == twin:
			twin = 0
		case twin == 0 && (b == ' ' || b == '\t' || b == '\n' || b == '\r'):
			if inside {
				words = append(words, string(word))
			}
			inside, word = false, nil
		default:
			inside, word = true, append(word, b)
		}
	}
	if twin != 0 {
		d.fail(line, line.Key+"=: quote "+string(rune(twin))+" is not closed", "")
		return nil
	}
	return words
}

// unitName replaces the specifiers of a word, of which only those are possible that
// never change on a machine: links are made before anything else is known.
func (d *draft) unitName(line *units.Line, name units.Name, word string) (string, bool) {
	if machine := (units.Name{}); machine.StartOnly(word) {
		d.fail(line, line.Key+"=: \""+units.Printable(word)+"\" has a specifier that only a start knows", "")
		return "", false
	}
	other, err := name.Expand(word)
	if err != nil {
		d.fail(line, line.Key+"=: "+err.Error(), units.Hint(err))
		return "", false
	}
	return other, true
}

// alias makes other names for the service. The rules of templates are those of
// systemctl enable.
func (d *draft) alias(line *units.Line, name units.Name) {
	for _, word := range d.words(line) {
		other, ok := d.unitName(line, name, word)
		if !ok {
			continue
		}
		alias, err := units.ParseName(strings.TrimSuffix(other, ".service"))
		if err == nil && alias.Template && d.u.Name.Instance != "" {
			alias, err = units.ParseName(alias.Full + d.u.Name.Instance) // the same instance is meant
			other = alias.Service()
		}
		switch {
		case !units.IsUnitName(other):
			d.fail(line, "Alias=: \""+units.Printable(other)+"\" is no name of a unit", "for example "+name.Prefix+"-too.service")
		case !strings.HasSuffix(other, ".service"):
			d.fail(line, "Alias=: \""+other+"\" is no service", "")
		case err != nil:
			d.fail(line, "Alias=: "+err.Error(), units.Hint(err))
		case !mayAlias(d.u.Name, alias):
			d.fail(line, "Alias=: \""+other+"\" is not possible for "+d.u.Name.Service(), "another name of a template is a template or an instance, of an instance the same instance")
		case other != d.u.Name.Service():
			if d.asked[other] != nil {
				continue
			}
			if d.asked == nil {
				d.asked = make(map[string]*units.Line)
			}
			d.asked[other] = line
			d.aliases = append(d.aliases, other)
			d.add(Link{other, d.u.Name.Service()})
		}
	}
}

// mayAlias are systemd's rules for the names that a service can have beside its own.
func mayAlias(name, alias units.Name) bool {
	switch {
	case alias.Template:
		return name.Template
	case alias.Instance != "":
		return name.Template || name.Instance == alias.Instance
	}
	return !name.Template && name.Instance == ""
}

// add lets a link be asked for twice; Convert drops the second.
func (in *installed) add(l Link) { in.links = append(in.links, l) }
