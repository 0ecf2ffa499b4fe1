package registry

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"syscontainer/test/image"
)

// secureFront speaks https. It asks for a client's certificate if clients is
// not "".
func (s *site) secureFront(server image.Authority, clients string) *image.Front {
	s.t.Helper()
	pair, err := tls.X509KeyPair([]byte(server.Certificate), []byte(server.Key))
	if err != nil {
		s.t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	if clients != "" {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		config.ClientCAs.AppendCertsFromPEM([]byte(clients))
	}
	front, err := image.NewFront(s.real.Address, config, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(front.Close)
	return front
}

func newAuthority(t *testing.T) image.Authority {
	t.Helper()
	a, err := image.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// certs.d: whom to trust, and who we are.
func TestCertificates(t *testing.T) {
	s := newSite(t, nil)
	s.push("lib/app:1")
	ours, theirs := newAuthority(t), newAuthority(t)
	for _, c := range []struct {
		name    string
		clients string            // whose clients are let in, "" for all
		files   map[string]string // in certs.d
		err     string
	}{
		{"nobody is trusted", "", nil, "certificate signed by unknown authority"},
		{"another is trusted", "", map[string]string{"ca.crt": theirs.CA}, "certificate signed by unknown authority"},
		{"trusted", "", map[string]string{"ca.crt": ours.CA}, ""},
		{"a client without a certificate", theirs.CA, map[string]string{"ca.crt": ours.CA}, "certificate required"},
		{"a client with one", theirs.CA, map[string]string{"ca.crt": ours.CA, "client.cert": theirs.Certificate, "client.key": theirs.Key}, ""},
		{"a client with one of others", theirs.CA, map[string]string{"ca.crt": ours.CA, "client.cert": ours.Certificate, "client.key": ours.Key}, "certificate"},
		{"a client without the key", theirs.CA, map[string]string{"ca.crt": ours.CA, "client.cert": theirs.Certificate}, "missing key client.key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &site{t: t, root: newRoot(t), real: s.real}
			s.write("etc/containers/policy.json", acceptAll)
			front := s.secureFront(ours, c.clients)
			for name, content := range c.files {
				s.write("etc/containers/certs.d/"+front.Address+"/"+name, content)
			}
			_, _, err := s.resolveWith(front.Address+"/lib/app:1", Options{})
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

// connectProxy is a proxy (RFC 9110, CONNECT) for which every name is one address.
func connectProxy(t *testing.T, address string) (url string, asked *atomic.Int32) {
	asked = new(atomic.Int32)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || !strings.HasSuffix(r.Host, ".test:443") {
			http.Error(w, "CONNECT to test only", http.StatusForbidden)
			return
		}
		asked.Add(1)
		there, err := net.Dial("tcp", address)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer there.Close()
		w.WriteHeader(http.StatusOK)
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer here.Close()
		go io.Copy(there, buffered)
		io.Copy(here, there)
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return "http://" + listener.Addr().String(), asked
}

// proxied names the root that a child of TestProxy resolves below.
const proxied = "SYSCONTAINER_TEST_PROXIED"

// The environment is read once per process, so each case is a process.
func TestProxy(t *testing.T) {
	var s *site
	if root := os.Getenv(proxied); root != "" {
		s, pauses = &site{t: t, root: root}, nil
		if _, _, err := s.resolveWith("registry.test/lib/app:1", Options{}); err != nil {
			t.Fatal(err)
		}
		return
	}
	s = newSite(t, nil)
	s.push("lib/app:1")
	authority := newAuthority(t)
	front := s.secureFront(authority, "")
	s.write("etc/containers/certs.d/registry.test/ca.crt", authority.CA)
	proxy, asked := connectProxy(t, front.Address)
	child := func(env ...string) (string, error) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestProxy$", "-test.count=1")
		for _, v := range os.Environ() {
			if name, _, _ := strings.Cut(v, "="); !strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
				cmd.Env = append(cmd.Env, v)
			}
		}
		cmd.Env = append(append(cmd.Env, proxied+"="+s.root), env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := child("HTTPS_PROXY=" + proxy); err != nil || asked.Load() == 0 {
		t.Errorf("by the proxy, asked %d times: %v: %s", asked.Load(), err, out)
	}
	for _, env := range [][]string{
		{},                      // nobody else knows the name
		{"HTTP_PROXY=" + proxy}, // is not for https
		{"HTTPS_PROXY=" + proxy, "NO_PROXY=other.test,registry.test"},
		{"HTTPS_PROXY=" + proxy, "NO_PROXY=.test"},
	} {
		before := asked.Load()
		if out, err := child(env...); err == nil || asked.Load() != before {
			t.Errorf("%q: the proxy was asked: %v: %s", env, err, out)
		}
	}
	if n := front.Asked("/manifests/"); n != 1 {
		t.Errorf("the registry was asked %d times", n)
	}
}
