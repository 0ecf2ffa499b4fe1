package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// imageWith is the configuration of an image with volumes.
func imageWith(volumes ...string) *imageConfig {
	image := new(imageConfig)
	image.Config.Volumes = make(map[string]struct{})
	for _, name := range volumes {
		image.Config.Volumes[name] = struct{}{}
	}
	return image
}

func TestImageVolumes(t *testing.T) {
	image := plant(t, "data/", "out -> ../../../../etc", "abs -> /data", "loop -> loop", "kernel -> proc/sys", "proc/", "file", "var/run -> /run", "up -> ..")
	root := t.TempDir()
	for _, c := range []struct {
		volumes []string
		unit    func(*units.Container)
		want    []string // targets
		err     string
	}{
		{volumes: []string{"/data", "/new/deep"}, want: []string{"/data", "/new/deep"}},
		{volumes: []string{"data/", "/data/../data/.", "/abs"}, want: []string{"/data"}}, // the same place
		{volumes: []string{"/out"}, want: []string{"/etc"}},                              // the image's, not the machine's
		{volumes: []string{"/out/x", "../../x"}, want: []string{"/x", "/etc/x"}},
		{volumes: []string{"/var/run"}, want: []string{"/run"}},
		{volumes: []string{"/loop"}, err: "volume /loop of the image: "},
		{volumes: []string{"/kernel"}, err: "volume /kernel, which leads to /proc/sys, of the image would hide what the kernel shows in /proc"},
		{volumes: []string{"/dev/shm"}, err: "would hide what the kernel shows in /dev"},
		{volumes: []string{"/"}, err: "would hide the image"},
		{volumes: []string{"/up"}, err: "volume /up, which leads to /, of the image would hide the image"},
		{volumes: []string{"/file"}, err: "volume /file of the image is no directory there"},
		{volumes: []string{"/file/x"}, err: "/file in the image is no directory"},
		{volumes: []string{"/data", "/data/sub", "/database"}, unit: func(c *units.Container) { c.Volumes = []units.Volume{{Target: "/data"}} }, want: []string{"/database"}},
		{volumes: []string{"/data"}, unit: func(c *units.Container) { c.Volumes = []units.Volume{{Target: "/abs"}} }},
		{volumes: []string{"/kernel"}, unit: func(c *units.Container) { c.Tmpfs = []units.Tmpfs{{Target: "/kernel"}} }},
		{volumes: []string{"/data"}, unit: func(c *units.Container) { c.Mounts = []units.Mount{{Type: "bind", Target: "/"}} }},
	} {
		unit := base()
		if c.unit != nil {
			c.unit(unit)
		}
		h := host{Sources: map[string]source{}, Scratch: map[string]scratch{}}
		err := lookVolumes(options{root: root, name: "web"}, unit, imageWith(c.volumes...), image, user{UID: 7, GID: 8}, &h)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: %v, want %q", c.volumes, err, c.err)
			}
			continue
		}
		var got []string
		for _, v := range h.Volumes {
			got = append(got, v.Target)
			if !within(v.Source, filepath.Join(root, store.Dir, "containers/web/volumes")) || !h.Sources[v.Source].Dir {
				t.Errorf("%q: storage %s", c.volumes, v.Source)
			}
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %q, %v, want %q", c.volumes, got, err, c.want)
		}
	}
	for name := range map[string]bool{"x": true, "etc/x": true} {
		if _, err := os.Lstat("/" + name); err == nil {
			t.Errorf("/%s was made on the machine", name)
		}
	}
}

// What a copy must be, and must not do: whatever the image has in a volume, it is copied as it is.
func TestCopyImage(t *testing.T) {
	image := plant(t, "data/sub/deep/file", "data/secret -> /etc/shadow", "data/up -> ../../../../../..", "data/loop -> loop", "data/caf\xe9", "data/set")
	at := func(name string) string { return filepath.Join(image.name, "data", name) }
	try := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() != 0 {
		need(t, "root")
	}
	try(unix.Mkfifo(at("pipe"), 0o640))
	try(unix.Mknod(at("device"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	try(os.Link(at("sub/deep/file"), at("same")))
	try(os.Lchown(at("secret"), 5, 6))
	try(os.Chown(at("set"), 1234, 4321))
	try(os.Chmod(at("set"), 0o755|os.ModeSetuid))
	try(os.Chown(at("sub"), 99, 100))
	try(os.Chmod(at("sub"), 0o500))
	try(os.Chmod(at("."), 0o777|os.ModeSticky))
	unix.Setxattr(at("set"), "user.x", []byte("y"), 0)

	dir := filepath.Join(t.TempDir(), "volumes", "data")
	try(makeVolume(dir, image, place{path: "/data", exists: true, dir: true}, user{}))
	type file struct {
		mode     uint32
		uid, gid uint32
		nlink    uint64
		mtime    int64
	}
	list := func(root string) map[string]file {
		files := make(map[string]file)
		try(filepath.WalkDir(root, func(name string, _ os.DirEntry, err error) error {
			var st unix.Stat_t
			if err == nil {
				err = unix.Lstat(name, &st)
			}
			f := file{st.Mode, st.Uid, st.Gid, 1, st.Mtim.Sec}
			if st.Mode&unix.S_IFMT == unix.S_IFREG {
				f.nlink = uint64(st.Nlink)
			}
			files[strings.TrimPrefix(name, root)] = f
			return err
		}))
		return files
	}
	want, got := list(at(".")), list(dir)
	delete(want, "/device")
	for _, name := range []string{"/same", "/sub/deep/file"} {
		f := want[name]
		f.nlink = 1 // a file of its own
		want[name] = f
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("copied\n%+v, want\n%+v", got, want)
	}
	if to, err := os.Readlink(dir + "/secret"); to != "/etc/shadow" {
		t.Error(to, err)
	}
	if data, err := os.ReadFile(dir + "/same"); string(data) != "data/sub/deep/file" {
		t.Errorf("%q, %v", data, err)
	}

	// It is the payload's from then on.
	try(os.Remove(dir + "/same"))
	try(makeVolume(dir, image, place{path: "/data", exists: true, dir: true}, user{}))
	if _, err := os.Lstat(dir + "/same"); err == nil {
		t.Error("filled again")
	}
	// What a power cut left is begun anew.
	try(os.Rename(dir, dir+".new"))
	try(makeVolume(dir, image, place{path: "/data", exists: true, dir: true}, user{}))
	if _, err := os.Lstat(dir + "/same"); err != nil {
		t.Error(err)
	}
	// Where the image has nothing, it is the payload's own.
	try(makeVolume(dir+"2", image, place{path: "/none"}, user{UID: 77, GID: 78}))
	if f := list(dir + "2")[""]; f.uid != 77 || f.gid != 78 || f.mode&0o7777 != 0o755 {
		t.Errorf("%+v", f)
	}
}
