package units

import (
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// text replaces specifiers in a value that is one word with or without quotes
// around it, as Quadlet reads such values.
func text(n *scope, s string) (string, error) {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	return n.Expand(s)
}

func imageForm(n *scope, s string) (string, []error, error) {
	s, err := text(n, s)
	if err != nil {
		return "", nil, err
	}
	if strings.HasSuffix(s, ".image") || strings.HasSuffix(s, ".build") {
		return "", nil, wrong("name the image itself", "references to units of podman, such as ", quote(s), ", are not possible")
	}
	s, err = ParseImage(s)
	return s, nil, err
}

// commandForm is a command line: split first, so that what a specifier stands for
// is never split again.
func commandForm(n *scope, s string) ([]string, []error, error) {
	words, warnings, err := split(s, exec)
	if err == nil {
		err = expandWords(n, words)
	}
	return words, warnings, err
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

func entrypointForm(n *scope, s string) ([]string, []error, error) {
	if s[0] != '[' {
		return commandForm(n, s)
	}
	words, err := jsonWords(s)
	if err == nil {
		err = expandWords(n, words)
	}
	return words, nil, err
}

func environmentForm(n *scope, s string) ([]string, []error, error) {
	words, _, err := split(s, cWord)
	if err != nil {
		return nil, nil, err
	}
	if err := expandWords(n, words); err != nil {
		return nil, nil, err
	}
	for _, w := range words {
		key, _, ok := strings.Cut(w, "=")
		switch {
		case !ok:
			return nil, nil, wrong("write "+key+`=value, or quotes around the whole assignment: "KEY=some value"`, quote(w), " has no =")
		case key == "" || hasControl(key) || strings.ContainsAny(key, white):
			return nil, nil, wrong("", quote(w), " names no variable")
		}
	}
	return words, nil, nil
}

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

// validAccount accepts a number below 2^32-1 or a name without blanks, colons and
// slashes.
func validAccount(s string) bool {
	if s == "" || len(s) > 256 || s[0] == '-' || s[0] == '+' {
		return false
	}
	if strings.Trim(s, "0123456789") == "" {
		id, err := strconv.ParseUint(s, 10, 32)
		return err == nil && id != 1<<32-1
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r < 0x7f && (isDigit(byte(r)) || isLower(byte(r)) || isUpper(byte(r)) || strings.ContainsRune("_.-$", r)))
	})
}

func pathForm(n *scope, s string) (string, []error, error) {
	s, err := text(n, s)
	if err == nil {
		s, err = cleanPath(s)
	}
	return s, nil, err
}

// cleanPath accepts an absolute path that means the same wherever links lead.
func cleanPath(s string) (string, error) {
	switch {
	case !strings.HasPrefix(s, "/"):
		return "", wrong("", quote(s), " is no absolute path")
	case hasControl(s):
		return "", wrong("", quote(s), " has a control character in it")
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

func target(n *scope, s string) (string, error) {
	s, err := n.Expand(s)
	if err == nil {
		s, err = cleanPath(s)
	}
	if err == nil && s == "/" {
		err = wrong("", "a mount at / would hide the image")
	}
	return s, err
}

func boolForm(_ *scope, s string) (bool, []error, error) {
	b, err := ParseBool(s)
	return b, nil, err
}

func notifyForm(n *scope, s string) (bool, []error, error) {
	if s == "healthy" {
		return false, nil, wrong("let the payload send READY=1, and set WatchdogSec= in [Service]", `"healthy" is not possible, there are no health checks`)
	}
	return boolForm(n, s)
}

func capabilityForm(_ *scope, s string) ([]string, []error, error) {
	words, _, err := split(s, plain)
	for i := range words {
		if words[i], err = parseCapability(words[i]); err != nil {
			return nil, nil, err
		}
	}
	return words, nil, err
}

func networkForm(_ *scope, s string) (string, []error, error) {
	switch s {
	case "host", "none":
		return s, nil, nil
	case "private":
		return "", nil, wrong(`write "none" for a network of its own without a way out`, quote(s), " is not possible")
	}
	return "", nil, wrong(`write "host" or "none"`, "network ", quote(s), " is not possible")
}

func hostNameForm(n *scope, s string) (string, []error, error) {
	s, err := text(n, s)
	if err != nil {
		return "", nil, err
	}
	bad := len(s) > 64
	for part := range strings.SplitSeq(s, ".") {
		bad = bad || part == "" || part[0] == '-' || part[len(part)-1] == '-' || strings.ContainsFunc(part, func(r rune) bool {
			return !(r < 0x7f && (isDigit(byte(r)) || isLower(byte(r)) || isUpper(byte(r)) || r == '-' || r == '_'))
		})
	}
	if bad {
		return "", nil, wrong("at most 64 letters, digits, - and .", quote(s), " is no host name")
	}
	return s, nil, nil
}

func pullForm(_ *scope, s string) (string, []error, error) {
	switch s {
	case "missing", "never", "always":
		return s, nil, nil
	case "newer":
		return "", nil, wrong(`write "always": it fetches only what has changed`, quote(s), " is not possible")
	}
	return "", nil, wrong(`write "missing", "never" or "always"`, quote(s), " is not possible")
}

// runtimeForm is strict: the name stands on an Exec line.
func runtimeForm(_ *scope, s string) (string, []error, error) {
	bad := len(s) > 255 || s[0] == '-' || strings.HasSuffix(s, "/") || s[0] != '/' && strings.Contains(s, "/") || s == "." || s == ".."
	for _, b := range []byte(s) {
		bad = bad || !isDigit(b) && !isLower(b) && !isUpper(b) && strings.IndexByte("._+/-", b) < 0
	}
	if bad {
		return "", nil, wrong(`for example "crun" or "/usr/local/bin/runc"`, quote(s), " is no program")
	}
	return s, nil, nil
}

func signalForm(_ *scope, s string) (string, []error, error) {
	s, err := parseSignal(s)
	return s, nil, err
}

func timeForm(_ *scope, s string) (time.Duration, []error, error) {
	d, err := parseTime(s)
	return d, nil, err
}
