package units

import (
	"path"
	"slices"
	"strings"
)

// volumeOptions are those of mount(8) that a runtime takes for a bind mount.
var volumeOptions = []string{"ro", "rw", "bind", "rbind", "private", "rprivate", "shared", "rshared", "slave", "rslave",
	"unbindable", "runbindable", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "atime", "noatime", "diratime",
	"nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime", "sync", "async", "dirsync"}

// tmpfsOptions are those of tmpfs(5) and of any mount; an = wants a value.
var tmpfsOptions = []string{"size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks=", "huge=", "ro", "rw", "nosuid",
	"suid", "nodev", "dev", "noexec", "exec", "noatime", "relatime", "strictatime", "nodiratime", "sync", "tmpcopyup"}

// volumeForm reads SOURCE:TARGET[:OPTIONS]. Colons are found before specifiers are
// replaced: an instance's name never becomes a mount option.
func volumeForm(n *scope, s string) ([]Volume, []error, error) {
	fields := strings.Split(s, ":")
	if len(fields) == 1 || len(fields) == 2 && strings.HasPrefix(fields[0], "/") && fields[1] != "" && fields[1][0] != '/' && fields[1][0] != '%' {
		example := "/var/lib/" + n.Prefix + ":" + fields[0]
		return nil, nil, wrong("write the directory of the host too, for example Volume="+example,
			quote(s), " has no source: volumes without a name are not possible")
	}
	if len(fields) > 3 {
		return nil, nil, wrong("the form is SOURCE:TARGET[:OPTIONS]", quote(s), " has more than three parts")
	}
	if len(fields[0]) == 0 {
		return nil, nil, wrong("the form is SOURCE:TARGET[:OPTIONS]", quote(s), " has an empty source")
	}
	v := Volume{Written: fields[0]}
	source, err := n.Expand(fields[0])
	if err != nil {
		return nil, nil, err
	}
	if source[0] != '/' {
		hint := "write an absolute path"
		if name, _, _ := strings.Cut(source, "."); source[0] != '.' && !strings.Contains(source, "/") && name != "" {
			hint = "write a directory of the host: Volume=/var/lib/" + name + s[len(fields[0]):]
		}
		return nil, nil, wrong(hint, "source ", quote(source), " is no absolute path")
	}
	if v.Source, err = cleanPath(source); err != nil {
		return nil, nil, err
	}
	if v.Target, err = target(n, fields[1]); err != nil {
		return nil, nil, err
	}
	var warnings []error
	if len(fields) == 3 {
		for option := range strings.SplitSeq(fields[2], ",") {
			switch {
			case slices.Contains(volumeOptions, option):
				v.Options = append(v.Options, option)
			case option == "z" || option == "Z":
				warnings = append(warnings, wrong("", "option ", option, " is ignored: SELinux labels are not changed"))
			case option == "U":
				return nil, nil, wrong("give the directory its owner with Tmpfiles=d "+v.Source+" 0755 USER GROUP -", "option U is not possible")
			default:
				return nil, nil, unknownOption(option, volumeOptions)
			}
		}
	}
	return []Volume{v}, warnings, nil
}

// tmpfsForm reads TARGET[:OPTIONS].
func tmpfsForm(n *scope, s string) ([]Tmpfs, []error, error) {
	where, options, hasOptions := strings.Cut(s, ":")
	t := Tmpfs{}
	var err error
	if t.Target, err = target(n, where); err != nil {
		return nil, nil, err
	}
	if hasOptions {
		for option := range strings.SplitSeq(options, ",") {
			if option == "notmpcopyup" {
				continue
			}
			key, value, assigned := strings.Cut(option, "=")
			if assigned {
				key += "="
			}
			if !slices.Contains(tmpfsOptions, key) {
				return nil, nil, unknownOption(option, tmpfsOptions)
			}
			if assigned && (value == "" || strings.Trim(value, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ%_") != "") {
				return nil, nil, wrong("", "option ", quote(option), " has a malformed value")
			}
			t.Options = append(t.Options, option)
		}
	}
	return []Tmpfs{t}, nil, nil
}

func unknownOption(option string, known []string) error {
	hint := ""
	if near := nearest(option, slices.Values(known)); near != "" {
		hint = "did you mean " + quote(near) + "?"
	}
	return wrong(hint, "option ", quote(option), " is not possible")
}

// tmpfilesForm reads a line of tmpfiles.d(5) as far as it must be right for what we
// do with it: the type is known, the path absolute. The specifiers of the name are
// ours, all others are left to systemd-tmpfiles.
func tmpfilesForm(n *scope, s string) ([]string, []error, error) {
	const form = "the form is TYPE PATH [MODE USER GROUP AGE ARGUMENT], see tmpfiles.d(5)"
	kind, rest, _ := strings.Cut(s, " ")
	if kind == "" || !strings.Contains("fFwdDevqQpLcbCxXrRzZtThHaAm", kind[:1]) || strings.Trim(kind[1:], "+!-=~^$?") != "" {
		return nil, nil, wrong(form, quote(kind), " is no type of tmpfiles.d(5)")
	}
	for _, specifier := range specifiers(s) {
		if n.Template && (specifier == 'I' || specifier == 'f') { // may hold anything, and no escape would be ours
			return nil, nil, wrong("write %i", "specifier %"+string(rune(specifier))+" is not possible in a template")
		}
	}
	words, _, err := split(rest, cWord)
	if err != nil {
		return nil, nil, err
	}
	if len(words) == 0 || words[0] == "" || words[0][0] != '/' && words[0][0] != '%' {
		return nil, nil, wrong(form, quote(s), " names no absolute path")
	}
	if len(words) > 1 && words[1] != "-" && strings.Trim(words[1], "01234567~:") != "" {
		return nil, nil, wrong(form, "invalid mode ", quote(words[1]))
	}
	return []string{s}, nil, nil
}

// TmpfilesPath is the path that a line of Tmpfiles= names, cleaned, with specifiers
// as they stand.
func TmpfilesPath(line string) string {
	_, rest, _ := strings.Cut(line, " ")
	words, _, err := split(rest, cWord)
	if err != nil || len(words) == 0 {
		return ""
	}
	return path.Clean(words[0])
}
