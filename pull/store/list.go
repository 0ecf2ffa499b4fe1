package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Stored is an image and what the store knows about it.
type Stored struct {
	Image
	References []string  // all that name it, sorted; Image.Reference is empty
	Pulled     time.Time // when it was checked out
	Used       time.Time // when it was needed last, precise to a day; zero for one that cannot tell
	Pinned     bool
	Vendor     bool // in VendorDir
}

// Listing is what the stores below a root hold.
type Listing struct {
	Images []*Stored // by first reference, those without one last
	Broken []string  // paths in references/ that lead to no image
}

// List reads the stores below root ("" or "/" for the host). None is no error.
func List(root string) (*Listing, error) {
	l := &Listing{}
	taken := map[string]bool{} // references of /var hide those of /usr
	for _, dir := range []string{Dir, VendorDir} {
		if err := l.add(filepath.Join("/", root, dir), dir == VendorDir, taken); err != nil {
			return nil, fmt.Errorf("list the store: %w", err)
		}
	}
	slices.SortStableFunc(l.Images, func(a, b *Stored) int {
		switch {
		case len(a.References) > 0 && len(b.References) > 0:
			return strings.Compare(a.References[0], b.References[0])
		case len(a.References) != len(b.References):
			return len(b.References) - len(a.References)
		}
		return strings.Compare(a.Digest, b.Digest)
	})
	return l, nil
}

func (l *Listing) add(dir string, vendor bool, taken map[string]bool) error {
	// References first: whatever they lead to is complete by then.
	links, broken, err := references(dir)
	if err != nil {
		return err
	}
	l.Broken = append(l.Broken, broken...)
	entries, err := os.ReadDir(filepath.Join(dir, "images"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	images := map[string]*Stored{}
	for _, e := range entries {
		if !isDigest(e.Name()) {
			continue
		}
		s := &Stored{Image: Image{Digest: e.Name(), Dir: filepath.Join(dir, "images", e.Name())}, Vendor: vendor}
		_, err := os.Lstat(filepath.Join(dir, "pins", e.Name()))
		s.Pinned = err == nil
		s.times()
		images[e.Name()] = s
		l.Images = append(l.Images, s)
	}
	for _, reference := range slices.Sorted(maps.Keys(links)) {
		image, path := images[links[reference]], filepath.Join(dir, "references", Escape(reference))
		if image == nil {
			if !leads(path) { // else it was changed or removed meanwhile
				l.Broken = append(l.Broken, path)
			}
		} else if !taken[reference] {
			taken[reference] = true
			image.References = append(image.References, reference)
		}
	}
	return nil
}

// leads tells whether a reference is gone or leads to an image that is there.
// It looks until nothing changes meanwhile: a reference goes before its image, and
// may come back with another or the same one.
func leads(path string) bool {
	images := filepath.Join(filepath.Dir(filepath.Dir(path)), "images")
	last, misses := "", 0
	for misses < 3 {
		digest, err := readImageLink(path)
		if err != nil {
			return errors.Is(err, fs.ErrNotExist)
		}
		if _, err := os.Lstat(filepath.Join(images, digest)); err == nil {
			return true
		}
		if digest != last {
			last, misses = digest, 0
		}
		if misses++; misses < 3 {
			time.Sleep(10 * time.Millisecond)
		}
	}
	return false
}

// Leads tells whether a reference leads to this image now.
func (s *Stored) Leads(reference string) bool {
	references := filepath.Join(filepath.Dir(filepath.Dir(s.Dir)), "references")
	digest, err := readImageLink(filepath.Join(references, Escape(reference)))
	return err == nil && digest == s.Digest
}

// IsBroken tells whether a path in references/ still leads to no image.
func IsBroken(path string) bool { return !leads(path) }

// times reads the times of an image's documents; a damaged image has none.
func (s *Stored) times() {
	var st unix.Stat_t
	if unix.Lstat(filepath.Join(s.Dir, "manifest.json"), &st) == nil {
		s.Pulled = time.Unix(st.Mtim.Unix())
	}
	if unix.Lstat(filepath.Join(s.Dir, "config.json"), &st) == nil {
		s.Used = time.Unix(st.Atim.Unix())
	}
}

// shortest is the least number of digits that may stand for a digest.
const shortest = 4

// IsDigest tells whether a word from a person is a digest or the beginning of
// one, with or without "sha256:", and returns its digits.
func IsDigest(word string) (digits string, ok bool) {
	digits, prefixed := strings.CutPrefix(word, "sha256:")
	if len(digits) > 64 || len(digits) < shortest && !prefixed {
		return "", false
	}
	return digits, strings.Trim(digits, "0123456789abcdef") == ""
}

// ByDigest finds the one image whose digest begins with these digits. No such
// image is fs.ErrNotExist; several are another error, which names them. An image
// of /var is preferred to the same one of /usr.
func (l *Listing) ByDigest(digits string) (*Stored, error) {
	if len(digits) < shortest {
		return nil, fmt.Errorf("digest %q: at least %d digits are needed", digits, shortest)
	}
	var found []*Stored
	for _, s := range l.Images {
		if !strings.HasPrefix(s.Digest, digits) {
			continue
		}
		same := slices.IndexFunc(found, func(f *Stored) bool { return f.Digest == s.Digest })
		switch {
		case same < 0:
			found = append(found, s)
		case found[same].Vendor:
			found[same] = s
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("no image has a digest that begins with %s: %w", digits, fs.ErrNotExist)
	case 1:
		return found[0], nil
	}
	var names []string
	for _, s := range found {
		names = append(names, s.Digest[:min(64, len(digits)+8)])
	}
	return nil, fmt.Errorf("%s may be any of %s", digits, strings.Join(names, ", "))
}

// ByReference finds the image that a canonical reference names; none is
// fs.ErrNotExist.
func (l *Listing) ByReference(reference string) (*Stored, error) {
	for _, s := range l.Images {
		if slices.Contains(s.References, reference) {
			return s, nil
		}
	}
	return nil, fmt.Errorf("image %s is not in the store: %w", reference, fs.ErrNotExist)
}

// Document reads one of the image's documents. That is no use of the image.
func (i Image) Document(name string) ([]byte, error) {
	path := filepath.Join(i.Dir, name)
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOATIME|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrPermission) { // not ours
		return os.ReadFile(path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 64<<20))
}
