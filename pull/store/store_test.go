package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var digest = strings.Repeat("ab12", 16)

func TestEscape(t *testing.T) {
	long := "example.org/" + strings.Repeat("x/", 200)
	seen := map[string]string{}
	for _, reference := range []string{
		"docker.io/library/busybox:latest", "a_b/c", "a/b_c", "a_2Fb", "a/b", ".x", "-x", "x.", "é", "",
		long + "a", long + "b", "oci:/var/lib/x:1", "x@sha256:" + digest,
	} {
		name := Escape(reference)
		if other, taken := seen[name]; taken {
			t.Errorf("%q and %q share the name %q", reference, other, name)
		}
		seen[name] = reference
		if len(name) > maxName || strings.ContainsAny(name, "/:") || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") {
			t.Errorf("Escape(%q) = %q is no good file name", reference, name)
		}
	}
	if got := Escape("docker.io/busybox:latest"); got != "docker.io_2Fbusybox_3Alatest" {
		t.Errorf("Escape: %q, but the ostree transport wrote docker.io_2Fbusybox_3Alatest", got)
	}
}

func publish(t *testing.T, w *Writer, reference string) Image {
	t.Helper()
	s, err := w.Stage(digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(s.Dir().Name(), "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteFile("config.json", []byte(`{"os":"linux"}`)); err != nil {
		t.Fatal(err)
	}
	image, err := s.Publish()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.SetReference(reference, image); err != nil {
		t.Fatal(err)
	}
	return image
}

func TestPublishAndLookup(t *testing.T) {
	root := t.TempDir()
	const reference = "example.org/web:1"
	if _, err := Lookup(root, reference); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a store that is not there: %v", err)
	}
	w, err := OpenWriter(root)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, w, reference)
	image, err := Lookup(root, reference)
	if err != nil {
		t.Fatal(err)
	}
	if image.Rootfs() != filepath.Join(root, Dir, "images", digest, "rootfs") {
		t.Errorf("rootfs: %s", image.Rootfs())
	}
	if config, err := image.Config(); err != nil || string(config) != `{"os":"linux"}` {
		t.Errorf("config: %q, %v", config, err)
	}
	if _, err := Lookup(root, "example.org/web:2"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another tag: %v", err)
	}
	publish(t, w, reference) // the second of two processes finds it done
	if left, _ := filepath.Glob(filepath.Join(root, Dir, "images", ".tmp-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestVendorStoreComesSecond(t *testing.T) {
	root := t.TempDir()
	w, err := OpenWriter(root)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, w, "example.org/web:1")
	if err := os.MkdirAll(filepath.Join(root, "usr/lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(root, Dir), filepath.Join(root, VendorDir)); err != nil {
		t.Fatal(err)
	}
	image, err := Lookup(root, "example.org/web:1")
	if err != nil || !strings.HasPrefix(image.Dir, filepath.Join(root, VendorDir)) {
		t.Errorf("baked image: %+v, %v", image, err)
	}
}

// A reference is a link that anybody with access to the disk may have bent.
func TestLookupRefusesForeignLinks(t *testing.T) {
	root := t.TempDir()
	w, err := OpenWriter(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/etc", "../images/..", "../../" + digest, "../images/" + strings.ToUpper(digest)} {
		link := filepath.Join(w.dir, "references", Escape("example.org/web:1"))
		os.Remove(link)
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		if image, err := Lookup(root, "example.org/web:1"); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("link to %s: %+v, %v", target, image, err)
		}
	}
}

func TestSweepKeepsTheLiving(t *testing.T) {
	w, err := OpenWriter(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	alive, err := w.Stage(digest)
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Discard()
	dead := filepath.Join(w.dir, "images", debris+"dead")
	if err := os.MkdirAll(filepath.Join(dead, "rootfs/etc"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := w.Sweep(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the debris of a dead process is still there: %v", err)
	}
	if err := alive.WriteFile("config.json", nil); err != nil {
		t.Errorf("a living fetch lost its directory: %v", err)
	}
}

func TestLockWaits(t *testing.T) {
	w, err := OpenWriter(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	first, err := w.LockReference(t.Context(), "example.org/web:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan bool, 1)
	got := make(chan error)
	go func() {
		second, err := w.LockReference(t.Context(), "example.org/web:1", func() { waiting <- true })
		if err == nil {
			second.Release()
		}
		got <- err
	}()
	<-waiting
	first.Release()
	if err := <-got; err != nil {
		t.Error(err)
	}
}
