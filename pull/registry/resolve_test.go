package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	digest "github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	imgspec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ociLayout is an image in a directory, image-spec's image-layout.md.
type ociLayout struct {
	t   *testing.T
	dir string
}

func newLayout(t *testing.T) *ociLayout {
	l := &ociLayout{t, t.TempDir()}
	l.write(imgspec.ImageLayoutFile, []byte(`{"imageLayoutVersion":"1.0.0"}`))
	return l
}

func (l *ociLayout) write(name string, data []byte) {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		l.t.Fatal(err)
	}
}

func (l *ociLayout) blob(mediaType string, data []byte) imgspec.Descriptor {
	d := digest.FromBytes(data)
	l.write("blobs/sha256/"+d.Encoded(), data)
	return imgspec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(data))}
}

func (l *ociLayout) json(mediaType string, v any) imgspec.Descriptor {
	data, err := json.Marshal(v)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.blob(mediaType, data)
}

func (l *ociLayout) index(top imgspec.Descriptor) {
	top.Annotations = map[string]string{imgspec.AnnotationRefName: "1"}
	data, err := json.Marshal(imgspec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []imgspec.Descriptor{top}})
	if err != nil {
		l.t.Fatal(err)
	}
	l.write("index.json", data)
}

func platformConfig(architecture string, diffIDs ...digest.Digest) imgspec.Image {
	return imgspec.Image{
		Platform: imgspec.Platform{OS: "linux", Architecture: architecture},
		RootFS:   imgspec.RootFS{Type: "layers", DiffIDs: diffIDs},
	}
}

func manifestOf(config imgspec.Descriptor, layers ...imgspec.Descriptor) imgspec.Manifest {
	return imgspec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: imgspec.MediaTypeImageManifest, Config: config, Layers: layers}
}

const acceptAll = `{"default":[{"type":"insecureAcceptAnything"}]}`

// resolve opens the layout on a machine with that policy.json ("": none).
func (l *ociLayout) resolve(policy string) (*Source, *Image, error) { return l.resolveFor("", policy) }

func (l *ociLayout) resolveFor(platform, policy string) (*Source, *Image, error) {
	l.t.Helper()
	root := l.t.TempDir()
	l.t.Setenv("XDG_CONFIG_HOME", root)
	l.t.Setenv("HOME", root)
	if policy != "" {
		path := filepath.Join(root, "etc/containers/policy.json")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			l.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(policy), 0o644); err != nil {
			l.t.Fatal(err)
		}
	}
	source, err := Open(context.Background(), "oci:"+l.dir+":1", Options{Root: root, Platform: platform})
	if err != nil {
		return nil, nil, err
	}
	l.t.Cleanup(func() { source.Close() })
	image, err := source.Resolve(context.Background())
	return source, image, err
}

func TestResolve(t *testing.T) {
	l := newLayout(t)
	tar := []byte("not yet a tar")
	layer := l.blob(imgspec.MediaTypeImageLayer, tar)
	mine := l.json(imgspec.MediaTypeImageManifest, manifestOf(l.json(imgspec.MediaTypeImageConfig, platformConfig(runtime.GOARCH, layer.Digest)), layer))
	mine.Platform = &imgspec.Platform{OS: "linux", Architecture: runtime.GOARCH}
	other := l.json(imgspec.MediaTypeImageManifest, manifestOf(l.json(imgspec.MediaTypeImageConfig, platformConfig("s390x"))))
	other.Platform = &imgspec.Platform{OS: "linux", Architecture: "s390x"}
	l.index(l.json(imgspec.MediaTypeImageIndex, imgspec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: imgspec.MediaTypeImageIndex,
		Manifests: []imgspec.Descriptor{other, mine},
	}))

	source, image, err := l.resolve(acceptAll)
	if err != nil {
		t.Fatal(err)
	}
	if image.Digest != mine.Digest.Encoded() || len(image.Layers) != 1 || image.Size() != int64(len(tar)) {
		t.Errorf("resolved to %+v, want this platform's %s", image, mine.Digest)
	}
	received := 0
	body, err := source.Layer(context.Background(), image.Layers[0], func(n int) { received += n })
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, tar) || received != len(tar) {
		t.Errorf("layer: %q, %v, %d bytes counted", got, err, received)
	}
}

func TestResolveRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy string
		build  func(l *ociLayout)
		err    string
	}{
		{"no policy", "", func(l *ociLayout) {
			l.index(l.json(imgspec.MediaTypeImageManifest, manifestOf(l.json(imgspec.MediaTypeImageConfig, platformConfig(runtime.GOARCH)))))
		}, "hint: install your distribution's containers-common"},
		{"a policy that rejects", `{"default":[{"type":"reject"}]}`, func(l *ociLayout) {
			l.index(l.json(imgspec.MediaTypeImageManifest, manifestOf(l.json(imgspec.MediaTypeImageConfig, platformConfig(runtime.GOARCH)))))
		}, "etc/containers/policy.json refuses it"},
		{"another machine's image", acceptAll, func(l *ociLayout) {
			l.index(l.json(imgspec.MediaTypeImageManifest, manifestOf(l.json(imgspec.MediaTypeImageConfig, platformConfig("s390x")))))
		}, "the image is for linux/s390x"},
		{"an index without this machine", acceptAll, func(l *ociLayout) {
			other := l.json(imgspec.MediaTypeImageManifest, manifestOf(l.json(imgspec.MediaTypeImageConfig, platformConfig("s390x"))))
			other.Platform = &imgspec.Platform{OS: "linux", Architecture: "s390x"}
			l.index(l.json(imgspec.MediaTypeImageIndex, imgspec.Index{Versioned: specs.Versioned{SchemaVersion: 2},
				MediaType: imgspec.MediaTypeImageIndex, Manifests: []imgspec.Descriptor{other}}))
		}, "the index has no image for linux/" + runtime.GOARCH},
		{"an artifact", acceptAll, func(l *ociLayout) {
			l.index(l.json(imgspec.MediaTypeImageManifest, manifestOf(l.blob("application/vnd.oci.empty.v1+json", []byte("{}")))))
		}, `unsupported configuration type "application/vnd.oci.empty.v1+json"`},
		{"an encrypted layer", acceptAll, func(l *ociLayout) {
			layer := l.blob(imgspec.MediaTypeImageLayerGzip+"+encrypted", []byte("x"))
			l.index(l.json(imgspec.MediaTypeImageManifest, manifestOf(l.json(imgspec.MediaTypeImageConfig, platformConfig(runtime.GOARCH, layer.Digest)), layer)))
		}, "unsupported layer type"},
		{"fewer diff_ids than layers", acceptAll, func(l *ociLayout) {
			layer := l.blob(imgspec.MediaTypeImageLayer, []byte("x"))
			l.index(l.json(imgspec.MediaTypeImageManifest, manifestOf(l.json(imgspec.MediaTypeImageConfig, platformConfig(runtime.GOARCH)), layer)))
		}, "the manifest has 1 layers, the configuration 0 diff_ids"},
		{"layers without end", acceptAll, func(l *ociLayout) {
			layer := l.blob(imgspec.MediaTypeImageLayer, []byte("x"))
			layers, diffIDs := slices.Repeat([]imgspec.Descriptor{layer}, 1001), slices.Repeat([]digest.Digest{layer.Digest}, 1001)
			l.index(l.json(imgspec.MediaTypeImageManifest, manifestOf(l.json(imgspec.MediaTypeImageConfig, platformConfig(runtime.GOARCH, diffIDs...)), layers...)))
		}, "the manifest has 1001 layers, more than 1000"},
		{"a layer of negative size", acceptAll, func(l *ociLayout) {
			layer := l.blob(imgspec.MediaTypeImageLayer, []byte("x"))
			layer.Size = -1
			l.index(l.json(imgspec.MediaTypeImageManifest, manifestOf(l.json(imgspec.MediaTypeImageConfig, platformConfig(runtime.GOARCH, layer.Digest)), layer)))
		}, "layer 1: impossible size -1"},
		{"layers whose sizes no number holds", acceptAll, func(l *ociLayout) {
			layer := l.blob(imgspec.MediaTypeImageLayer, []byte("x"))
			layer.Size = math.MaxInt64
			l.index(l.json(imgspec.MediaTypeImageManifest, manifestOf(l.json(imgspec.MediaTypeImageConfig, platformConfig(runtime.GOARCH, layer.Digest, layer.Digest)), layer, layer)))
		}, "layer 2: impossible size"},
		{"a configuration of another size", acceptAll, func(l *ociLayout) {
			d := l.json(imgspec.MediaTypeImageConfig, platformConfig(runtime.GOARCH))
			d.Size++
			l.index(l.json(imgspec.MediaTypeImageManifest, manifestOf(d)))
		}, "truncated, 1 bytes are missing"},
		{"a configuration without end", acceptAll, func(l *ociLayout) {
			d := l.json(imgspec.MediaTypeImageConfig, platformConfig(runtime.GOARCH))
			d.Size = 1 << 40
			l.index(l.json(imgspec.MediaTypeImageManifest, manifestOf(d)))
		}, "impossible size 1099511627776"},
		{"a diff_id that is no sha256", acceptAll, func(l *ociLayout) {
			layer := l.blob(imgspec.MediaTypeImageLayer, []byte("x"))
			l.index(l.json(imgspec.MediaTypeImageManifest, manifestOf(l.json(imgspec.MediaTypeImageConfig, platformConfig(runtime.GOARCH, "md5:00")), layer)))
		}, `digest "md5:00" is not a sha256 digest`},
		{"a configuration with a wrong digest", acceptAll, func(l *ociLayout) {
			d := l.json(imgspec.MediaTypeImageConfig, platformConfig(runtime.GOARCH))
			l.write("blobs/sha256/"+d.Digest.Encoded(), bytes.Repeat([]byte(" "), int(d.Size)))
			l.index(l.json(imgspec.MediaTypeImageManifest, manifestOf(d)))
		}, "image configuration"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLayout(t)
			c.build(l)
			if _, _, err := l.resolve(c.policy); err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}
