package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// deploy makes a generation that is current, as syscontainer-store(5) has it.
func deploy(t testing.TB, root string) {
	t.Helper()
	generations := filepath.Join(root, Dir, "containers/web/generations")
	for _, dir := range []string{generations, filepath.Join(root, Dir, "images", digest, "rootfs")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	record := `{"generation": 2, "digest": "` + digest + `", "reference": "q.io/web:2", "for": "q.io/web:1", "outcome": "good"}`
	if err := os.WriteFile(filepath.Join(generations, "2.json"), []byte(record), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("generations/2", filepath.Join(generations, "../current")); err != nil {
		t.Fatal(err)
	}
}

func TestDeployed(t *testing.T) {
	root := t.TempDir()
	if _, err := Deployed(root, "web", "q.io/web:1"); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrImageGone) {
		t.Errorf("without a generation: %v", err)
	}
	deploy(t, root)
	image, err := Deployed(root, "web", "q.io/web:1")
	if err != nil || image.Digest != digest || image.Reference != "q.io/web:1" || image.Dir != filepath.Join(root, Dir, "images", digest) {
		t.Errorf("%+v, %v", image, err)
	}
	if _, err := Deployed(root, "web", "q.io/web:2"); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrImageGone) {
		t.Errorf("for another Image=: %v", err)
	}
	vendor := filepath.Join(root, VendorDir, "images")
	if err := os.MkdirAll(vendor, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(image.Dir, filepath.Join(vendor, digest)); err != nil {
		t.Fatal(err)
	}
	if image, err := Deployed(root, "web", "q.io/web:1"); err != nil || image.Dir != filepath.Join(vendor, digest) {
		t.Errorf("of the operating system: %+v, %v", image, err)
	}
	if err := os.RemoveAll(vendor); err != nil {
		t.Fatal(err)
	}
	if _, err := Deployed(root, "web", "q.io/web:1"); !errors.Is(err, ErrImageGone) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without its image: %v", err)
	}
}

func BenchmarkDeployed(b *testing.B) {
	root := b.TempDir()
	deploy(b, root)
	for b.Loop() {
		if _, err := Deployed(root, "web", "q.io/web:1"); err != nil {
			b.Fatal(err)
		}
	}
}
