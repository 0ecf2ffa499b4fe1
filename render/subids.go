package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// idOwner is whose subordinate users and groups UserNS=auto gives to containers, as podman's
// --userns=auto does. No such user need exist.
const idOwner = "containers"

const idOwnerHint = "add the line " + idOwner + ":2147483647:2147483648 to /etc/subuid and to /etc/subgid"

// idRange is the numbers First to First+Size-1 of users and groups.
type idRange struct{ First, Size uint64 }

func (r idRange) end() uint64 { return r.First + r.Size }

func (r idRange) String() string { return fmt.Sprintf("%d to %d", r.First, r.end()-1) }

func (r idRange) overlaps(s idRange) bool { return r.First < s.end() && s.First < r.end() }

// common is what two ranges share; Size 0: nothing.
func (r idRange) common(s idRange) idRange {
	first, end := max(r.First, s.First), min(r.end(), s.end())
	if first >= end {
		return idRange{}
	}
	return idRange{first, end - first}
}

// spareIDs are the ranges that both files give to containers: a container has the same
// numbers as users and as groups.
func spareIDs(root string) (spare []idRange, err error) {
	var both [2][]idRange
	for i, name := range []string{"/etc/subuid", "/etc/subgid"} {
		file := filepath.Join("/", root, name)
		data, err := readHostFile(file, 4<<20)
		if err != nil && !os.IsNotExist(err) {
			return nil, fmt.Errorf("UserNS=auto: %w", err)
		}
		if both[i], err = subordinates(file, string(data)); err != nil {
			return nil, fmt.Errorf("UserNS=auto: %w", err)
		}
		if len(both[i]) == 0 {
			return nil, withHint(fmt.Errorf("UserNS=auto: %s gives nothing to %q", file, idOwner), idOwnerHint)
		}
	}
	for _, u := range both[0] {
		for _, g := range both[1] {
			if r := u.common(g); r.Size > 0 {
				spare = append(spare, r)
			}
		}
	}
	if len(spare) == 0 {
		return nil, withHint(fmt.Errorf("UserNS=auto: /etc/subuid and /etc/subgid give %q no number in common", idOwner), idOwnerHint)
	}
	return spare, nil
}

// subordinates are the ranges of idOwner in a file of subuid(5). Numbers that somebody
// else has, too, are refused: the processes of two would be one user's to the kernel.
func subordinates(file, text string) (own []idRange, err error) {
	type entry struct {
		idRange
		owner string
		line  int
	}
	var all []entry
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, ":")
		bad := len(fields) != 3 || fields[0] == ""
		var r idRange
		if !bad {
			var first, size error
			r.First, first = strconv.ParseUint(fields[1], 10, 32)
			r.Size, size = strconv.ParseUint(fields[2], 10, 32)
			bad = first != nil || size != nil || r.end() > math.MaxUint32 // the last number is no user
		}
		if bad {
			return nil, withHint(fmt.Errorf("%s:%d: %q is no range of users", file, number, line), "the form is NAME:FIRST:COUNT, see subuid(5)")
		}
		if r.Size == 0 {
			continue
		}
		if fields[0] == idOwner && r.First == 0 {
			return nil, withHint(fmt.Errorf("%s:%d: it gives root to %q", file, number, idOwner), "begin above the machine's own users")
		}
		all = append(all, entry{r, fields[0], number})
	}
	for i, a := range all {
		for _, b := range all[:i] {
			if (a.owner == idOwner || b.owner == idOwner) && a.overlaps(b.idRange) {
				return nil, fmt.Errorf("%s:%d: %s overlap those of %q in line %d", file, a.line, a.idRange, b.owner, b.line)
			}
		}
		if a.owner == idOwner {
			own = append(own, a.idRange)
		}
	}
	return own, nil
}
