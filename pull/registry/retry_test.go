package registry

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"syscontainer/test/image"
)

// trouble answers the first few requests of paths that contain a word.
type trouble struct {
	mu     sync.Mutex
	path   string
	times  int
	asked  []time.Time
	behave image.Behaviour
}

func (b *trouble) answer(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
	b.mu.Lock()
	troubled := b.path != "" && strings.Contains(r.URL.Path, b.path)
	if troubled {
		b.asked = append(b.asked, time.Now())
		troubled = len(b.asked) <= b.times
	}
	b.mu.Unlock()
	if troubled {
		b.behave(w, r, pass)
		return
	}
	pass(w, r)
}

func status(code int, header ...string) image.Behaviour {
	return func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		http.Error(w, "no", code)
	}
}

func cut(after int, reset bool) image.Behaviour {
	return func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		pass(image.CutAfter(w, after, reset), r)
	}
}

func TestRetry(t *testing.T) {
	b := &trouble{}
	s := newSite(t, b.answer)
	s.push("app:1")
	for _, c := range []struct {
		name   string
		path   string
		times  int
		behave image.Behaviour
		asked  int    // how often at the end
		err    string // "" for success
	}{
		{"500 once", "/manifests/", 1, status(500), 2, ""},
		{"503 thrice", "/manifests/", 3, status(503, "Retry-After", "1"), 4, ""},
		{"502 for ever", "/manifests/", 100, status(502), 4, "502 Bad Gateway"},
		{"429 once", "/manifests/", 1, status(429, "Retry-After", "1"), 2, ""},
		{"503 of the root", "/v2/", 1, status(503), -1, ""},
		{"503 of the configuration", "/blobs/", 2, status(503), 3, ""},
		{"reset before the answer", "/manifests/", 2, cut(0, true), 3, ""},
		{"closed before the answer", "/manifests/", 2, cut(0, false), 3, ""},
		{"reset in the manifest", "/manifests/", 2, cut(100, true), 3, ""},
		{"closed in the manifest", "/manifests/", 2, cut(100, false), 3, ""},
		{"404", "/manifests/", 100, status(404), 1, "reading manifest 1"},
		{"401", "/manifests/", 100, status(401), 1, "authentication required"},
		{"403", "/manifests/", 100, status(403), 1, "403"},
	} {
		b.mu.Lock()
		b.path, b.times, b.behave, b.asked = c.path, c.times, c.behave, nil
		b.mu.Unlock()
		_, _, err := s.resolve("app:1")
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		}
		if away := c.asked == 4; err != nil && Unreachable(err) != away {
			t.Errorf("%s: %v means that the registry is away: %v", c.name, err, !away)
		}
		if len(b.asked) != c.asked && c.asked >= 0 {
			t.Errorf("%s: asked %d times, want %d", c.name, len(b.asked), c.asked)
		}
		if c.name == "429 once" && len(b.asked) == 2 && b.asked[1].Sub(b.asked[0]) < time.Second {
			t.Errorf("%s: asked again after %v", c.name, b.asked[1].Sub(b.asked[0]))
		}
	}
}

// Who waits for a registry that asks for patience can be told to stop.
func TestRetryCancelled(t *testing.T) {
	b := &trouble{path: "/manifests/", times: 100, behave: status(429, "Retry-After", "3600")}
	s := newSite(t, b.answer)
	s.push("app:1")
	b.asked = nil
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, s.front.Address+"/app:1", Options{Root: s.root}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if len(b.asked) != 1 {
		t.Errorf("asked %d times", len(b.asked))
	}
}

// A registry that is not up yet is waited for.
func TestRetryRefused(t *testing.T) {
	s := newSite(t, nil)
	s.push("app:1")
	address := closedPort(t)
	s.write("etc/containers/registries.conf.d/late.conf", "[[registry]]\nlocation = \""+address+"\"\ninsecure = true\n")
	if _, _, err := s.resolveWith("nowhere.invalid/app:1", Options{}); err == nil || !Unreachable(err) {
		t.Errorf("there is no such machine: %v", err)
	}
	if _, _, err := s.resolveWith(address+"/app:1", Options{}); err == nil || !strings.Contains(err.Error(), "connection refused") || !Unreachable(err) {
		t.Errorf("nobody listens: %v", err)
	}
	pauses = []time.Duration{50 * time.Millisecond, time.Second, 5 * time.Second}
	late := make(chan *http.Server, 1)
	go func() {
		time.Sleep(30 * time.Millisecond)
		l, err := net.Listen("tcp", address)
		if err != nil {
			late <- nil
			return
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+s.real.Address+r.URL.Path, http.StatusTemporaryRedirect)
		})}
		late <- server
		server.Serve(l)
	}()
	_, _, err := s.resolveWith(address+"/app:1", Options{})
	server := <-late
	if server == nil {
		t.Skip("another process took the port")
	}
	defer server.Close()
	if err != nil {
		t.Error(err)
	}
}
