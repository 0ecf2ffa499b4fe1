package registry

import (
	"fmt"

	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/pkg/sysregistriesv2"
)

// elsewhere lists on which other hosts registries.conf has name fetched, from
// mirrors and from a rewritten location. It refuses a blocked name: the library
// asks only whether the place it goes to is blocked.
func (s *Source) elsewhere(name reference.Named) ([]reference.Named, error) {
	found, err := sysregistriesv2.FindRegistry(s.sys, name.Name())
	if err != nil {
		return nil, fmt.Errorf("read registries.conf: %w", err)
	}
	if found == nil {
		return nil, nil
	}
	if found.Blocked {
		return nil, fmt.Errorf("registry %s is blocked in %s", found.Prefix, sysregistriesv2.ConfigurationSourceDescription(s.sys))
	}
	sources, err := found.PullSourcesFromReference(name)
	if err != nil {
		return nil, fmt.Errorf("read registries.conf: %w", err)
	}
	var others []reference.Named
	for _, source := range sources {
		if reference.Domain(source.Reference) != reference.Domain(name) {
			others = append(others, source.Reference)
		}
	}
	return others, nil
}
