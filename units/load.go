package units

import (
	"cmp"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// Set is all that a search path holds.
type Set struct {
	Units []*Unit // sorted by Name, which ServiceName= may give to several

	// Masked are the names of units that an empty file or a link to /dev/null
	// takes away.
	Masked []string

	// Quadlet is which file of Quadlet in the same directories becomes a service
	// of this name (without suffix).
	Quadlet map[string]string

	// Problems belong to no unit: a directory that cannot be read, a name that is
	// none.
	Problems Problems
}

// SearchPath is the directories to load from: those in $SYSCONTAINER_UNIT_DIRS,
// separated by colons, or Directories. Entries that are not absolute are left out.
func SearchPath() []string {
	s, set := os.LookupEnv("SYSCONTAINER_UNIT_DIRS")
	if !set {
		return Directories()
	}
	var dirs []string
	for dir := range strings.SplitSeq(s, ":") {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, filepath.Clean(dir))
		}
	}
	return dirs
}

// Load reads the units of the search path below root ("" or "/": the machine's own).
// Missing directories are fine. A file that cannot be read, is no file, or leads
// nowhere is a unit with an error: it still hides files of its name in later
// directories, and its neighbours are not touched. Files of extra come before all
// others.
func Load(root string, searchPath []string, extra ...Extra) *Set {
	if root = strings.TrimRight(root, "/"); root != "" {
		if abs, err := filepath.Abs(root); err == nil {
			root = abs
		}
	}
	f := search(root, searchPath)
	l := loader{found: f, lists: make(map[string][]os.DirEntry), files: make(map[string]*content)}
	for _, e := range extra {
		l.addExtra(e)
	}
	l.readAhead()
	s := &Set{Quadlet: f.quadlets, Problems: f.problems}
	for i := range f.units {
		file := &f.units[i]
		name, err := ParseName(file.name)
		if err != nil {
			s.Problems = append(s.Problems, &Problem{File: file.path, Msg: err.Error() + ", no service is made of it", Hint: Hint(err)})
			continue
		}
		if u := l.load(name, file); u != nil {
			s.Units = append(s.Units, u)
		} else {
			s.Masked = append(s.Masked, file.name)
		}
	}
	s.Units = append(s.Units, l.derive()...)
	slices.SortFunc(s.Units, func(a, b *Unit) int {
		return cmp.Or(strings.Compare(a.Name.Full, b.Name.Full), strings.Compare(a.Stem.Full, b.Stem.Full))
	})
	slices.Sort(s.Masked)
	return s
}

type loader struct {
	*found
	lists map[string][]os.DirEntry // of drop-in directories
	files map[string]*content      // drop-ins that several units share
	given map[string]*content      // of Extra files
}

// content is a file as read.
type content struct {
	lines    []Line
	warnings Problems
	problem  *Problem
	empty    bool // or a link to /dev/null
	private  bool
	dangling bool
}

// load is nil for a unit that is masked.
func (l *loader) load(name Name, f *file) *Unit {
	main := f.content
	if main == nil {
		main = l.read(f.path, f.kind)
	}
	if main.empty {
		return nil
	}
	u := &Unit{Name: name, Stem: name, Path: f.path, Dangling: main.dangling}
	for _, path := range f.twice {
		u.Warnings = append(u.Warnings, &Problem{File: path, Msg: "ignoring, " + f.path + " has the same name"})
	}
	u.append(f.path, main)
	l.appendDropins(u)
	u.rename()
	u.checkSections()
	return u
}

func (l *loader) appendDropins(u *Unit) {
	paths, problems := l.dropinsOf(u.Stem, l.lists)
	u.Errors = append(u.Errors, problems...)
	for _, path := range paths {
		c, known := l.files[path]
		if !known {
			c = l.read(path, 0)
			l.files[path] = c
		}
		if !c.empty {
			u.append(path, c)
		}
	}
}

