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
	candidates := []string{options.AuthFile}
	if options.AuthFile == "" {
		candidates = []string{os.Getenv("REGISTRY_AUTH_FILE")} // "" is the library's search
		for _, path := range authFiles {
			candidates = append(candidates, filepath.Join("/", options.Root, path))
		}
	}
	for _, path := range candidates {
		if path != "" {
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && path != options.AuthFile {
				continue
			}
		}
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
