package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrImageGone is that of a generation whose image is in no store; it is an fs.ErrNotExist.
var ErrImageGone = fmt.Errorf("its image is gone: %w", fs.ErrNotExist)

// Deployed is the image that a container's current generation has, for the start path: name is the service's, without
// ".service", reference the canonical Image= of its unit. The error is fs.ErrNotExist if there is no generation, if it was
// made for another Image=, or, as ErrImageGone, if its image is in no store; any other error means that nobody can tell.
func Deployed(root, name, reference string) (Image, error) {
	dir := filepath.Join("/", root, Dir, "containers", name)
	link := filepath.Join(dir, "current")
	target, err := os.Readlink(link)
	if err != nil {
		return Image{}, err
	}
	number, ok := strings.CutPrefix(target, "generations/")
	if !ok || number == "" || strings.Trim(number, "0123456789") != "" {
		return Image{}, fmt.Errorf("%s: points to %q, want generations/N", link, target)
	}
	file := filepath.Join(dir, target+".json")
	data, err := os.ReadFile(file)
	if err != nil {
		return Image{}, fmt.Errorf("read the current generation: %v", err) // not %w: it is no absence
	}
	var record struct {
		Digest string `json:"digest"`
		For    string `json:"for"`
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return Image{}, fmt.Errorf("read %s: %w", file, err)
	}
	if !isDigest(record.Digest) {
		return Image{}, fmt.Errorf("read %s: %q is no digest", file, record.Digest)
	}
	if record.For != reference {
		return Image{}, fmt.Errorf("generation %s of %s is for %s: %w", number, name, record.For, fs.ErrNotExist)
	}
	image, err := ByDigest(root, record.Digest, reference)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("generation %s of %s, sha256:%s: %w", number, name, record.Digest, ErrImageGone)
	}
	return image, err
}

// ByDigest finds an image of either store by the digest of its manifest; reference is what it gets as its name. None is
// fs.ErrNotExist.
func ByDigest(root, digest, reference string) (Image, error) {
	if !isDigest(digest) {
		return Image{}, fmt.Errorf("%q: not the hex digits of a SHA-256", digest)
	}
	for _, dir := range []string{Dir, VendorDir} {
		image := Image{Digest: digest, Reference: reference, Dir: filepath.Join("/", root, dir, "images", digest)}
		if _, err := os.Stat(image.Rootfs()); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return image, err
		}
	}
	return Image{}, fmt.Errorf("image sha256:%s is not in the store: %w", digest, fs.ErrNotExist)
}
