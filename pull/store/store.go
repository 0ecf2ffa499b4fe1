// Package store is the layout of images on disk: where an image is, how a
// reference finds it, and how a new one appears without ever being seen half
// done.
//
//	/var/lib/syscontainer/
//	    repo/                        OSTree repository, package ostree's business
//	    images/SHA256/               one checkout per image, named by the digest of its manifest
//	        rootfs/ manifest.json config.json
//	    references/ESCAPED           symbolic link to ../images/SHA256
//	    pins/SHA256                  the image stays
//	    containers/NAME/             symbolic links to images are a container's generations
//	    locks/                       held while something is being fetched
//
// The same layout, read-only, may be baked into the operating system below
// /usr/lib/syscontainer; what is in /var wins. See syscontainer-store(5).
//
// A reference is published last: whoever can follow it finds a complete image.
// The package is linked into the start path and imports the standard library
// and golang.org/x/sys/unix only.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// Dir is the store that pull writes.
	Dir = "/var/lib/syscontainer"
	// VendorDir is the store baked into the operating system.
	VendorDir = "/usr/lib/syscontainer"
)

// Image is an image that is complete on disk: fetched, verified, checked out.
type Image struct {
	Digest    string // of the manifest: 64 hex digits of SHA-256
	Reference string // canonical, as units.ParseImage returns it
	Dir       string // absolute path of …/images/DIGEST
}

// Rootfs is the absolute path of the checkout. It is shared by all containers
// of the image and must never be written.
func (i Image) Rootfs() string { return filepath.Join(i.Dir, "rootfs") }

// Config returns the image's OCI or Docker configuration, byte for byte as the
// registry served it.
func (i Image) Config() ([]byte, error) { return os.ReadFile(filepath.Join(i.Dir, "config.json")) }

// Lookup finds an image by its canonical reference in the stores below root
// ("" or "/" for the host). The error is fs.ErrNotExist if no store has it;
// any other error means that a store could not be read, which is not the same
// as an absent image.
func Lookup(root, reference string) (Image, error) {
	for _, dir := range []string{Dir, VendorDir} {
		image, err := lookup(filepath.Join("/", root, dir), reference)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return image, err
		}
	}
	return Image{}, fmt.Errorf("image %s is not in the store: %w", reference, fs.ErrNotExist)
}

// RepoOf is the path of the OSTree repository of the store below root, of the
// one that pull writes or of the one baked into the operating system.
func RepoOf(root string, vendor bool) string {
	if vendor {
		return filepath.Join("/", root, VendorDir, "repo")
	}
	return filepath.Join("/", root, Dir, "repo")
}

func lookup(dir, reference string) (Image, error) {
	link := filepath.Join(dir, "references", Escape(reference))
	target, err := os.Readlink(link)
	if err != nil {
		return Image{}, err
	}
	digest := filepath.Base(target)
	if !isDigest(digest) || target != "../images/"+digest {
		return Image{}, fmt.Errorf("%s: points to %q, want ../images/SHA256", link, target)
	}
	image := Image{Digest: digest, Reference: reference, Dir: filepath.Join(dir, "images", digest)}
	if _, err := os.Stat(image.Rootfs()); err != nil {
		return Image{}, err
	}
	return image, nil
}

func isDigest(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
