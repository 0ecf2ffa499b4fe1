package registry

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.podman.io/image/v5/pkg/sysregistriesv2"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

// site is a machine with its own /etc/containers, and a real registry behind a
// front that counts.
type site struct {
	t      *testing.T
	root   string
	layout *image.Layout
	real   *image.Running
	front  *image.Front

	signatures []string // digests of blobs that are signatures
}

// newSite makes one whose policy accepts everything. behave may be nil.
func newSite(t *testing.T, behave image.Behaviour) *site {
	t.Helper()
	host.Need(t, "skopeo", host.Part("docker-registry"))
	s := &site{t: t, root: newRoot(t)}
	var err error
	if s.layout, err = image.Create(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if s.real, err = image.Serve(host.Part("docker-registry"), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.real.Close)
	s.front = s.newFront(behave)
	s.write("etc/containers/policy.json", acceptAll)
	s.registries("")
	return s
}

// newRoot is a machine without any configuration, of a person without any.
func newRoot(t *testing.T) string {
	root := t.TempDir()
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "DOCKER_CONFIG"} {
		t.Setenv(name, root)
	}
	for _, name := range []string{"REGISTRY_AUTH_FILE", "CREDENTIALS_DIRECTORY", "CONTAINERS_POLICY_JSON", "CONTAINERS_REGISTRIES_CONF"} {
		t.Setenv(name, "") // to have it restored
		os.Unsetenv(name)  // docker-registry, too, would read the first one
	}
	old := pauses
	pauses = []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}
	t.Cleanup(func() { pauses = old })
	return root
}

func (s *site) newFront(behave image.Behaviour) *image.Front {
	s.t.Helper()
	front, err := image.NewFront(s.real.Address, nil, behave)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(front.Close)
	return front
}

func (s *site) write(path, content string) string {
	s.t.Helper()
	path = filepath.Join(s.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// registries writes registries.conf; the front may always be reached by http.
func (s *site) registries(content string) {
	s.write("etc/containers/registries.conf", content+"\n[[registry]]\nlocation = \""+s.front.Address+"\"\ninsecure = true\n")
	sysregistriesv2.InvalidateCache()
}

// push puts an image of one small layer into the registry and returns its
// digest there.
func (s *site) push(name string, options ...string) string {
	s.t.Helper()
	return s.pushImage(name, image.Image{Layers: []image.Layer{{Entries: []image.Entry{image.File("name", 0o644, name)}}}}, options...)
}

func (s *site) pushImage(name string, img image.Image, options ...string) string {
	s.t.Helper()
	if _, err := s.layout.Put("x", img); err != nil {
		s.t.Fatal(err)
	}
	return s.pushTag("x", name, options...)
}

func (s *site) pushTag(tag, name string, options ...string) string {
	s.t.Helper()
	digestFile := filepath.Join(s.t.TempDir(), "digest")
	if err := s.real.Push("oci:"+s.layout.Dir+":"+tag, name, append(options, "--digestfile", digestFile)...); err != nil {
		s.t.Fatal(err)
	}
	digest, err := os.ReadFile(digestFile)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(digest)
}

// resolve asks the front for NAME, unless it names a registry.
func (s *site) resolve(name string) (*Source, *Image, error) {
	return s.resolveWith(s.front.Address+"/"+name, Options{})
}

func (s *site) resolveWith(reference string, o Options) (*Source, *Image, error) {
	s.t.Helper()
	o.Root = s.root
	source, err := Open(s.t.Context(), reference, o)
	if err != nil {
		return nil, nil, err
	}
	s.t.Cleanup(func() { source.Close() })
	image, err := source.Resolve(s.t.Context())
	return source, image, err
}

// read fetches a layer to its end.
func read(ctx context.Context, source *Source, layer Layer) ([]byte, error) {
	body, err := source.Layer(ctx, layer, nil)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}
