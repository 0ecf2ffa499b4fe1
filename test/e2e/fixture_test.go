// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"archive/tar"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

// fixture is what all hosts share, read-only: /srv/registry is the storage of the registry at 127.0.0.1:5000 (and of the
// one with TLS and a password at 127.0.0.1:5001), /srv/oci is a layout with the images no registry would take.
type fixture struct {
	storage, layout string
	authority       image.Authority
}

func (f fixture) files() map[string]string {
	plain := image.Registry{Address: "127.0.0.1:5000", Storage: "/srv/registry"}
	secure := image.Registry{
		Address: "127.0.0.1:5001", Storage: "/srv/registry",
		Certificate: "/etc/registry/cert.pem", Key: "/etc/registry/key.pem", Htpasswd: "/etc/registry/htpasswd",
	}
	unit := "[Service]\nExecStart=/opt/parts/docker-registry serve /etc/registry/%p.yml\nTimeoutStopSec=2\n"
	return map[string]string{
		"/etc/registry/registry.yml":                  plain.Config(),
		"/etc/registry/secure.yml":                    secure.Config(),
		"/etc/registry/cert.pem":                      f.authority.Certificate,
		"/etc/registry/key.pem":                       f.authority.Key,
		"/etc/registry/htpasswd":                      image.Htpasswd,
		"/etc/registry/ca.pem":                        f.authority.CA,
		"/etc/systemd/system/registry.service":        unit,
		"/etc/systemd/system/secure.service":          unit,
		"/etc/containers/policy.json":                 `{"default":[{"type":"insecureAcceptAnything"}]}` + "\n",
		"/etc/containers/registries.conf":             registries,
		"/etc/systemd/journald.conf.d/test.conf":      "[Journal]\nRateLimitIntervalSec=0\n",
		"/etc/systemd/system.conf.d/test-limits.conf": "[Manager]\nDefaultTimeoutStartSec=60\n",
	}
}

// registries.conf: plain http for the registry here, which also stands in for one on the internet.
const registries = `[[registry]]
location = "127.0.0.1:5000"
insecure = true

[[registry]]
prefix = "quay.io/coreos"
location = "127.0.0.1:5000/coreos"
insecure = true
`

