package atomic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// deepest is how far values of a manifest may be nested.
const deepest = 32

// pythonString is the text that Python makes of a JSON value, str(json.loads(…)): what templates were filled with.
func pythonString(raw json.RawMessage) (string, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil && len(raw) > 0 && bytes.TrimSpace(raw)[0] == '"' {
		return text, nil
	}
	return pythonLiteral(raw, 0)
}

// pythonLiteral is repr(json.loads(…)).
func pythonLiteral(raw json.RawMessage, depth int) (string, error) {
	raw = bytes.TrimSpace(raw)
	if depth > deepest {
		return "", errors.New("a value is nested too deeply")
	}
	if len(raw) == 0 {
		return "", errors.New("a value is missing")
	}
	switch raw[0] {
	case 'n':
		return "None", nil
	case 't':
		return "True", nil
	case 'f':
		return "False", nil
	case '"':
		var text string
		err := json.Unmarshal(raw, &text)
		return pythonQuote(text), err
	case '[':
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return "", err
		}
		items := make([]string, len(list))
		for i, item := range list {
			var err error
			if items[i], err = pythonLiteral(item, depth+1); err != nil {
				return "", err
			}
		}
		return "[" + strings.Join(items, ", ") + "]", nil
	case '{':
		names, values, err := members(raw)
		if err != nil {
			return "", err
		}
		var items []string
		at := make(map[string]int)
		for i, name := range names {
			value, err := pythonLiteral(values[i], depth+1)
			if err != nil {
				return "", err
			}
			item := pythonQuote(name) + ": " + value
			if k, twice := at[name]; twice {
				items[k] = item
				continue
			}
			at[name] = len(items)
			items = append(items, item)
		}
		return "{" + strings.Join(items, ", ") + "}", nil
	}
	return pythonNumber(string(raw))
}

// pythonNumber is an integer of any size as it is, and anything else the shortest decimal that is the same float.
func pythonNumber(s string) (string, error) {
	if !strings.ContainsAny(s, ".eE") {
		if s == "-0" {
			s = "0"
		}
		return s, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case math.IsInf(f, 1):
		return "inf", nil
	case math.IsInf(f, -1):
		return "-inf", nil
	case err != nil:
		return "", fmt.Errorf("%q is no number", s)
	}
	// Python writes an exponent below 1e-4 and from 1e16 on.
	if size := math.Abs(f); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64), nil
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text, nil
}

// pythonQuote is repr() of a text.
func pythonQuote(s string) string {
	mark := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		mark = '"'
	}
	var b strings.Builder
	b.WriteByte(mark)
	for _, r := range s {
		switch {
		case r == rune(mark) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte(mark)
	return b.String()
}
