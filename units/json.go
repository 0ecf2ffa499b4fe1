package units

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonWords reads a JSON array of strings, the other form of Entrypoint=.
// encoding/json would cost each boot more than all the rest.
func jsonWords(s string) ([]string, error) {
	bad := func() error { return wrong(`for example ["/bin/sh", "-c"]`, quote(s), " is no JSON array of strings") }
	words := []string{}
	rest := strings.TrimLeft(s[1:], white)
	if rest == "]" {
		return words, nil
	}
	for {
		word, n := jsonString(rest)
		if n == 0 {
			return nil, bad()
		}
		words = append(words, word)
		rest = strings.TrimLeft(rest[n:], white)
		if rest == "]" {
			return words, nil
		}
		if rest == "" || rest[0] != ',' {
			return nil, bad()
		}
		rest = strings.TrimLeft(rest[1:], white)
	}
}

// jsonString reads the string that s begins with, and its length; 0 if none does.
func jsonString(s string) (string, int) {
	if s == "" || s[0] != '"' {
		return "", 0
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), i + 1
		case s[i] < 0x20:
			return "", 0
		case s[i] != '\\':
			b.WriteByte(s[i])
		case i+1 == len(s):
			return "", 0
		case s[i+1] == 'u':
			r, n := jsonRune(s[i:])
			if n == 0 || r == 0 {
				return "", 0
			}
			b.WriteRune(r)
			i += n - 1
		default:
			k := strings.IndexByte(`"\/bfnrt`, s[i+1])
			if k < 0 {
				return "", 0
			}
			b.WriteByte("\"\\/\b\f\n\r\t"[k])
			i++
		}
	}
	return "", 0
}

// jsonRune reads \uXXXX, or two of them that make one character.
func jsonRune(s string) (rune, int) {
	unit := func(s string) (rune, bool) {
		if len(s) < 6 || s[:2] != `\u` {
			return 0, false
		}
		var r rune
		for _, b := range []byte(s[2:6]) {
			d := digit(b)
			if d == 16 {
				return 0, false
			}
			r = r<<4 | rune(d)
		}
		return r, true
	}
	first, ok := unit(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(first) {
		return first, 6
	}
	second, ok := unit(s[6:])
	r := utf16.DecodeRune(first, second)
	if !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}
