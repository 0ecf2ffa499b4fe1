package units

import "strings"

// credentialForm reads NAME[:SOURCE]. systemd replaces the specifiers of SOURCE, so
// they stay; here they are replaced for the check only.
func credentialForm(n *scope, s string) ([]Credential, []error, error) {
	const form = "the form is NAME, or NAME:/PATH, or NAME:CREDENTIAL of the system's"
	s = unquote(s)
	name, source, hasSource := strings.Cut(s, ":")
	if !validCredential(name) {
		return nil, nil, wrong("letters, digits and _.- may stand in it", quote(name), " is no name of a credential")
	}
	c := Credential{Name: name}
	if !hasSource {
		return []Credential{c}, nil, nil
	}
	for _, specifier := range specifiers(source) {
		if specifier == 'D' { // systemd has it since 256
			return nil, nil, wrong("write /usr/share", "specifier %D is not possible here")
		}
	}
	c.Source = source
	check, err := n.Expand(source)
	if err != nil {
		return nil, nil, err
	}
	if strings.HasPrefix(check, "/") {
		_, err = cleanPath(check)
	} else if !validCredential(check) {
		err = wrong(form, quote(source), " is neither an absolute path nor a name")
	}
	return []Credential{c}, nil, err
}

// validCredential is stricter than systemd, which takes any name of a file.
func validCredential(s string) bool {
	return s != "" && len(s) <= 255 && s != "." && s != ".." && onlyBytes(s, "_.-")
}
