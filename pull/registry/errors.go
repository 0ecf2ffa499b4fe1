package registry

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hint is an error with what to do about it.
type hint struct {
	error
	text string
}

func (h hint) Unwrap() error { return h.error }

// clean makes one printable line of an error, for registries and images put
// words into it, and the hint, if it has one, a second line.
func clean(err error) error {
	if err == nil {
		return nil
	}
	text := printable(err.Error())
	if h, ok := errors.AsType[hint](err); ok {
		text += "\nhint: " + h.text
	}
	return cleaned{err, text}
}

type cleaned struct {
	error
	text string
}

func (c cleaned) Error() string { return c.text }
func (c cleaned) Unwrap() error { return c.error }

// printable drops what a terminal or a journal would act upon, and bounds what
// is left.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.Join(strings.Fields(s), " ")
	const most = 2000
	if len(s) <= most {
		return s
	}
	end := most
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "..."
}
