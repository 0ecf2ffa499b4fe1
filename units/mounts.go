package units

import (
	"slices"
	"strings"
)

// volumeOptions are those of mount(8) that a runtime takes for a bind mount.
var volumeOptions = []string{"ro", "rw", "bind", "rbind", "private", "rprivate", "shared", "rshared", "slave", "rslave",
	"unbindable", "runbindable", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "atime", "noatime", "diratime",
	"nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime", "sync", "async", "dirsync", "idmap", "ridmap"}

// tmpfsOptions are those of tmpfs(5) and of any mount; an = wants a value.
var tmpfsOptions = []string{"size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks=", "huge=", "ro", "rw", "nosuid",
	"suid", "nodev", "dev", "noexec", "exec", "noatime", "relatime", "strictatime", "nodiratime", "sync", "noswap", "tmpcopyup"}

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
	var v Volume
	var err error
	if before, after, found := strings.Cut(fields[0], unitSuffix+"/"); found && before != "" && !strings.Contains(before, "/") {
		v.From, v.Source, err = n.pathInContainer(before, after)
	} else {
		v.Source, v.Written, err = n.bindSource(fields[0], "Volume=", s[len(fields[0]):])
	}
	if err != nil {
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
				warnings = append(warnings, unlabelled(option))
			case option == "U":
				return nil, nil, notOwned(option, v.Source)
			default:
				return nil, nil, unknownOption(option, volumeOptions)
			}
		}
	}
	return []Volume{v}, warnings, nil
}

// MakesSource tells whether a start makes the source of a bind mount, where it is
// missing, as a directory. That is a guess by the name: to make a directory in the
// place of a socket would keep its server from starting.
func MakesSource(source string) bool {
	if !strings.HasPrefix(source, "/var/") && !strings.HasPrefix(source, "/run/") {
		return false
	}
	for _, suffix := range []string{"sock", "socket", ".pid", ".lock", ".fifo", ".conf", ".log", ".json", ".key", ".pem", ".crt"} {
		if strings.HasSuffix(source, suffix) {
			return false
		}
	}
	return !strings.HasPrefix(source, "/run/systemd/") && !strings.HasPrefix(source, "/run/credentials/")
}

func unlabelled(option string) error {
	return wrong("", "option ", option, " is ignored: SELinux labels are not changed")
}

func notOwned(option, source string) error {
	return wrong("give the directory its owner with Tmpfiles=d "+source+" 0755 USER GROUP -", "option ", option, " is not possible")
}

// bindSource is a path of the host. One that begins with . is relative to the unit's
// directory, any other is a volume of podman's. before and after stand around it in a
// hint.
func (n *scope) bindSource(written, before, after string) (source, absolute string, err error) {
	if source, err = n.Expand(written); err != nil {
		return "", "", err
	}
	if source == "" || source[0] != '/' && source[0] != '.' {
		hint := "write an absolute path, or ./ before one that is relative to the unit's file"
		if name, _, _ := strings.Cut(source, "."); name != "" && !strings.Contains(source, "/") {
			hint = "write a directory of the host: " + before + "/var/lib/" + name + after
		}
		return "", "", wrong(hint, "source ", quote(source), " is no absolute path")
	}
	if source, absolute, err = n.absolute(source, written); err != nil {
		return "", "", err
	}
	source, err = cleanPath(source)
	return source, absolute, err
}

// pathInContainer is what stands before and behind ".syscontainer/" in a source.
func (n *scope) pathInContainer(unit, inside string) (from, source string, err error) {
	if n.generated {
		return "", "", wrong("run systemctl daemon-reload", "the path in the container of ", quote(unit), " was not replaced by one of the host")
	}
	if from, _, err = n.reference(unit + unitSuffix); err != nil {
		return "", "", err
	}
	if source, err = n.Expand("/" + inside); err == nil {
		source, err = cleanPath(source)
	}
	return from, source, err
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
			if err := checkTmpfsOption(option); err != nil {
				return nil, nil, err
			}
			t.Options = append(t.Options, option)
		}
	}
	return []Tmpfs{t}, nil, nil
}

func checkTmpfsOption(option string) error {
	key, value, assigned := strings.Cut(option, "=")
	if assigned {
		key += "="
	}
	if !slices.Contains(tmpfsOptions, key) {
		return unknownOption(option, tmpfsOptions)
	}
	if assigned && (value == "" || !onlyBytes(value, "%_")) {
		return wrong("for example size=64M", "option ", quote(option), " has a malformed value")
	}
	return nil
}

func unknownOption(option string, known []string) error {
	hint := ""
	if near := nearest(option, slices.Values(known)); near != "" {
		hint = "did you mean " + quote(near) + "?"
	}
	return wrong(hint, "option ", quote(option), " is not possible")
}
