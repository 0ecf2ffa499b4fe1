package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Which unit may want an image is told by the name of its file, also where only a start knows which image it is.
func TestUnitsNeedImages(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "etc/containers/systemd")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"plain":   "Image=q.io/plain:1\nServiceName=called-otherwise",
		"many@":   "Image=\"docker://q.io/many/%i:1\"",
		"release": "Image=q.io/release:%w",
		"fixed@":  "Image=q.io/%p:1",
		"dir":     "Rootfs=/srv/root\nExec=/bin/true",
	} {
		if err := os.WriteFile(filepath.Join(dir, name+".syscontainer"), []byte("[Container]\n"+text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	u := usersOf(root)
	if len(u.unknown) > 0 {
		t.Error(u.unknown)
	}
	for reference, want := range map[string]string{
		"q.io/plain:1":    "used by plain.syscontainer",
		"q.io/many/a:1":   "may be used by many@.syscontainer",
		"q.io/release:12": "may be used by release.syscontainer",
		"q.io/release:13": "may be used by release.syscontainer",
		"q.io/fixed:1":    "used by fixed@.syscontainer",
		"q.io/other:1":    "",
	} {
		if got := u.needReference(reference); got != want {
			t.Errorf("%s: %q, want %q", reference, got, want)
		}
	}
}
