package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"syscontainer/pull/registry"
	"syscontainer/pull/store"
	"syscontainer/units"
)

// find turns what a person wrote, references or beginnings of digests, into
// stored images, each once.
func find(root string, listing *store.Listing, words []string) ([]*store.Stored, error) {
	var images []*store.Stored
	for _, word := range words {
		image, _, err := findOne(root, listing, word)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(images, image) {
			images = append(images, image)
		}
	}
	return images, nil
}

// findOne also returns the reference that was meant; "" for a digest.
func findOne(root string, listing *store.Listing, word string) (image *store.Stored, reference string, err error) {
	if digits, ok := store.IsDigest(word); ok {
		image, err = listing.ByDigest(digits)
		return image, "", err
	}
	if reference, err = canonical(root, word); err != nil {
		return nil, "", err
	}
	image, err = listing.ByReference(reference)
	return image, reference, err
}

// canonical reads a reference from the command line. A name without a registry
// means what registries.conf says, if that leaves no doubt; a unit file may not
// have one.
func canonical(root, word string) (string, error) {
	reference, err := units.ParseImage(absolute(word))
	if err == nil {
		return reference, nil
	}
	full, shortErr := registry.ShortName(word, registry.Options{Root: root})
	if shortErr == nil {
		return units.ParseImage(full)
	}
	if errors.Is(shortErr, registry.ErrAmbiguous) {
		err = shortErr
	} else if hint := units.Hint(err); hint != "" {
		err = fmt.Errorf("%w\nhint: %s", err, hint)
	}
	return "", usageError{err}
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// The refs of the repository, see syscontainer-store(5).
func deployRef(digest string) string   { return "deploy/" + digest }
func imageRef(reference string) string { return "image/" + store.Escape(reference) }
func layerRef(diffID string) string    { return "layer/" + diffID }

func printJSON(v any) error {
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
