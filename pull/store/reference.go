package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// named is the beginning of the file that keeps a reference whose escaped form
// was cut. Escape returns no name that starts with a dot.
const named = ".name-"

// SetReference lets reference name the image from now on, durably. Readers see
// the old image or the new one. The caller holds the reference's lock.
func (w *Writer) SetReference(reference string, image Image) error {
	if err := w.setReference(reference, image); err != nil {
		return fmt.Errorf("publish reference %s: %w", reference, err)
	}
	return nil
}

func (w *Writer) setReference(reference string, image Image) error {
	dir, name, target := w.path("references"), Escape(reference), "../images/"+image.Digest
	if now, err := os.Readlink(filepath.Join(dir, name)); err == nil && now == target {
		return nil
	}
	temporary := filepath.Join(dir, debris+name) // nobody else uses this name while we have the lock
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if Unescape(name) != reference { // cut
		if err := writeDurably(temporary, reference); err != nil {
			return err
		}
		if err := os.Rename(temporary, filepath.Join(dir, named+name)); err != nil {
			return err
		}
	}
	if err := os.Symlink(target, temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, filepath.Join(dir, name)); err != nil {
		return err
	}
	return syncDir(dir)
}

func writeDurably(path, content string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// RemoveReference forgets a reference, durably; none is no error. The caller
// holds its lock.
func (w *Writer) RemoveReference(reference string) error {
	name := Escape(reference)
	for _, file := range []string{name, named + name, debris + name} {
		if err := os.Remove(w.path("references", file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove reference %s: %w", reference, err)
		}
	}
	return syncDir(w.path("references"))
}

// references are the links of one store: reference to digest. Names that are
// no link to an image are in broken.
func references(dir string) (links map[string]string, broken []string, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, "references"))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return nil, nil, err
	}
	links = map[string]string{}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		path := filepath.Join(dir, "references", name)
		digest, err := readImageLink(path)
		if err != nil {
			broken = append(broken, path)
			continue
		}
		reference := Unescape(name)
		if reference == "" {
			text, err := os.ReadFile(filepath.Join(dir, "references", named+name))
			if err != nil || Escape(string(text)) != name {
				broken = append(broken, path)
				continue
			}
			reference = string(text)
		}
		links[reference] = digest
	}
	return links, broken, nil
}

// readImageLink returns the digest of the image that a link leads to.
func readImageLink(path string) (string, error) {
	target, err := os.Readlink(path)
	if err != nil {
		return "", err
	}
	digest := filepath.Base(target)
	if !isDigest(digest) || filepath.Base(filepath.Dir(target)) != "images" {
		return "", fmt.Errorf("%s: points to %q, want …/images/SHA256", path, target)
	}
	return digest, nil
}

// sweepReferences removes what an interrupted SetReference or RemoveReference
// left.
func (w *Writer) sweepReferences() error {
	dir := w.path("references")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, temporary := strings.CutPrefix(e.Name(), debris)
		if !temporary {
			var long bool
			if name, long = strings.CutPrefix(e.Name(), named); !long {
				continue
			}
		}
		if err := w.sweepReference(filepath.Join(dir, e.Name()), name, temporary); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) sweepReference(path, name string, temporary bool) error {
	lock, err := w.tryLock(name)
	if err != nil || lock == nil {
		return err // it is being written
	}
	defer lock.Release()
	if _, err := os.Lstat(w.path("references", name)); err == nil && !temporary {
		return nil
	}
	return os.RemoveAll(path)
}
