package atomic

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"
)

// HostDir is where an image keeps its files for the host, below its root.
const HostDir = Dir + "/hostfs"

// mostHostFiles bounds what is below HostDir.
const mostHostFiles = 100_000

// HostFile is a file, a symbolic link or an empty directory for the host.
type HostFile struct {
	Path     string      // on the host, renamed: absolute, without . and ..
	Source   string      // below the image's root
	Mode     fs.FileMode // with its type
	UID, GID int
	Link     string // text of a symbolic link
	Template bool   // Text is its content, instead of what Source has
	Text     string
}

// HostFiles are what an image wants on the host.
type HostFiles struct {
	Files []HostFile          // sorted by path
	Dirs  map[string]HostFile // directories that the image has on the way to Files, by path
	// Without are paths of the list asked for that no file has.
	Without []string
}

// ReadHostFiles finds the files for the host of the image with this root: those at or below a path of the list, after
// renaming, or all if the list is "yes". It renames by components: the longer path is looked up with what its beginning has
// become. All variables without a value are in the error at once, as *MissingError, one a file.
//
// A directory is wanted for itself if it is empty; others are made where a file needs them.
func ReadHostFiles(root *os.Root, m *Manifest, values map[string]string, list []string) (*HostFiles, error) {
	w := hostWalk{root: root, manifest: m, values: values, to: map[string]string{}, parents: map[string]bool{}, missing: map[string]*MissingError{}}
	if info, err := root.Stat(HostDir); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return &HostFiles{Without: slices.DeleteFunc(slices.Clone(list), func(p string) bool { return p == "yes" })}, nil
	}
	if err := fs.WalkDir(root.FS(), HostDir, w.visit); err != nil {
		return nil, err
	}
	h, err := w.choose(list)
	if err != nil {
		return nil, err
	}
	if err := w.expand(h); err != nil {
		return nil, err
	}
	return h, nil
}

// hostWalk is a walk through HostDir.
type hostWalk struct {
	root     *os.Root
	manifest *Manifest
	values   map[string]string
	files    []HostFile
	dirs     []HostFile
	to       map[string]string // what values of renameFiles have become
	parents  map[string]bool   // sources of directories that are not empty
	missing  map[string]*MissingError
	errs     []error
	seen     int
}

// visit looks at one path. Nothing there is opened, and no link followed.
func (w *hostWalk) visit(source string, d fs.DirEntry, err error) error {
	if err != nil {
		return fmt.Errorf("read /%s of the image: %w", source, err)
	}
	if source == HostDir {
		return nil
	}
	if w.seen++; w.seen > mostHostFiles {
		return fmt.Errorf("/%s of the image holds more than %d files", HostDir, mostHostFiles)
	}
	w.parents[path.Dir(source)] = true
	info, err := w.root.Lstat(source)
	if err != nil {
		return fmt.Errorf("read /%s of the image: %w", source, err)
	}
	f := HostFile{Source: source, Mode: info.Mode()}
	if st, is := info.Sys().(*syscall.Stat_t); is {
		f.UID, f.GID = int(st.Uid), int(st.Gid)
	}
	switch f.Mode.Type() {
	case 0, fs.ModeDir:
	case fs.ModeSymlink:
		if f.Link, err = w.root.Readlink(source); err != nil {
			return fmt.Errorf("read /%s of the image: %w", source, err)
		}
	default:
		w.errs = append(w.errs, fmt.Errorf("/%s of the image is neither a file nor a link nor a directory", source))
		return nil
	}
	if f.Path, err = w.rename(strings.TrimPrefix(source, HostDir)); err != nil {
		w.fail(err)
		return nil
	}
	if f.Path == "/" {
		if !f.Mode.IsDir() {
			w.errs = append(w.errs, fmt.Errorf("manifest.json of the image: renameFiles: %q would become the root directory", strings.TrimPrefix(source, HostDir)))
		}
		return nil
	}
	if unfit(f.Path) != "" || f.Link != "" && unfit(f.Link) != "" {
		w.errs = append(w.errs, fmt.Errorf("/%s of the image: the name or link %s", printable(source), unfit(f.Path+f.Link)))
		return nil
	}
	if f.Mode.IsDir() {
		w.dirs = append(w.dirs, f)
	} else {
		w.files = append(w.files, f)
	}
	return nil
}

// fail collects an error. Of variables without a value, each is told once.
func (w *hostWalk) fail(err error) {
	var missing *MissingError
	if !errors.As(err, &missing) {
		if !slices.ContainsFunc(w.errs, func(e error) bool { return e.Error() == err.Error() }) {
			w.errs = append(w.errs, err)
		}
		return
	}
	before := w.missing[missing.File]
	if before == nil {
		before = &MissingError{File: missing.File}
		w.missing[missing.File] = before
	}
	before.Names = append(before.Names, missing.Names...)
	slices.Sort(before.Names)
	before.Names = slices.Compact(before.Names)
}

