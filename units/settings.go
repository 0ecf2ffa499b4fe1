package units

import (
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// Setting is a value of syscontainer.conf(5) below a root, for programs that have no
// time for all of them; "" if nothing is said, or the empty value. Of the files the
// last found counts, then drop-ins by name. at is where it stands; nil with "".
func Setting(root, section, key string) (value string, at *Line, err error) {
	main, dropins := "", map[string]string{}
	for _, dir := range []string{"/usr/share/containers", "/etc/containers", "/run/containers"} {
		file := path.Join("/", root, dir, "syscontainer.conf")
		if _, err := os.Lstat(file); err == nil {
			main = file
		}
		entries, _, err := readDirectory(strings.TrimRight(root, "/"), dir+"/syscontainer.conf.d")
		if err != nil && err != syscall.ENOENT && err != syscall.ENOTDIR {
			return "", nil, err
		}
		for _, e := range entries {
			if name := e.Name(); strings.HasSuffix(name, ".conf") {
				dropins[name] = file + ".d/" + name
			}
		}
	}
	names := make([]string, 0, len(dropins))
	for name := range dropins {
		names = append(names, name)
	}
	slices.Sort(names)
	files := make([]string, 0, len(names)+1)
	if main != "" {
		files = append(files, main)
	}
	for _, name := range names {
		files = append(files, dropins[name])
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", nil, err
		}
		lines, _, refused := lex(file, string(data))
		if refused != nil {
			return "", nil, refused
		}
		for i := range lines {
			if lines[i].Section == section && lines[i].Key == key {
				value, at = lines[i].Value, &lines[i]
			}
		}
	}
	return value, at, nil
}
