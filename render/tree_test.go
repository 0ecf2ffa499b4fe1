package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// plant makes files below a new directory: "name/" is a directory, "name -> to" a
// link, everything else a file that holds its own name.
func plant(t testing.TB, names ...string) *tree {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		name, link, isLink := strings.Cut(name, " -> ")
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case isLink:
			err = os.Symlink(link, path)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		default:
			err = os.WriteFile(path, []byte(name), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	tree, err := openTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tree.close)
	return tree
}

func TestResolve(t *testing.T) {
	tree := plant(t, "etc/", "run/", "file", "var/run -> /run", "up -> ../../../../etc", "abs -> /etc/x",
		"loop -> loop", "dangling -> ../nowhere/deep", "etc/resolv.conf -> ../run/systemd/resolve/stub.conf", "dots -> ./etc/../etc/.")
	covers := map[string]bool{"/run": true}
	for _, c := range []struct {
		name string
		want place
		err  string
	}{
		{"/", place{"/", true, true, false, ""}, ""},
		{"/etc", place{"/etc", true, true, false, ""}, ""},
		{"/file", place{"/file", true, false, false, ""}, ""},
		{"/up", place{"/etc", true, true, false, ""}, ""},
		{"/up/new", place{"/etc/new", false, false, false, ""}, ""},
		{"/abs", place{"/etc/x", false, false, false, ""}, ""},
		{"/dots/../etc", place{"/etc", true, true, false, ""}, ""},
		{"/dangling/more", place{"/nowhere/deep/more", false, false, false, ""}, ""},
		{"/no/../etc", place{"/etc", true, true, false, ""}, ""},
		{"/no/where/../x", place{"/no/x", false, false, false, ""}, ""},
		{"/../../etc", place{"/etc", true, true, false, ""}, ""},
		{"/run", place{"/run", true, true, true, ""}, ""},
		{"/var/run/web", place{"/run", true, true, true, ""}, ""},
		{"/etc/resolv.conf", place{"/run", true, true, true, ""}, ""},
		{"/file/x", place{}, "no directory"},
		{"/loop", place{}, "too many links"},
	} {
		got, err := tree.resolve(c.name, covers)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %q", c.name, err, c.err)
			}
			continue
		}
		if got.covered {
			got.exists, got.dir, got.rest = true, true, "" // says nothing there
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", c.name, got, err, c.want)
		}
	}
}

func TestMissingTargets(t *testing.T) {
	tree := plant(t, "proc/", "etc/hosts", "var/run -> /run", "data/")
	bind := func(destination, source string) rspec.Mount {
		return rspec.Mount{Destination: destination, Source: source, Type: "bind"}
	}
	isFile := func(source string) bool { return strings.HasSuffix(source, "file") }
	s := &rspec.Spec{Process: &rspec.Process{Cwd: "/work"}, Mounts: []rspec.Mount{
		{Destination: "/proc", Type: "proc"},
		{Destination: "/run", Type: "tmpfs"},
		{Destination: "/run/lock", Type: "tmpfs"}, // in the tmpfs
		bind("/var/run/x", "dir"),                 // the same, by the link
		bind("/etc/hosts", "file"),
		bind("/etc/resolv.conf", "file"),
		bind("/a/b", "dir"),
		bind("/a/b/c", "dir"), // in the volume
	}}
	got, err := missingTargets(tree, s, isFile)
	want := []target{{"/run", false, 0o755}, {"/etc/resolv.conf", true, 0o755}, {"/a/b", false, 0o755}, {"/work", false, 0o755}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}

	for _, m := range []rspec.Mount{bind("/data", "file"), bind("/etc/hosts", "dir"), bind("/etc/hosts/x", "dir")} {
		s.Mounts = []rspec.Mount{m}
		if _, err := missingTargets(tree, s, isFile); err == nil || !strings.Contains(err.Error(), m.Destination) {
			t.Errorf("%s on %s: error %v", m.Source, m.Destination, err)
		}
	}
}

func TestMakeTargets(t *testing.T) {
	tree := plant(t, "etc/", "opt/")
	for path, mode := range map[string]os.FileMode{"/": 0o711, "/etc": 0o750, "/opt": 0o777 | os.ModeSticky} {
		name := filepath.Join(tree.name, path)
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() == 0 {
		os.Chown(filepath.Join(tree.name, "opt"), 12, 34)
	}
	before := listing(t, tree.name)
	over := filepath.Join(t.TempDir(), "targets")
	missing := []target{{"/etc/x/file", true, 0}, {"/opt/y", false, 0o755}, {"/opt/y/z", false, 0o1777}, {"/new", false, 0o755}}
	if err := makeTargets(tree, over, missing, nil); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{
		"": 0o711 | os.ModeDir, "etc": 0o750 | os.ModeDir, "etc/x": 0o755 | os.ModeDir, "etc/x/file": 0o644,
		"opt": 0o777 | os.ModeSticky | os.ModeDir, "opt/y": 0o755 | os.ModeDir, "opt/y/z": 0o777 | os.ModeSticky | os.ModeDir, "new": 0o755 | os.ModeDir,
	} {
		info, err := os.Lstat(filepath.Join(over, path))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
			continue
		}
		st := info.Sys().(*syscall.Stat_t)
		if path == "opt" && os.Getuid() == 0 && (st.Uid != 12 || st.Gid != 34) {
			t.Errorf("%s: owner %d:%d", path, st.Uid, st.Gid)
		}
	}
	if after := listing(t, tree.name); after != before {
		t.Errorf("the image changed:\n%s\n%s", before, after)
	}
}

