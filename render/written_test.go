package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"syscontainer/units"
)

// A container finds what its last run wrote, so what is mounted and looked up for it must
// follow that and not the image.
func TestUnder(t *testing.T) {
	image := plant(t, "opt/attr/", "etc/passwd", "gone/", "srv/")
	root := t.TempDir()
	if same, err := image.under(filepath.Join(root, "absent")); err != nil || same != image {
		t.Errorf("nothing written: %v, %v", same, err)
	}
	upper := filepath.Join(root, "a:b,c", "upper") // what separates options
	for _, dir := range []string{"etc", "srv"} {
		if err := os.MkdirAll(filepath.Join(upper, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("/proc/self", filepath.Join(upper, "opt")),
		os.WriteFile(filepath.Join(upper, "etc/passwd"), []byte("made:x:77:78::/:\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(filepath.Join(upper, "gone"), unix.S_IFCHR, 0); err != nil {
		need(t, "root")
	}
	seen, err := image.under(upper)
	if errors.Is(err, unix.EPERM) {
		need(t, "root")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer seen.close()
	for path, want := range map[string]string{"/opt/attr": "/proc/self/attr", "/gone/x": "/gone/x", "/srv": "/srv"} {
		at, err := seen.resolve(path, nil)
		if err != nil || at.path != want {
			t.Errorf("%s leads to %s, %v; want %s", path, at.path, err, want)
		}
	}
	if _, _, err := seen.lstat("/gone"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was deleted: %v", err)
	}
	u, err := lookupUser(seen, "made", nil)
	if err != nil || u.UID != 77 || u.GID != 78 {
		t.Errorf("%+v, %v", u, err)
	}
	if err := unix.Mkdirat(seen.root, "new", 0o755); err != unix.EROFS {
		t.Errorf("write to it: %v", err)
	}
}

// Only a root that keeps what is written has anything over the image.
func TestAsSeen(t *testing.T) {
	image := plant(t, "srv/")
	root := t.TempDir()
	o := options{root: root, name: "web"}
	if err := os.MkdirAll(filepath.Join(writtenDir(o), "upper"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		unit units.Container
		over bool
	}{
		{units.Container{ReadOnly: true}, false},
		{units.Container{Volatile: true}, false},
		{units.Container{Rootfs: "/srv"}, false},
		{units.Container{}, true},
	} {
		seen, err := image.asSeen(o, &c.unit)
		if errors.Is(err, unix.EPERM) {
			need(t, "root")
		}
		if err != nil || (seen != image) != c.over {
			t.Errorf("%+v: %v, %v", c.unit, seen, err)
		}
		if err == nil && seen != image {
			seen.close()
		}
	}
}
