package units

import "strings"

const (
	unitSuffix = ".syscontainer"

	longestName = 255 // bytes of a unit's name with its suffix (UNIT_NAME_MAX)
)

// Name is a unit's name without suffix, taken apart as systemd.unit(5) does.
type Name struct {
	Full     string // "web@blue"
	Prefix   string // "web"
	Instance string // "blue"; "" if there is none
	Template bool   // "web@"
}

// ParseName takes a name without suffix apart. What is not a name that systemd
// allows is an error, so that no name leads out of a directory.
func ParseName(s string) (Name, error) {
	if s == "" || s[0] == '@' {
		return Name{}, wrong("", quote(s), " is no unit name: it begins with nothing")
	}
	if len(s)+len(".service") > longestName {
		return Name{}, wrong("", "the name is longer than systemd allows")
	}
	if s[0] == '-' || s == "." || s == ".." {
		return Name{}, wrong("", quote(s), " cannot be the name of a container")
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return !isNameRune(r) }); i >= 0 {
		return Name{}, wrong("letters, digits and :-_.\\@ may stand in the name of a unit",
			quote(s), " is no unit name")
	}
	n := Name{Full: s, Prefix: s}
	if prefix, instance, ok := strings.Cut(s, "@"); ok {
		n.Prefix, n.Instance, n.Template = prefix, instance, instance == ""
	}
	return n, nil
}

func isNameRune(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune(`:-_.\@`, r)
}

// IsUnitName tells whether s is the name of a unit with a suffix that systemd knows.
func IsUnitName(s string) bool {
	i := strings.LastIndexByte(s, '.')
	if i <= 0 || len(s) > longestName || s[0] == '@' || strings.ContainsFunc(s, func(r rune) bool { return !isNameRune(r) }) {
		return false
	}
	switch s[i+1:] {
	case "service", "socket", "target", "timer", "path", "mount", "automount", "swap", "slice", "scope", "device":
		return true
	}
	return false
}

// Service is the name of the generated service.
func (n Name) Service() string { return n.Full + ".service" }

const (
	// NameSpecifiers are those that come of the unit's name alone.
	NameSpecifiers = instanceSpecifiers + "pPjJ"
	// AllSpecifiers are those that Expand replaces.
	AllSpecifiers = "%" + NameSpecifiers + "tSCLEDTVhugUG"

	// HostSpecifiers are those of the machine and its OS release, which only a start
	// knows: they change with an update, or are not set yet at boot.
	HostSpecifiers = "mHlqavbsowWABM"

	instanceSpecifiers = "nNiIfd" // in a template, not known before the start
)

// Expand replaces the specifiers of systemd.unit(5) that never change on a machine:
// those of the name and the directories of the system manager. Any other letter or
// digit after a % is an error, those of HostSpecifiers included.
func (n Name) Expand(s string) (string, error) {
	return expand(s, n.value)
}

func expand(s string, value func(specifier byte) (string, error)) (string, error) {
	if strings.IndexByte(s, '%') < 0 {
		return s, nil
	}
	var b strings.Builder
	for text, specifier := range specifiers(s) {
		b.WriteString(text)
		if specifier == 0 {
			continue
		}
		v, err := value(specifier)
		if err != nil {
			return "", err
		}
		b.WriteString(v)
	}
	return b.String(), nil
}

// StartOnly tells whether a value depends on what only a start knows: the machine
// and its release, or the instance of a template.
func (n Name) StartOnly(value string) bool {
	for _, specifier := range specifiers(value) {
		if specifier != 0 && (strings.IndexByte(HostSpecifiers, specifier) >= 0 || n.Template && strings.IndexByte(instanceSpecifiers, specifier) >= 0) {
			return true
		}
	}
	return false
}

// specifiers yields the text before each specifier and its letter; at the end the
// letter is 0. A % that begins none is text, as for systemd; %% is the specifier '%'.
func specifiers(s string) func(yield func(string, byte) bool) {
	return func(yield func(string, byte) bool) {
		start := 0
		for i := 0; i+1 < len(s); i++ {
			if s[i] != '%' {
				continue
			}
			if c := s[i+1]; c == '%' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
				if !yield(s[start:i], c) {
					return
				}
				i++
				start = i + 1
			}
		}
		yield(s[start:], 0)
	}
}

func (n Name) value(specifier byte) (string, error) {
	switch specifier {
	case '%':
		return "%", nil
	case 'n':
		return n.Full + ".service", nil
	case 'N':
		return n.Full, nil
	case 'p':
		return n.Prefix, nil
	case 'P':
		return unescapeName(n.Prefix)
	case 'i':
		return n.Instance, nil
	case 'I':
		return unescapeName(n.Instance)
	case 'j':
		return n.Prefix[strings.LastIndexByte(n.Prefix, '-')+1:], nil
	case 'J':
		return unescapeName(n.Prefix[strings.LastIndexByte(n.Prefix, '-')+1:])
	case 'f':
		s := n.Instance
		if s == "" {
			s = n.Prefix
		}
		if s == "-" { // the root directory
			return "/", nil
		}
		s, err := unescapeName(s)
		return "/" + strings.TrimLeft(s, "/"), err
	case 'd':
		return "/run/credentials/" + n.Full + ".service", nil
	case 't':
		return "/run", nil
	case 'S':
		return "/var/lib", nil
	case 'C':
		return "/var/cache", nil
	case 'L':
		return "/var/log", nil
	case 'E':
		return "/etc", nil
	case 'D':
		return "/usr/share", nil
	case 'T':
		return "/tmp", nil
	case 'V':
		return "/var/tmp", nil
	case 'h':
		return "/root", nil
	case 'u', 'g':
		return "root", nil
	case 'U', 'G':
		return "0", nil
	}
	s := "%" + string(rune(specifier))
	if specifier == 'y' || specifier == 'Y' {
		return "", wrong("write the path itself, or %"+s+" for a percent sign and "+s[1:], "specifier ", s, " is not possible here: it would be a path of the generated service")
	}
	return "", wrong("write %"+s+" for a percent sign and "+s[1:], "specifier ", s, " is not possible here")
}

// unescapeName undoes systemd-escape(1).
func unescapeName(s string) (string, error) {
	if strings.IndexAny(s, `-\`) < 0 {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '-':
			b.WriteByte('/')
		case '\\':
			escaped, n := unescape(s[i:])
			if n != 4 || s[i+1] != 'x' {
				return "", wrong("", quote(s), " is not escaped as systemd-escape(1) does")
			}
			b.WriteString(escaped)
			i += n - 1
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

// Rewrite makes of text of a unit file the text of a setting in which systemd
// replaces specifiers once more. Literal text goes through literal, the value of each
// specifier among which through value; in a template those that depend on the
// instance stay. Specifiers that are not among which are literal text, "%%" included.
func (n Name) Rewrite(s, which string, literal, value func(string) string) (string, error) {
	var b strings.Builder
	for text, specifier := range specifiers(s) {
		b.WriteString(literal(text))
		switch {
		case specifier == 0:
		case strings.IndexByte(which, specifier) < 0:
			b.WriteString(literal("%" + string(rune(specifier))))
		case n.Template && strings.IndexByte(instanceSpecifiers, specifier) >= 0:
			b.WriteString("%" + string(rune(specifier)))
		default:
			v, err := n.value(specifier)
			if err != nil {
				return "", err
			}
			b.WriteString(value(v))
		}
	}
	return b.String(), nil
}
