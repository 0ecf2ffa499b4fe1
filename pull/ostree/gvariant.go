package ostree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The subset of GVariant's serialisation that OSTree's objects need. A
// container of variable-size members ends in a table of little-endian offsets,
// as wide as the container's size demands. Members are aligned relative to the
// container; every container here starts aligned itself.

// member is one member of a tuple. size 0 means variable.
type member struct {
	align, size int
	data        []byte
}

func alignUp(n, align int) int { return (n + align - 1) &^ (align - 1) }

func appendPadding(b []byte, align int) []byte {
	for len(b)&(align-1) != 0 {
		b = append(b, 0)
	}
	return b
}

// offsetWidth is the width of n offsets behind a body of that many bytes.
func offsetWidth(body, n int) int {
	for _, w := range []int{1, 2, 4} {
		if uint64(body+n*w) <= 1<<(8*w)-1 {
			return w
		}
	}
	return 8
}

// offsetWidthOf is the width of the offsets in a container of that size.
func offsetWidthOf(size int) int { return offsetWidth(size, 0) }

func appendOffset(b []byte, offset, width int) []byte {
	var le [8]byte
	binary.LittleEndian.PutUint64(le[:], uint64(offset))
	return append(b, le[:width]...)
}

func offsetAt(b []byte, width int) int {
	var le [8]byte
	copy(le[:], b[:width])
	if v := binary.LittleEndian.Uint64(le[:]); v <= 1<<40 {
		return int(v)
	}
	return 1 << 40 // beyond every body: refused by the range checks
}

// encodeArray serialises elements of variable size.
func encodeArray(align int, elements [][]byte) []byte {
	if len(elements) == 0 {
		return nil
	}
	var b []byte
	ends := make([]int, len(elements))
	for i, e := range elements {
		b = append(appendPadding(b, align), e...)
		ends[i] = len(b)
	}
	width := offsetWidth(len(b), len(ends))
	for _, end := range ends {
		b = appendOffset(b, end, width)
	}
	return b
}

// encodeTuple serialises members; the size fields are ignored but for telling
// fixed from variable ones.
func encodeTuple(members ...member) []byte {
	var b []byte
	var ends []int
	for i, m := range members {
		b = append(appendPadding(b, m.align), m.data...)
		if m.size == 0 && i < len(members)-1 {
			ends = append(ends, len(b))
		}
	}
	width := offsetWidth(len(b), len(ends))
	for i := len(ends) - 1; i >= 0; i-- {
		b = appendOffset(b, ends[i], width)
	}
	return b
}

var errFraming = errors.New("framing offsets out of order or out of range")

// decodeArray splits an array into its elements, which alias b. Padding is not
// checked: callers encode again and compare.
func decodeArray(b []byte, align int) ([][]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	width := offsetWidthOf(len(b))
	if len(b) < width {
		return nil, errFraming
	}
	table := offsetAt(b[len(b)-width:], width)
	if table > len(b)-width || (len(b)-table)%width != 0 {
		return nil, errFraming
	}
	elements := make([][]byte, (len(b)-table)/width)
	start := 0
	for i := range elements {
		start = alignUp(start, align)
		end := offsetAt(b[table+i*width:], width)
		if end < start || end > table {
			return nil, errFraming
		}
		elements[i] = b[start:end:end]
		start = end
	}
	return elements, nil
}

// decodeTuple fills in the data of members, which alias b.
func decodeTuple(b []byte, members []member) error {
	offsets := 0
	for _, m := range members[:len(members)-1] {
		if m.size == 0 {
			offsets++
		}
	}
	width := offsetWidthOf(len(b))
	body := len(b) - offsets*width
	if body < 0 {
		return errFraming
	}
	table, start := len(b), 0
	for i := range members {
		m := &members[i]
		start = alignUp(start, m.align)
		end := body
		if m.size > 0 {
			end = start + m.size
		} else if i < len(members)-1 {
			table -= width
			end = offsetAt(b[table:], width)
		}
		if end < start || end > body {
			return errFraming
		}
		m.data = b[start:end:end]
		start = end
	}
	if start != body {
		return errFraming
	}
	return nil
}

func encodeString(s string) []byte { return append([]byte(s), 0) }

func decodeString(b []byte) (string, error) {
	if len(b) == 0 || b[len(b)-1] != 0 {
		return "", errors.New("string without its final NUL")
	}
	s := string(b[:len(b)-1])
	if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
		return "", fmt.Errorf("string %q: not UTF-8 or with a NUL inside", s)
	}
	return s, nil
}

// Variant is a value of any GVariant type: its type string and its serialised
// bytes, little-endian as GVariant has it. OSTree's tools expect integers in
// commit metadata big-endian, so prefer strings.
type Variant struct {
	Type string
	Data []byte
}

// StringVariant is a value of type "s". s must be UTF-8 without NUL.
func StringVariant(s string) Variant { return Variant{Type: "s", Data: encodeString(s)} }

// Text returns the value of a variant of type "s".
func (v Variant) Text() (s string, ok bool) {
	if v.Type != "s" {
		return "", false
	}
	s, err := decodeString(v.Data)
	return s, err == nil
}

func encodeVariant(v Variant) []byte {
	b := append([]byte(nil), v.Data...)
	b = append(b, 0)
	return append(b, v.Type...)
}

func decodeVariant(b []byte) (Variant, error) {
	i := len(b) - 1
	for i >= 0 && b[i] != 0 {
		i--
	}
	if i < 0 {
		return Variant{}, errors.New("variant without a type")
	}
	v := Variant{Type: string(b[i+1:]), Data: append([]byte(nil), b[:i]...)}
	return v, v.check()
}

func (v Variant) check() error {
	if n := typeLength(v.Type, 0); n == 0 || n != len(v.Type) {
		return fmt.Errorf("variant of invalid type %q", v.Type)
	}
	if v.Type == "s" {
		_, err := decodeString(v.Data)
		return err
	}
	return nil
}

// typeLength is the length of the one complete type at the start of s, 0 if
// there is none.
func typeLength(s string, depth int) int {
	if s == "" || depth > 64 {
		return 0
	}
	switch s[0] {
	case 'b', 'y', 'n', 'q', 'i', 'u', 'x', 't', 'h', 'd', 's', 'o', 'g', 'v':
		return 1
	case 'a', 'm':
		if n := typeLength(s[1:], depth+1); n > 0 {
			return 1 + n
		}
	case '(':
		i := 1
		for i < len(s) && s[i] != ')' {
			n := typeLength(s[i:], depth+1)
			if n == 0 {
				return 0
			}
			i += n
		}
		if i < len(s) {
			return i + 1
		}
	case '{':
		if len(s) < 2 || strings.IndexByte("bynqiuxthdsog", s[1]) < 0 {
			return 0
		}
		if n := typeLength(s[2:], depth+1); n > 0 && 2+n < len(s) && s[2+n] == '}' {
			return 3 + n
		}
	}
	return 0
}
