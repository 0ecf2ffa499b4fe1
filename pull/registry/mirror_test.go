package registry

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/test/image"
)

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// answer is a behaviour that knows no image and answers so.
func answer(status int) image.Behaviour {
	return func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if strings.HasSuffix(r.URL.Path, "/v2/") {
			pass(w, r)
			return
		}
		http.Error(w, "no", status)
	}
}

// Names that no resolver knows show where requests go.
func TestMirrors(t *testing.T) {
	s := newSite(t, nil)
	digest := s.push("lib/app:1")
	mirror, empty, ill := s.newFront(nil), s.newFront(answer(404)), s.newFront(answer(503))
	away := closedPort(t)
	location := func(kind, address string, more ...string) string {
		return fmt.Sprintf("[[%s]]\nlocation = %q\ninsecure = true\n%s\n", kind, address+"/lib", strings.Join(more, "\n"))
	}
	origin := "prefix = \"app.invalid\"\n" // location is the front

	for _, c := range []struct {
		name, conf, reference string
		served                string // by whom, or an error
	}{
		{"rewritten", location("registry", s.front.Address, origin), "app.invalid/app:1", "origin"},
		{"a mirror first", location("registry", s.front.Address, origin) + location("registry.mirror", mirror.Address), "app.invalid/app:1", "mirror"},
		{"the first is down", location("registry", s.front.Address, origin) + location("registry.mirror", away) + location("registry.mirror", mirror.Address), "app.invalid/app:1", "mirror"},
		{"the first has nothing", location("registry", s.front.Address, origin) + location("registry.mirror", empty.Address) + location("registry.mirror", mirror.Address), "app.invalid/app:1", "mirror"},
		{"the first is ill", location("registry", s.front.Address, origin) + location("registry.mirror", ill.Address) + location("registry.mirror", mirror.Address), "app.invalid/app:1", "mirror"},
		{"no mirror has it", location("registry", s.front.Address, origin) + location("registry.mirror", away) + location("registry.mirror", empty.Address), "app.invalid/app:1", "origin"},
		{"nobody has it", location("registry", empty.Address, origin) + location("registry.mirror", away), "app.invalid/app:1", "Mirrors also failed: [" + away},
		{"digests only, by tag", location("registry", s.front.Address, origin, "mirror-by-digest-only = true") + location("registry.mirror", mirror.Address), "app.invalid/app:1", "origin"},
		{"digests only, by digest", location("registry", s.front.Address, origin, "mirror-by-digest-only = true") + location("registry.mirror", mirror.Address), "app.invalid/app@" + digest, "mirror"},
		{"one mirror for digests", location("registry", s.front.Address, origin) + location("registry.mirror", mirror.Address, `pull-from-mirror = "digest-only"`), "app.invalid/app:1", "origin"},
		{"blocked", location("registry", s.front.Address, origin, "blocked = true"), "app.invalid/app:1", "registry app.invalid is blocked in"},
		{"blocked with a mirror", location("registry", s.front.Address, origin, "blocked = true") + location("registry.mirror", mirror.Address), "app.invalid/app:1", "is blocked in"},
		{"the longest prefix", location("registry", s.front.Address, origin, "blocked = true") + fmt.Sprintf("[[registry]]\nprefix = \"app.invalid/app\"\nlocation = \"%s/lib/app\"\ninsecure = true\n", s.front.Address), "app.invalid/app:1", "origin"},
		{"not insecure", fmt.Sprintf("[[registry]]\nprefix = \"app.invalid\"\nlocation = \"%s/lib\"\n", mirror.Address), "app.invalid/app:1", "server gave HTTP response to HTTPS client"},
		{"no TOML", "[[registry", "app.invalid/app:1", "registries.conf"},
		{"a location that is none", location("registry", "http://example.org", origin), "app.invalid/app:1", "registries.conf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			s.registries(c.conf)
			origins, mirrors := s.front.Asked("/v2/lib/"), mirror.Asked("/v2/lib/")
			src, got, err := s.resolveWith(c.reference, Options{})
			if c.served != "origin" && c.served != "mirror" {
				if err == nil || !strings.Contains(err.Error(), c.served) {
					t.Errorf("error %v, want %q", err, c.served)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if "sha256:"+got.Digest != digest {
				t.Errorf("got %s, want %s", got.Digest, digest)
			}
			if _, err := read(t.Context(), src, got.Layers[0]); err != nil {
				t.Error(err)
			}
			origins, mirrors = s.front.Asked("/v2/lib/")-origins, mirror.Asked("/v2/lib/")-mirrors
			if c.served == "origin" && (origins == 0 || mirrors != 0) || c.served == "mirror" && (mirrors == 0 || origins != 0) {
				t.Errorf("the origin was asked %d times, the mirror %d times", origins, mirrors)
			}
		})
	}
}

// Policy goes by the name that was asked for, wherever the image came from.
func TestPolicyOfMirroredName(t *testing.T) {
	s := newSite(t, nil)
	s.push("lib/app:1")
	s.registries(fmt.Sprintf("[[registry]]\nprefix = \"app.invalid\"\nlocation = \"%s/lib\"\ninsecure = true\n", s.front.Address))
	s.write("etc/containers/policy.json", `{"default":[{"type":"insecureAcceptAnything"}],"transports":{"docker":{"app.invalid":[{"type":"reject"}]}}}`)
	if _, _, err := s.resolveWith("app.invalid/app:1", Options{}); err == nil || !strings.Contains(err.Error(), "app.invalid/app:1 is rejected by policy") {
		t.Error(err)
	}
}

// A mirror that loses blobs is left for the next one in the middle of an image.
func TestMirrorLosesBlobs(t *testing.T) {
	s := newSite(t, nil)
	s.push("lib/app:1")
	lost := false
	mirror := s.newFront(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if lost && strings.Contains(r.URL.Path, "/blobs/") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(404)
			fmt.Fprint(w, `{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}`)
			return
		}
		pass(w, r)
	})
	s.registries(fmt.Sprintf("[[registry]]\nprefix = \"app.invalid\"\nlocation = \"%s/lib\"\ninsecure = true\n[[registry.mirror]]\nlocation = \"%s/lib\"\ninsecure = true\n", s.front.Address, mirror.Address))
	src, got, err := s.resolveWith("app.invalid/app:1", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := s.front.Asked("/v2/lib/"); n != 0 {
		t.Fatalf("the origin was asked %d times", n)
	}
	lost = true
	if _, err := read(t.Context(), src, got.Layers[0]); err != nil {
		t.Error(err)
	}
	if n := s.front.Asked("/blobs/"); n != 1 {
		t.Errorf("the origin was asked for %d blobs", n)
	}
}

// registries.conf.d adds to registries.conf.
func TestRegistriesDropIn(t *testing.T) {
	s := newSite(t, nil)
	s.push("lib/app:1")
	s.write("etc/containers/registries.conf.d/50-app.conf", fmt.Sprintf("[[registry]]\nprefix = \"app.invalid\"\nlocation = \"%s/lib\"\ninsecure = true\n", s.front.Address))
	if _, _, err := s.resolveWith("app.invalid/app:1", Options{}); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(s.root, "etc/containers/registries.conf")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.resolveWith("app.invalid/app:1", Options{}); err != nil {
		t.Errorf("a drop-in alone: %v", err)
	}
}
