package units

import "strings"

// readByLoad is for the key that only Load needs: the service's name.
func readByLoad(*draft, *scope, string) ([]error, error) { return nil, nil }

// rename gives a unit the name that ServiceName= says. With one that is wrong it
// keeps the name of its file, and has an error.
func (u *Unit) rename() {
	var last *Line
	for i := range u.Lines {
		if line := &u.Lines[i]; line.Key == "ServiceName" && line.Section == "Container" {
			last = line
		}
	}
	if last == nil || last.Value == "" {
		return
	}
	name, err := serviceName(u.Stem, unquote(last.Value))
	if err != nil {
		u.Errors = append(u.Errors, at(last, err))
		return
	}
	u.Name = name
}

// serviceName is a name for the service of a unit with this file name.
func serviceName(stem Name, s string) (Name, error) {
	if name, found := strings.CutSuffix(s, ".service"); found {
		return Name{}, wrong("write ServiceName="+name, quote(s), " has a suffix")
	}
	if strings.Contains(s, "%") {
		return Name{}, wrong("write the name itself", quote(s), ": specifiers are not possible in the name of a service")
	}
	n, err := ParseName(s)
	if err != nil {
		return Name{}, err
	}
	switch at := strings.Contains(s, "@"); {
	case stem.Template && !n.Template:
		return Name{}, wrong("write for example ServiceName="+n.Prefix+"@", quote(s), " is no name of a template: no @ is at its end")
	case stem.Instance != "" && !n.Template:
		return Name{}, wrong("write for example ServiceName="+n.Prefix+"@", quote(s), " has no @ at its end, behind which the instance stands")
	case stem.Instance != "":
		return ParseName(s + stem.Instance)
	case at && !stem.Template:
		return Name{}, wrong("an @ stands in the name of a template only", quote(s), " is not possible")
	}
	return n, nil
}
