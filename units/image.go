package units

import (
	"path"
	"strings"
)

// ParseImage gives the canonical form of an image reference: one image, one name.
//
//	[docker://]REGISTRY/NAME[:TAG][@DIGEST]  REGISTRY/NAME:TAG or REGISTRY/NAME@DIGEST; without both, :latest
//	oci:/DIR[:TAG]                           a directory in the OCI image layout
//	oci-archive:/FILE[:TAG]                  the same as a tar file
//	docker-archive:/FILE[:NAME[:TAG]]        what docker save writes
//	dir:/DIR                                 what skopeo copy writes
//
// A name without registry is an error, because it means different images on
// different hosts. The grammar is that of the distribution project's references.
func ParseImage(s string) (string, error) {
	if transport, rest, ok := strings.Cut(s, ":"); ok {
		switch transport {
		case "docker":
			if name, ok := strings.CutPrefix(rest, "//"); ok {
				return parseName(name)
			}
		case "oci", "oci-archive", "docker-archive", "dir":
			return parseLocal(transport, rest)
		case "containers-storage", "docker-daemon", "ostree", "sif", "atomic":
			return "", wrong("", "image ", quote(s), ": transport ", transport, ": is not supported")
		}
	}
	return parseName(s)
}

// ImageDigest is the digest that a canonical reference names, "" if none: then the image is
// what its tag or its path leads to.
func ImageDigest(canonical string) string {
	if strings.Contains(canonical, ":/") { // a path, in which an @ is a letter
		return ""
	}
	_, digest, _ := strings.Cut(canonical, "@")
	return digest
}

func parseLocal(transport, rest string) (string, error) {
	bad := func(why string) (string, error) {
		return "", wrong("for example "+transport+":/srv/images/web", "image ", quote(transport+":"+rest), ": ", why)
	}
	if !strings.HasPrefix(rest, "/") {
		return bad("the path must be absolute")
	}
	if hasControl(rest) {
		return bad("a control character is in it")
	}
	file, name := rest, ""
	if transport != "dir" {
		var named bool
		if file, name, named = strings.Cut(rest, ":"); named && name == "" {
			return bad("nothing stands after the colon")
		} else if named {
			name = ":" + name
		}
	} else if strings.Contains(rest, ":") {
		return bad("a colon is in the path")
	}
	if strings.ContainsAny(name, white) {
		return bad("a blank is in the name")
	}
	if path.Clean(file) == "/" {
		return bad("the path is the root directory")
	}
	return transport + ":" + path.Clean(file) + name, nil
}

func parseName(s string) (string, error) {
	bad := func(hint, why string) (string, error) {
		return "", wrong(hint, "image ", quote(s), " ", why)
	}
	const form = "the form is REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST"
	if s == "" {
		return bad(form, "is empty")
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return bad(form, "has a character in it that no image name has")
	}
	name, digest, hasDigest := strings.Cut(s, "@")
	if hasDigest && !validDigest(digest) {
		return bad("a digest is sha256: and 64 hexadecimal digits in lower case", "has a malformed digest")
	}
	tag := ""
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name, tag = name[:i], name[i+1:]
		if !validTag(tag) {
			return bad("a tag has at most 128 letters, digits and _.-, and begins with none of .-", "has a malformed tag")
		}
	}
	registry, repository, found := strings.Cut(name, "/")
	if !found || !strings.ContainsAny(registry, ".:") && registry != "localhost" {
		if validRepository(name) {
			full := "docker.io/" + name
			if !found {
				full = "docker.io/library/" + name
			}
			return bad("write the registry too, for example "+full+strings.TrimPrefix(s, name), "names no registry")
		}
		return bad(form, "is no reference")
	}
	if !validRegistry(registry) {
		if registry[0] == '[' {
			return bad("write a host name", "names its registry by an IPv6 address, which no reference can")
		}
		return bad(form, "has a malformed registry")
	}
	if !validRepository(repository) {
		hint := form
		if validRepository(strings.ToLower(repository)) {
			hint = "names are in lower case: " + registry + "/" + strings.ToLower(repository) + s[len(name):]
		}
		return bad(hint, "is no reference")
	}
	if registry == "index.docker.io" {
		registry = "docker.io"
	}
	if registry == "docker.io" && !strings.Contains(repository, "/") {
		repository = "library/" + repository
	}
	name = registry + "/" + repository
	switch {
	case len(name) > 255:
		return bad("", "is longer than 255 characters")
	case hasDigest:
		return name + "@" + digest, nil
	case tag == "":
		tag = "latest"
	}
	return name + ":" + tag, nil
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }
func isLower(b byte) bool { return b >= 'a' && b <= 'z' }
func isUpper(b byte) bool { return b >= 'A' && b <= 'Z' }

func validDigest(s string) bool {
	algorithm, hex, _ := strings.Cut(s, ":")
	switch length := len(hex); algorithm {
	case "sha256":
		if length != 64 {
			return false
		}
	case "sha384":
		if length != 96 {
			return false
		}
	case "sha512":
		if length != 128 {
			return false
		}
	default:
		return false
	}
	for _, b := range []byte(hex) {
		if !isDigit(b) && (b < 'a' || b > 'f') {
			return false
		}
	}
	return true
}

func validTag(s string) bool {
	if s == "" || len(s) > 128 || s[0] == '.' || s[0] == '-' {
		return false
	}
	for _, b := range []byte(s) {
		if !isDigit(b) && !isLower(b) && !isUpper(b) && b != '_' && b != '.' && b != '-' {
			return false
		}
	}
	return true
}

// validRegistry accepts HOST[:PORT]. An IPv6 address has no place in a reference.
func validRegistry(s string) bool {
	host, port, hasPort := strings.Cut(s, ":")
	if hasPort && (port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "") {
		return false
	}
	for part := range strings.SplitSeq(host, ".") {
		if part == "" || part[0] == '-' || part[len(part)-1] == '-' {
			return false
		}
		for _, b := range []byte(part) {
			if !isDigit(b) && !isLower(b) && !isUpper(b) && b != '-' {
				return false
			}
		}
	}
	return true
}

// validRepository accepts components of lower-case letters and digits, joined by
// one dot, one or two underscores, or any number of dashes.
func validRepository(s string) bool {
	for part := range strings.SplitSeq(s, "/") {
		if part == "" {
			return false
		}
		for i := 0; i < len(part); {
			b := part[i]
			if isDigit(b) || isLower(b) {
				i++
				continue
			}
			n := 1
			for i+n < len(part) && part[i+n] == b {
				n++
			}
			joins := b == '.' && n == 1 || b == '_' && n <= 2 || b == '-'
			if !joins || i == 0 || i+n == len(part) || !isDigit(part[i+n]) && !isLower(part[i+n]) {
				return false
			}
			i += n
		}
	}
	return true
}
