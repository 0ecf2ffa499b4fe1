package registry

import (
	"strings"
	"testing"

	"syscontainer/units"
)

func TestShortName(t *testing.T) {
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	const one, two, none = `unqualified-search-registries = ["quay.io"]`, `unqualified-search-registries = ["quay.io", "docker.io"]`, ``
	const aliases = "[aliases]\n\"fedora\" = \"registry.fedoraproject.org/fedora\"\n\"a/b\" = \"example.org:5000/x/y\"\n\"off\" = \"\"\n"
	for _, c := range []struct{ conf, written, want string }{
		{none, "quay.io/coreos/etcd", "quay.io/coreos/etcd:latest"},
		{none, "localhost/x:1", "localhost/x:1"},
		{none, "localhost:5000/x", "localhost:5000/x:latest"},
		{none, "docker.io/busybox", "docker.io/library/busybox:latest"},
		{none, "quay.io/x:1" + digest, "quay.io/x" + digest},

		{two, "fedora", "registry.fedoraproject.org/fedora:latest"},
		{two, "fedora:42", "registry.fedoraproject.org/fedora:42"},
		{none, "fedora" + digest, "registry.fedoraproject.org/fedora" + digest},
		{none, "fedora:42" + digest, "registry.fedoraproject.org/fedora" + digest},
		{none, "a/b:1", "example.org:5000/x/y:1"},

		{one, "etcd", "quay.io/etcd:latest"},
		{one, "coreos/etcd:v3", "quay.io/coreos/etcd:v3"},
		{one, "off", "quay.io/off:latest"},
		{`unqualified-search-registries = ["docker.io"]`, "busybox", "docker.io/library/busybox:latest"},

		{two, "etcd:1", "!etcd:1 names no registry and could be any of quay.io/etcd:1, docker.io/library/etcd:1\nhint: write the name in full"},
		{none, "etcd", "!etcd names no registry, and "},
		{none, "library/fedora", "!library/fedora names no registry, and "},
		{one, "", "!is no name of an image"},
		{one, "Etcd", "!is no name of an image"},
		{one, "docker://etcd", "!is no name of an image"},
		{one, "a@sha256:0123", "!is no name of an image"},
		{one, "oci:5000/x", "!oci: is a place on this machine"},
		{one, "../x", "!is no name of an image"},
		{"unqualified-search-registries = 7", "etcd", "!look up the short name etcd"},
	} {
		s := &site{t: t, root: newRoot(t)}
		s.write("etc/containers/registries.conf", c.conf)
		s.write("etc/containers/registries.conf.d/aliases.conf", aliases)
		got, err := ShortName(c.written, Options{Root: s.root})
		if reason, refused := strings.CutPrefix(c.want, "!"); refused {
			if err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("%q with %q: %q, %v, want %q", c.written, c.conf, got, err, reason)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%q with %q: %q, %v, want %q", c.written, c.conf, got, err, c.want)
		}
		if canonical, err := units.ParseImage(got); err != nil || canonical != got {
			t.Errorf("%q is %q to units: %v", got, canonical, err)
		}
	}
}

// What podman recorded when it asked somebody wins over registries.conf.
func TestShortNameRecorded(t *testing.T) {
	s := &site{t: t, root: newRoot(t)}
	s.write("etc/containers/registries.conf", "[aliases]\nfedora = \"example.org/fedora\"\n")
	s.write("var/cache/containers/short-name-aliases.conf", "[aliases]\nfedora = \"quay.io/fedora/fedora\"\n")
	if got, err := ShortName("fedora", Options{Root: s.root}); err != nil || got != "quay.io/fedora/fedora:latest" {
		t.Errorf("%q, %v", got, err)
	}
}

// Without any registries.conf nothing is searched, docker.io neither.
func TestShortNameWithoutConfiguration(t *testing.T) {
	if got, err := ShortName("busybox", Options{Root: newRoot(t)}); err == nil {
		t.Errorf("busybox is %q", got)
	}
}