func makeFixture(t *testing.T) fixture {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	f := fixture{storage: filepath.Join(dir, "registry"), layout: filepath.Join(dir, "oci")}
	var err error
	f.authority, err = image.NewAuthority()
	must(err)
	must(os.MkdirAll(f.storage, 0o755))
	l, err := image.Create(f.layout)
	must(err)

	busybox, err := image.Busybox(host.Part("busybox"))
	must(err)
	base := image.Layer{Entries: busybox}
	shell := image.Config{Cmd: []string{"/bin/sh"}, Env: []string{"PATH=/bin", "FROM=image"}}
	put := func(tag string, img image.Image) image.Descriptor {
		t.Helper()
		d, err := l.Put(tag, img)
		must(err)
		return d
	}
	file := func(content string) image.Layer {
		return image.Layer{Entries: []image.Entry{image.File("etc/which", 0o644, content+"\n")}}
	}

	// base: the userland. sibling: the same files in other blobs, and one of its own.
	put("base", image.Image{Layers: []image.Layer{base}, Config: shell})
	sibling := append(append([]image.Entry{}, busybox...), image.File("srv/own", 0o644, strings.Repeat("own content\n", 1000)))
	put("sibling", image.Image{Layers: []image.Layer{{Entries: sibling, Compression: image.Zstd}}, Config: shell})
	put("many", image.Image{Layers: []image.Layer{base, {Entries: manyFiles()}}, Config: shell})
	put("other", image.Image{Layers: []image.Layer{base}, Config: shell, Architecture: foreign()})
	_, err = l.PutIndex("multi",
		image.Image{Layers: []image.Layer{base, file("foreign")}, Config: shell, Architecture: foreign()},
		image.Image{Layers: []image.Layer{base, file("native")}, Config: shell})
	must(err)
	hello, err := image.Hello(host.Part("busybox"))
	must(err)
	put("hello", hello)
	program, err := image.Copy("bin/payload", buildPayload(t, dir))
	must(err)
	put("signal", image.Image{Layers: []image.Layer{base}, Config: image.Config{Env: []string{"PATH=/bin"}, StopSignal: "SIGUSR1"}})
	put("payload", image.Image{Layers: []image.Layer{base, {Entries: []image.Entry{program}}}, Config: shell})
	put("etcd", image.Image{Layers: etcd(t), Config: image.Config{Env: []string{"PATH=/usr/local/bin"}}})

	systemd, err := image.Systemd()
	must(err)
	put("systemd", image.Image{Layers: []image.Layer{base, {Entries: systemd}}, Config: image.Config{Cmd: []string{"/sbin/init"}, Env: []string{"PATH=/bin"}}})
	for tag, img := range volumeImages(base, shell) {
		put(tag, img)
	}
	for tag, img := range exportImages(base, shell) {
		put(tag, img)
	}

	for tag, img := range templateImages(base, shell) {
		put(tag, img)
	}
	for tag, img := range atomicImages(t, base) {
		put("public-"+tag, img)
	}
	for tag, img := range installImages(base, program, shell) {
		put(tag, img)
	}
	for tag, img := range onceImages(base, shell) {
		put(tag, img)
	}

	releases := updateImages(base, program, shell)
	for tag, img := range releases {
		put("app-"+tag, img)
	}

	// Wrong on purpose.
	// Each has a blob of its own: in a layout equal blobs are one file.
	hostile := func(name string, layer image.Layer) {
		layer.Entries = []image.Entry{image.Dir("etc", 0o755), image.File("etc/file", 0o644, strings.Repeat(name+"\n", 4000))}
		put("bad-"+name, image.Image{Layers: []image.Layer{base, layer}, Config: shell})
	}
	hostile("digest", image.Layer{WrongDigest: true})
	hostile("diffid", image.Layer{WrongDiffID: true})
	hostile("blob", image.Layer{CutBlob: true})
	hostile("tar", image.Layer{CutTar: true})
	hostile("media", image.Layer{MediaType: "application/vnd.example.unknown"})
	put("bad-config", image.Image{Layers: []image.Layer{base}, ConfigType: "application/vnd.example.config+json"})
	for name, entries := range escapes() {
		put("escape-"+name, image.Image{Layers: []image.Layer{base, {Entries: entries}}, Config: shell})
	}

	r, err := image.Serve(host.Part("docker-registry"), f.storage)
	must(err)
	defer r.Close()
	for _, tag := range []string{"base", "sibling", "many", "other", "multi", "etcd", "hello", "payload", "signal"} {
		must(r.Push("oci:"+f.layout+":"+tag, tag+":1"))
	}
	for tag := range releases {
		if tag != "cut" { // no registry takes it
			must(r.Push("oci:"+f.layout+":app-"+tag, "app:"+tag))
		}
	}
	must(r.Push("oci:"+f.layout+":base", "docker:1", "--format=v2s2"))
	must(r.Push("oci:"+f.layout+":etcd", "coreos/etcd:v3.5.15"))

	// A registry whose disk rots: the manifest is right, the blob is not.
	for _, damage := range []string{"flipped", "short"} {
		d := put("rot-"+damage, image.Image{Layers: []image.Layer{{Entries: []image.Entry{
			image.File("rot", 0o644, strings.Repeat(damage+"\n", 4000))}}}, Config: shell})
		must(r.Push("oci:"+f.layout+":rot-"+damage, damage+":1"))
		layer := layerOf(t, l, d)
		blob := image.BlobPath(f.storage, layer)
		b, err := os.ReadFile(blob)
		must(err)
		if damage == "short" {
			b = b[:len(b)/2]
		} else {
			b[len(b)/2] ^= 1
		}
		must(os.WriteFile(blob, b, 0o644))
	}
	return f
}

