package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestUnescape(t *testing.T) {
	long := "example.org/" + strings.Repeat("x/", 200)
	for _, reference := range []string{"docker.io/library/busybox:latest", "a_b/c", ".x", "é", "oci:/var/lib/x:1"} {
		if got := Unescape(Escape(reference)); got != reference {
			t.Errorf("Unescape(Escape(%q)) = %q", reference, got)
		}
	}
	for _, name := range []string{Escape(long), "a_2fb", "a_2", "a_", "a/b", "a__b", "_61", "-x"} {
		if got := Unescape(name); got != "" {
			t.Errorf("Unescape(%q) = %q, but Escape never returns that", name, got)
		}
	}
}

func writer(t *testing.T) *Writer {
	t.Helper()
	w, err := OpenWriter(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// add publishes an image under references.
func add(t *testing.T, w *Writer, digest string, references ...string) Image {
	t.Helper()
	s, err := w.Stage(digest)
	if err != nil {
		t.Fatal(err)
	}
	must(t, os.Mkdir(s.Rootfs(), 0o755))
	must(t, s.WriteFile("manifest.json", []byte("{}")))
	must(t, s.WriteFile("config.json", []byte("{}")))
	image, err := s.Publish()
	must(t, err)
	for _, reference := range references {
		must(t, w.SetReference(reference, image))
	}
	return image
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, w *Writer) *Listing {
	t.Helper()
	l, err := List(w.root)
	must(t, err)
	return l
}

func TestList(t *testing.T) {
	w := writer(t)
	first, second := strings.Repeat("ab", 32), strings.Repeat("ac", 32)
	long := "example.org/" + strings.Repeat("x/", 150) + "y:1"
	add(t, w, second, "example.org/b:1", long)
	add(t, w, first, "example.org/a:1")
	must(t, w.Pin(first))
	l := list(t, w)
	if len(l.Images) != 2 || l.Images[0].Digest != first || !l.Images[0].Pinned || l.Images[1].Pinned ||
		!slices.Equal(l.Images[1].References, []string{"example.org/b:1", long}) || len(l.Broken) > 0 {
		t.Fatalf("%+v, %+v, broken %q", l.Images[0], l.Images[1], l.Broken)
	}
	if s, err := l.ByReference(long); err != nil || s.Digest != second {
		t.Errorf("by its long reference: %+v, %v", s, err)
	}
	if s, err := l.ByDigest("acac"); err != nil || s.Digest != second {
		t.Errorf("by its first digits: %+v, %v", s, err)
	}
	for _, digits := range []string{"a", "abab0", "ff00"} {
		if s, err := l.ByDigest(digits); err == nil {
			t.Errorf("ByDigest(%q) = %+v", digits, s)
		}
	}
	third := first[:60] + "0000"
	add(t, w, third)
	if _, err := list(t, w).ByDigest("abab"); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "any of") {
		t.Errorf("two that begin so: %v", err)
	}
	// A name nobody keeps is no image.
	must(t, w.RemoveReference(long))
	must(t, w.Remove(first))
	l = list(t, w)
	if len(l.Images) != 2 || len(l.Broken) != 1 || filepath.Base(l.Broken[0]) != Escape("example.org/a:1") {
		t.Errorf("%d images, broken %q", len(l.Images), l.Broken)
	}
	if left, _ := filepath.Glob(w.path("references", ".*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// The same image may be in both stores; what is done is done to that of /var,
// whatever the order of the list.
func TestByDigestPrefersVar(t *testing.T) {
	w := writer(t)
	add(t, w, digest, "example.org/a:1")
	must(t, os.MkdirAll(filepath.Join(w.root, filepath.Dir(VendorDir)), 0o755))
	must(t, os.Rename(w.dir, filepath.Join(w.root, VendorDir)))
	again, err := OpenWriter(w.root)
	must(t, err)
	for _, references := range [][]string{nil, {"example.org/b:1"}, {"example.org/0:1"}} {
		image := add(t, again, digest, references...)
		if s, err := list(t, again).ByDigest(digest); err != nil || s.Vendor || s.Dir != image.Dir {
			t.Errorf("named %q: %+v, %v", references, s, err)
		}
	}
}

// What a container may write keeps no image; what keeps its generations does.
func TestGenerations(t *testing.T) {
	w := writer(t)
	target := "../../images/" + digest
	for _, link := range []string{"web/current", "web/generations/3", "web/upper/evil", "web/upper/generations/evil"} {
		path := w.path("containers", link)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.Symlink(target, path))
	}
	if got := Generations(w.root)[digest]; !slices.Equal(got, []string{"web/current", "web/generations/3"}) {
		t.Errorf("kept by %q", got)
	}
}

// An image that is made again leaves the old files to the containers that run
// from them.
func TestReplacedWhileRunning(t *testing.T) {
	w := writer(t)
	image := add(t, w, digest, "example.org/a:1")
	bundle := filepath.Join(w.root, bundles, "web")
	must(t, os.MkdirAll(bundle, 0o700))
	must(t, os.Symlink(image.Dir, filepath.Join(bundle, BundleLink)))
	must(t, os.WriteFile(image.Rootfs()+"/old", nil, 0o644))
	rootfs, err := os.Open(image.Rootfs())
	must(t, err)
	defer rootfs.Close()
	names := func() []string {
		must(t, errors.Join(func() error { _, err := rootfs.Seek(0, 0); return err }()))
		names, err := rootfs.Readdirnames(-1)
		must(t, err)
		return names
	}
	add(t, w, digest)
	must(t, w.Sweep())
	if got := names(); !slices.Equal(got, []string{"old"}) {
		t.Errorf("the container sees %q", got)
	}
	if entries, _ := os.ReadDir(image.Rootfs()); len(entries) > 0 {
		t.Errorf("the image has still %v", entries)
	}
	must(t, os.RemoveAll(bundle))
	must(t, w.Sweep())
	if left, _ := filepath.Glob(w.path("images", ".*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func TestSweepReferences(t *testing.T) {
	w := writer(t)
	add(t, w, digest, "example.org/a:1")
	must(t, os.Symlink("x", w.path("references", debris+"b")))
	must(t, os.WriteFile(w.path("references", named+"c"), []byte("c"), 0o644))
	held, err := w.LockReference(t.Context(), "held", nil)
	must(t, err)
	defer held.Release()
	must(t, os.Symlink("x", w.path("references", debris+"held")))
	must(t, w.Sweep())
	entries, err := os.ReadDir(w.path("references"))
	must(t, err)
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if !slices.Equal(left, []string{debris + "held", Escape("example.org/a:1")}) {
		t.Errorf("left: %q", left)
	}
}

// A lock's file may be removed while another process waits for it.
func TestLockFilesCome(t *testing.T) {
	w := writer(t)
	first, err := w.LockImage(t.Context(), digest, nil)
	must(t, err)
	must(t, w.SweepLocks())
	if again, err := w.TryLockImage(digest); again != nil || err != nil {
		t.Errorf("held twice: %v", err)
	}
	first.Release()
	must(t, w.SweepLocks())
	if left, _ := filepath.Glob(w.path("locks", imageLock+"*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}
