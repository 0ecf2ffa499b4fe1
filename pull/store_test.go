package main

import (
	"archive/tar"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

// newRoot is a root that trusts every image, and an OCI layout beside it.
func newRoot(t *testing.T) (root string, layout *image.Layout) {
	t.Helper()
	root = t.TempDir()
	writeFile(t, root+"/etc/containers/policy.json", `{"default":[{"type":"insecureAcceptAnything"}]}`)
	layout, err := image.Create(filepath.Join(t.TempDir(), "oci"))
	if err != nil {
		t.Fatal(err)
	}
	return root, layout
}

func put(t *testing.T, l *image.Layout, tag string, layers ...[]image.Entry) (reference string) {
	t.Helper()
	var img image.Image
	for _, entries := range layers {
		img.Layers = append(img.Layers, image.Layer{Entries: entries})
	}
	if _, err := l.Put(tag, img); err != nil {
		t.Fatal(err)
	}
	return "oci:" + l.Dir + ":" + tag
}

// must runs a verb below a root that has to succeed.
func must(t *testing.T, root string, args ...string) (stdout string) {
	t.Helper()
	stdout, stderr, status := command(t, append([]string{"--root", root}, args...)...)
	if status != 0 {
		t.Fatalf("syscontainer %s: status %d: %s", strings.Join(args, " "), status, stderr)
	}
	return stdout
}

func imagesOf(t *testing.T, root string) (images []listed) {
	t.Helper()
	if err := json.Unmarshal([]byte(must(t, root, "images", "--json")), &images); err != nil {
		t.Fatal(err)
	}
	return images
}

func need(t *testing.T, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		if os.Getenv("SYSCONTAINER_TEST_STRICT") == "1" {
			t.Fatalf("needs %s: %v", tool, err)
		}
		t.Skipf("needs %s: %v", tool, err)
	}
}

