package atomic

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Template is a text with variables: the grammar of Python's string.Template. $NAME and ${NAME} are values, as long a name
// as there is, $$ is a dollar, and any other dollar is an error. What a value holds is not looked at again.
type Template struct {
	File string // as errors call it
	Text string
	// JSON makes a value that stands in a string of JSON come out as that value, whatever bytes it has. Anywhere else it
	// is written as it is: an accepted way to continue a list.
	JSON bool
}

// MissingError tells which variables have no value. It has all of them.
type MissingError struct {
	File  string
	Names []string // sorted
}

func (e *MissingError) Error() string {
	return "The template file '" + e.File + "' still contains an unreplaced value for: ''" + strings.Join(e.Names, "'', ''") + "''"
}

// PlaceholderError is a dollar that begins no variable. Line and column count from 1; a column is a character.
type PlaceholderError struct {
	File         string
	Line, Column int
}

func (e *PlaceholderError) Error() string {
	return fmt.Sprintf("%s: Invalid placeholder in string: line %d, col %d", e.File, e.Line, e.Column)
}

// Expand is the text with the values. Its errors are a *PlaceholderError, the first, or else a *MissingError.
func (t Template) Expand(values map[string]string) (string, error) {
	var (
		b       strings.Builder
		missing []string
		s       scanner
	)
	err := t.each(func(literal string) {
		b.WriteString(literal)
		s.read(literal)
	}, func(name string) {
		value, known := values[name]
		switch {
		case !known:
			missing = append(missing, name)
		case t.JSON && s.inString:
			quote(&b, value)
		default:
			b.WriteString(value)
			s.read(value)
		}
	})
	if err != nil {
		return "", err
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return "", &MissingError{t.File, slices.Compact(missing)}
	}
	return b.String(), nil
}

// Variables are the names in a text, each once, as they come. Of a text with an invalid placeholder, those before it.
func Variables(text string) (names []string) {
	Template{Text: text}.each(func(string) {}, func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	})
	return names
}

// each calls for the parts of the text in their order.
func (t Template) each(literal, variable func(string)) error {
	rest := t.Text
	for {
		i := strings.IndexByte(rest, '$')
		if i < 0 {
			literal(rest)
			return nil
		}
		literal(rest[:i])
		after := rest[i+1:]
		braced := strings.HasPrefix(after, "{")
		n := nameLength(strings.TrimPrefix(after, "{"))
		switch {
		case strings.HasPrefix(after, "$"):
			literal("$")
			rest = after[1:]
		case braced && n > 0 && strings.HasPrefix(after[1+n:], "}"):
			variable(after[1 : 1+n])
			rest = after[2+n:]
		case !braced && n > 0:
			variable(after[:n])
			rest = after[n:]
		default:
			before := t.Text[:len(t.Text)-len(rest)+i]
			lineStart := strings.LastIndexByte(before, '\n') + 1
			return &PlaceholderError{t.File, 1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[lineStart:])}
		}
	}
}

// nameLength is how long an identifier at the beginning is, 0 if there is none.
func nameLength(s string) int {
	for i, c := range []byte(s) {
		if !(c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9') {
			return i
		}
	}
	return len(s)
}

// scanner knows of a text that becomes JSON whether it is inside a string.
type scanner struct{ inString, escaped bool }

func (s *scanner) read(text string) {
	for _, c := range []byte(text) {
		switch {
		case s.escaped:
			s.escaped = false
		case c == '\\' && s.inString:
			s.escaped = true
		case c == '"':
			s.inString = !s.inString
		}
	}
}

// quote writes a value as the inside of a JSON string (RFC 8259, 7). Bytes that are no UTF-8 become U+FFFD when the JSON is
// read, as they would anyway.
func quote(b *strings.Builder, value string) {
	for _, c := range []byte(value) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20:
			fmt.Fprintf(b, `\u%04x`, c)
		default:
			b.WriteByte(c)
		}
	}
}
