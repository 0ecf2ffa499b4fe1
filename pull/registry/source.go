// Package registry goes from an image reference to what may be trusted: a
// manifest that policy.json allows, the configuration it names, and layer
// streams that end in an error unless size and digests are what the manifest
// and the configuration say.
//
// It is the only package that links go.podman.io/image, the home of
// containers/image since 2025, and so the only reader of policy.json,
// registries.conf, registries.d, certs.d and auth.json. See
// containers-policy.json(5), containers-registries.conf(5),
// containers-certs.d(5), containers-auth.json(5). What it adds to the library:
// layers over connections that break, a rate limit, systemd's credentials,
// names that stay blocked, and bounds on what strangers may make large.
//
// A registry, a mirror and an image are strangers. All they can do is to be
// slow, to be refused, or to be what policy.json allows. One thing the library
// leaves to the deadline of a caller's context: it reads the text of an answer
// that is an error, however long that is.
package registry

import (
	"context"
	"io"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"
	"go.podman.io/image/v5/directory"
	"go.podman.io/image/v5/docker"
	dockerarchive "go.podman.io/image/v5/docker/archive"
	ociarchive "go.podman.io/image/v5/oci/archive"
	"go.podman.io/image/v5/oci/layout"
	"go.podman.io/image/v5/types"
)

// The library writes to standard error what it also returns, and when it takes
// up a connection again. Only programs speak.
func init() { logrus.SetOutput(io.Discard) }

// transports are the places an image may come from. Each is imported by
// itself: the library's list of all transports brings storage drivers along.
var transports = map[string]func(string) (types.ImageReference, error){
	"oci":            layout.ParseReference,
	"oci-archive":    ociarchive.ParseReference,
	"docker-archive": dockerarchive.ParseReference,
	"dir":            directory.NewReference,
}

// Options say where configuration and credentials are, and what is wanted. The
// zero value is the host's configuration and this machine's platform.
type Options struct {
	Root     string // prefixed to every default path, "" or "/" for the host
	AuthFile string // containers-auth.json(5), and no other; "" searches, the unit's credential syscontainer.auth first
	Platform string // OS/ARCHITECTURE[/VARIANT] instead of this machine's

	// RateLimit is how many bytes a second all layers of a Source together may
	// bring from a registry, 0 for any number.
	RateLimit int64

	// Stored, if not nil, gives the manifest and the configuration of an image
	// that the caller has, by the hex SHA-256 of its manifest, or nil. What is
	// given and has the right digest is not requested, so that asking for an
	// image that has not changed is one request for what the reference names.
	Stored func(digest string) (manifest, config []byte)
}

// Source is an opened reference. It is not safe for concurrent use, except
// that Layer may be called from several goroutines.
type Source struct {
	ref types.ImageReference
	sys *types.SystemContext
	src types.ImageSource

	stored func(string) (manifest, config []byte)
	limit  *limiter
	serial sync.Mutex // GetBlob of transports that are not thread-safe
}

// Open reaches the place a canonical reference (units.ParseImage) names. For a
// registry that means one request; errors of the network are tried again a few
// times. Close the result.
func Open(ctx context.Context, reference string, options Options) (*Source, error) {
	ref, err := parse(reference)
	if err != nil {
		return nil, err
	}
	s := &Source{ref: ref, sys: systemContext(options), stored: options.Stored, limit: newLimiter(options.RateLimit)}
	if err := choosePlatform(s.sys, options.Platform); err != nil {
		return nil, err
	}
	if name := ref.DockerReference(); s.remote() {
		others, err := s.elsewhere(name)
		if err != nil {
			return nil, err
		}
		if err := s.authenticate(name, others, options); err != nil {
			return nil, err
		}
	}
	err = retry(ctx, func() (err error) {
		s.src, err = ref.NewImageSource(ctx, s.sys)
		return err
	})
	if err != nil {
		return nil, clean(err)
	}
	return s, nil
}

// remote tells a registry from a place on this machine.
func (s *Source) remote() bool { return s.ref.Transport().Name() == "docker" }

// Close releases connections and temporary files.
func (s *Source) Close() error { return s.src.Close() }

func parse(reference string) (types.ImageReference, error) {
	if transport, rest, ok := strings.Cut(reference, ":"); ok {
		if parse, known := transports[transport]; known && strings.HasPrefix(rest, "/") {
			return parse(rest)
		}
	}
	return docker.ParseReference("//" + reference)
}

func systemContext(options Options) *types.SystemContext {
	sys := &types.SystemContext{
		AuthFilePath:            options.AuthFile,
		DockerRegistryUserAgent: "syscontainer",
		DockerDisableV1Ping:     true,
	}
	if options.Root != "" && options.Root != "/" {
		sys.RootForImplicitAbsolutePaths = options.Root
	}
	return sys
}