// listing is everything below a directory: names, modes, owners, sizes, links.
func listing(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		link, _ := os.Readlink(path)
		_, err = b.WriteString(strings.Join([]string{path, info.Mode().String(), info.ModTime().UTC().String(), link}, " "))
		b.WriteString(" " + strings.Repeat("*", int(st.Nlink%7)) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// An image that wants the machine's accounts, or render to hang, gets neither.
func TestLookupUserStaysInside(t *testing.T) {
	name := "render-test-outside"
	outside := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(outside, []byte(name+":x:1:1::/:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{outside, strings.Repeat("../", 30) + outside} {
		tree := plant(t, "etc/passwd -> "+link)
		if u, err := lookupUser(tree, name, nil); err == nil {
			t.Errorf("link to %s: %+v", link, u)
		}
	}
	tree := plant(t, "etc/")
	if err := syscall.Mkfifo(filepath.Join(tree.name, "etc/passwd"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := lookupUser(tree, "root", nil); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a pipe as /etc/passwd: %v", err)
	}
	if u, err := lookupUser(plant(t), "5:6", nil); err != nil || u.UID != 5 || u.GID != 6 {
		t.Errorf("no /etc/passwd: %+v, %v", u, err)
	}
}

// FuzzResolve: where a link of the image leads, the kernel agrees (openat2(2),
// RESOLVE_IN_ROOT).
func FuzzResolve(f *testing.F) {
	for _, link := range []string{"etc", "/etc/../etc/hosts", "../../../../etc", "a", "l/l", "etc/hosts/..", "no/../etc", "//etc/.", "self", "up/hosts", "etc/hosts/"} {
		f.Add(link)
	}
	tree := plant(f, "etc/hosts", "a/b/c/", "up -> a/../etc", "self -> .", "loop -> loop")
	f.Fuzz(func(t *testing.T, link string) {
		name := filepath.Join(tree.name, "l")
		os.Remove(name)
		if os.Symlink(link, name) != nil {
			return
		}
		got, err := tree.resolve("/l", nil)
		if err != nil {
			return
		}
		fd, kernel := tree.open("/l", unix.O_PATH)
		if kernel != nil {
			return // what is missing is text to us, an error to the kernel
		}
		defer unix.Close(fd)
		var want unix.Stat_t
		if err := unix.Fstat(fd, &want); err != nil {
			t.Fatal(err)
		}
		st, _, err := tree.lstat(got.path)
		if err != nil || !got.exists || st.Ino != want.Ino || st.Dev != want.Dev || got.dir != (want.Mode&unix.S_IFMT == unix.S_IFDIR) {
			t.Fatalf("%q leads to %+v, %v; to inode %d by the kernel", link, got, err, want.Ino)
		}
	})
}

// Where links of an image lead, runtimes are told in plain paths; into what the kernel shows, none may lead.
func TestSettleMounts(t *testing.T) {
	image := plant(t, "proc/", "etc/", "run/", "var/run -> /run", "out -> ../../../../srv", "chain -> out/x", "attr -> proc/self/attr", "magic -> /proc/self/root/etc",
		"kernel -> /sys/kernel", "shm -> dev/shm", "loop -> loop")
	linked := plant(t, "elsewhere/", "proc -> elsewhere")
	tmpfs := func(at string) rspec.Mount { return rspec.Mount{Destination: at, Type: "tmpfs", Source: "x"} }
	for _, c := range []struct {
		in    *tree
		at    string
		want  string
		error string
	}{
		{image, "/etc/new", "/etc/new", ""},
		{image, "/out", "/srv", ""},
		{image, "/chain/y", "/srv/x/y", ""},
		{image, "/var/run/a/b", "/run/a/b", ""},
		{image, "/shm", "/dev/shm", ""},
		{image, "/proc/scsi", "/proc/scsi", ""}, // the unit's own word
		{image, "/attr", "", "mount x on /attr: links of the image lead to /proc/self/attr, which is the kernel's"},
		{image, "/attr/exec", "", "lead to /proc/self/attr/exec, which"},
		{image, "/magic", "", "lead to /proc/self/root/etc, which"},
		{image, "/kernel/x", "", "lead to /sys/kernel/x, which"},
		{image, "/loop/x", "", "mount x on /loop/x: /loop/x: too many links"},
		{linked, "/etc", "", "/proc in the image is a link, to /elsewhere"},
	} {
		s := &rspec.Spec{Process: &rspec.Process{Cwd: "/chain"}, Mounts: []rspec.Mount{tmpfs("/proc"), tmpfs("/sys"), tmpfs("/dev"), tmpfs("/run"), tmpfs(c.at)}}
		err := settleMounts(c.in, s)
		if c.error != "" {
			if err == nil || !strings.Contains(err.Error(), c.error) {
				t.Errorf("%s: %v, want %q", c.at, err, c.error)
			}
		} else if s.Process.Cwd != "/srv/x" {
			t.Errorf("the working directory is %s", s.Process.Cwd)
		} else if got := s.Mounts[len(s.Mounts)-1].Destination; err != nil || got != c.want {
			t.Errorf("%s: %s, %v, want %s", c.at, got, err, c.want)
		}
	}
}
