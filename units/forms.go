package units

import (
	"slices"
	"strings"
	"time"
)

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

// rootfs is what Rootfs= says.
type rootfs struct {
	path    string
	overlay bool
}

// rootfsForm reads DIR[:O].
func rootfsForm(n *scope, s string) (r rootfs, warnings []error, err error) {
	s = unquote(s)
	dir, option, hasOption := strings.Cut(s, ":")
	if hasOption && option != "O" {
		return r, nil, wrong("the form is DIR, or DIR:O to keep what is written apart from it", "option ", quote(option), " is not possible")
	}
	r.overlay = hasOption
	if r.path, err = n.Expand(dir); err == nil {
		r.path, err = cleanPath(r.path)
	}
	if err == nil && r.path == "/" {
		err = wrong("", "/ is the machine itself, and no container")
	}
	return r, nil, err
}

// containerNameForm is strict: the name stands on an Exec line. In a template it
// keeps the specifiers of the instance, for systemd to replace.
func containerNameForm(n *scope, s string) (string, []error, error) {
	s = unquote(s)
	name, err := n.Expand(s)
	if err != nil {
		return "", nil, err
	}
	if name == "" || len(name) > 255 || !onlyBytes(name, "_.-") || strings.IndexByte("_.-", name[0]) >= 0 {
		return "", nil, wrong("letters, digits and _.- may stand in it, a letter or a digit first", quote(name), " is no name of a container")
	}
	name, err = n.fixedName(s)
	return name, nil, err
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

func pathForm(n *scope, s string) (string, []error, error) {
	s, err := text(n, s)
	if err == nil {
		s, err = cleanPath(s)
	}
	return s, nil, err
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

func pullForm(_ *scope, s string) (string, []error, error) {
	switch s {
	case "missing", "never", "always":
		return s, nil, nil
	case "newer": // the same: what has not changed is never fetched again
		return "always", nil, nil
	}
	return "", nil, wrong(`write "missing", "never", "always" or "newer"`, quote(s), " is not possible")
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

// fixedArgs are the runtime's options that are ours, or that end it at once.
var fixedArgs = [...]string{"bundle", "cgroup-manager", "help", "log", "log-format", "root", "systemd-cgroup", "version"}

func runtimeArgsForm(n *scope, s string) ([]string, []error, error) {
	words, warnings, err := commandForm(n, s)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range words {
		name, _, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
		if !strings.HasPrefix(w, "-") || name == "" {
			return nil, nil, wrong("write options with their value: --NAME=VALUE", quote(w), " is no option")
		}
		if i := slices.IndexFunc(fixedArgs[:], func(fixed string) bool { return strings.HasPrefix(fixed, name) }); i >= 0 { // crun takes the beginning of a name
			return nil, nil, wrong("", "option ", quote(w), " is not possible: --"+fixedArgs[i]+" is not free to choose")
		}
	}
	return words, warnings, nil
}

func timezoneForm(n *scope, s string) (string, []error, error) {
	s, err := text(n, s)
	if err == nil && (s == "" || s[0] == '/' || strings.HasSuffix(s, "/") || strings.Contains(s, "..") || len(s) > 255 || !onlyBytes(s, "_+/-")) {
		err = wrong("write local, or a zone such as Europe/Berlin", quote(s), " is no time zone")
	}
	return s, nil, err
}

func propagationForm(_ *scope, s string) (string, []error, error) {
	switch s {
	case "private", "rprivate", "shared", "rshared", "slave", "rslave":
		return s, nil, nil
	}
	return "", nil, wrong("write private, rprivate, shared, rshared, slave or rslave", "propagation ", quote(s), " is not possible")
}

func signalForm(_ *scope, s string) (string, []error, error) {
	s, err := ParseSignal(s)
	return s, nil, err
}

func timeForm(_ *scope, s string) (time.Duration, []error, error) {
	d, err := ParseTime(s)
	return d, nil, err
}
