package registry

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/opencontainers/image-spec/specs-go"
	imgspec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/types"
)

// platformIndex puts one image per platform and an attestation into an index.
// It returns the digests of the manifests by platform, the index's as "".
func platformIndex(l *ociLayout, platforms ...string) map[string]string {
	digests := map[string]string{}
	var entries []imgspec.Descriptor
	for _, name := range append(platforms, "unknown/unknown") {
		parts := append(strings.Split(name, "/"), "")
		config := platformConfig(parts[1])
		config.OS, config.Variant = parts[0], parts[2]
		d := l.json(imgspec.MediaTypeImageManifest, manifestOf(l.json(imgspec.MediaTypeImageConfig, config)))
		d.Platform = &imgspec.Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]}
		entries = append(entries, d)
		digests[name] = d.Digest.Encoded()
	}
	top := l.json(imgspec.MediaTypeImageIndex, imgspec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: imgspec.MediaTypeImageIndex, Manifests: entries,
	})
	l.index(top)
	digests[""] = top.Digest.Encoded()
	return digests
}

func TestPlatform(t *testing.T) {
	for _, c := range []struct {
		has    string
		wanted string
		want   string // the platform chosen, or an error
	}{
		{"linux/amd64 linux/arm64", "linux/arm64", "linux/arm64"},
		{"linux/amd64 linux/arm64/v8", "linux/arm64", "linux/arm64/v8"},
		{"linux/arm/v6 linux/arm/v7 linux/arm64/v8", "linux/arm/v7", "linux/arm/v7"},
		{"linux/arm/v5 linux/arm/v6", "linux/arm/v7", "linux/arm/v6"},
		{"linux/arm/v7 linux/arm64", "linux/arm/v6", "the index has no image for linux/arm/v6, it has linux/arm/v7, linux/arm64"},
		{"linux/amd64 linux/amd64/v2 linux/amd64/v3", "linux/amd64/v2", "linux/amd64/v2"},
		{"linux/amd64 linux/amd64/v3", "linux/amd64/v2", "linux/amd64"},
		{"linux/amd64/v2 linux/amd64", "linux/amd64", "linux/amd64"},
		{"linux/amd64", "windows/amd64", "the index has no image for windows/amd64, it has linux/amd64"},
		{"", "linux/amd64", "the index has no image for linux/amd64, it has none at all"},
		{"linux/" + runtime.GOARCH + " linux/s390x", "", "linux/" + runtime.GOARCH},
	} {
		l := newLayout(t)
		digests := platformIndex(l, strings.Fields(c.has)...)
		_, image, err := l.resolveFor(c.wanted, acceptAll)
		switch chosen, known := digests[c.want]; {
		case !known && (err == nil || err.Error() != c.want):
			t.Errorf("%s of %q: error %v, want %q", c.wanted, c.has, err, c.want)
		case known && err != nil:
			t.Errorf("%s of %q: %v", c.wanted, c.has, err)
		case known && (image.Digest != chosen || image.Index != digests[""]):
			t.Errorf("%s of %q: chose %s of index %s, want %s", c.wanted, c.has, image.Digest, image.Index, c.want)
		}
	}
}

// A single image says in its configuration what it is for.
func TestPlatformOfSingleImage(t *testing.T) {
	for _, c := range []struct{ arch, wanted, err string }{
		{"arm64", "linux/arm64", ""},
		{"arm64", "linux/arm64/v8", ""},
		{"", "linux/arm64", ""},
		{"arm", "linux/arm64", "the image is for linux/arm, linux/arm64 is wanted"},
		{runtime.GOARCH, "linux/s390x", "the image is for linux/" + runtime.GOARCH + ", linux/s390x is wanted"},
		{runtime.GOARCH, "", ""},
		{"s390x", "", "the image is for linux/s390x, this machine is linux/" + runtime.GOARCH},
	} {
		l := newLayout(t)
		l.index(l.json(imgspec.MediaTypeImageManifest, manifestOf(l.json(imgspec.MediaTypeImageConfig, platformConfig(c.arch)))))
		_, image, err := l.resolveFor(c.wanted, acceptAll)
		if c.err == "" && (err != nil || image.Index != "") || c.err != "" && (err == nil || err.Error() != c.err) {
			t.Errorf("an image for %q where %q is wanted: %v, want %q", c.arch, c.wanted, err, c.err)
		}
	}
}

func TestPlatformForm(t *testing.T) {
	for written, good := range map[string]bool{
		"linux/amd64": true, "linux/arm/v7": true, "linux/amd64/v2": true,
		"amd64": false, "linux/": false, "linux/arm/v7/x": false, "Linux/amd64": false, "linux/arm/": false, "linux/../x": false, "linux /amd64": false,
	} {
		_, err := Open(context.Background(), "dir:"+t.TempDir(), Options{Platform: written})
		if refused := err != nil && strings.Contains(err.Error(), "is not OS/ARCHITECTURE[/VARIANT]"); refused == good {
			t.Errorf("%q: %v", written, err)
		}
	}
}

// An index may be as long as the library reads; its error is not.
func TestPlatformsAreFew(t *testing.T) {
	var many []string
	for i := range 500 {
		many = append(many, fmt.Sprintf("linux/a%d", i))
	}
	l := newLayout(t)
	platformIndex(l, many...)
	if _, _, err := l.resolve(acceptAll); err == nil || !strings.HasSuffix(err.Error(), ", ...") || len(err.Error()) > 1000 {
		t.Error(err)
	}
}

func TestPlatformOfKernel(t *testing.T) {
	s := Source{sys: &types.SystemContext{}}
	if sister, ok := sister[runtime.GOARCH]; ok {
		if err := s.checkPlatform("linux", sister); err != nil {
			t.Errorf("the kernel runs %s programs, too: %v", sister, err)
		}
	}
	if err := s.checkPlatform("", ""); err != nil {
		t.Errorf("an image that does not say: %v", err)
	}
}
