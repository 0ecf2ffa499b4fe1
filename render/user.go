package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// user is whom the payload runs as.
type user struct {
	UID, GID uint32
	Groups   []uint32 // supplementary, without GID's meaning: as in /etc/group
	Home     string   // "" if no line of /etc/passwd says
}

// maxAccounts bounds /etc/passwd and /etc/group of an image.
const maxAccounts = 4 << 20

// lookupUser finds "", "user" or "user:group" in the image's own /etc/passwd and
// /etc/group; either part may be a number. As in Docker and podman: no user means
// 0; a number without a line in /etc/passwd has group 0; supplementary groups
// apply only where no group is named. The groups in also are added, by name or number.
func lookupUser(t *tree, name string, also []string) (user, error) {
	passwd, err := accounts(t, "/etc/passwd")
	if err != nil {
		return user{}, err
	}
	group, err := accounts(t, "/etc/group")
	if err != nil {
		return user{}, err
	}
	u, err := findUser(name, passwd, group)
	if err != nil {
		return u, err
	}
	for _, name := range also {
		gid, ok := findGroup(name, group)
		if !ok {
			return u, fmt.Errorf("GroupAdd=%s: there is no such group in the image's /etc/group", name)
		}
		if !slices.Contains(u.Groups, gid) {
			u.Groups = append(u.Groups, gid)
		}
	}
	return u, nil
}

// findGroup is a group's number; a name is looked for in the file's bytes.
func findGroup(name string, group []byte) (uint32, bool) {
	if number, isNumber := parseID(name); isNumber {
		return number, true
	}
	fields := find(group, 3, func(f [][]byte) bool {
		_, ok := parseID(string(f[2]))
		return ok && string(f[0]) == name
	})
	if fields == nil {
		return 0, false
	}
	return parseID(string(fields[2]))
}

// accounts reads a file that an image need not have.
func accounts(t *tree, name string) ([]byte, error) {
	data, err := t.readFile(name, maxAccounts)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// findUser is lookupUser on the files' bytes (passwd(5), group(5)). Lines it
// cannot read are skipped, as libc does.
func findUser(name string, passwd, group []byte) (user, error) {
	name, groupName, groupNamed := strings.Cut(name, ":")
	if name == "" {
		name = "0"
	}
	var u user
	number, isNumber := parseID(name)
	login := ""
	if fields := find(passwd, 6, func(f [][]byte) bool {
		uid, ok := parseID(string(f[2]))
		_, okGroup := parseID(string(f[3])) // else a broken line would give group 0
		return ok && okGroup && (string(f[0]) == name && !isNumber || isNumber && uid == number)
	}); fields != nil {
		login = string(fields[0])
		u.UID, _ = parseID(string(fields[2]))
		u.GID, _ = parseID(string(fields[3]))
		u.Home = string(fields[5])
	} else if isNumber {
		u.UID = number
	} else {
		return user{}, fmt.Errorf("user %q is not in the image's /etc/passwd", name)
	}
	if groupNamed {
		var ok bool
		if u.GID, ok = findGroup(groupName, group); !ok {
			return user{}, fmt.Errorf("group %q is not in the image's /etc/group", groupName)
		}
		return u, nil
	}
	if login != "" {
		find(group, 4, func(f [][]byte) bool {
			gid, ok := parseID(string(f[2]))
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

// parseID reads a user or group number. 4294967295 is (uid_t)-1, which means
// "unchanged" to the kernel.
func parseID(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 || s[0] == '+' {
		return 0, false
	}
	return uint32(n), true
}
