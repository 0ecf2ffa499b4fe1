package units

import (
	"path"
	"strings"
)

// tmpfilesForm reads a line of tmpfiles.d(5) as far as it must be right for what we
// do with it: the type is known, the path absolute. Specifiers that systemd-tmpfiles
// has not are replaced, the others are its own. In a template all stay.
func tmpfilesForm(n *scope, s string) ([]string, []error, error) {
	const form = "the form is TYPE PATH [MODE USER GROUP AGE ARGUMENT], see tmpfiles.d(5)"
	kind, rest, _ := strings.Cut(s, " ")
	if kind == "" || !strings.Contains("fFwdDevqQpLcbCxXrRzZtThHaAm", kind[:1]) || strings.Trim(kind[1:], "+!-=~^$?") != "" {
		return nil, nil, wrong(form, quote(kind), " is no type of tmpfiles.d(5)")
	}
	words, _, err := split(rest, cWord)
	if err != nil {
		return nil, nil, err
	}
	if len(words) == 0 || words[0] == "" || words[0][0] != '/' && words[0][0] != '%' {
		return nil, nil, wrong(form, quote(s), " names no absolute path")
	}
	if len(words) > 1 && words[1] != "-" && strings.Trim(words[1], "01234567~:") != "" {
		return nil, nil, wrong(form, "invalid mode ", quote(words[1]))
	}
	var b strings.Builder
	for text, specifier := range specifiers(s) {
		b.WriteString(text)
		if specifier == 0 {
			break
		}
		if strings.IndexByte(tmpfilesSpecifiers, specifier) >= 0 {
			b.WriteString("%" + string(rune(specifier)))
			continue
		}
		value, err := n.Expand("%" + string(rune(specifier)))
		if err != nil {
			return nil, nil, err
		}
		b.WriteString(tmpfilesValue.Replace(value))
	}
	if n.Template {
		return []string{s}, nil, nil
	}
	return []string{b.String()}, nil, nil
}

// tmpfilesSpecifiers are those of tmpfiles.d(5) of systemd 252. What %h and %u stand
// for is the same there and here.
const tmpfilesSpecifiers = "%aAbBCgGhHlLmMoStTuUvVwW"

// tmpfilesValue keeps what a specifier stands for in its word: systemd-tmpfiles undoes
// C escapes in all fields, and replaces specifiers then.
var tmpfilesValue = strings.NewReplacer("%", "%%", `\`, `\\`, " ", `\x20`, "\t", `\t`, "\n", `\n`, "\r", `\r`, `"`, `\"`, "'", `\'`)

// TmpfilesPath is the path that a line of Tmpfiles= names, cleaned, with specifiers
// as they stand.
func TmpfilesPath(line string) string {
	_, rest, _ := strings.Cut(line, " ")
	words, _, err := split(rest, cWord)
	if err != nil || len(words) == 0 {
		return ""
	}
	return path.Clean(words[0])
}
