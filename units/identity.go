package units

import (
	"slices"
	"strconv"
	"strings"
)

func userForm(n *scope, s string) (string, []error, error) {
	s, err := text(n, s)
	if err != nil {
		return "", nil, err
	}
	user, group, both := strings.Cut(s, ":")
	if !validAccount(user) || both && !validAccount(group) {
		return "", nil, wrong("the form is USER or USER:GROUP, each a name or a number", quote(s), " is no user")
	}
	return s, nil, nil
}

func groupForm(n *scope, s string) (string, []error, error) {
	s, err := text(n, s)
	if err == nil && !validAccount(s) {
		err = wrong("write the name or the number of a group", quote(s), " is no group")
	}
	return s, nil, err
}

func groupAddForm(n *scope, s string) ([]string, []error, error) {
	words, err := wordsOf(n, s)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range words {
		if w == "keep-groups" {
			return nil, nil, wrong("name the groups: a service has none that could be kept", quote(w), " is not possible")
		}
		if !validAccount(w) {
			return nil, nil, wrong("write names or numbers of groups", quote(w), " is no group")
		}
	}
	return words, nil, nil
}

// validAccount accepts a number below 2^32-1 or a name without blanks, colons and
// slashes.
func validAccount(s string) bool {
	if s == "" || len(s) > 256 || s[0] == '-' || s[0] == '+' {
		return false
	}
	if strings.Trim(s, "0123456789") == "" {
		id, err := strconv.ParseUint(s, 10, 32)
		return err == nil && id != noID
	}
	return onlyBytes(s, "_.-$")
}

// onlyBytes accepts letters and digits of ASCII, and the others named.
func onlyBytes(s, others string) bool {
	for i := range len(s) {
		if b := s[i]; !isDigit(b) && !isLower(b) && !isUpper(b) && strings.IndexByte(others, b) < 0 {
			return false
		}
	}
	return true
}

// noID is the number that no user and no group can have.
const noID = 1<<32 - 1

// idMapForm reads words CONTAINER:HOST:SIZE, ranges of users or groups as in
// /proc/PID/uid_map; without SIZE it is one.
func idMapForm(n *scope, s string) ([]IDMap, []error, error) {
	const form = "the form is CONTAINER:HOST:SIZE, for example 0:100000:65536"
	words, err := wordsOf(n, s)
	if err != nil {
		return nil, nil, err
	}
	var maps []IDMap
	for _, w := range words {
		if flag := strings.TrimLeft(w, "+ug"); flag != w || strings.Contains(w, "@") {
			return nil, nil, wrong(form, quote(w), ": podman's flags + and @ are not possible")
		}
		fields := strings.Split(w, ":")
		if len(fields) == 2 {
			fields = append(fields, "1")
		}
		var numbers [3]uint64
		bad := len(fields) != 3
		for i := 0; i < 3 && !bad; i++ {
			numbers[i], err = strconv.ParseUint(fields[i], 10, 32)
			bad = err != nil || fields[i][0] == '+'
		}
		if bad {
			return nil, nil, wrong(form, quote(w), " is no range of users or groups")
		}
		inside, outside, size := numbers[0], numbers[1], numbers[2]
		if size == 0 {
			return nil, nil, wrong(form, quote(w), " is a range of nobody")
		}
		if inside+size > noID || outside+size > noID {
			return nil, nil, wrong("numbers end at 4294967294", quote(w), " is too large a range")
		}
		maps = append(maps, IDMap{uint32(inside), uint32(outside), uint32(size)})
	}
	return maps, nil, nil
}

// userNS is what UserNS= says.
type userNS struct {
	host bool
	auto uint32 // how many users; 0: not auto
}

// autoUsers are enough for nobody, 65534, and what systemd numbers by itself.
const autoUsers = 65536

// userNSForm reads host, auto or auto:size=N. Options of podman's that would choose single
// users of the machine are not among it: that is what UIDMap= says.
func userNSForm(_ *scope, s string) (userNS, []error, error) {
	const hint = "write auto or auto:size=65536, or the ranges themselves, for example UIDMap=0:100000:65536"
	switch s {
	case "host":
		return userNS{host: true}, nil, nil
	case "auto":
		return userNS{auto: autoUsers}, nil, nil
	}
	size, is := strings.CutPrefix(s, "auto:size=")
	if !is {
		return userNS{}, nil, wrong(hint, quote(s), " is not possible")
	}
	n, err := strconv.ParseUint(size, 10, 32)
	if err != nil || n == 0 || n == noID || size[0] == '+' {
		return userNS{}, nil, wrong("write how many users and groups the container has, 1 to 4294967294", quote(size), " is no number of users")
	}
	return userNS{auto: uint32(n)}, nil, nil
}

// mostMaps is what the kernel takes (user_namespaces(7)).
const mostMaps = 340

// identities checks the maps as a whole. One alone stands for both, as for podman.
func (r *reading) identities() {
	r.overlaps("UIDMap", r.UIDMap)
	r.overlaps("GIDMap", r.GIDMap)
	if r.UIDMap != nil || r.GIDMap != nil {
		switch {
		case r.userNS.host:
			r.complain("UserNS", "UserNS=host and a map of users are both set", "remove one of them")
		case r.userNS.auto > 0:
			r.complain("UserNS", "UserNS=auto chooses the users, and UIDMap= or GIDMap= says them", "remove one of them")
		}
	}
	r.UserNSAuto = r.userNS.auto
	if r.UIDMap == nil && !r.wrong[keyIndex("UIDMap")] {
		r.UIDMap = r.GIDMap
	} else if r.GIDMap == nil && !r.wrong[keyIndex("GIDMap")] {
		r.GIDMap = r.UIDMap
	}
}

func (r *reading) overlaps(key string, maps []IDMap) {
	if len(maps) > mostMaps {
		r.complain(key, key+"= has more than 340 ranges", "")
		return
	}
	show := func(first, size uint32) string {
		return strconv.FormatUint(uint64(first), 10) + " to " + strconv.FormatUint(uint64(first)+uint64(size)-1, 10)
	}
	for i, a := range maps {
		within := func(x, y, sizeX, sizeY uint32) bool {
			return uint64(x) < uint64(y)+uint64(sizeY) && uint64(y) < uint64(x)+uint64(sizeX)
		}
		j := slices.IndexFunc(maps[:i], func(b IDMap) bool {
			return within(a.Container, b.Container, a.Size, b.Size) || within(a.Host, b.Host, a.Size, b.Size)
		})
		if j < 0 {
			continue
		}
		b, side := maps[j], "in the container"
		first, second := show(b.Container, b.Size), show(a.Container, a.Size)
		if !within(a.Container, b.Container, a.Size, b.Size) {
			side, first, second = "on the host", show(b.Host, b.Size), show(a.Host, a.Size)
		}
		r.complain(key, key+"= ranges overlap "+side+": "+first+", and "+second, "")
		return
	}
}

// Inits are the programs that RunInit= takes, paths or names in $PATH, the first that is
// there before the others, as podman does. All take "--" before the command.
var Inits = [...]string{"/usr/libexec/podman/catatonit", "/usr/libexec/catatonit/catatonit", "/usr/lib/podman/catatonit",
	"catatonit", "tini-static", "tini", "dumb-init"}
