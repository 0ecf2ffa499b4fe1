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
	aliases []string // names among links, for which no second unit may ask
}

// install reads [Install]. Of a line with an error nothing is taken, other lines
// count: a service that can only fail shall fail where it was wanted.
func install(u *units.Unit) (in installed, errs, warnings units.Problems) {
	lines := u.Section("Install")
	name := u.Name
	instance, at := lastValue(lines, "DefaultInstance")
	wrong := func(l *units.Line, msg, hint string) {
		errs = append(errs, &units.Problem{File: l.File, Line: l.Line, Msg: l.Key + "=: " + msg, Hint: hint})
	}
	enabled := u.Name.Service()
	if at != nil && instance != "" {
		with, err := units.ParseName(u.Name.Prefix + "@" + instance)
		switch {
		case u.Name.Instance != "": // is the template's
		case !u.Name.Template:
			warnings = append(warnings, &units.Problem{File: at.File, Line: at.Line, Msg: "DefaultInstance= means something in a template only, ignoring"})
		case err != nil || strings.Contains(instance, "@"):
			wrong(at, "\""+units.Printable(instance)+"\" is no name of an instance", "")
		default:
			name, enabled = with, with.Service()
		}
	}
	for i := range lines {
		line := &lines[i]
		if line.Value == "" || line.Key == "DefaultInstance" || strings.HasPrefix(line.Key, "X-") || isReset(lines[i+1:], line.Key) {
			continue
		}
		if u.Derived && line.File == u.Path {
			continue // is for the template, not for every instance with a drop-in
		}
		directory := map[string]string{"WantedBy": ".wants", "RequiredBy": ".requires", "UpheldBy": ".upholds"}[line.Key]
		switch {
		case line.Key == "Also":
			warnings = append(warnings, &units.Problem{File: line.File, Line: line.Line, Msg: "Also= is ignored: every file is enabled by itself"})
			continue
		case line.Key == "Alias":
		case directory == "":
			warnings = append(warnings, &units.Problem{File: line.File, Line: line.Line, Msg: "unknown key \"" + units.Printable(line.Key) + "=\" in [Install], ignoring"})
			continue
		case name.Template:
			warnings = append(warnings, &units.Problem{File: line.File, Line: line.Line, Msg: line.Key + "= of a template is ignored", Hint: "DefaultInstance= says which instance to enable"})
			continue
		}
		for _, word := range strings.Fields(line.Value) {
			other, err := name.Expand(word)
			if err != nil {
				wrong(line, err.Error(), "")
				continue
			}
			if !units.IsUnitName(other) {
				wrong(line, "\""+units.Printable(other)+"\" is no name of a unit", "for example multi-user.target")
				continue
			}
			if line.Key != "Alias" {
				l := Link{other + directory + "/" + enabled, "../" + u.Name.Service()}
				in.add(l)
				continue
			}
			alias, err := units.ParseName(strings.TrimSuffix(other, ".service"))
			switch {
			case !strings.HasSuffix(other, ".service"):
				wrong(line, "\""+other+"\" is no service", "")
			case err != nil:
				wrong(line, err.Error(), "")
			case alias.Template != u.Name.Template:
				wrong(line, "\""+other+"\": a template can have templates as aliases only, other units none", "")
			case other != u.Name.Service():
				in.aliases = append(in.aliases, other)
				in.add(Link{other, u.Name.Service()})
			}
		}
	}
	return in, errs, warnings
}

func (in *installed) add(l Link) {
	for _, known := range in.links {
		if known.Name == l.Name {
			return
		}
	}
	in.links = append(in.links, l)
}

// lastValue is the assignment that counts of a key with one value.
func lastValue(lines []units.Line, key string) (value string, at *units.Line) {
	for i := range lines {
		if lines[i].Key == key {
			value, at = lines[i].Value, &lines[i]
		}
	}
	return value, at
}

// isReset tells whether one of the lines that follow takes a list back.
func isReset(lines []units.Line, key string) bool {
	for i := range lines {
		if lines[i].Key == key && lines[i].Value == "" {
			return true
		}
	}
	return false
}
