package units

import (
	"path"
	"slices"
	"strings"
)

func capabilityForm(_ *scope, s string) ([]string, []error, error) {
	words, _, err := split(s, plain)
	for i := range words {
		if words[i], err = parseCapability(words[i]); err != nil {
			return nil, nil, err
		}
	}
	return words, nil, err
}

// BuiltinSeccomp is a SeccompProfile: the list that render brings, whatever the machine has.
const BuiltinSeccomp = "builtin"

func seccompForm(n *scope, s string) (string, []error, error) {
	s, err := text(n, s)
	if err == nil && s != "unconfined" && s != BuiltinSeccomp {
		s, err = n.file(s)
	}
	return s, nil, err
}

func appArmorForm(n *scope, s string) (string, []error, error) {
	s, err := text(n, s)
	if err == nil && (len(s) > 255 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })) {
		err = wrong("write the name of a loaded profile, or unconfined", quote(s), " is no profile")
	}
	return s, nil, err
}

// labelForm reads a part of an SELinux label: a type, or a level such as s0:c1,c2.
func labelForm(n *scope, s string) (string, []error, error) {
	s, err := text(n, s)
	if err == nil && (len(s) > 255 || !onlyBytes(s, "_.:,-")) {
		err = wrong("for example container_t, or s0:c100,c200", quote(s), " is no part of a label")
	}
	return s, nil, err
}

// maskForm reads words of absolute paths, which colons may join.
func maskForm(n *scope, s string) ([]string, []error, error) {
	return pathList(n, s, func(p string) (string, error) {
		p, err := cleanPath(p)
		if err == nil && p == "/" {
			err = wrong("", "to mask / would hide everything")
		}
		return p, err
	})
}

func unmaskForm(n *scope, s string) ([]string, []error, error) {
	return pathList(n, s, func(p string) (string, error) {
		if strings.EqualFold(p, "all") {
			return "ALL", nil
		}
		return cleanPattern(p)
	})
}

// cleanPattern accepts an absolute path in which *, ? and […] may stand.
func cleanPattern(s string) (string, error) {
	s, err := cleanPath(s)
	if err == nil {
		if _, bad := path.Match(s, ""); bad != nil {
			err = wrong("see glob(7)", quote(s), " is no pattern of paths")
		}
	}
	return s, err
}

func pathList(n *scope, s string, read func(string) (string, error)) (paths []string, warnings []error, err error) {
	words, _, err := split(s, cWord)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range words {
		for p := range strings.SplitSeq(w, ":") { // before a specifier could bring a colon
			if p, err = n.Expand(p); err == nil {
				p, err = read(p)
			}
			if err != nil {
				return nil, nil, err
			}
			paths = append(paths, p)
		}
	}
	return paths, nil, nil
}

// ipcSysctls are those of an IPC namespace, beside fs.mqueue.* (namespaces(7)).
var ipcSysctls = [...]string{"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
	"kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"}

// sysctlForm reads words NAME=VALUE.
func sysctlForm(n *scope, s string) ([]string, []error, error) {
	words, err := wordsOf(n, s)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range words {
		name, value, found := strings.Cut(w, "=")
		if !found {
			return nil, nil, wrong("the form is NAME=VALUE, for example net.core.somaxconn=1024", quote(w), " has no =")
		}
		if hasControl(value) {
			return nil, nil, wrong("", quote(w), " has a control character in it")
		}
		if name == "kernel.hostname" {
			return nil, nil, wrong("write HostName=", quote(name), " is not possible")
		}
		if !namespacedSysctl(name) {
			hint := "a payload has net.*, fs.mqueue.*, kernel.msg*, kernel.sem and kernel.shm*; others are the machine's, see sysctl.d(5)"
			if near := nearest(name, slices.Values(ipcSysctls[:])); near != "" {
				hint = "did you mean " + quote(near) + "?"
			}
			return nil, nil, wrong(hint, quote(name), " is no setting of a container")
		}
	}
	return words, nil, nil
}

func namespacedSysctl(name string) bool {
	for part := range strings.SplitSeq(name, ".") {
		if part == "" || !onlyBytes(part, "_-") {
			return false
		}
	}
	return strings.HasPrefix(name, "net.") || strings.HasPrefix(name, "fs.mqueue.") || slices.Contains(ipcSysctls[:], name)
}

// sysctls refuses settings of a namespace that is the machine's.
func (r *reading) sysctls() {
	for _, s := range r.Sysctl {
		name, _, _ := strings.Cut(s, "=")
		key, is := "IPC", r.IPC
		if strings.HasPrefix(name, "net.") {
			key, is = "Network", r.Network
		}
		if is == "host" {
			r.complain("Sysctl", "Sysctl=: with "+key+"=host "+quote(name)+" is a setting of the machine", "see sysctl.d(5)")
		}
	}
}

// privileges says in the other keys what Privileged=yes means; where the unit says
// something itself, that stays.
func (r *reading) privileges() {
	d := r.draft
	if !d.Privileged {
		return
	}
	if slices.Contains(d.DropCapability, "all") {
		r.complain("Privileged", "DropCapability=all takes what Privileged=yes gives", "write one of them")
	}
	if !slices.Contains(d.AddCapability, "all") {
		d.AddCapability = append(d.AddCapability, "all")
	}
	d.Unmask = append(d.Unmask, "ALL")
	d.SELinux.Disable = true
	if d.SeccompProfile == "" {
		d.SeccompProfile = "unconfined"
	}
	if d.AppArmor == "" {
		d.AppArmor = "unconfined"
	}
}
