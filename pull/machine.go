package main

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"syscontainer/units"
)

// machine is what units are checked for: what lies below a root, out of
// which no link leads.
type machine struct {
	root string // "/" for this machine
	fd   int    // -1: there is no such root, so nothing is there
	real string // the root with its own links followed

	away    []string // directories of the search path that are in /var or /home, and told
	dropins []string // directories of drop-ins that were seen
}

func openMachine(root string) *machine {
	m := &machine{root: root, fd: -1}
	if fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		m.fd = fd
		m.real, _ = os.Readlink(fdPath(fd))
	}
	return m
}

func (m *machine) close() {
	if m.fd >= 0 {
		unix.Close(m.fd)
	}
}

func fdPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

func (m *machine) open(name string, flags int) (fd int, err error) {
	if m.fd < 0 {
		return -1, unix.ENOENT
	}
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	for {
		fd, err = unix.Openat2(m.fd, "./"+name, &how)
		if err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
}

// resolve follows all links. What is not there, or cannot be reached, is "".
func (m *machine) resolve(name string) (real string, isDir bool) {
	fd, err := m.open(name, unix.O_PATH)
	if err != nil {
		return "", false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", false
	}
	if real, err = os.Readlink(fdPath(fd)); err != nil {
		real = name
	} else if m.real != "/" {
		real = "/" + strings.TrimPrefix(strings.TrimPrefix(real, m.real), "/")
	}
	return real, st.Mode&unix.S_IFMT == unix.S_IFDIR
}

// exists takes what cannot be looked at, for want of rights, as there.
func (m *machine) exists(name string) bool {
	fd, err := m.open(name, unix.O_PATH)
	if err == nil {
		unix.Close(fd)
	}
	return err == nil || err == unix.EACCES
}

func below(name string, dirs ...string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") })
}

// mounted is which of the file systems that come late a path is on.
func mounted(real string) string {
	for _, dir := range []string{"/var", "/home"} {
		if below(real, dir) {
			return dir
		}
	}
	return ""
}

const notAtBoot = ", which is not there at boot if "

// directories warns of those in the search path that may be missing at boot.
func (m *machine) directories(searchPath []string) (warnings units.Problems) {
	for _, dir := range searchPath {
		m.directory(dir, 0, &warnings)
	}
	return warnings
}

func (m *machine) directory(dir string, depth int, warnings *units.Problems) {
	real, isDir := m.resolve(dir)
	if late := mounted(real); late != "" && !below(dir, m.away...) {
		m.away = append(m.away, dir)
		*warnings = append(*warnings, &units.Problem{File: dir, Msg: "lies in " + real + notAtBoot + late + " is mounted later"})
	}
	if !isDir || depth > 32 {
		return
	}
	fd, err := m.open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return
	}
	d := os.NewFile(uintptr(fd), dir)
	entries, _ := d.ReadDir(-1)
	d.Close()
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		full := path.Join(dir, e.Name())
		if strings.HasSuffix(e.Name(), ".syscontainer.d") {
			m.dropins = append(m.dropins, full)
		}
		if e.IsDir() {
			m.directory(full, depth+1, warnings)
			continue
		}
		if e.Type() != fs.ModeSymlink || path.Ext(e.Name()) != "" && path.Ext(e.Name()) != ".d" {
			continue
		}
		if real, isDir := m.resolve(full); isDir && below(real, dir) || real != "" && !isDir {
			continue // a loop, or a file
		} else if isDir {
			m.directory(full, depth+8, warnings) // loops of links end soon
			continue
		}
		target, err := os.Readlink(filepath.Join(m.root, full))
		if err != nil {
			continue
		}
		if late := mounted(target); late != "" {
			*warnings = append(*warnings, &units.Problem{File: full, Msg: "links to " + units.Printable(target) + ", which is not there; no unit in it is read until " + late + " is mounted"})
		}
	}
}

// orphans warns of drop-ins that no unit has: a name that is misspelt has no effect,
// and nobody else says so. Those for all names that begin alike may wait for one.
func (m *machine) orphans(set *units.Set) (warnings units.Problems) {
	known := slices.Clone(set.Masked)
	for _, u := range set.Units {
		known = append(known, u.Name.Full, u.Stem.Full)
	}
	for _, dir := range m.dropins {
		name := strings.TrimSuffix(path.Base(dir), ".syscontainer.d")
		prefix, _, instance := strings.Cut(name, "@")
		if slices.Contains(known, name) || strings.HasSuffix(prefix, "-") || instance && slices.Contains(known, prefix+"@") {
			continue
		}
		p := &units.Problem{File: dir, Msg: "there is no " + name + ".syscontainer that these drop-ins would be for"}
		if near := units.Nearest(name, known); near != "" {
			p.Hint = "did you mean " + near + ".syscontainer.d?"
		}
		warnings = append(warnings, p)
	}
	return warnings
}

