// SPDX-License-Identifier: Apache-2.0

package image

import (
	"os/exec"
	"path/filepath"
	"testing"

	"syscontainer/test/host"
)

// skopeo takes the good images and refuses those that are wrong in a way it looks at.
func TestSkopeoAgrees(t *testing.T) {
	t.Parallel()
	host.Need(t, "skopeo", "umoci")
	l, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	// Long enough that half of it lacks something.
	entries := []Entry{Dir("etc", 0o755), File("etc/motd", 0o644, string(make([]byte, 9000))+"hello\n"), Symlink("motd", "etc/motd")}
	for _, c := range []struct {
		name string
		img  Image
		good bool
	}{
		{"gzip", Image{Layers: []Layer{{Entries: entries}}}, true},
		{"zstd", Image{Layers: []Layer{{Entries: entries, Compression: Zstd}}}, true},
		{"plain", Image{Layers: []Layer{{Entries: entries, Compression: None}}}, true},
		{"digest", Image{Layers: []Layer{{Entries: entries, WrongDigest: true}}}, false},
		{"short", Image{Layers: []Layer{{Entries: entries, CutBlob: true}}}, false},
	} {
		if _, err := l.Put(c.name, c.img); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("skopeo", "copy", "--insecure-policy", "oci:"+l.Dir+":"+c.name, "dir:"+t.TempDir()).CombinedOutput()
		if (err == nil) != c.good {
			t.Errorf("%s: skopeo: %v: %s", c.name, err, out)
		}
	}
	for name, good := range map[string]bool{"gzip": true, "cut": false, "diffid": false} {
		l.Put("cut", Image{Layers: []Layer{{Entries: entries, CutTar: true}}})
		l.Put("diffid", Image{Layers: []Layer{{Entries: entries, WrongDiffID: true}}})
		out, err := exec.Command("umoci", "unpack", "--image", l.Dir+":"+name, filepath.Join(t.TempDir(), "x")).CombinedOutput()
		if (err == nil) != good {
			t.Errorf("%s: umoci: %v: %s", name, err, out)
		}
	}
}

// A pushed index of two architectures comes back whole.
func TestRegistry(t *testing.T) {
	t.Parallel()
	host.Need(t, "skopeo", host.Part("docker-registry"))
	l, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	layer := Layer{Entries: []Entry{File("a", 0o644, "a")}}
	want, err := l.PutIndex("both", Image{Layers: []Layer{layer}, Architecture: "amd64"}, Image{Layers: []Layer{layer}, Architecture: "arm64"})
	if err != nil {
		t.Fatal(err)
	}
	storage := t.TempDir()
	r, err := Serve(host.Part("docker-registry"), storage)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Push("oci:"+l.Dir+":both", "x/both:1"); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("skopeo", "inspect", "--raw", "--tls-verify=false", "docker://"+r.Address+"/x/both:1").Output()
	if err != nil || sum(out) != want.Digest {
		t.Errorf("the index came back as %s: %v", out, err)
	}
}
