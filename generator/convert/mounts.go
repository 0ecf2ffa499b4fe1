package convert

import (
	"path"
	"slices"
	"strings"

	"syscontainer/units"
)

const store = "/var/lib/syscontainer"

// mountsNeeded are the paths of the host that must be mounted before a start, as words
// of RequiresMountsFor=: the store and all that the unit names.
func (d *draft) mountsNeeded() string {
	var m mounts
	m.of = d.u.Name
	if d.c.Rootfs == "" {
		m.add(store)
	}
	for i := range d.c.Volumes {
		m.add(d.c.Volumes[i].Written)
	}
	for i := range d.c.Mounts {
		switch mount := &d.c.Mounts[i]; mount.Type {
		case "bind":
			m.add(mount.Written)
		case "glob":
			m.add(percent(fixed(mount.Source, "*?[\\")))
		}
	}
	if d.c.Rootfs != "" {
		written, _ := lastValue(d.container, "Rootfs")
		m.add(strings.TrimSuffix(unquoted(written), ":O"))
	}
	if len(d.c.EnvironmentFiles) > 0 {
		var files []string
		for _, file := range d.c.EnvironmentFiles {
			if !file.Optional {
				files = append(files, file.Path)
			}
		}
		m.files(d, "EnvironmentFile", files...)
	}
	if strings.HasPrefix(d.c.SeccompProfile, "/") {
		m.files(d, "SeccompProfile", d.c.SeccompProfile)
	}
	for _, patch := range d.c.ConfigPatches {
		if patch.File != "" {
			m.files(d, "ConfigPatch", patch.File)
		}
	}
	for _, line := range d.c.Tmpfiles {
		m.add(units.TmpfilesPath(line))
	}
	return strings.Join(m.words(), " ")
}

// mounts collects paths as text with specifiers.
type mounts struct {
	of    units.Name
	paths []string
}

// add takes a path as it is written.
func (m *mounts) add(written string) {
	if strings.HasPrefix(written, "/") || strings.HasPrefix(written, "%") {
		m.paths = append(m.paths, written)
	}
}

// files takes paths that were read of a key. Where a start may replace specifiers by
// others, what is written counts, but for words with quotes.
func (m *mounts) files(d *draft, key string, read ...string) {
	lines := effective(d.container, key)
	if !slices.ContainsFunc(lines, func(line *units.Line) bool { return d.u.Name.StartOnly(line.Value) }) {
		for _, name := range read {
			m.add(percent(name))
		}
		return
	}
	for _, line := range lines {
		for _, word := range fields(line.Value) {
			if !strings.ContainsAny(word, `"'\`) {
				m.add(word)
			}
		}
	}
}

// words leaves out what another covers, for a path needs all above it mounted too; and
// what is there always, or by then.
func (m *mounts) words() []string {
	var kept []string
	literal := func(s string) string {
		if isHostSpecifier(s) {
			return s // systemd knows when it loads the service
		}
		return pathWord(s)
	}
	rewrite := func(s string) (string, bool) {
		word, err := m.of.Rewrite(s, units.AllSpecifiers, literal, pathWord)
		if err != nil {
			return "", false
		}
		word = strings.TrimRight(word, "/")
		for _, dir := range []string{"/proc", "/sys", "/dev", "/run/credentials"} {
			if below(word, dir) {
				return "", false
			}
		}
		return word, word != ""
	}
	for _, s := range m.paths {
		if word, ok := rewrite(s); ok {
			kept = append(kept, word)
		}
	}
	if len(kept) < 2 {
		return kept
	}
	sorted := slices.Clone(kept)
	for i, word := range sorted {
		sorted[i] = word + "/" // what lies below then follows at once
	}
	slices.Sort(sorted)
	seen := make(map[string]bool, len(kept))
	return slices.DeleteFunc(kept, func(word string) bool {
		at, _ := slices.BinarySearch(sorted, word+"0") // the first after all that begin with word/
		covered := at > 0 && strings.HasPrefix(sorted[at-1], word+"/") && sorted[at-1] != word+"/"
		covered = covered || seen[word]
		seen[word] = true
		return covered
	})
}

// fixed is the directory of a pattern up to which no character is special.
func fixed(pattern, special string) string {
	if i := strings.IndexAny(pattern, special); i >= 0 {
		return path.Dir(pattern[:i] + "x")
	}
	return pattern
}
