// SPDX-License-Identifier: Apache-2.0

package image

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
)

// Front stands before a registry, remembers what it is asked, and may answer otherwise.
type Front struct {
	Address string

	server *http.Server
	mu     sync.Mutex
	asked  []string
}

// Behaviour answers a request; pass gives it to the registry behind.
type Behaviour func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc)

// NewFront listens on a free port of the loopback interface, with https if config is not nil. Without a behaviour
// everything is passed on to the registry at backend.
func NewFront(backend string, config *tls.Config, behave Behaviour) (*Front, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &Front{Address: listener.Addr().String()}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: backend})
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	f.server = &http.Server{
		ErrorLog: proxy.ErrorLog,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f.mu.Lock()
			f.asked = append(f.asked, r.Method+" "+r.URL.Path)
			f.mu.Unlock()
			if behave == nil {
				proxy.ServeHTTP(w, r)
				return
			}
			behave(w, r, proxy.ServeHTTP)
		}),
	}
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	go f.server.Serve(listener)
	return f, nil
}

// Close ends all connections.
func (f *Front) Close() { f.server.Close() }

// Asked is how many requests, in the form "GET /v2/NAME/blobs/DIGEST", had this in them.
func (f *Front) Asked(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, line := range f.asked {
		if strings.Contains(line, what) {
			n++
		}
	}
	return n
}

// CutAfter is a w whose connection breaks after n bytes of the body: reset the hard way, or closed.
func CutAfter(w http.ResponseWriter, n int, reset bool) http.ResponseWriter {
	return &cutter{w, n, reset}
}

type cutter struct {
	http.ResponseWriter
	left  int
	reset bool
}

func (c *cutter) Write(p []byte) (int, error) {
	if len(p) <= c.left {
		c.left -= len(p)
		return c.ResponseWriter.Write(p)
	}
	c.ResponseWriter.Write(p[:c.left])
	c.Flush()
	if c.reset {
		if conn, _, err := http.NewResponseController(c.ResponseWriter).Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				tcp.SetLinger(0)
			}
			conn.Close()
		}
	}
	panic(http.ErrAbortHandler)
}

func (c *cutter) Flush() { http.NewResponseController(c.ResponseWriter).Flush() }