// look compares a unit with the host. What lies outside of the search path, as only a
// file of the command line does, is no part of it yet.
func (m *machine) look(u *units.Unit, c *units.Container) (warnings, notes units.Problems) {
	for _, source := range u.Sources {
		if !below(source, units.SearchPath()...) {
			continue
		}
		real, _ := m.resolve(source)
		late := mounted(real)
		if late == "" || below(source, m.away...) || slices.ContainsFunc(u.Warnings, func(p *units.Problem) bool {
			return p.File == source && strings.Contains(p.Msg, notAtBoot)
		}) {
			continue
		}
		warnings = append(warnings, &units.Problem{File: source, Msg: "lies in " + real + notAtBoot + late + " is mounted later"})
	}
	w, n := m.lookForFiles(u, c)
	warnings, notes = append(warnings, w...), append(notes, n...)
	if p, isWarning := m.lookForImage(u, c); isWarning {
		warnings = append(warnings, p)
	} else if p != nil {
		notes = append(notes, p)
	}
	for _, p := range []*units.Problem{m.lookForRuntime(u, c), m.lookForInit(u, c)} {
		if p != nil {
			notes = append(notes, p)
		}
	}
	return warnings, notes
}

// lookForImage says nothing of an image that only an instance names.
func (m *machine) lookForImage(u *units.Unit, c *units.Container) (p *units.Problem, isWarning bool) {
	line := lastLine(u, "Image")
	if c.Image == "" || line == nil || u.Name.StartOnly(line.Value) {
		return nil, false
	}
	_, err := nextImage(m.root, u.Name.Full, c.Image, c.Pull == "always")
	if err == nil || c.Pull == "always" {
		return nil, false
	}
	p = &units.Problem{File: line.File, Line: line.Line, Column: line.ValueColumn}
	if !errors.Is(err, fs.ErrNotExist) {
		p.Msg = "whether image " + c.Image + " is in the store is not known: " + err.Error()
		return p, false
	}
	p.Msg = "image " + c.Image + " is not in the store"
	if c.Pull == "never" {
		p.Msg += ", and with Pull=never the start fails"
		p.Hint = "syscontainer pull " + c.Image
		return p, true
	}
	if transport, rest, local := strings.Cut(c.Image, ":/"); local && slices.Contains([]string{"oci", "oci-archive", "docker-archive", "dir"}, transport) {
		source, _, _ := strings.Cut("/"+rest, ":")
		if !m.exists(source) {
			p.Msg += ", and " + source + " is not there to make it of"
			return p, !mayCome(source)
		}
	}
	p.Msg += ", the first start fetches it"
	return p, false
}

// runtimePath is where a runtime is looked for (the $PATH of system services).
var runtimePath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

func (m *machine) installed(program string) bool {
	if strings.HasPrefix(program, "/") {
		return m.exists(program)
	}
	return slices.ContainsFunc(runtimePath, func(dir string) bool { return m.exists(path.Join(dir, program)) })
}

func (m *machine) lookForInit(u *units.Unit, c *units.Container) *units.Problem {
	line := lastLine(u, "RunInit")
	if !c.RunInit || line == nil || slices.ContainsFunc(units.Inits[:], m.installed) {
		return nil
	}
	return &units.Problem{File: line.File, Line: line.Line, Column: line.ValueColumn,
		Msg: "RunInit=: no init for containers is installed", Hint: "install catatonit"}
}

func (m *machine) lookForRuntime(u *units.Unit, c *units.Container) *units.Problem {
	if m.installed(c.Runtime) {
		return nil
	}
	p := &units.Problem{File: u.Path, Msg: "runtime " + c.Runtime + " is not installed"}
	if line := lastLine(u, "Runtime"); line != nil && line.Value != "" {
		p.File, p.Line, p.Column = line.File, line.Line, line.ValueColumn
	}
	for _, other := range []string{"runc", "crun"} { // these are known to do
		if m.installed(other) {
			p.Hint = other + " is: Runtime=" + other
			break
		}
	}
	return p
}

// lastLine is the assignment of [Container] that counts, nil if there is none.
func lastLine(u *units.Unit, key string) *units.Line {
	for i := len(u.Lines) - 1; i >= 0; i-- {
		if l := &u.Lines[i]; l.Section == "Container" && l.Key == key {
			return l
		}
	}
	return nil
}
