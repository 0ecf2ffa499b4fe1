package units

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// patchForm reads a JSON object, or the path of a file with one.
func patchForm(n *scope, s string) ([]ConfigPatch, []error, error) {
	if s[0] == '{' {
		json, err := jsonObject(s, n.Expand)
		return []ConfigPatch{{JSON: json}}, nil, err
	}
	if bare := strings.TrimLeft(s, `"'`); strings.HasPrefix(bare, "{") || strings.HasPrefix(bare, "[") {
		return nil, nil, wrong(patchExample, quote(s), " is neither a JSON object nor a path")
	}
	s, err := text(n, s)
	if err == nil {
		s, err = n.file(s)
	}
	return []ConfigPatch{{File: s}}, nil, err
}

const patchExample = `for example {"process": {"oomScoreAdj": -500}}`

// deepestJSON bounds the objects and arrays inside one another.
const deepestJSON = 64

// jsonObject checks that s is one JSON object (RFC 8259), and nothing behind it, in
// which no name stands twice. It gives s with expand applied to the inside of each
// string; what a specifier brings must need no escape.
func jsonObject(s string, expand func(string) (string, error)) (string, error) {
	r := jsonReader{text: s, expand: expand}
	r.blanks()
	r.object(1)
	if r.blanks(); r.err == nil && r.at < len(s) {
		r.fail("nothing may stand behind the object")
	}
	if r.err != nil || r.out == nil {
		return s, r.err
	}
	return string(append(r.out, s[r.copied:]...)), nil
}

// jsonReader goes through a JSON text once. With err set it is at the end.
type jsonReader struct {
	text   string
	at     int
	expand func(string) (string, error)
	out    []byte // the result up to copied; nil while nothing differs
	copied int
	err    error
}

func (r *jsonReader) fail(why string) {
	if r.err == nil {
		rest := r.text[r.at:]
		if len(rest) > 20 {
			rest = strings.ToValidUTF8(rest[:20], "")
		}
		where := "at byte " + strconv.Itoa(r.at+1) + ", before " + quote(rest)
		if rest == "" {
			where = "at the end"
		}
		r.err = wrong(patchExample, "not valid JSON ", where, ": ", why)
	}
	r.at = len(r.text)
}

// next is the byte to be read, 0 at the end.
func (r *jsonReader) next() byte {
	if r.at == len(r.text) {
		return 0
	}
	return r.text[r.at]
}

func (r *jsonReader) blanks() {
	for r.at < len(r.text) && strings.IndexByte(white, r.text[r.at]) >= 0 {
		r.at++
	}
}

func (r *jsonReader) value(depth int) {
	if depth > deepestJSON {
		r.fail("more than 64 objects and arrays are inside one another")
		return
	}
	switch b := r.next(); {
	case b == '{':
		r.object(depth)
	case b == '[':
		r.array(depth)
	case b == '"':
		r.string()
	case b == '-' || isDigit(b):
		r.number()
	default:
		for _, word := range [...]string{"true", "false", "null"} {
			if strings.HasPrefix(r.text[r.at:], word) {
				r.at += len(word)
				return
			}
		}
		r.fail("a value is expected")
	}
}

func (r *jsonReader) object(depth int) {
	if r.next() != '{' {
		r.fail("an object is expected")
		return
	}
	r.at++
	if r.blanks(); r.next() == '}' {
		r.at++
		return
	}
	names := make(map[string]bool)
	for r.err == nil {
		r.blanks()
		if r.next() != '"' {
			r.fail(`a name in quotes is expected`)
			return
		}
		begin := r.at
		name := r.string()
		if names[name] && r.err == nil {
			r.at = begin
			r.fail("the name stands twice in its object")
			return
		}
		names[name] = true
		if r.blanks(); r.next() != ':' {
			r.fail("a colon is expected")
			return
		}
		r.at++
		r.blanks()
		r.value(depth + 1)
		if !r.more('}') {
			return
		}
	}
}

func (r *jsonReader) array(depth int) {
	r.at++
	if r.blanks(); r.next() == ']' {
		r.at++
		return
	}
	for r.err == nil {
		r.blanks()
		r.value(depth + 1)
		if !r.more(']') {
			return
		}
	}
}

// more reads what stands between two values, or after the last.
func (r *jsonReader) more(end byte) bool {
	r.blanks()
	switch r.next() {
	case ',':
		r.at++
		return r.err == nil
	case end:
		r.at++
		return false
	}
	r.fail("a comma or " + string(end) + " is expected")
	return false
}

// string reads a string, replaces specifiers in it, and gives what it means.
func (r *jsonReader) string() string {
	meaning, n := jsonString(r.text[r.at:])
	if n == 0 {
		r.fail("a string has no end, or a character or an escape that no string may have")
		return ""
	}
	begin, inside := r.at+1, r.text[r.at+1:r.at+n-1]
	r.at += n
	if strings.IndexByte(inside, '%') < 0 {
		return meaning
	}
	escapes := false // in what a specifier brings
	replaced, err := expand(inside, func(specifier byte) (string, error) {
		v, err := r.expand("%" + string(rune(specifier)))
		escapes = escapes || strings.ContainsAny(v, `"\`) || hasControl(v) || !utf8.ValidString(v)
		return v, err
	})
	if err == nil && escapes {
		err = wrong("", "a specifier in ", quote(inside), " stands for text that JSON would need escapes for")
	}
	if err != nil {
		if r.err == nil {
			r.err = err
		}
		r.at = len(r.text)
		return ""
	}
	if r.out == nil {
		r.out = []byte{}
	}
	r.out = append(append(r.out, r.text[r.copied:begin]...), replaced...)
	r.copied = begin + len(inside)
	meaning, _ = jsonString(`"` + replaced + `"`)
	return meaning
}

// number reads a number: no leading zeros, digits around the point.
func (r *jsonReader) number() {
	digits := func() bool {
		begin := r.at
		for isDigit(r.next()) {
			r.at++
		}
		return r.at > begin
	}
	if r.next() == '-' {
		r.at++
	}
	if r.next() == '0' {
		r.at++
	} else if !digits() {
		r.fail("a digit is expected")
		return
	}
	if r.next() == '.' {
		if r.at++; !digits() {
			r.fail("a digit is expected")
			return
		}
	}
	if b := r.next(); b == 'e' || b == 'E' {
		r.at++
		if b := r.next(); b == '+' || b == '-' {
			r.at++
		}
		if !digits() {
			r.fail("a digit is expected")
		}
	}
}
