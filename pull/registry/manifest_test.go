package registry

import (
	"fmt"
	"net/http"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	digest "github.com/opencontainers/go-digest"

	"syscontainer/test/image"
)

// What registries hold: both families of media types, alone and in lists.
func TestManifests(t *testing.T) {
	s := newSite(t, nil)
	layers := []image.Layer{{Entries: []image.Entry{image.File("a", 0o644, "a")}}, {Entries: []image.Entry{image.File("b", 0o644, "b")}}}
	mine, other := image.Image{Layers: layers}, image.Image{Layers: layers[:1], Architecture: "s390x"}
	if _, err := s.layout.PutIndex("index", other, mine); err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string]string{"oci": "x", "v2s2": "x", "oci-index": "index", "v2s2-index": "index"} {
		format := "--format=" + strings.TrimSuffix(name, "-index")
		var pushed string
		if source == "x" {
			pushed = s.pushImage("lib/"+name, mine, format)
		} else {
			pushed = s.pushTag("index", "lib/"+name, format)
		}
		for _, reference := range []string{"lib/" + name, "lib/" + name + ":latest", "lib/" + name + "@" + pushed} {
			src, got, err := s.resolve(reference)
			if err != nil {
				t.Errorf("%s: %v", reference, err)
				continue
			}
			if digest.FromBytes(got.Manifest).Encoded() != got.Digest {
				t.Errorf("%s: the manifest is not what its digest %s says", reference, got.Digest)
			}
			tells := got.Digest
			if source == "index" {
				tells = got.Index
			} else if got.Index != "" {
				t.Errorf("%s: names no index, but %s is told", reference, got.Index)
			}
			if "sha256:"+tells != pushed {
				t.Errorf("%s: skopeo pushed %s, found manifest %s of index %q", reference, pushed, got.Digest, got.Index)
			}
			if docker := strings.Contains(string(got.Manifest), "application/vnd.docker.distribution.manifest.v2+json"); docker != strings.HasPrefix(name, "v2s2") {
				t.Errorf("%s: is a manifest of the other family: %s", reference, got.Manifest)
			}
			if len(got.Layers) != 2 {
				t.Fatalf("%s: %d layers", reference, len(got.Layers))
			}
			for _, l := range got.Layers {
				if body, err := read(t.Context(), src, l); err != nil || int64(len(body)) != l.Size {
					t.Errorf("%s: layer %s: %d bytes, %v", reference, l.Digest, len(body), err)
				}
			}
		}
	}
}

// Files of this machine, as skopeo writes them.
func TestFiles(t *testing.T) {
	s := newSite(t, nil)
	digest := s.push("app:1")
	for transport, reference := range map[string]string{
		"dir:" + s.root + "/dir": "", "oci:" + s.root + "/oci:1": "", "oci-archive:" + s.root + "/oci.tar:1": "",
		"docker-archive:" + s.root + "/docker.tar:example.org/app:1": "", "docker-archive:" + s.root + "/other.tar": "docker-archive:" + s.root + "/other.tar:@0",
	} {
		if reference == "" {
			reference = transport
		}
		if out, err := exec.Command("skopeo", "copy", "--quiet", "--insecure-policy", "--src-tls-verify=false", "docker://"+s.real.Address+"/app:1", transport).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", transport, err, out)
		}
		src, got, err := s.resolveWith(reference, Options{RateLimit: 1})
		if err != nil {
			t.Errorf("%s: %v", reference, err)
			continue
		}
		if _, err := read(t.Context(), src, got.Layers[0]); err != nil {
			t.Errorf("%s: %v", reference, err)
		}
		if !strings.HasPrefix(reference, "docker-archive:") && "sha256:"+got.Digest != digest {
			t.Errorf("%s: is %s, not %s", reference, got.Digest, digest)
		}
	}
}

// Manifests that no current tool pushes.
func TestManifestsRefused(t *testing.T) {
	const (
		schema1 = `{"schemaVersion":1,"name":"x","tag":"latest","architecture":"amd64","fsLayers":[],"history":[{"v1Compatibility":"{}"}],"signatures":[]}`
		one     = "application/vnd.docker.distribution.manifest.v1+json"
		signed  = "application/vnd.docker.distribution.manifest.v1+prettyjws"
		oci     = "application/vnd.oci.image.manifest.v1+json"
	)
	nested := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"` +
		digest.FromString(`{"schemaVersion":2,"manifests":[]}`).String() + `","size":34}]}`
	artifact := `{"schemaVersion":2,"mediaType":"` + oci + `","artifactType":"text/x","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"` +
		digest.FromString("{}").String() + `","size":2},"layers":[]}`
	var mediaType, body string
	s := newSite(t, func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/manifests/latest"):
			w.Header().Set("Content-Type", mediaType)
			fmt.Fprint(w, body)
		case strings.Contains(r.URL.Path, "/manifests/sha256:"):
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			fmt.Fprint(w, `{"schemaVersion":2,"manifests":[]}`)
		default:
			pass(w, r)
		}
	})
	for _, c := range []struct{ name, mediaType, body, err string }{
		{"schema 1", one, schema1, `unsupported manifest type "` + one + `": Docker schema 2 or an OCI image manifest is needed`},
		{"signed schema 1", signed, schema1, `unsupported manifest type "` + signed + `"`},
		{"an artifact", oci, artifact, `unsupported configuration type "application/vnd.oci.empty.v1+json": an artifact, not a container image`},
		{"an index in an index", "application/vnd.oci.image.index.v1+json", nested, `unsupported manifest type "application/vnd.oci.image.index.v1+json"`},
		{"a web page", "text/html", "<html>hello</html>", "manifest"},
		{"nothing", oci, "", "manifest"},
		{"too much", oci, strings.Repeat(" ", 5<<20), "manifest"},
	} {
		mediaType, body = c.mediaType, c.body
		if _, _, err := s.resolve("x"); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		}
	}
	if n := s.front.Asked("/blobs/"); n != 0 {
		t.Errorf("%d blobs were asked for", n)
	}
}

