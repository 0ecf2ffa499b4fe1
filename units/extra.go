package units

import (
	"os"
	"path"
	"slices"
	"strings"
)

// Extra is a unit file that Load takes for one in the first directory of the search
// path, wherever it lies. Drop-in directories beside it count, and nothing else there.
type Extra struct {
	Path  string // absolute; the last part is the unit's name with its suffix
	Below bool   // Path is one below the root, not of this machine
	Text  string // of the file, if Given
	// Given is set where there need not be a file at Path, but only a directory.
	Given bool
}

// addExtra puts a file where a file of the search path would be.
func (l *loader) addExtra(e Extra) {
	base := path.Base(e.Path)
	name := strings.TrimSuffix(base, unitSuffix)
	reader := l
	if !e.Below {
		reader = &loader{found: new(found)}
	}
	var kind os.FileMode
	if info, err := os.Lstat(reader.root + e.Path); err == nil && !e.Given {
		kind = info.Mode().Type()
	}
	if l.given == nil {
		l.given = make(map[string]*content)
	}
	if e.Given {
		c := &content{empty: e.Text == ""}
		c.lines, c.warnings, c.problem = lex(e.Path, e.Text)
		l.given[e.Path] = c
	} else {
		if !e.Below {
			kind &^= os.ModeSymlink // where it lies now says nothing
		}
		l.given[e.Path] = reader.read(e.Path, kind)
	}
	f := file{name: name, path: e.Path, layer: -1, kind: kind}
	if i, known := l.names[name]; known {
		l.units[i] = f
	} else {
		l.names[name] = len(l.units)
		l.units = append(l.units, f)
	}
	n, err := ParseName(name)
	if err != nil {
		return // Load says so
	}
	for _, d := range dropinDirectories(n) {
		dir := path.Join(path.Dir(e.Path), d)
		if slices.Contains(l.dropins[d], dir) || !isDirectory(reader.root, dir) {
			continue
		}
		l.dropins[d] = slices.Insert(l.dropins[d], 0, dir)
		entries, _, err := readDirectory(reader.root, dir)
		if err != nil {
			continue // appendDropins tries again, and says so
		}
		l.lists[dir] = entries
		for _, entry := range entries {
			p := path.Join(dir, entry.Name())
			l.files[p] = reader.read(p, 0)
		}
	}
}

// Nearest is the word that s is most probably a misspelling of, "" if none is near.
func Nearest(s string, words []string) string { return nearest(s, slices.Values(words)) }