// rename is the path on the host of a path below HostDir, "/etc/a".
func (w *hostWalk) rename(name string) (string, error) {
	built := ""
	for _, component := range strings.Split(strings.TrimPrefix(name, "/"), "/") {
		built += "/" + component
		i, hit := slices.BinarySearchFunc(w.manifest.Renames, built, func(r Rename, from string) int { return strings.Compare(r.From, from) })
		if !hit {
			continue
		}
		to, known := w.to[built]
		if !known {
			var err error
			if to, err = w.target(w.manifest.Renames[i]); err != nil {
				return "", err
			}
			w.to[built] = to
		}
		built = strings.TrimSuffix(to, "/")
	}
	if built == "" {
		return "/", nil
	}
	return built, nil
}

// target is what a rename leads to, expanded.
func (w *hostWalk) target(r Rename) (string, error) {
	to, err := Template{File: "manifest.json", Text: r.To}.Expand(w.values)
	if err != nil {
		return "", err
	}
	if !path.IsAbs(to) || slices.Contains(strings.Split(to, "/"), "..") {
		return "", fmt.Errorf("manifest.json of the image: renameFiles: %q becomes %q, which is no absolute path without ..", r.From, to)
	}
	return path.Clean(to), nil
}

// choose takes what a list wants and sees that it fits together.
func (w *hostWalk) choose(list []string) (*HostFiles, error) {
	h := &HostFiles{Dirs: map[string]HostFile{}}
	taken := map[string]bool{} // paths of the list that some file has
	wants := func(name string) (is bool) {
		for _, p := range list {
			if p == "yes" || name == p || strings.HasPrefix(name, strings.TrimSuffix(p, "/")+"/") {
				is, taken[p] = true, true
			}
		}
		return is
	}
	for _, f := range w.dirs {
		if !w.parents[f.Source] && wants(f.Path) {
			h.Files = append(h.Files, f)
		}
		if _, twice := h.Dirs[f.Path]; !twice {
			h.Dirs[f.Path] = f
		}
	}
	for _, f := range w.files {
		if wants(f.Path) {
			f.Template = f.Mode.IsRegular() && slices.Contains(w.manifest.Templates, f.Path)
			h.Files = append(h.Files, f)
		}
	}
	for _, p := range list {
		if p != "yes" && !taken[p] {
			h.Without = append(h.Without, p)
		}
	}
	slices.SortStableFunc(h.Files, func(a, b HostFile) int { return strings.Compare(a.Path, b.Path) })
	at := make(map[string]*HostFile, len(h.Files))
	h.Files = slices.CompactFunc(h.Files, func(a, b HostFile) bool { // directories may come together
		return a.Path == b.Path && a.Mode.IsDir() && b.Mode.IsDir()
	})
	for i := range h.Files {
		f := &h.Files[i]
		if other := at[f.Path]; other != nil {
			w.errs = append(w.errs, fmt.Errorf("/%s and /%s of the image both become %s", other.Source, f.Source, f.Path))
		}
		at[f.Path] = f
	}
	for _, f := range h.Files {
		for dir := path.Dir(f.Path); dir != "/"; dir = path.Dir(dir) {
			if other := at[dir]; other != nil && !other.Mode.IsDir() {
				w.errs = append(w.errs, fmt.Errorf("/%s of the image becomes %s, which is to be below /%s", f.Source, f.Path, other.Source))
			}
		}
	}
	return h, nil
}

// expand fills in what templates become, and returns all errors there are.
func (w *hostWalk) expand(h *HostFiles) error {
	for i := range h.Files {
		f := &h.Files[i]
		if !f.Template {
			continue
		}
		data, err := readFile(w.root, f.Source)
		if err == nil && data == nil {
			err = fs.ErrNotExist
		}
		if err != nil {
			w.fail(fmt.Errorf("read /%s of the image: %w", f.Source, err))
			continue
		}
		if f.Text, err = (Template{File: path.Base(f.Source), Text: string(data)}).Expand(w.values); err != nil {
			w.fail(err)
		}
	}
	for _, file := range sortedKeys(w.missing) {
		w.errs = append(w.errs, w.missing[file])
	}
	return errors.Join(w.errs...)
}

func sortedKeys(m map[string]*MissingError) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// unfit tells why a path or the text of a link cannot be written down in a record and shown to people, "" if it can.
func unfit(name string) string {
	switch {
	case !utf8.ValidString(name):
		return "is not UTF-8"
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "has a control character in it"
	case len(name) > 4095:
		return "is longer than a path can be"
	}
	return ""
}

func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError {
			return '?'
		}
		return r
	}, name)
}
