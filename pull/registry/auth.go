package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/pkg/docker/config"
	"go.podman.io/image/v5/types"
)

// credential is what LoadCredential= of systemd.exec(5) calls our auth file. A
// unit that fetches may so have one that no other program can read.
const credential = "syscontainer.auth"

// authFiles are looked into after the library's own search, which knows the
// files of logged-in users only. A service has no session; these survive a
// reboot. The last three are where image-based systems keep theirs.
var authFiles = []string{
	"/etc/containers/auth.json",
	"/etc/ostree/auth.json",
	"/run/ostree/auth.json",
	"/usr/lib/ostree/auth.json",
}

// authenticate finds credentials for name and for those it may be fetched as
// elsewhere. None is no error: most images are public.
func (s *Source) authenticate(name reference.Named, elsewhere []reference.Named, options Options) error {
	paths, err := authPaths(options)
	if err != nil {
		return err
	}
	for _, mirror := range elsewhere { // before DockerAuthConfig is set, which would answer for any name
		path, credentials, err := s.lookUp(mirror, paths)
		if err != nil {
			return err
		}
		if credentials != nil { // the library reads one file only, so this one serves all mirrors
			s.sys.AuthFilePath = path
			break
		}
	}
	_, credentials, err := s.lookUp(name, paths)
	s.sys.DockerAuthConfig = credentials
	return err
}

// authPaths are the files to look into, the first that knows the registry
// wins. "" stands for the library's search.
func authPaths(options Options) ([]string, error) {
	if options.AuthFile != "" {
		return []string{options.AuthFile}, exists(options.AuthFile)
	}
	var paths []string
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); filepath.IsAbs(dir) {
		if path := filepath.Join(dir, credential); !errors.Is(exists(path), fs.ErrNotExist) {
			paths = append(paths, path)
		}
	}
	chosen := os.Getenv("REGISTRY_AUTH_FILE")
	if chosen != "" {
		if err := exists(chosen); err != nil {
			return nil, err
		}
	}
	paths = append(paths, chosen)
	for _, path := range authFiles {
		path = filepath.Join("/", options.Root, path)
		if !errors.Is(exists(path), fs.ErrNotExist) {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// exists is asked because the library takes a missing file for an empty one,
// and a typo must not become "unauthorized".
func exists(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	return nil
}

// lookUp returns the first credentials for name and the file that has them, or
// nil. It may run credential helpers.
func (s *Source) lookUp(name reference.Named, paths []string) (string, *types.DockerAuthConfig, error) {
	for _, path := range paths {
		sys := *s.sys
		sys.AuthFilePath = path
		credentials, err := config.GetCredentialsForRef(&sys, name)
		if err != nil {
			return "", nil, fmt.Errorf("credentials for %s: %w", name.Name(), err)
		}
		if credentials != (types.DockerAuthConfig{}) {
			return path, &credentials, nil
		}
	}
	return "", nil, nil
}
