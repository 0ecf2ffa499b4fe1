package units

import (
	"strings"
	"unicode/utf8"
)

// mode is what a backslash means while a value is split into words; it belongs to
// the key.
type mode int

const (
	plain   mode = iota // an ordinary character
	cWord               // a C escape; one that is not known is an error
	exec                // a C escape; one that is not known stays as written, with a warning
	literal             // it goes, and the next character is an ordinary one
)

// split cuts a value into words at white space. A quote, " or ', may open anywhere
// in a word; inside, blanks and the other quote are ordinary; the quotes go, and an
// empty pair makes an empty word (extract_first_word of systemd). A quote without
// its twin is an error.
func split(s string, m mode) (words []string, warnings []error, err error) {
	if strings.IndexByte(s, '"') < 0 && strings.IndexByte(s, '\'') < 0 && (m == plain || strings.IndexByte(s, '\\') < 0) {
		return fields(s), nil, nil
	}
	var (
		word   strings.Builder
		inside bool // a word has begun
		twin   byte // that closes the quote; 0 outside of quotes
	)
	for i := 0; i < len(s); i++ {
		b := s[i]
		switch {
		case b == '\\' && m == literal && i+1 < len(s):
			i++
			word.WriteByte(s[i])
			inside = true
		case b == '\\' && m != plain && m != literal:
			escaped, n := unescape(s[i:])
			if n == 0 && m == cWord {
				return nil, nil, wrong(`write \\ for a backslash`, "unknown escape ", quote(shownEscape(s[i:])))
			}
			if n == 0 {
				warnings = append(warnings, wrong(`write \\ for a backslash`,
					"unknown escape ", quote(shownEscape(s[i:])), " stays as it is"))
				escaped = s[i:min(i+2, len(s))] // a blank, too, is then a part of the word
				n = len(escaped)
			}
			word.WriteString(escaped)
			inside = true
			i += n - 1
		case twin != 0 && b == twin:
			twin = 0
		case twin == 0 && (b == '"' || b == '\''):
			twin, inside = b, true
		case twin == 0 && strings.IndexByte(white, b) >= 0:
			if inside {
				words = append(words, word.String())
				word.Reset()
				inside = false
			}
		default:
			word.WriteByte(b)
			inside = true
		}
	}
	if twin != 0 {
		return nil, nil, wrong("", "quote ", string(twin), " is not closed")
	}
	if inside {
		words = append(words, word.String())
	}
	return words, warnings, nil
}

// fields are the words of a value that has nothing special in it: parts of s itself.
func fields(s string) (words []string) {
	isWhite := func(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }
	n := 0
	for i := range len(s) {
		if !isWhite(s[i]) && (i == 0 || isWhite(s[i-1])) {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	words = make([]string, 0, n)
	begin := -1
	for i := range len(s) {
		switch white := isWhite(s[i]); {
		case white && begin >= 0:
			words = append(words, s[begin:i])
			begin = -1
		case !white && begin < 0:
			begin = i
		}
	}
	if begin >= 0 {
		words = append(words, s[begin:])
	}
	return words
}

func shownEscape(s string) string {
	if len(s) < 2 {
		return s
	}
	_, n := utf8.DecodeRuneInString(s[1:])
	return s[:1+n]
}

// unescape reads the C escape that s begins with, and its length; 0 if systemd
// knows none such. \xHH and \OOO are one byte, which need not be UTF-8.
func unescape(s string) (string, int) {
	if len(s) < 2 {
		return "", 0
	}
	if i := strings.IndexByte(`abfnrtv\"'s`, s[1]); i >= 0 {
		return "\a\b\f\n\r\t\v\\\"' "[i : i+1], 2
	}
	number := func(from, digits, base int) (n int, ok bool) {
		if len(s) < from+digits {
			return 0, false
		}
		for _, b := range []byte(s[from : from+digits]) {
			d := digit(b)
			if d >= base {
				return 0, false
			}
			n = n*base + d
		}
		return n, n != 0
	}
	switch s[1] {
	case 'x':
		if n, ok := number(2, 2, 16); ok {
			return string([]byte{byte(n)}), 4
		}
	case 'u':
		if n, ok := number(2, 4, 16); ok {
			if !utf8.ValidRune(rune(n)) { // half a character: the bytes systemd makes of it, which are no UTF-8
				return string([]byte{0xe0 | byte(n>>12), 0x80 | byte(n>>6)&0x3f, 0x80 | byte(n)&0x3f}), 6
			}
			return string(rune(n)), 6
		}
	case 'U':
		if n, ok := number(2, 8, 16); ok && n <= utf8.MaxRune && utf8.ValidRune(rune(n)) {
			return string(rune(n)), 10
		}
	default:
		if n, ok := number(1, 3, 8); ok && n <= 0o377 {
			return string([]byte{byte(n)}), 4
		}
	}
	return "", 0
}

// digit is the value of a hexadecimal digit, 16 for what is none.
func digit(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b >= 'a' && b <= 'f':
		return int(b-'a') + 10
	case b >= 'A' && b <= 'F':
		return int(b-'A') + 10
	}
	return 16
}
