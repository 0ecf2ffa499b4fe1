package units

import (
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// Directories are where .syscontainer files lie, the first name found wins. They are
// Quadlet's, in Quadlet's order.
func Directories() []string {
	return []string{"/run/containers/systemd", "/etc/containers/systemd", "/usr/share/containers/systemd"}
}

// found is what lies in the search path: each directory was listed once.
type found struct {
	root     string
	units    []file              // first of each name, in the order of the search
	dropins  map[string][]string // by the directory's name: all such directories, in the order of the search
	quadlets map[string]string   // service name to the file of Quadlet that becomes it
	problems Problems            // of no unit
	names    map[string]int      // index in units
	seen     map[[2]uint64]bool  // directories being read or already read, of the current entry of the search path
}

// file is one .syscontainer file.
type file struct {
	name  string // without suffix
	path  string // below the root
	layer int    // which entry of the search path
	kind  os.FileMode
	twice []string // files of the same name in the same layer, which nobody reads

	content *content // nil: not read yet
}

// quadletService is what stands in place of a suffix of Quadlet in the name of the
// service.
func quadletService(suffix string) (part string, ok bool) {
	switch suffix {
	case ".container", ".kube":
		return "", true
	case ".pod", ".volume", ".network", ".image", ".build", ".artifact":
		return "-" + suffix[1:], true
	}
	return "", false
}

func search(root string, directories []string) *found {
	f := &found{
		root:     root,
		dropins:  make(map[string][]string),
		quadlets: make(map[string]string),
		names:    make(map[string]int),
	}
	for layer, dir := range directories {
		f.seen = make(map[[2]uint64]bool)
		f.scan(dir, layer, 0)
	}
	return f
}

// deepest bounds the directories below one another.
const deepest = 32

// scan reads a directory, then those below it in the order of their names.
func (f *found) scan(dir string, layer, depth int) {
	entries, id, err := readDirectory(f.root, dir)
	if err != nil {
		if err != syscall.ENOENT {
			f.problems = append(f.problems, &Problem{File: dir, Msg: "cannot be read, skipping: " + err.Error()})
		}
		return
	}
	if f.seen[id] {
		return // a link leads back, or two lead to one
	}
	f.seen[id] = true
	if depth > deepest {
		f.problems = append(f.problems, &Problem{File: dir, Msg: "too many directories below one another, skipping"})
		return
	}
	var below []string
	for _, e := range entries {
		name := e.Name()
		full := dir + "/" + name
		switch suffix := path.Ext(name); suffix {
		case unitSuffix:
			f.add(strings.TrimSuffix(name, unitSuffix), full, layer, e.Type())
			continue
		case ".d":
			if of := strings.TrimSuffix(name, ".d"); strings.HasSuffix(of, unitSuffix) || of == unitSuffix[1:] {
				f.dropins[name] = append(f.dropins[name], full)
			}
			continue
		default:
			if part, ok := quadletService(suffix); ok && !e.IsDir() {
				service := strings.TrimSuffix(name, suffix)
				if prefix, instance, ok := strings.Cut(service, "@"); ok {
					service = prefix + part + "@" + instance
				} else {
					service += part
				}
				if _, seen := f.quadlets[service]; !seen {
					f.quadlets[service] = full
				}
				continue
			}
		}
		if e.IsDir() || e.Type()&os.ModeSymlink != 0 && isDirectory(f.root, full) {
			below = append(below, full)
		}
	}
	for _, d := range below {
		f.scan(d, layer, depth+1)
	}
}

func (f *found) add(name, full string, layer int, kind os.FileMode) {
	if i, seen := f.names[name]; seen {
		if u := &f.units[i]; u.layer == layer {
			u.twice = append(u.twice, full)
		}
		return
	}
	f.names[name] = len(f.units)
	f.units = append(f.units, file{name: name, path: full, layer: layer, kind: kind})
}

func sortEntries(entries []os.DirEntry) {
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
}

// dropinsOf are the drop-ins of a unit in the order of their names. Of equal names
// the one in the more specific directory counts, then the one found first
// (systemd.unit(5)). An empty one or a link to /dev/null stands for none.
func (f *found) dropinsOf(n Name, lists map[string][]os.DirEntry) (paths []string, problems Problems) {
	type dropin struct{ name, path string }
	var all []dropin
	taken := make(map[string]bool)
	for _, dirName := range dropinDirectories(n) {
		for _, dir := range f.dropins[dirName] {
			entries, read := lists[dir]
			if !read {
				var err error
				if entries, _, err = readDirectory(f.root, dir); err != nil {
					problems = append(problems, &Problem{File: dir, Msg: "cannot be read: " + err.Error()})
				}
				lists[dir] = entries
			}
			for _, e := range entries {
				if name := e.Name(); strings.HasSuffix(name, ".conf") && !taken[name] {
					taken[name] = true
					all = append(all, dropin{name, dir + "/" + name})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b dropin) int { return strings.Compare(a.name, b.name) })
	for _, d := range all {
		paths = append(paths, d.path)
	}
	return paths, problems
}

// dropinDirectories are the names of the directories for a unit, the most specific
// first: for "a-b@i" a-b@i, a-b@, a-@, a- and none, each with .syscontainer.d.
func dropinDirectories(n Name) []string {
	const end = unitSuffix + ".d"
	names := []string{n.Full + end}
	at := ""
	if n.Instance != "" || n.Template {
		at = "@"
		if !n.Template {
			names = append(names, n.Prefix+"@"+end)
		}
	}
	var short []string
	for i := len(n.Prefix) - 1; i > 0; i-- {
		if n.Prefix[i-1] == '-' {
			if at != "" {
				names = append(names, n.Prefix[:i]+at+end)
			}
			short = append(short, n.Prefix[:i]+end)
		}
	}
	names = append(names, short...)
	return append(names, end[1:])
}
