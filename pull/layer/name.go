package layer

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
	reserved = ".wh..wh." // other bookkeeping of aufs

	maxName = 255  // bytes of a component, NAME_MAX
	maxPath = 4095 // bytes of a path, PATH_MAX without the NUL
)

// isWhiteout tells names that no file has, whatever they hide.
func isWhiteout(name string) bool { return strings.HasPrefix(name, whiteout) }

// checkName refuses what is no name in a directory, or no name everywhere.
func checkName(name string) error {
	switch {
	case name == "" || name == ".":
		return errors.New("an empty name")
	case name == "..":
		return errors.New("\"..\" in the name")
	case len(name) > maxName:
		return fmt.Errorf("a component is longer than %d bytes", maxName)
	case strings.IndexByte(name, 0) >= 0:
		return errors.New("NUL in the name")
	case strings.IndexByte(name, '/') >= 0:
		return errors.New("a slash in the name")
	case !utf8.ValidString(name):
		return errors.New("the name is not UTF-8")
	}
	return nil
}

// splitName cuts a name into components and refuses what could lead elsewhere.
// The root has none.
func splitName(name string, length, depth int64) ([]string, error) {
	path := make([]string, 0, min(strings.Count(name, "/")+1, 16))
	total := int64(0)
	for c := range strings.SplitSeq(name, "/") {
		if c == "" || c == "." {
			continue
		}
		if err := checkName(c); err != nil {
			return nil, err
		}
		if len(name) > maxPath {
			c = strings.Clone(c) // so that a megabyte of "./" is not kept with it
		}
		path = append(path, c)
		if total += int64(len(c)) + 1; total-1 > length {
			return nil, fmt.Errorf("the name is longer than %d bytes (PathLength=)", length)
		}
		if int64(len(path)) > depth {
			return nil, fmt.Errorf("the name has more than %d components (Depth=)", depth)
		}
	}
	return path, nil
}
