package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"go.podman.io/image/v5/docker"

	"syscontainer/units"
)

// A unit's image is found by the name that units.ParseImage makes of it, and
// fetched by the one the library makes of that: they must be the same image.
func TestReferencesMeanTheSame(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0123456789abcdef", 4)
	for _, written := range []string{
		"docker.io/library/busybox", "docker.io/busybox:1", "index.docker.io/a/b", "quay.io/coreos/etcd:v3.5.15",
		"docker://quay.io/coreos/etcd", "localhost/x", "127.0.0.1:5000/x:1", "example.org/a/b-c_d.e__f" + digest,
		"example.org/a:tag" + digest, "example.org:443/a/b/c:T.a-g_1",
	} {
		canonical, err := units.ParseImage(written)
		if err != nil {
			t.Errorf("%s: %v", written, err)
			continue
		}
		ref, err := parse(canonical)
		if err != nil {
			t.Errorf("%s: the library refuses %s: %v", written, canonical, err)
			continue
		}
		if got := ref.DockerReference().String(); got != canonical {
			t.Errorf("%s is %s here and %s to the library", written, canonical, got)
		}
	}
	for written, transport := range map[string]string{
		"oci:/srv/x:1": "oci", "oci-archive:/srv/x.tar": "oci-archive",
		"docker-archive:/srv/x.tar:example.org/a:1": "docker-archive", "dir:/srv": "dir",
	} {
		canonical, err := units.ParseImage(written)
		if err != nil {
			t.Errorf("%s: %v", written, err)
			continue
		}
		if ref, err := parse(canonical); err != nil || ref.Transport().Name() != transport {
			t.Errorf("%s: %v, %v", written, ref, err)
		}
	}
}

// Only trouble on the way is worth another attempt: a person who mistyped a
// path shall not wait for it.
func TestRetryOnlyTheNetwork(t *testing.T) {
	for err, want := range map[error]bool{
		&os.PathError{Op: "open", Path: "/nowhere", Err: syscall.ENOENT}:                                          false,
		&os.PathError{Op: "open", Path: "/full", Err: syscall.ENOSPC}:                                             false,
		&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}:                                                       true,
		&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}:                                            false,
		&net.OpError{Op: "dial", Err: &net.DNSError{IsTemporary: true}}:                                           true,
		&url.Error{Op: "Get", URL: "https://x/", Err: &tls.CertificateVerificationError{Err: errors.New("who?")}}: false,
		&url.Error{Op: "Get", URL: "https://x/", Err: context.DeadlineExceeded}:                                   true,
		docker.UnexpectedHTTPStatusError{StatusCode: 503}:                                                         true,
		docker.UnexpectedHTTPStatusError{StatusCode: 404}:                                                         false,
		docker.ErrTooManyRequests:                                                                                 true,
		io.ErrUnexpectedEOF:                                                                                       true,
	} {
		if got := !errIsFinal(err); got != want {
			t.Errorf("%T %v: tried again: %v, want %v", err, err, got, want)
		}
	}
}

// A file that was named and is not there is told before anything is asked.
func TestMissingAuthFile(t *testing.T) {
	for _, options := range []Options{{AuthFile: "/nowhere/auth.json"}, {}} {
		t.Setenv("REGISTRY_AUTH_FILE", "/nowhere/auth.json")
		if _, err := Open(t.Context(), "registry.invalid/x:1", options); err == nil || !strings.Contains(err.Error(), "/nowhere/auth.json") {
			t.Errorf("%+v: %v", options, err)
		}
	}
}
