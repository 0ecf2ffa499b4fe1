package units

import (
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// tmpfilesForm reads a line of tmpfiles.d(5) as far as it must be right for what we
// do with it: the type is known, the path absolute. Specifiers that systemd-tmpfiles
// has not are replaced, the others are its own. In a template all stay.
func tmpfilesForm(n *scope, s string) ([]string, []error, error) {
	const form = "the form is TYPE PATH [MODE USER GROUP AGE ARGUMENT], see tmpfiles.d(5)"
	words, err := tmpfilesFields(s)
	if err != nil {
		return nil, nil, err
	}
	kind := words[0]
	if kind == "" || !strings.Contains("fFwdDevqQpLcbCxXrRzZtThHaAm", kind[:1]) || strings.Trim(kind[1:], "+!-=~^$?") != "" {
		return nil, nil, wrong(form, quote(kind), " is no type of tmpfiles.d(5)")
	}
	if len(words) == 1 || words[1] == "" || words[1][0] != '/' && words[1][0] != '%' {
		return nil, nil, wrong(form, quote(s), " names no absolute path")
	}
	if len(words) > 2 && words[2] != "-" && words[2] != "" {
		if mode, err := strconv.ParseUint(strings.TrimLeft(words[2], "~:"), 8, 16); err != nil || mode > 0o7777 {
			return nil, nil, wrong(form, "invalid mode ", quote(words[2]))
		}
	}
	if n.Template {
		for _, specifier := range specifiers(s) {
			if specifier != 0 && strings.IndexByte(tmpfilesSpecifiers, specifier) < 0 {
				if _, err := n.Expand("%" + string(rune(specifier))); err != nil {
					return nil, nil, err
				}
			}
		}
		return []string{s}, nil, nil
	}
	line, err := expandTmpfiles(n, s)
	return []string{line}, nil, err
}

// expandTmpfiles replaces specifiers in a line so that what they stand for stays in
// its field. systemd 252 takes a backslash in a field for the mark of a literal
// character, later ones for a C escape, and the argument has no quotes, but escapes:
// what means the same to all of them is \\, \" and \', and a blank in quotes.
func expandTmpfiles(n *scope, s string) (string, error) {
	var b strings.Builder
	var at fieldReader
	for text, specifier := range specifiers(s) {
		at.read(text)
		b.WriteString(text)
		if specifier == 0 {
			break
		}
		at.inside = true
		if strings.IndexByte(tmpfilesSpecifiers, specifier) >= 0 {
			b.WriteString("%" + string(rune(specifier)))
			continue
		}
		value, err := n.Expand("%" + string(rune(specifier)))
		if err != nil {
			return "", err
		}
		if hasControl(value) || !utf8.ValidString(value) {
			return "", wrong("", "specifier %", string(rune(specifier)), " stands for ", quote(value), ", which cannot be written into the line")
		}
		value = tmpfilesEscapes.Replace(value)
		if at.field == argumentField {
			value = strings.ReplaceAll(value, " ", `\x20`) // at the end of the line it would go
		} else if at.twin == 0 {
			value = strings.ReplaceAll(value, " ", `" "`)
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

// argumentField is the number of the last field, from 0. It takes the rest of the line.
const argumentField = 6

// tmpfilesFields are the fields before the argument, of which there is at least one.
func tmpfilesFields(line string) ([]string, error) {
	var at fieldReader
	words, _, err := split(line[:at.read(line)], literal)
	return words, err
}

// fieldReader knows in which field of a line it is.
type fieldReader struct {
	field  int
	inside bool // the field has begun
	twin   byte // that closes the quote; 0 outside of quotes
}

// read goes on to the end of text, and returns where in it the argument begins; its
// length if it does not.
func (r *fieldReader) read(text string) int {
	for i := 0; i < len(text) && r.field < argumentField; i++ {
		switch c := text[i]; {
		case c == '\\':
			r.inside = true
			i++
		case r.twin != 0:
			if c == r.twin {
				r.twin = 0
			}
		case c == '"' || c == '\'':
			r.twin, r.inside = c, true
		case strings.IndexByte(white, c) < 0:
			r.inside = true
		case r.inside:
			r.inside = false
			if r.field++; r.field == argumentField {
				return i
			}
		}
	}
	return len(text)
}

// tmpfilesSpecifiers are those of tmpfiles.d(5) of systemd 252. What %h and %u stand
// for is the same there and here.
const tmpfilesSpecifiers = "%aAbBCgGhHlLmMoStTuUvVwW"

var tmpfilesEscapes = strings.NewReplacer("%", "%%", `\`, `\\`, `"`, `\"`, "'", `\'`)

// TmpfilesPath is the path that a line of Tmpfiles= names, cleaned, with specifiers
// as they stand.
func TmpfilesPath(line string) string {
	words, err := tmpfilesFields(line)
	if err != nil || len(words) < 2 {
		return ""
	}
	return path.Clean(words[1])
}
