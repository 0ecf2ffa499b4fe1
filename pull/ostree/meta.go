package ostree

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	typeDir     = 0o040000
	typeFile    = 0o100000
	typeSymlink = 0o120000
	typeMask    = 0o170000

	noID = 1<<32 - 1 // chown(2): do not change
)

// Meta is what an inode carries beside its content.
type Meta struct {
	UID, GID uint32            // 4294967295 is no id
	Mode     uint32            // the 12 permission bits; ignored for symbolic links
	Xattrs   map[string]string // name to raw value; nil if there are none
}

// check refuses what no inode can carry, or would not give back as it was set.
func (m Meta) check() error {
	if m.UID == noID || m.GID == noID {
		return errors.New("owner 4294967295 means \"unchanged\" to chown(2)")
	}
	if m.Mode&^0o7777 != 0 {
		return fmt.Errorf("mode %#o has more than permission bits", m.Mode)
	}
	for name, value := range m.Xattrs {
		switch {
		case name == "" || len(name) > 255 || strings.IndexByte(name, 0) >= 0:
			return fmt.Errorf("invalid name of an extended attribute: %q", name)
		case value == "":
			return fmt.Errorf("extended attribute %q is empty: libostree does not see such", name)
		}
	}
	return nil
}

func encodeXattrs(xattrs map[string]string) []byte {
	if len(xattrs) == 0 {
		return nil
	}
	elements := make([][]byte, 0, len(xattrs))
	for _, name := range slices.Sorted(maps.Keys(xattrs)) {
		elements = append(elements, encodeTuple(member{1, 0, encodeString(name)}, member{1, 0, []byte(xattrs[name])}))
	}
	return encodeArray(1, elements)
}

func decodeXattrs(b []byte) (map[string]string, error) {
	elements, err := decodeArray(b, 1)
	if err != nil || len(elements) == 0 {
		return nil, err
	}
	xattrs := make(map[string]string, len(elements))
	last := ""
	for _, e := range elements {
		pair := []member{{align: 1}, {align: 1}}
		if err := decodeTuple(e, pair); err != nil {
			return nil, err
		}
		name, ok := bytes.CutSuffix(pair[0].data, []byte{0})
		if !ok || len(name) == 0 || bytes.IndexByte(name, 0) >= 0 {
			return nil, fmt.Errorf("invalid name of an extended attribute: %q", pair[0].data)
		}
		if string(name) <= last {
			return nil, fmt.Errorf("extended attribute %q: out of order", name)
		}
		last = string(name)
		xattrs[last] = string(pair[1].data)
	}
	return xattrs, nil
}

// appendFileHeader appends what is hashed before the content of a file:
// (uuuusa(ayay)) behind its length. It is never stored in mode bare.
func appendFileHeader(b []byte, m Meta, mode uint32, target string) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, m.UID)
	b = binary.BigEndian.AppendUint32(b, m.GID)
	b = binary.BigEndian.AppendUint32(b, mode)
	b = append(b, 0, 0, 0, 0)
	b = append(b, target...)
	b = append(b, 0)
	end := len(b) - start - 8
	b = append(b, encodeXattrs(m.Xattrs)...)
	b = appendOffset(b, end, offsetWidth(len(b)-start-8, 1))
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-8))
	return b
}

// SymlinkChecksum is the id of a symbolic link.
func SymlinkChecksum(m Meta, target string) Checksum {
	return sha256.Sum256(appendFileHeader(nil, m, typeSymlink|0o777, target))
}

// FileChecksum is the id of a regular file with that content.
func FileChecksum(m Meta, content []byte) Checksum {
	h := sha256.New()
	h.Write(appendFileHeader(nil, m, typeFile|m.Mode, ""))
	h.Write(content)
	return Checksum(h.Sum(nil))
}

// encodeDirMeta serialises a .dirmeta object: (uuua(ayay)).
func encodeDirMeta(m Meta) []byte {
	b := binary.BigEndian.AppendUint32(nil, m.UID)
	b = binary.BigEndian.AppendUint32(b, m.GID)
	b = binary.BigEndian.AppendUint32(b, typeDir|m.Mode)
	return append(b, encodeXattrs(m.Xattrs)...)
}

func decodeDirMeta(b []byte) (m Meta, err error) {
	fields := []member{{align: 4, size: 4}, {align: 4, size: 4}, {align: 4, size: 4}, {align: 1}}
	if err := decodeTuple(b, fields); err != nil {
		return m, err
	}
	m.UID = binary.BigEndian.Uint32(fields[0].data)
	m.GID = binary.BigEndian.Uint32(fields[1].data)
	mode := binary.BigEndian.Uint32(fields[2].data)
	if mode&^0o7777 != typeDir {
		return m, fmt.Errorf("mode %#o is not a directory's", mode)
	}
	m.Mode = mode & 0o7777
	if m.Xattrs, err = decodeXattrs(fields[3].data); err != nil {
		return m, err
	}
	return m, normal(b, encodeDirMeta(m))
}

// normal refuses a serialisation other than the one this package would have
// written: slack bytes, padding that is not zero, offsets too wide.
func normal(got, want []byte) error {
	if !bytes.Equal(got, want) {
		return errors.New("not in normal form")
	}
	return nil
}
