package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// The image of the current generation runs if it is there and was made for what the unit says now.
func TestFindImageDeployed(t *testing.T) {
	before := commandPath
	defer func() { commandPath = before }()
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	for _, c := range []struct {
		name             string
		current, record  string // text of the link, and of generation 2
		pull, want, says string
	}{
		{"none", "", "", "", a, ""},
		{"current", "generations/2", `{"digest":"` + b + `","for":"q.io/a:1"}`, "", b, ""},
		{"never", "generations/2", `{"digest":"` + b + `","for":"q.io/a:1"}`, "never", b, ""},
		{"always", "generations/2", `{"digest":"` + b + `","for":"q.io/a:1"}`, "always", a, "cannot be fetched"},
		{"for another", "generations/2", `{"digest":"` + b + `","for":"q.io/b:1"}`, "", a, ""},
		{"given up", "generations/2", `{"digest":"` + strings.Repeat("c", 64) + `","for":"q.io/a:1"}`, "", a, "generation 2 of web, sha256:cccc"},
		{"bent", "../../images/" + b, `{"digest":"` + b + `","for":"q.io/a:1"}`, "", a, "want generations/N"},
		{"out of the store", "generations/2", `{"digest":"../../../../` + b + `","for":"q.io/a:1"}`, "", a, "is no digest"},
		{"no JSON", "generations/2", "\x00\x00", "", a, "2.json: invalid character"},
		{"no record", "generations/3", "", "", a, "3.json: no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			commandPath = filepath.Join(root, "none")
			generations := filepath.Join(root, store.Dir, "containers/web/generations")
			for _, dir := range []string{generations, filepath.Join(root, store.Dir, "images", a, "rootfs"), filepath.Join(root, store.Dir, "images", b, "rootfs")} {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			w, err := store.OpenWriter(root)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.SetReference("q.io/a:1", store.Image{Digest: a}); err != nil {
				t.Fatal(err)
			}
			if c.current != "" {
				if err := os.Symlink(c.current, filepath.Join(generations, "../current")); err != nil {
					t.Fatal(err)
				}
			}
			if c.record != "" {
				if err := os.WriteFile(filepath.Join(generations, "2.json"), []byte(c.record), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var image store.Image
			said := stderrOf(t, func() {
				image, err = findImage(options{root: root, name: "web"}, &units.Container{Image: "q.io/a:1", Pull: c.pull})
			})
			if err != nil || image.Digest != c.want || image.Reference != "q.io/a:1" {
				t.Errorf("%+v, %v, want %s", image, err, c.want)
			}
			if c.says == "" && said != "" || !strings.Contains(said, c.says) {
				t.Errorf("it says %q, want %q", said, c.says)
			}
		})
	}
}

// stderrOf is what is said meanwhile.
func stderrOf(t *testing.T, do func()) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	was := os.Stderr
	os.Stderr = file
	do()
	os.Stderr = was
	said, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}
