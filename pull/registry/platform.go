package registry

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/types"
)

// sister architectures whose programs this machine's kernel runs as well.
var sister = map[string]string{"amd64": "386", "arm64": "arm"}

var platformForm = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9_.]+)?$`)

// choosePlatform applies Options.Platform. Without one the library finds out
// about this machine, its ARM variant included.
func choosePlatform(sys *types.SystemContext, platform string) error {
	if platform == "" {
		return nil
	}
	if !platformForm.MatchString(platform) {
		return fmt.Errorf("platform %q is not OS/ARCHITECTURE[/VARIANT], such as linux/arm64/v8", platform)
	}
	parts := append(strings.Split(platform, "/"), "")
	sys.OSChoice, sys.ArchitectureChoice, sys.VariantChoice = parts[0], parts[1], parts[2]
	return nil
}

// wanted is what an image has to be for, in words.
func (s *Source) wanted() string {
	if s.sys.OSChoice == "" {
		return runtime.GOOS + "/" + runtime.GOARCH
	}
	return platformName(s.sys.OSChoice, s.sys.ArchitectureChoice, s.sys.VariantChoice)
}

// checkPlatform compares with what the image's own configuration says, which
// may be nothing.
func (s *Source) checkPlatform(os, architecture string) error {
	wantOS, wantArch, others := runtime.GOOS, runtime.GOARCH, sister[runtime.GOARCH]
	if s.sys.OSChoice != "" {
		wantOS, wantArch, others = s.sys.OSChoice, s.sys.ArchitectureChoice, ""
	}
	osFits := os == "" || os == wantOS
	archFits := architecture == "" || architecture == wantArch || architecture == others
	if osFits && archFits {
		return nil
	}
	if s.sys.OSChoice != "" {
		return fmt.Errorf("the image is for %s/%s, %s is wanted", os, architecture, s.wanted())
	}
	return fmt.Errorf("the image is for %s/%s, this machine is %s", os, architecture, s.wanted())
}

// platforms lists what an index has images for. Attestations, which are in it
// for "unknown/unknown", are none.
func platforms(list manifest.List) string {
	const most = 20 // an index may have thousands, and the library looks for each among all
	var names []string
	instances := list.Instances()
	for _, instance := range instances[:min(len(instances), 10*most)] {
		entry, err := list.Instance(instance)
		if err != nil || entry.ReadOnly.Platform == nil {
			continue
		}
		p := entry.ReadOnly.Platform
		if name := platformName(p.OS, p.Architecture, p.Variant); name != "unknown/unknown" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > most {
		names = append(names[:most], "...")
	}
	if len(names) == 0 {
		return "none at all"
	}
	return strings.Join(names, ", ")
}

func platformName(os, architecture, variant string) string {
	if variant == "" {
		return os + "/" + architecture
	}
	return os + "/" + architecture + "/" + variant
}
