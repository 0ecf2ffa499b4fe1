// SPDX-License-Identifier: Apache-2.0

package store

import (
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"syscontainer/test/image"
)

// proxy stands before the fixture's registry, counts the blobs that it handed out, and may be slow.
type proxy struct {
	*image.Front
	pause time.Duration // before each piece of a blob

	mu     sync.Mutex
	served map[string]int // by digest
}

func newProxy(t testing.TB, f *fixture, pause time.Duration) *proxy {
	p := &proxy{pause: pause, served: map[string]int{}}
	var err error
	p.Front, err = image.NewFront(f.registry.Address, nil, func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		// Every image has a tag more.
		r.URL.Path = strings.Replace(r.URL.Path, "/manifests/2", "/manifests/1", 1)
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
			pass(w, r)
			return
		}
		slow := &slowWriter{ResponseWriter: w, pause: p.pause}
		pass(slow, r)
		if slow.status/100 == 2 {
			p.mu.Lock()
			p.served[path.Base(r.URL.Path)]++
			p.mu.Unlock()
		}
	})
	must(t, err)
	t.Cleanup(p.Close)
	return p
}

// times is how often a blob was handed out.
func (p *proxy) times(digest string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.served[digest]
}

func (p *proxy) reference(name, tag string) string { return p.Address + "/" + name + ":" + tag }

type slowWriter struct {
	http.ResponseWriter
	pause  time.Duration
	status int
}

func (w *slowWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *slowWriter) Write(b []byte) (int, error) {
	time.Sleep(w.pause)
	return w.ResponseWriter.Write(b)
}

func (w *slowWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
