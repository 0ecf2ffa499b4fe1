package units

import "strings"

func environmentForm(n *scope, s string) ([]string, []error, error) {
	words, err := wordsOf(n, s)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range words {
		key, _, ok := strings.Cut(w, "=")
		switch {
		case !ok:
			return nil, nil, wrong("write "+key+`=value, or quotes around the whole assignment: "KEY=some value"`, quote(w), " has no =")
		case key == "" || hasControl(key) || strings.ContainsAny(key, white):
			return nil, nil, wrong("the form is NAME=value, the name without blanks", quote(w), " names no variable")
		}
	}
	return words, nil, nil
}

// environmentFileForm reads words [-]PATH.
func environmentFileForm(n *scope, s string) ([]EnvironmentFile, []error, error) {
	words, err := wordsOf(n, s)
	if err != nil {
		return nil, nil, err
	}
	var files []EnvironmentFile
	for _, w := range words {
		rest, optional := strings.CutPrefix(w, "-")
		if rest == "" {
			return nil, nil, wrong("the form is [-]PATH", quote(w), " is no path")
		}
		file, err := n.file(rest)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, EnvironmentFile{file, optional})
	}
	return files, nil, nil
}

// annotationForm reads words KEY=value.
func annotationForm(n *scope, s string) ([]string, []error, error) {
	words, err := wordsOf(n, s)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range words {
		if key, _, found := strings.Cut(w, "="); !found || key == "" || hasControl(key) {
			return nil, nil, wrong(`the form is KEY=value, or "KEY=some value"`, quote(w), " is no annotation")
		}
	}
	return words, nil, nil
}

// setForm reads words NAME=VALUE, the values of variables in an image's templates.
func setForm(n *scope, s string) ([]string, []error, error) {
	words, err := wordsOf(n, s)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range words {
		if name, _, found := strings.Cut(w, "="); !found || name == "" || isDigit(name[0]) || !onlyBytes(name, "_") {
			return nil, nil, wrong(`the form is NAME=VALUE, or "NAME=some value"`, quote(w), " sets no variable")
		}
	}
	return words, nil, nil
}

// setExport reads what an image may export to the host: nothing, all, or words that
// are paths. A later yes or no replaces what was said before.
func setExport(d *draft, n *scope, s string) ([]error, error) {
	if s == "" {
		d.Export = nil
		return nil, nil
	}
	if all, err := ParseBool(s); err == nil {
		d.Export = nil
		if all {
			d.Export = []string{"yes"}
		}
		return nil, nil
	}
	words, err := wordsOf(n, s)
	if err != nil {
		return nil, err
	}
	for i := range words {
		if words[i], err = cleanPath(words[i]); err != nil {
			return nil, wrong("write yes, no, or absolute paths", err.Error())
		}
	}
	if len(d.Export) == 1 && d.Export[0] == "yes" {
		d.Export = nil
	}
	d.Export = append(d.Export, words...)
	return nil, nil
}