func (u *Unit) append(path string, c *content) {
	u.Sources = append(u.Sources, path)
	u.Private = u.Private || c.private
	u.Warnings = append(u.Warnings, c.warnings...)
	if c.problem != nil {
		u.Errors = append(u.Errors, c.problem)
	}
	if u.Lines == nil {
		u.Lines = slices.Clip(c.lines) // nobody writes to them
		return
	}
	u.Lines = append(u.Lines, c.lines...)
}

// readAhead reads the files of many units on all processors.
func (l *loader) readAhead() {
	const few = 50 // are read before a second thread runs
	if len(l.units) < few {
		return
	}
	var next atomic.Int32
	var done sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		done.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(l.units); i = next.Add(1) - 1 {
				f := &l.units[i]
				f.content = l.read(f.path, f.kind)
			}
		})
	}
	done.Wait()
}

// derive makes instances that have drop-ins but no file of their own: web@ and
// web@blue.syscontainer.d/ give web@blue.
func (l *loader) derive() (units []*Unit) {
	var names []string
	for dir := range l.dropins {
		name := strings.TrimSuffix(dir, unitSuffix+".d")
		n, err := ParseName(name)
		if err != nil || n.Instance == "" {
			continue
		}
		_, exists := l.names[name]
		if _, template := l.names[n.Prefix+"@"]; template && !exists {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		n, _ := ParseName(name)
		template := l.units[l.names[n.Prefix+"@"]]
		template.twice = nil
		if u := l.load(n, &template); u != nil {
			u.Derived = true
			units = append(units, u)
		}
	}
	return units
}

// longestFile bounds what is read of a file.
const longestFile = 16 << 20

func (l *loader) read(path string, kind os.FileMode) *content {
	if c := l.given[path]; c != nil {
		return c
	}
	c := new(content)
	bad := func(msg, hint string) *content {
		c.problem = &Problem{File: path, Msg: msg, Hint: hint}
		return c
	}
	fd, err := open(l.root, path, syscall.O_NONBLOCK)                // a fifo would wait for its writer
	if err == syscall.ENOENT && linksTo(l.root, path, "/dev/null") { // in a root without devices
		c.empty = true
		return c
	}
	if c.dangling = err == syscall.ENOENT; c.dangling {
		return bad("the link leads nowhere", "a link to /dev/null takes the unit away")
	}
	if err != nil {
		return bad("cannot be read: "+err.Error(), "")
	}
	defer syscall.Close(fd)
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return bad("cannot be read: "+err.Error(), "")
	}
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
	case syscall.S_IFCHR:
		if c.empty = st.Rdev == nullDevice; c.empty {
			return c
		}
		return bad("is a device", "")
	case syscall.S_IFDIR:
		return bad("is a directory, where a file is expected", "")
	default:
		return bad("is no file", "")
	}
	if st.Size == 0 {
		c.empty = true
		return c
	}
	if st.Size > longestFile {
		return bad("is larger than 16 MiB", "")
	}
	c.private = st.Mode&0o004 == 0
	data := make([]byte, st.Size)
	n, err := readFull(fd, data)
	if err != nil {
		return bad("cannot be read: "+err.Error(), "")
	}
	c.lines, c.warnings, c.problem = lex(path, unsafe.String(unsafe.SliceData(data), n)) // nobody writes to data again
	if kind&os.ModeSymlink != 0 {
		l.checkLink(path, c)
	}
	return c
}

// nullDevice is /dev/null.
const nullDevice = 1<<8 | 3

// checkLink warns of a file that may not be there at boot.
func (l *loader) checkLink(path string, c *content) {
	if l.root != "" {
		return
	}
	target, err := os.Readlink(path)
	if err != nil || !strings.HasPrefix(target, "/") {
		return
	}
	for _, away := range []string{"/var/", "/home/"} {
		if strings.HasPrefix(target, away) {
			c.warnings = append(c.warnings, &Problem{File: path,
				Msg: "links to " + target + ", which is not there at boot if " + away[:len(away)-1] + " is mounted later"})
		}
	}
}