func inodeOf(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// A file that the operating system's own repository has is that file.
func TestSharedWithTheHost(t *testing.T) {
	need(t, "ostree")
	root, layout := newRoot(t)
	tree := t.TempDir()
	writeFile(t, tree+"/tool", "a program of the host\n")
	for _, args := range [][]string{
		{"init", "--mode=bare"},
		{"commit", "-b", "host", "--owner-uid=0", "--owner-gid=0", tree},
	} {
		repo := root + "/ostree/repo"
		if err := os.MkdirAll(repo, 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("ostree", append([]string{"--repo=" + repo}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("ostree %v: %v: %s", args, err, out)
		}
	}
	reference := put(t, layout, "1", []image.Entry{
		image.File("bin/tool", 0o644, "a program of the host\n"), image.File("bin/other", 0o644, "not of the host\n"),
	})
	must(t, root, "pull", reference)
	found, err := filepath.Glob(root + "/ostree/repo/objects/*/*.file")
	if err != nil || len(found) != 1 {
		t.Fatalf("objects of the host: %v, %v", found, err)
	}
	image := imagesOf(t, root)[0]
	if inodeOf(t, image.Rootfs+"/bin/tool") != inodeOf(t, found[0]) {
		t.Error("the file was stored again")
	}
	if image.Shared == 0 || image.Own == 0 || image.Disk != image.Own+image.Shared {
		t.Errorf("sizes: %+v", image)
	}
	must(t, root, "verify")
}

// A layer that two images have is kept, and kept apart from what only looks
// like it.
func TestLayersAreKept(t *testing.T) {
	root, layout := newRoot(t)
	base := []image.Entry{
		image.Dir("etc", 0o700), image.File("etc/a", 0o600, "a"), image.File("var/lib/b", 0o644, "b"),
		image.Hardlink("etc/c", "etc/a"), image.Symlink("etc/l", "../var"),
		{Header: tar.Header{Typeflag: tar.TypeFifo, Name: "srv/pipe", Mode: 0o640, Uid: 5}},
	}
	first := put(t, layout, "1", base)
	second := put(t, layout, "2", base, []image.Entry{
		image.File("etc/.wh.a", 0, ""), image.Hardlink("etc/d", "var/lib/b"), image.File("var/.wh..wh..opq", 0, ""), image.File("var/new", 0o644, "n"),
	})
	must(t, root, "pull", first)
	// Not to be had any more: whoever wants it has to have it.
	shared := layerBlob(t, layout, 1)
	if err := os.Remove(shared); err != nil {
		t.Fatal(err)
	}
	must(t, root, "pull", second)
	rootfs := imagesOf(t, root)[1].Rootfs
	var have []string
	err := filepath.WalkDir(rootfs, func(path string, d os.DirEntry, err error) error {
		have = append(have, strings.TrimPrefix(path, rootfs))
		return err
	})
	if got, want := strings.Join(have, " "), " /etc /etc/c /etc/d /etc/l /srv /srv/pipe /var /var/new"; got != want || err != nil {
		t.Errorf("the image has %q, want %q, %v", got, want, err)
	}
	info, err := os.Lstat(rootfs + "/srv/pipe")
	if err != nil || info.Mode() != os.ModeNamedPipe|0o640 || info.Sys().(*syscall.Stat_t).Uid != 5 {
		t.Errorf("the fifo: %v, %v", info, err)
	}
	if info, err := os.Lstat(rootfs + "/etc"); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("/etc: %v, %v", info, err)
	}
	must(t, root, "verify")
}

// layerBlob is the blob of the first layer of the image with that many layers.
func layerBlob(t *testing.T, l *image.Layout, layers int) string {
	t.Helper()
	blobs, err := filepath.Glob(l.Dir + "/blobs/sha256/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range blobs {
		data, err := os.ReadFile(blob)
		if err != nil {
			t.Fatal(err)
		}
		var manifest struct{ Layers []image.Descriptor }
		if json.Unmarshal(data, &manifest) == nil && len(manifest.Layers) == layers {
			return l.Blob(manifest.Layers[0])
		}
	}
	t.Fatalf("no manifest with %d layers", layers)
	return ""
}

// What a small file system cannot hold is refused before anything is fetched.
func TestMinFreeSpace(t *testing.T) {
	root, layout := newRoot(t)
	writeFile(t, root+"/etc/containers/syscontainer.conf", "[Store]\nMinFreeSpace=900T\n")
	reference := put(t, layout, "1", []image.Entry{image.File("a", 0o644, "a")})
	_, stderr, status := command(t, "--root", root, "pull", reference)
	if status != 1 || !strings.Contains(stderr, "not enough space") || !strings.Contains(stderr, "MinFreeSpace=") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if images := imagesOf(t, root); len(images) != 0 {
		t.Errorf("stored nevertheless: %+v", images)
	}
}

// A pull with nothing new is one request, also through another name.
func TestNothingNew(t *testing.T) {
	host.Need(t, "skopeo", host.Part("docker-registry"))
	root, layout := newRoot(t)
	registry, err := image.Serve(host.Part("docker-registry"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	front, err := image.NewFront(registry.Address, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	writeFile(t, root+"/etc/containers/registries.conf", "[[registry]]\nlocation = \""+front.Address+"\"\ninsecure = true\n")
	put(t, layout, "1", []image.Entry{image.File("a", 0o644, "a")})
	for _, name := range []string{"web:1", "web:2"} {
		if err := registry.Push("oci:"+layout.Dir+":1", name); err != nil {
			t.Fatal(err)
		}
	}
	must(t, root, "pull", front.Address+"/web:1")
	for _, name := range []string{"/web:1", "/web:2"} {
		manifests, blobs := front.Asked("/manifests/"), front.Asked("/blobs/")
		must(t, root, "pull", front.Address+name)
		if m, b := front.Asked("/manifests/")-manifests, front.Asked("/blobs/")-blobs; m != 1 || b != 0 {
			t.Errorf("%s: asked for %d manifests and %d blobs", name, m, b)
		}
	}
}