// The digest in a reference decides, not the registry.
func TestManifestByDigestIsChecked(t *testing.T) {
	lies := false
	s := newSite(t, func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if lies && strings.Contains(r.URL.Path, "/manifests/") {
			r.URL.Path = "/v2/other/manifests/latest"
		}
		pass(w, r)
	})
	s.push("other")
	pushed := s.push("app")
	if _, _, err := s.resolve("app@" + pushed); err != nil {
		t.Fatal(err)
	}
	lies = true
	if _, _, err := s.resolve("app@" + pushed); err == nil || !strings.Contains(err.Error(), pushed) {
		t.Errorf("another manifest was taken for %s: %v", pushed, err)
	}
}

// What is stored is not asked for again, and not believed either.
func TestStored(t *testing.T) {
	s := newSite(t, nil)
	if _, err := s.layout.PutIndex("index", image.Image{Architecture: "s390x"}, image.Image{}); err != nil {
		t.Fatal(err)
	}
	s.push("single:1")
	s.pushTag("index", "index:1")
	for _, name := range []string{"single", "index"} {
		_, first, err := s.resolve(name + ":1")
		if err != nil {
			t.Fatal(err)
		}
		asked := map[string]int{"/manifests/": 0, "/blobs/": 0}
		again := func(manifest, config []byte) (*Image, map[string]int) {
			t.Helper()
			for what := range asked {
				asked[what] = s.front.Asked(what)
			}
			_, got, err := s.resolveWith(s.front.Address+"/"+name+":1", Options{Stored: func(digest string) ([]byte, []byte) {
				if digest != first.Digest {
					t.Errorf("%s: asked for %s", name, digest)
				}
				return manifest, config
			}})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !reflect.DeepEqual(got, first) {
				t.Errorf("%s: got %+v, then %+v", name, first, got)
			}
			for what := range asked {
				asked[what] = s.front.Asked(what) - asked[what]
			}
			return got, asked
		}
		if _, n := again(first.Manifest, first.Config); n["/manifests/"] != 1 || n["/blobs/"] != 0 {
			t.Errorf("%s: %v", name, n)
		}
		manifests := 1 // of the index, and of the instance
		if name == "index" {
			manifests++
		}
		for _, stored := range [][2][]byte{{nil, nil}, {[]byte("{}"), []byte("{}")}, {append(first.Manifest, ' '), append(first.Config, ' ')}} {
			if _, n := again(stored[0], stored[1]); n["/manifests/"] != manifests || n["/blobs/"] != 1 {
				t.Errorf("%s: where %q is stored: %v", name, stored, n)
			}
		}
		// What is stored may have been allowed once.
		s.write("etc/containers/policy.json", `{"default":[{"type":"reject"}]}`)
		if _, _, err := s.resolveWith(s.front.Address+"/"+name+":1", Options{Stored: func(string) ([]byte, []byte) { return first.Manifest, first.Config }}); err == nil || !strings.Contains(err.Error(), "rejected by policy") {
			t.Errorf("%s: %v", name, err)
		}
		s.write("etc/containers/policy.json", acceptAll)
	}
}

// A foreign layer comes from the registry; where its manifest would have it
// fetched from is nobody's business.
func TestForeignLayer(t *testing.T) {
	var manifest string
	s := newSite(t, func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if strings.HasSuffix(r.URL.Path, "/manifests/latest") { // the real one takes no URLs
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			http.ServeFile(w, r, manifest)
			return
		}
		pass(w, r)
	})
	entries := []image.Entry{image.File("a", 0o644, "a")}
	s.pushImage("app:plain", image.Image{Layers: []image.Layer{{Entries: entries}}}) // brings the blobs
	d, err := s.layout.Put("foreign", image.Image{Layers: []image.Layer{{
		Entries:   entries,
		MediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		URLs:      []string{"http://" + s.front.Address + "/elsewhere"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	manifest = s.layout.Blob(d)
	src, got, err := s.resolve("app")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(got.Manifest), "/elsewhere") {
		t.Fatalf("the manifest names no URL: %s", got.Manifest)
	}
	if body, err := read(t.Context(), src, got.Layers[0]); err != nil || int64(len(body)) != got.Layers[0].Size {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if n := s.front.Asked("/elsewhere"); n != 0 {
		t.Errorf("the manifest's URL was asked %d times", n)
	}
}