// buildPayload makes the program of the folder payload, which needs no libraries.
func buildPayload(t *testing.T, dir string) string {
	t.Helper()
	program := filepath.Join(dir, "payload")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", program, "./payload")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the payload: %v: %s", err, out)
	}
	return program
}

// etcd is Debian's, with the libraries of this machine.
func etcd(t *testing.T) []image.Layer {
	t.Helper()
	libraries, err := image.Libraries(host.Part("etcd"), host.Part("etcdctl"))
	if err != nil {
		t.Fatal(err)
	}
	programs := []image.Entry{image.Dir("usr", 0o755), image.Dir("usr/local", 0o755), image.Dir("usr/local/bin", 0o755),
		image.Dir("var", 0o755), image.Dir("var/lib", 0o755), image.Dir("etc", 0o755), image.Dir("tmp", 0o1777)}
	for _, name := range []string{"etcd", "etcdctl"} {
		program, err := image.Copy("usr/local/bin/"+name, host.Part(name))
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, program)
	}
	return []image.Layer{{Entries: libraries}, {Entries: programs}}
}

// manyFiles make a pull long enough to be killed in the middle.
func manyFiles() []image.Entry {
	entries := []image.Entry{image.Dir("many", 0o755)}
	for d := range 40 {
		name := fmt.Sprintf("many/%02d", d)
		entries = append(entries, image.Dir(name, 0o755))
		for i := range 50 {
			entries = append(entries, image.File(fmt.Sprintf("%s/%02d", name, i), 0o644, strings.Repeat(fmt.Sprintf("%d %d\n", d, i), 200)))
		}
	}
	return entries
}

func foreign() string {
	if runtime.GOARCH == "s390x" {
		return "amd64"
	}
	return "s390x"
}

// escapes are layers that try to write, link or delete outside their root. Whatever they manage carries "evil" in its name
// or content. /srv/victim is a file of the host.
func escapes() map[string][]image.Entry {
	evil := func(name string) image.Entry { return image.File(name, 0o644, "evil\n") }
	raw := func(typeflag byte, name, link string) image.Entry {
		return image.Entry{Header: tar.Header{Typeflag: typeflag, Name: name, Linkname: link, Mode: 0o755}}
	}
	return map[string][]image.Entry{
		"dotdot":       {evil("../../../../../../../srv/evil-dotdot")},
		"middle":       {image.Dir("a", 0o755), evil("a/../../../../../../../../srv/evil-middle")},
		"absolute":     {evil("/srv/evil-absolute")},
		"symlink":      {image.Symlink("out", "/srv"), evil("out/evil-symlink")},
		"symlink-up":   {image.Symlink("up", "../../../../../../../srv"), evil("up/evil-symlink-up")},
		"symlink-file": {image.Symlink("target", "/srv/victim"), evil("target")},
		"hardlink":     {raw(tar.TypeLink, "stolen", "../../../../../../../srv/victim")},
		"hardlink-abs": {raw(tar.TypeLink, "stolen", "/srv/victim")},
		"hardlink-sym": {image.Symlink("out", "/srv"), raw(tar.TypeLink, "stolen", "out/victim"), evil("stolen")},
		"whiteout":     {image.File("../../../../../../../srv/.wh.victim", 0o644, "")},
		"whiteout-sym": {image.Symlink("out", "/srv"), image.File("out/.wh.victim", 0o644, "")},
		"opaque-sym":   {image.Symlink("out", "/srv"), image.File("out/.wh..wh..opq", 0o644, "")},
		"replace-root": {raw(tar.TypeSymlink, "./", "/srv"), evil("evil-replace-root")},
		"device":       {{Header: tar.Header{Typeflag: tar.TypeBlock, Name: "disk", Devmajor: 8, Mode: 0o666}}},
	}
}
