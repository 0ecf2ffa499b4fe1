package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// BundleLink is the symbolic link in a container's bundle,
	// /run/syscontainer/NAME/, to the directory of its image.
	BundleLink = "image"

	bundles    = "run/syscontainer"
	launchFile = "launch.json"
)

// Running tells from which images containers were started and not yet cleaned
// up: digest to names of containers.
func Running(root string) map[string][]string {
	dir := filepath.Join("/", root, bundles)
	running := map[string][]string{}
	for _, name := range names(dir) {
		if digest, err := readImageLink(filepath.Join(dir, name, BundleLink)); err == nil {
			running[digest] = append(running[digest], name)
		}
	}
	return running
}

// Generations tells which images containers keep: digest to what keeps it,
// such as "web/current". Each symbolic link to an image in containers/NAME/ or
// containers/NAME/generations/ does; what a container itself may write does not.
func Generations(root string) map[string][]string {
	dir := filepath.Join("/", root, Dir, "containers")
	kept := map[string][]string{}
	for _, container := range names(dir) {
		for _, place := range []string{container, filepath.Join(container, "generations")} {
			for _, name := range names(filepath.Join(dir, place)) {
				link := filepath.Join(place, name)
				if digest, err := readImageLink(filepath.Join(dir, link)); err == nil {
					kept[digest] = append(kept[digest], link)
				}
			}
		}
	}
	return kept
}

func names(dir string) (names []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Pin keeps an image from being pruned.
func (w *Writer) Pin(digest string) error {
	f, err := os.OpenFile(w.path("pins", digest), os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("pin %s: %w", digest, err)
	}
	f.Close()
	return syncDir(w.path("pins"))
}

// Unpin undoes Pin; an image that is not pinned is no error.
func (w *Writer) Unpin(digest string) error {
	if err := os.Remove(w.path("pins", digest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("unpin %s: %w", digest, err)
	}
	return syncDir(w.path("pins"))
}
