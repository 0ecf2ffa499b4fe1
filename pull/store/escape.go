package store

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxName is the longest file name Escape returns; file systems take 255.
const maxName = 240 // leaves room for a temporary prefix

// Escape turns a reference into one file name that is also one component of an
// OSTree ref: bytes outside [A-Za-z0-9.-] become _XX, upper-case hex, as the
// ostree transport of containers/image did. Different references have
// different names; a long one is cut and told apart by its SHA-256.
func Escape(reference string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i, c := range []byte(reference) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			i > 0 && (c == '.' || c == '-'):
			b.WriteByte(c)
		default:
			b.WriteByte('_')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	name := b.String()
	if len(name) > maxName {
		// "__" cannot come from the loop above: after an underscore stand hex digits.
		sum := sha256.Sum256([]byte(reference))
		name = name[:maxName-66] + "__" + hex.EncodeToString(sum[:])
	}
	return name
}

// Unescape is the reference that Escape made a name of. It is "" for a name
// that was cut, and for one that Escape never returns.
func Unescape(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '_' {
			b.WriteByte(name[i])
			continue
		}
		if len(name) < i+3 {
			return ""
		}
		c, err := hex.DecodeString(strings.ToLower(name[i+1 : i+3]))
		if err != nil {
			return ""
		}
		b.Write(c)
		i += 2
	}
	if reference := b.String(); Escape(reference) == name {
		return reference
	}
	return ""
}
