package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	digest "github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/types"

	"syscontainer/units"
)

// memory is a registry of one manifest, or an index with one, and whatever
// blob is asked for.
type memory struct {
	ref      types.ImageReference
	manifest []byte
	kind     string
	instance []byte // of an index
	itsKind  string
	config   []byte
}

func (m *memory) Reference() types.ImageReference { return m.ref }
func (m *memory) Close() error                    { return nil }
func (m *memory) HasThreadSafeGetBlob() bool      { return true }
func (m *memory) GetManifest(_ context.Context, instance *digest.Digest) ([]byte, string, error) {
	if instance != nil {
		return m.instance, m.itsKind, nil
	}
	return m.manifest, m.kind, nil
}
func (m *memory) GetBlob(context.Context, types.BlobInfo, types.BlobInfoCache) (io.ReadCloser, int64, error) {
	return io.NopCloser(bytes.NewReader(m.config)), int64(len(m.config)), nil
}
func (m *memory) GetSignatures(context.Context, *digest.Digest) ([][]byte, error) { return nil, nil }
func (m *memory) LayerInfosForCopy(context.Context, *digest.Digest) ([]types.BlobInfo, error) {
	return nil, nil
}

var kinds = []string{
	"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
	"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
	"application/vnd.docker.distribution.manifest.v1+json", "application/vnd.docker.distribution.manifest.v1+prettyjws",
	"", "text/plain", "application/json; charset=utf-8", "a/b;;",
}

// FuzzManifest resolves documents of strangers. CONFIG, INSTANCE and their
// sizes are replaced by what fits, for no fuzzer finds a digest.
func FuzzManifest(f *testing.F) {
	const (
		d        = `"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"`
		config   = `{"architecture":"amd64","os":"linux","created":"2020-01-01T00:00:00Z","rootfs":{"type":"layers","diff_ids":[` + d + `]}}`
		manifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"CONFIG","size":CONFIGSIZE},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":` + d + `,"size":5}]}`
		family2  = `{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"CONFIG","size":CONFIGSIZE},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","digest":` + d + `,"size":5,"urls":["http://x/"]}]}`
		index    = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"INSTANCE","size":7,"platform":{"os":"linux","architecture":"amd64"}},{"digest":` + d + `,"platform":{"os":"unknown","architecture":"unknown"}}]}`
		list     = `{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","digest":"INSTANCE","size":7,"platform":{"os":"linux","architecture":"amd64","features":["x"]}}]}`
		schema1  = `{"schemaVersion":1,"name":"x","tag":"1","architecture":"amd64","fsLayers":[{"blobSum":` + d + `}],"history":[{"v1Compatibility":"{}"}],"signatures":[]}`
	)
	f.Add(uint8(0), []byte(manifest), []byte(""), []byte(config))
	f.Add(uint8(1), []byte(family2), []byte(""), []byte(config))
	f.Add(uint8(2), []byte(index), []byte(manifest), []byte(config))
	f.Add(uint8(16+3), []byte(list), []byte(family2), []byte(config))
	f.Add(uint8(4), []byte(schema1), []byte(""), []byte(config))
	f.Add(uint8(2), []byte(index), []byte(index), []byte(config))
	f.Add(uint8(0), []byte(strings.Replace(manifest, `"size":5`, `"size":9223372036854775807`, 1)), []byte(""), []byte(strings.Replace(config, d, d+","+d, 1)))
	root := f.TempDir()
	path := filepath.Join(root, "etc/containers/policy.json")
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(acceptAll), 0o644)); err != nil {
		f.Fatal(err)
	}
	f.Setenv("HOME", root)
	f.Setenv("XDG_CONFIG_HOME", root)
	ref, err := docker.ParseReference("//registry.invalid/fuzz:1")
	if err != nil {
		f.Fatal(err)
	}
	old := pauses
	pauses = nil
	f.Cleanup(func() { pauses = old })

	f.Fuzz(func(t *testing.T, kind uint8, top, instance, config []byte) {
		fit := func(b []byte) []byte {
			b = bytes.ReplaceAll(b, []byte("CONFIGSIZE"), fmt.Append(nil, len(config)))
			return bytes.ReplaceAll(b, []byte("CONFIG"), []byte(digest.FromBytes(config).String()))
		}
		instance = fit(instance)
		top = bytes.ReplaceAll(fit(top), []byte("INSTANCE"), []byte(digest.FromBytes(instance).String()))
		m := &memory{ref: ref, manifest: top, kind: kinds[int(kind&15)%len(kinds)], instance: instance, itsKind: kinds[int(kind>>4)%len(kinds)], config: config}
		s := &Source{ref: ref, sys: systemContext(Options{Root: root}), src: m}
		s.sys.OSChoice, s.sys.ArchitectureChoice = "linux", "amd64"
		image, err := s.Resolve(t.Context())
		if err != nil {
			if image != nil || err.Error() == "" || strings.Contains(strings.Split(err.Error(), "\nhint: ")[0], "\n") {
				t.Fatalf("%v with error %q", image, err)
			}
			return
		}
		if image.Digest != digest.FromBytes(image.Manifest).Encoded() || !bytes.Equal(image.Config, config) {
			t.Fatal("what was resolved is not what its digests say")
		}
		if want := digest.FromBytes(top).Encoded(); image.Index != want && image.Digest != want {
			t.Fatal("what was resolved is not what the reference named")
		}
		total := int64(0)
		for _, l := range image.Layers {
			if l.Digest.Validate() != nil || l.DiffID.Validate() != nil || l.Size < 0 || total > math.MaxInt64-l.Size || len(l.info.URLs) != 0 {
				t.Fatalf("layer %+v", l)
			}
			total += l.Size
		}
		if image.Size() != total {
			t.Fatalf("size %d of %d", image.Size(), total)
		}
	})
}

