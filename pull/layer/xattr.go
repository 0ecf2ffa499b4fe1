package layer

import (
	"archive/tar"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	xattrRecord = "SCHILY.xattr." // PAX; values are raw bytes
	capability  = "security.capability"
	aclAccess   = "system.posix_acl_access"
	aclDefault  = "system.posix_acl_default"
)

// xattrs takes the extended attributes of an entry, those that can be kept, in
// the form in which the kernel will return them.
func (l *reader) xattrs(h *tar.Header, t Type, mode uint32) (map[string]string, error) {
	var xattrs map[string]string
	total := int64(0)
	for record, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(record, xattrRecord)
		if !ok {
			continue
		}
		if keep := value != "" && keepXattr(name, t); !keep {
			l.strip(name)
			continue
		}
		switch total += int64(len(name) + len(value)); {
		case len(name) > maxName:
			return nil, fmt.Errorf("extended attribute %.300q: a name of more than %d bytes", name, maxName)
		case int64(len(value)) > l.limits.XattrSize:
			return nil, fmt.Errorf("extended attribute %q: %d bytes are more than %d (XattrSize=)", name, len(value), l.limits.XattrSize)
		case total > l.limits.XattrTotal:
			return nil, fmt.Errorf("extended attributes take more than %d bytes (XattrTotal=)", l.limits.XattrTotal)
		}
		value, err := normalXattr(name, value, mode)
		if err != nil {
			return nil, fmt.Errorf("extended attribute %q: %w", name, err)
		}
		if value == "" {
			continue
		}
		if xattrs == nil {
			xattrs = map[string]string{}
		}
		xattrs[strings.Clone(name)] = strings.Clone(value) // not all records of the entry
	}
	return xattrs, nil
}

// cost is the memory that attributes take.
func (m Meta) cost() (bytes int) {
	for name, value := range m.Xattrs {
		bytes += len(name) + len(value)
	}
	return bytes
}

// maxStripped is how many names of dropped attributes are remembered.
const maxStripped = 1000

// strip counts an attribute that is dropped. Its name is a stranger's, and may
// be as long as a PAX record.
func (l *reader) strip(name string) {
	name = strings.ToValidUTF8(name[:min(len(name), maxName)], "\uFFFD")
	if l.tree.Stripped[name] > 0 || len(l.tree.Stripped) < maxStripped {
		l.tree.Stripped[strings.Clone(name)]++
	}
}

// keepXattr tells what may be stored. Overlayfs obeys its own attributes, and
// the kernel refuses user.* and ACLs on symbolic links, user.* on special files
// too. Those are recorded in JSON, which has no names that are not UTF-8.
func keepXattr(name string, t Type) bool {
	switch name {
	case capability:
		return t == File || t == Dir
	case aclAccess:
		return t == File || t == Dir
	case aclDefault:
		return t == Dir
	case "user.", "trusted.":
		return false
	}
	for _, overlay := range []string{"user.overlay.", "trusted.overlay."} {
		if strings.HasPrefix(name, overlay) {
			return false
		}
	}
	if t == Special && !utf8.ValidString(name) {
		return false
	}
	return strings.HasPrefix(name, "trusted.") || strings.HasPrefix(name, "user.") && (t == File || t == Dir)
}

// normalXattr is what the kernel returns for a value that was set, "" if that
// is nothing.
func normalXattr(name, value string, mode uint32) (string, error) {
	switch name {
	case capability:
		return normalCapability(value)
	case aclAccess:
		return normalACL(value, &mode)
	case aclDefault:
		return normalACL(value, nil)
	}
	return value, nil
}

// normalCapability checks the on-disk form of file capabilities, see
// linux/capability.h. Version 3 for the root of the initial namespace reads
// back as version 2.
func normalCapability(value string) (string, error) {
	const versions, v2, v3 = 0xff000000, 0x02000000, 0x03000000
	b := []byte(value)
	if len(b) != 20 && len(b) != 24 {
		return "", fmt.Errorf("%d bytes are no file capabilities", len(b))
	}
	magic := binary.LittleEndian.Uint32(b)
	switch version := magic & versions; {
	case version == v2 && len(b) == 20:
		return value, nil
	case version == v3 && len(b) == 24:
		if binary.LittleEndian.Uint32(b[20:]) != 0 {
			return value, nil
		}
		binary.LittleEndian.PutUint32(b, magic&^versions|v2)
		return string(b[:20]), nil
	}
	return "", fmt.Errorf("unknown version %#x of file capabilities", magic)
}

// normalACL checks the form of a POSIX ACL, see linux/posix_acl_xattr.h. An
// access ACL and the mode are two views of one thing: the mode wins, as after
// chmod(2), and an ACL that says no more than the mode is dropped.
func normalACL(value string, mode *uint32) (string, error) {
	const (
		userObj, user, groupObj, group, mask, other = 1, 2, 4, 8, 0x10, 0x20
		undefined                                   = 1<<32 - 1
	)
	b := []byte(value)
	if len(b) < 4 || (len(b)-4)%8 != 0 || binary.LittleEndian.Uint32(b) != 2 {
		return "", errors.New("not an ACL of version 2")
	}
	seen, last := map[uint16]int{}, uint16(0)
	for e := b[4:]; len(e) > 0; e = e[8:] {
		tag, permissions, id := binary.LittleEndian.Uint16(e), binary.LittleEndian.Uint16(e[2:]), binary.LittleEndian.Uint32(e[4:])
		if permissions > 7 || tag < last {
			return "", errors.New("invalid ACL")
		}
		last = tag
		seen[tag]++
		switch tag {
		case user, group:
			if id == undefined {
				return "", errors.New("invalid ACL: an entry for nobody")
			}
			continue
		case userObj, groupObj, mask, other:
			if seen[tag] > 1 {
				return "", errors.New("invalid ACL: an entry twice")
			}
		default:
			return "", errors.New("invalid ACL: unknown tag")
		}
		binary.LittleEndian.PutUint32(e[4:], undefined)
		if mode == nil {
			continue
		}
		switch tag {
		case userObj:
			permissions = uint16(*mode >> 6 & 7)
		case mask:
			permissions = uint16(*mode >> 3 & 7)
		case other:
			permissions = uint16(*mode & 7)
		}
		binary.LittleEndian.PutUint16(e[2:], permissions)
	}
	named := seen[user] + seen[group]
	if seen[userObj] == 0 || seen[groupObj] == 0 || seen[other] == 0 || named > 0 && seen[mask] == 0 {
		if len(b) == 4 {
			return "", nil
		}
		return "", errors.New("invalid ACL: an entry is missing")
	}
	if mode != nil && named == 0 && seen[mask] == 0 {
		return "", nil
	}
	return string(b), nil
}
