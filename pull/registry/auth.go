package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.podman.io/image/v5/pkg/docker/config"
	"go.podman.io/image/v5/types"
)

// authFiles are looked into after the library's own search, which knows the
// files of logged-in users only. A service has no session; these survive a
// reboot. The last three are where image-based systems keep theirs.
var authFiles = []string{
	"/etc/containers/auth.json",
	"/etc/ostree/auth.json",
	"/run/ostree/auth.json",
	"/usr/lib/ostree/auth.json",
}

// authenticate finds credentials for the reference's own registry and
// repository. None is no error: most images are public.
func (s *Source) authenticate(options Options) error {
	named := s.ref.DockerReference()
	if s.ref.Transport().Name() != "docker" || named == nil {
		return nil
	}
	chosen := options.AuthFile
	if chosen == "" {
		chosen = os.Getenv("REGISTRY_AUTH_FILE")
	}
	if chosen != "" {
		if _, err := os.Stat(chosen); err != nil { // a typo must not become "unauthorized"
			return fmt.Errorf("credentials: %w", err)
		}
	}
	candidates := []string{chosen} // "" is the library's search
	if options.AuthFile == "" {
		for _, path := range authFiles {
			path = filepath.Join("/", options.Root, path)
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			candidates = append(candidates, path)
		}
	}
	for _, path := range candidates {
		sys := *s.sys
		sys.AuthFilePath = path
		credentials, err := config.GetCredentialsForRef(&sys, named)
		if err != nil {
			return fmt.Errorf("credentials for %s: %w", named.Name(), err)
		}
		if credentials != (types.DockerAuthConfig{}) {
			s.sys.DockerAuthConfig = &credentials
			return nil
		}
	}
	return nil
}