// FuzzReference parses names of strangers: those that units takes are names to
// the library, too, and mean the same to all.
func FuzzReference(f *testing.F) {
	for _, written := range []string{
		"quay.io/coreos/etcd:v3.5.15", "docker.io/library/busybox", "index.docker.io/x", "localhost:5000/a/b@sha256:" + strings.Repeat("0", 64),
		"example.org/a:tag@sha256:" + strings.Repeat("f", 64), "oci:/srv/x:1", "oci-archive:/srv/x.tar", "docker-archive:/srv/x.tar:example.org/a:1",
		"docker-archive:/x:@0", "dir:/", "dir:relative", "docker://x.y/z", "busybox", "", ":", "//", "oci:/:@9", "[::1]:5/x", "a.b/c@sha512:" + strings.Repeat("0", 128),
	} {
		f.Add(written)
	}
	root := f.TempDir()
	f.Setenv("HOME", root)
	f.Setenv("XDG_CONFIG_HOME", root)
	f.Fuzz(func(t *testing.T, written string) {
		if ref, err := parse(written); err == nil && ref.DockerReference() != nil && ref.Transport().Name() == "docker" {
			again, err := parse(ref.DockerReference().String())
			if err != nil || again.DockerReference().String() != ref.DockerReference().String() {
				t.Fatalf("%q is %s, and that is %v, %v", written, ref.DockerReference(), again, err)
			}
		}
		if canonical, err := units.ParseImage(written); err == nil && canonical[0] != '[' { // the library knows no IPv6 addresses
			ref, err := parse(canonical)
			if err != nil && strings.Contains(canonical, ":/") {
				return // a path on this machine, which need not be there
			}
			if err != nil {
				t.Fatalf("%q: units says %q, the library refuses it: %v", written, canonical, err)
			}
			if ref.Transport().Name() == "docker" && ref.DockerReference().String() != canonical {
				t.Fatalf("%q is %s here and %s to the library", written, canonical, ref.DockerReference())
			}
		}
		if canonical, err := ShortName(written, Options{Root: root}); err == nil {
			// units may refuse more, such as a port that no host has.
			if same, err := units.ParseImage(canonical); err == nil && same != canonical {
				t.Fatalf("%q is %q, to units %q: %v", written, canonical, same, err)
			}
		}
	})
}
