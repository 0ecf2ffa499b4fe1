package units

import (
	"path"
	"strings"
	"unicode/utf8"
)

// scope is what the values of a unit may refer to.
type scope struct {
	Name
	dir       string                               // of the unit's file, for relative paths; "": not known
	host      func(specifier byte) (string, error) // values of HostSpecifiers; nil: not known yet
	generated bool                                 // the lines stand in a service that the generator wrote
}

// Expand replaces specifiers, those of the host too.
func (n *scope) Expand(s string) (string, error) {
	return expand(s, func(specifier byte) (string, error) {
		switch {
		case strings.IndexByte(HostSpecifiers, specifier) < 0:
			return n.value(specifier)
		case n.host == nil:
			return placeholder(specifier), nil
		}
		value, err := n.host(specifier)
		if err != nil {
			return "", wrong("", "specifier %", string(rune(specifier)), ": ", err.Error())
		}
		return value, nil
	})
}

// placeholder stands for what only a start knows. It is like most of the true
// values, so that what is wrong with the rest of a line is found before.
func placeholder(specifier byte) string {
	switch specifier {
	case 'm', 'b':
		return "00000000000000000000000000000000"
	case 'a':
		return "x86-64"
	case 'v':
		return "6.1.0"
	case 's':
		return "/bin/sh"
	case 'o':
		return "debian"
	case 'w':
		return "12"
	case 'W', 'A', 'B', 'M':
		return "1"
	}
	return "host"
}

// text replaces specifiers in a value that is one word with or without quotes
// around it, as Quadlet reads such values.
func text(n *scope, s string) (string, error) {
	return n.Expand(unquote(s))
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// expandWords works in place. What comes out must be UTF-8: config.json can hold
// nothing else.
func expandWords(n *scope, words []string) (err error) {
	for i := range words {
		if words[i], err = n.Expand(words[i]); err != nil {
			return err
		}
		if !utf8.ValidString(words[i]) {
			return wrong("", quote(words[i]), " is not valid UTF-8, and the runtime takes nothing else")
		}
	}
	return nil
}

// wordsOf splits by C escapes, then replaces specifiers, so that what a specifier
// stands for is never split again.
func wordsOf(n *scope, s string) ([]string, error) {
	words, _, err := split(s, cWord)
	if err == nil {
		err = expandWords(n, words)
	}
	return words, err
}

// cleanPath accepts an absolute path that means the same wherever links lead.
func cleanPath(s string) (string, error) {
	switch {
	case !strings.HasPrefix(s, "/"):
		return "", wrong("", quote(s), " is no absolute path")
	case hasControl(s):
		return "", wrong("", quote(s), " has a control character in it")
	case !utf8.ValidString(s):
		return "", wrong("", quote(s), " is not valid UTF-8, and the runtime takes nothing else")
	case strings.HasSuffix(s, " "):
		return "", wrong("", quote(s), " ends in a blank")
	case len(s) >= 4096:
		return "", wrong("", quote(s), " is too long for a path")
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == ".." {
			return "", wrong("for example "+path.Clean(s), quote(s), " has .. in it")
		}
		if len(part) > 255 {
			return "", wrong("", quote(part), " is too long for the name of a file")
		}
	}
	return path.Clean(s), nil
}

// file is the path of a file of the host. A relative one begins at the directory of
// the unit's file; .. may stand at its beginning only.
func (n *scope) file(s string) (string, error) {
	if s == "" {
		return "", wrong("", `"" is no path`)
	}
	s, _, err := n.absolute(s, s)
	if err != nil {
		return "", err
	}
	return cleanPath(s)
}

// absolute puts the unit's directory before a relative path, and before the same
// path as it was written.
func (n *scope) absolute(s, written string) (string, string, error) {
	if strings.HasPrefix(s, "/") {
		return s, written, nil
	}
	if n.dir == "" {
		return "", "", wrong("write an absolute path", quote(s), " is relative to the directory of the unit's file, which is not known")
	}
	dir := n.dir
	rest, restWritten := s, written
	for {
		head, tail, _ := strings.Cut(rest, "/")
		headWritten, tailWritten, _ := strings.Cut(restWritten, "/")
		if head != headWritten || head != "." && head != ".." {
			break
		}
		if head == ".." {
			dir = path.Dir(dir)
		}
		rest, restWritten = tail, tailWritten
	}
	dir = strings.TrimRight(dir, "/") + "/"
	return dir + rest, strings.ReplaceAll(dir, "%", "%%") + restWritten, nil
}

// reference reads NAME.syscontainer, or NAME.container: a name of another unit's
// file. In a template, specifiers of the instance stay, for systemd to replace. found
// is false if s is none.
func (n *scope) reference(s string) (name string, found bool, err error) {
	written, found := strings.CutSuffix(s, ".container")
	if !found {
		if written, found = strings.CutSuffix(s, unitSuffix); !found {
			return "", false, nil
		}
	}
	if name, err = n.fixedName(written); err != nil {
		return "", true, err
	}
	check, err := n.Expand(written)
	if err != nil {
		return "", true, err
	}
	other, err := ParseName(check)
	if err == nil && other.Template {
		err = wrong("write "+check+"INSTANCE"+s[len(written):], quote(s), " is a template, and no container runs of it")
	}
	return name, true, err
}

// fixedName replaces the specifiers that the generator can replace, for a name that it
// writes into the service; in a template those of the instance stay.
func (n *scope) fixedName(s string) (string, error) {
	for _, specifier := range specifiers(s) {
		if specifier != 0 && (strings.IndexByte(HostSpecifiers, specifier) >= 0 || n.Template && strings.IndexByte("If", specifier) >= 0) {
			return "", wrong("", "specifier %", string(rune(specifier)), " is not possible in a name")
		}
	}
	same := func(s string) string { return s }
	return n.Rewrite(s, AllSpecifiers, same, same)
}
