package ostree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Commit names a tree and says something about it.
type Commit struct {
	Metadata  Metadata
	Parent    Checksum // zero: none
	Subject   string
	Body      string
	Timestamp uint64 // seconds since 1970
	Tree      Checksum
	Meta      Checksum // of the root directory
}

// Metadata is a commit's dictionary. Keys are unique and not empty; their
// order is kept, and is part of the commit's checksum.
type Metadata []Entry

// Entry is one key of a dictionary.
type Entry struct {
	Key   string
	Value Variant
}

// StringMetadata makes a dictionary of strings, sorted by key.
func StringMetadata(m map[string]string) Metadata {
	var d Metadata
	for _, key := range slices.Sorted(maps.Keys(m)) {
		d = append(d, Entry{key, StringVariant(m[key])})
	}
	return d
}

// Text returns the string under key.
func (d Metadata) Text(key string) (s string, ok bool) {
	for _, e := range d {
		if e.Key == key {
			return e.Value.Text()
		}
	}
	return "", false
}

func (d Metadata) check() error {
	seen := make(map[string]bool, len(d))
	for _, e := range d {
		if e.Key == "" || strings.IndexByte(e.Key, 0) >= 0 || !utf8.ValidString(e.Key) || seen[e.Key] {
			return fmt.Errorf("metadata key %q: invalid or twice", e.Key)
		}
		seen[e.Key] = true
		if err := e.Value.check(); err != nil {
			return fmt.Errorf("metadata key %q: %w", e.Key, err)
		}
	}
	return nil
}

func (c *Commit) check() error {
	for _, s := range []string{c.Subject, c.Body} {
		if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
			return fmt.Errorf("subject or body %q: not UTF-8 or with a NUL inside", s)
		}
	}
	return c.Metadata.check()
}

func encodeMetadata(d Metadata) []byte {
	elements := make([][]byte, len(d))
	for i, e := range d {
		elements[i] = encodeTuple(member{1, 0, encodeString(e.Key)}, member{8, 0, encodeVariant(e.Value)})
	}
	return encodeArray(8, elements)
}

func decodeMetadata(b []byte) (Metadata, error) {
	elements, err := decodeArray(b, 8)
	if err != nil {
		return nil, err
	}
	var d Metadata
	for _, element := range elements {
		pair := []member{{align: 1}, {align: 8}}
		if err := decodeTuple(element, pair); err != nil {
			return nil, err
		}
		var e Entry
		if e.Key, err = decodeString(pair[0].data); err != nil {
			return nil, err
		}
		if e.Value, err = decodeVariant(pair[1].data); err != nil {
			return nil, err
		}
		d = append(d, e)
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	return d, normal(b, encodeMetadata(d))
}

// encodeCommit serialises a .commit object: (a{sv}aya(say)sstayay).
func encodeCommit(c *Commit) []byte {
	var parent []byte
	if !c.Parent.IsZero() {
		parent = c.Parent[:]
	}
	return encodeTuple(
		member{8, 0, encodeMetadata(c.Metadata)},
		member{1, 0, parent},
		member{1, 0, nil}, // related objects: never written by libostree
		member{1, 0, encodeString(c.Subject)},
		member{1, 0, encodeString(c.Body)},
		member{8, 8, binary.BigEndian.AppendUint64(nil, c.Timestamp)},
		member{1, 0, c.Tree[:]},
		member{1, 0, c.Meta[:]},
	)
}

func decodeCommit(b []byte) (*Commit, error) {
	f := []member{{align: 8}, {align: 1}, {align: 1}, {align: 1}, {align: 1}, {align: 8, size: 8}, {align: 1}, {align: 1}}
	if err := decodeTuple(b, f); err != nil {
		return nil, err
	}
	c := &Commit{}
	var err error
	if c.Metadata, err = decodeMetadata(f[0].data); err != nil {
		return nil, err
	}
	switch len(f[1].data) {
	case 0:
	case len(c.Parent):
		c.Parent = Checksum(f[1].data)
	default:
		return nil, errors.New("parent is not 32 bytes long")
	}
	if len(f[2].data) != 0 {
		return nil, errors.New("related objects are not supported")
	}
	if c.Subject, err = decodeString(f[3].data); err != nil {
		return nil, err
	}
	if c.Body, err = decodeString(f[4].data); err != nil {
		return nil, err
	}
	c.Timestamp = binary.BigEndian.Uint64(f[5].data)
	if len(f[6].data) != len(c.Tree) || len(f[7].data) != len(c.Meta) {
		return nil, errors.New("checksum of the root is not 32 bytes long")
	}
	c.Tree, c.Meta = Checksum(f[6].data), Checksum(f[7].data)
	return c, normal(b, encodeCommit(c))
}
