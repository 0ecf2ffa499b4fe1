package ostree

import (
	"encoding/hex"
	"fmt"
)

// Checksum is the SHA-256 that names an object.
type Checksum [32]byte

// String is the 64 lower-case hex digits libostree prints.
func (c Checksum) String() string { return hex.EncodeToString(c[:]) }

// IsZero tells the zero value, which stands for "none" where one is optional.
func (c Checksum) IsZero() bool { return c == Checksum{} }

// ParseChecksum takes exactly 64 lower-case hex digits.
func ParseChecksum(s string) (c Checksum, err error) {
	if len(s) != 64 {
		return c, fmt.Errorf("checksum %q: not 64 hex digits", s)
	}
	for i := range len(s) {
		if ch := s[i]; (ch < '0' || ch > '9') && (ch < 'a' || ch > 'f') {
			return c, fmt.Errorf("checksum %q: not 64 lower-case hex digits", s)
		}
	}
	_, err = hex.Decode(c[:], []byte(s))
	return c, err
}

// kind is the type of an object, in the order in which a transaction
// publishes: what refers comes after what is referred to.
type kind uint8

const (
	kindFile kind = iota
	kindDirMeta
	kindDirTree
	kindCommit
	kinds
)

var extensions = [kinds]string{".file", ".dirmeta", ".dirtree", ".commit"}

// object names one object.
type object struct {
	sum  Checksum
	kind kind
}

func (o object) String() string { return o.sum.String() + extensions[o.kind] }

// path is relative to objects/, or to a staging directory.
func (o object) path() string {
	b := make([]byte, 0, 80)
	b = hex.AppendEncode(b, o.sum[:1])
	b = append(b, '/')
	b = hex.AppendEncode(b, o.sum[1:])
	b = append(b, extensions[o.kind]...)
	return string(b)
}
