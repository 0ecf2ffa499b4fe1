// Package accounts finds users and groups in the /etc/passwd and /etc/group of a
// container, whose bytes the image's author wrote. render asks for the payload,
// "syscontainer exec" for a command beside it: both must give a name one meaning.
// The package is linked into the start path.
package accounts

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxFile bounds what is read of /etc/passwd and /etc/group, in bytes.
const MaxFile = 4 << 20

// User is whom a process runs as.
type User struct {
	UID, GID uint32
	Groups   []uint32 // supplementary, without GID's meaning: as in /etc/group
	Home     string   // "" if no line of /etc/passwd says
}

// Find looks for "", "user" or "user:group" in the files' bytes (passwd(5),
// group(5)); either part may be a number. As in Docker and podman: no user means 0; a
// number without a line has group 0; supplementary groups apply only where no group is
// named. Lines it cannot read are skipped, as libc does.
func Find(name string, passwd, group []byte) (User, error) {
	name, groupName, groupNamed := strings.Cut(name, ":")
	if name == "" {
		name = "0"
	}
	var u User
	number, isNumber := ParseID(name)
	login := ""
	if fields := find(passwd, 6, func(f [][]byte) bool {
		uid, ok := ParseID(string(f[2]))
		_, okGroup := ParseID(string(f[3])) // else a broken line would give group 0
		return ok && okGroup && (string(f[0]) == name && !isNumber || isNumber && uid == number)
	}); fields != nil {
		login = string(fields[0])
		u.UID, _ = ParseID(string(fields[2]))
		u.GID, _ = ParseID(string(fields[3]))
		u.Home = string(fields[5])
	} else if isNumber {
		u.UID = number
	} else {
		return User{}, fmt.Errorf("user %q is not in the image's /etc/passwd", name)
	}
	if groupNamed {
		var ok bool
		if u.GID, ok = Group(groupName, group); !ok {
			return User{}, fmt.Errorf("group %q is not in the image's /etc/group", groupName)
		}
		return u, nil
	}
	if login != "" {
		find(group, 4, func(f [][]byte) bool {
			gid, ok := ParseID(string(f[2]))
			for member := range bytes.SplitSeq(f[3], []byte{','}) {
				if ok && string(member) == login && !slices.Contains(u.Groups, gid) {
					u.Groups = append(u.Groups, gid)
				}
			}
			return false
		})
	}
	return u, nil
}

// find returns the fields of the first line with at least so many of them that
// match accepts; nil if there is none.
func find(file []byte, fields int, match func([][]byte) bool) [][]byte {
	for line := range bytes.Lines(file) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 || line[0] == '#' || bytes.IndexByte(line, 0) >= 0 {
			continue
		}
		if f := bytes.Split(line, []byte{':'}); len(f) >= fields && match(f) {
			return f
		}
	}
	return nil
}

// ParseID reads a user or group number. 4294967295 is (uid_t)-1, which means
// "unchanged" to the kernel.
func ParseID(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 || s[0] == '+' {
		return 0, false
	}
	return uint32(n), true
}

// Group is a group's number; a name is looked for in the file's bytes.
func Group(name string, group []byte) (uint32, bool) {
	if number, isNumber := ParseID(name); isNumber {
		return number, true
	}
	fields := find(group, 3, func(f [][]byte) bool {
		_, ok := ParseID(string(f[2]))
		return ok && string(f[0]) == name
	})
	if fields == nil {
		return 0, false
	}
	return ParseID(string(fields[2]))
}
