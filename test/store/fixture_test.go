// SPDX-License-Identifier: Apache-2.0

package store

import (
	"archive/tar"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

// picture is an image and what it must look like when it is stored.
type picture struct {
	name     string
	digest   string // 64 digits
	config   string // digest of the config
	layers   []string
	tree     tree // as umoci unpacks it
	manifest []byte
}

// fixture is made once for all tests: a registry with images.
type fixture struct {
	once     sync.Once
	dir      string
	registry *image.Running
	pictures map[string]*picture
	byDigest map[string]*picture
}

var shared fixture

// images are pushed as NAME:1.
func images(t testing.TB) map[string]image.Image {
	busybox, err := image.Busybox(host.Part("busybox"))
	must(t, err)
	base := image.Layer{Entries: busybox}
	many := image.Layer{Entries: smallFiles("many", 30, 15), Compression: image.Zstd}
	config := image.Config{Cmd: []string{"/bin/sh"}, Env: []string{"PATH=/bin"}}
	put := func(layers ...image.Layer) image.Image { return image.Image{Layers: layers, Config: config} }
	file := func(name string) image.Layer {
		return image.Layer{Entries: []image.Entry{image.Dir("srv", 0o755), image.File("srv/"+name, 0o644, name+"\n")}}
	}
	plain := put(image.Layer{Entries: append(smallFiles("plain", 2, 10), image.File("plain/data", 0o644, noise("plain", 300_000)))})
	plain.Created = created
	return map[string]image.Image{
		"plain": plain,
		"kinds": put(image.Layer{Entries: kinds()}),
		"base":  put(base),
		"left":  put(base, many, file("left"), image.Layer{Entries: []image.Entry{image.File("srv/.wh.left", 0, ""), image.File("srv/data", 0o600, noise("left", 2_000_000))}}),
		"right": put(base, many, file("right"), image.Layer{Entries: []image.Entry{image.File("srv/data", 0o600, noise("right", 3_000_000))}}),
		"big":   put(image.Layer{Entries: bigFiles("big", 8, 700_000)}, image.Layer{Entries: bigFiles("more", 4, 500_000)}, image.Layer{Entries: smallFiles("deep", 40, 4)}),
	}
}

// created is when plain was; the others do not tell.
const created = "2024-02-29T12:34:56.789Z"

func smallFiles(dir string, dirs, files int) []image.Entry {
	entries := []image.Entry{image.Dir(dir, 0o755)}
	for d := range dirs {
		name := fmt.Sprintf("%s/%02d", dir, d)
		entries = append(entries, image.Dir(name, 0o755))
		for i := range files {
			entries = append(entries, image.File(fmt.Sprintf("%s/%02d", name, i), 0o644, strings.Repeat(fmt.Sprintf("%s %d %d\n", dir, d, i), 1+i*20)))
		}
	}
	return entries
}

func bigFiles(dir string, n, size int) []image.Entry {
	entries := []image.Entry{image.Dir(dir, 0o755)}
	for i := range n {
		name := fmt.Sprintf("%s/%02d", dir, i)
		entries = append(entries, image.File(name, 0o644, noise(name, size)))
	}
	return entries
}

// noise is always the same for one name and hardly gets smaller when compressed.
func noise(name string, size int) string {
	var seed [32]byte
	copy(seed[:], name)
	b := make([]byte, size)
	rand.NewChaCha8(seed).Read(b)
	return string(b)
}

// kinds has one of everything that an image may have and a store must keep.
func kinds() []image.Entry {
	owned := func(e image.Entry, uid, gid int) image.Entry { e.Uid, e.Gid = uid, gid; return e }
	with := func(e image.Entry, name, value string) image.Entry {
		if e.PAXRecords == nil {
			e.PAXRecords = map[string]string{}
		}
		e.PAXRecords["SCHILY.xattr."+name] = value
		return e
	}
	// struct vfs_cap_data of linux/capability.h, revision 2: cap_net_bind_service, effective.
	capability := binary.LittleEndian.AppendUint32(nil, 0x02000001)
	capability = binary.LittleEndian.AppendUint32(capability, 1<<10)
	capability = append(capability, make([]byte, 12)...)
	fifo := image.Entry{Header: tar.Header{Typeflag: tar.TypeFifo, Name: "kinds/fifo", Mode: 0o640}}
	device := image.Entry{Header: tar.Header{Typeflag: tar.TypeChar, Name: "kinds/device", Mode: 0o666, Devmajor: 10, Devminor: 229}}
	entries := []image.Entry{
		image.Dir("kinds", 0o755),
		image.File("kinds/empty", 0o644, ""),
		image.File("kinds/empty-private", 0o600, ""),
		image.File("kinds/text", 0o644, "text\n"),
		image.File("kinds/script", 0o755, "#!/bin/sh\n"),
		image.File("kinds/setuid", 0o4755, "setuid\n"),
		image.File("kinds/setgid", 0o2755, "setgid\n"),
		image.File("kinds/unreadable", 0, "unreadable\n"),
		image.File("kinds/large", 0o644, noise("large", 1_500_000)),
		image.File("kinds/zeros", 0o644, strings.Repeat("\x00", 200_000)),
		owned(image.File("kinds/owned", 0o640, "owned\n"), 1000, 1001),
		owned(image.File("kinds/nobody", 0o644, "nobody\n"), 65534, 65534),
		with(image.File("kinds/capable", 0o755, "capable\n"), "security.capability", string(capability)),
		with(with(image.File("kinds/xattr", 0o644, "xattr\n"), "user.one", "1"), "user.two", "two\x01\xff"),
		with(image.File("kinds/trusted", 0o644, "trusted\n"), "trusted.kept", "yes"),
		with(image.File("kinds/empty-xattr", 0o644, ""), "user.of-empty", "yes"),
		image.Symlink("kinds/link", "text"),
		image.Symlink("kinds/dangling", "/nowhere/at/all"),
		owned(image.Symlink("kinds/link-owned", "owned"), 1000, 1000),
		image.Symlink("kinds/link-long", strings.Repeat("long/", 300)+"link"),
		image.Hardlink("kinds/hard", "kinds/text"),
		image.File("kinds/same", 0o644, "text\n"),
		image.File("kinds/ünïcode \t name", 0o644, "name\n"),
		fifo, device,
		image.Dir("kinds/sticky", 0o1777),
		image.Dir("kinds/private", 0o700),
		image.File("kinds/private/file", 0o400, "private\n"),
		owned(image.Dir("kinds/owned.d", 0o2750), 1000, 1001),
		with(image.Dir("kinds/xattr.d", 0o755), "user.of-dir", "yes"),
		image.Dir("kinds/empty.d", 0o755),
		image.Dir("kinds/a", 0o755), image.Dir("kinds/a/b", 0o755), image.Dir("kinds/a/b/c", 0o755),
		image.File("kinds/a/b/c/deep", 0o644, "deep\n"),
	}
	return entries
}

// setup returns the fixture.
func setup(t testing.TB) *fixture {
	t.Helper()
	host.Need(t, "ostree", "skopeo", "umoci", host.Part("busybox"), host.Part("docker-registry"), program())
	shared.once.Do(func() { shared.make(t) })
	if len(shared.pictures) == 0 {
		t.Fatal("the fixture could not be made")
	}
	return &shared
}

func (f *fixture) make(t testing.TB) {
	var err error
	f.dir, err = host.TempDir("store")
	must(t, err)
	storage := filepath.Join(f.dir, "registry")
	must(t, os.Mkdir(storage, 0o755))
	l, err := image.Create(f.layout())
	must(t, err)
	f.registry, err = image.Serve(host.Part("docker-registry"), storage)
	must(t, err)
	pictures := map[string]*picture{}
	f.byDigest = map[string]*picture{}
	for name, img := range images(t) {
		d, err := l.Put(name, img)
		must(t, err)
		must(t, f.registry.Push("oci:"+f.layout()+":"+name, name+":1"))
		for i := range img.Layers { // umoci knows no zstd
			img.Layers[i].Compression = image.Gzip
		}
		_, err = l.Put("gzip", img)
		must(t, err)
		pictures[name] = f.look(t, name, l.Blob(d))
		f.byDigest[pictures[name].digest] = pictures[name]
	}
	f.pictures = pictures
}

// layout is where all images are as oci:LAYOUT:NAME, too.
func (f *fixture) layout() string { return filepath.Join(f.dir, "oci") }

// look reads a manifest and lets umoci unpack the same image under the tag gzip.
func (f *fixture) look(t testing.TB, name, blob string) *picture {
	p := &picture{name: name, digest: filepath.Base(blob)}
	var err error
	p.manifest, err = os.ReadFile(blob)
	must(t, err)
	var manifest struct {
		Config image.Descriptor
		Layers []image.Descriptor
	}
	must(t, json.Unmarshal(p.manifest, &manifest))
	p.config = manifest.Config.Digest
	for _, d := range manifest.Layers {
		p.layers = append(p.layers, d.Digest)
	}
	bundle := filepath.Join(f.dir, "bundle")
	tool(t, "umoci", "unpack", "--image", f.layout()+":gzip", bundle)
	p.tree, err = readTree(filepath.Join(bundle, "rootfs"))
	must(t, err)
	must(t, os.RemoveAll(bundle))
	delete(p.tree, "/kinds/device") // recorded only, as the manual says
	return p
}

func (f *fixture) close() {
	if f.registry != nil {
		f.registry.Close()
	}
	if f.dir != "" {
		os.RemoveAll(f.dir)
	}
}

// reference is that of an image in the registry itself.
func (f *fixture) reference(name string) string { return f.registry.Address + "/" + name + ":1" }
