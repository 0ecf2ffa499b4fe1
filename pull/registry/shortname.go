package registry

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/pkg/sysregistriesv2"
)

// ErrAmbiguous tells of a name that could be any of several.
var ErrAmbiguous = errors.New("is ambiguous")

type ambiguous string

func (a ambiguous) Error() string        { return string(a) }
func (a ambiguous) Is(target error) bool { return target == ErrAmbiguous }

// ShortName makes a canonical reference of a name that a person typed without
// a registry, as registries.conf says: by an alias of it, or because one
// registry alone is in unqualified-search-registries. Where several are, it
// asks none of them, for anybody may own the name on some of them: the error
// lists the candidates, and is ErrAmbiguous. A name with a registry only becomes canonical.
//
// A machine's units must mean the same image as those of the next one, so
// this is for names on a command line only.
func ShortName(name string, options Options) (canonical string, err error) {
	named, short, err := parseName(name)
	if err != nil {
		return "", fmt.Errorf("%q is no name of an image: %w", name, err)
	}
	if !short {
		return canonicalName(named, named), nil
	}
	sys := systemContext(options)
	if sys.RootForImplicitAbsolutePaths != "" { // podman's record of what people chose
		sys.UserShortNameAliasConfPath = filepath.Join(sys.RootForImplicitAbsolutePaths, "/var/cache/containers/short-name-aliases.conf")
	}
	repository := reference.TrimNamed(named)
	alias, _, err := sysregistriesv2.ResolveShortNameAlias(sys, repository.String())
	if err != nil {
		return "", fmt.Errorf("look up the short name %s: %w", name, err)
	}
	if alias != nil {
		return canonicalName(alias, named), nil
	}
	registries, err := sysregistriesv2.UnqualifiedSearchRegistries(sys)
	if err != nil {
		return "", fmt.Errorf("look up the short name %s: %w", name, err)
	}
	var candidates []string
	for _, registry := range registries {
		full, err := reference.ParseNormalizedNamed(registry + "/" + repository.String())
		if err != nil {
			return "", fmt.Errorf("look up the short name %s at %q: %w", name, registry, err)
		}
		candidates = append(candidates, canonicalName(full, named))
	}
	const hint = "\nhint: write the name in full, or give it an alias, see containers-registries.conf(5)"
	switch len(candidates) {
	case 0:
		return "", fmt.Errorf("%s names no registry, and %s has no alias for it and no search registries"+hint,
			name, sysregistriesv2.ConfigurationSourceDescription(sys))
	case 1:
		return candidates[0], nil
	}
	return "", ambiguous(fmt.Sprintf("%s names no registry and could be any of %s"+hint, name, strings.Join(candidates, ", ")))
}

// parseName tells short names by the rule of containers-registries.conf(5):
// the first component is a host only if it has a dot or colon, or is localhost.
func parseName(name string) (named reference.Named, short bool, err error) {
	if transport, _, _ := strings.Cut(name, ":"); transports[transport] != nil { // not a host with a port
		return nil, false, fmt.Errorf("%s: is a place on this machine", transport)
	}
	ref, err := reference.Parse(name)
	if err != nil {
		return nil, false, err
	}
	named, ok := ref.(reference.Named)
	if !ok {
		return nil, false, reference.ErrNameEmpty
	}
	if domain := reference.Domain(named); !strings.ContainsAny(domain, ".:") && domain != "localhost" {
		return named, true, nil
	}
	named, err = reference.ParseNormalizedNamed(name)
	return named, false, err
}

// canonicalName is repository's name with the digest of what was written, or
// its tag, or "latest". A digest makes a tag meaningless.
func canonicalName(repository, written reference.Named) string {
	name := reference.TrimNamed(repository).String()
	if digested, ok := written.(reference.Digested); ok {
		return name + "@" + digested.Digest().String()
	}
	if tagged, ok := written.(reference.Tagged); ok {
		return name + ":" + tagged.Tag()
	}
	return name + ":latest"
}
