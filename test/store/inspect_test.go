// SPDX-License-Identifier: Apache-2.0

package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// listed is an image of images --json, with the keys of the manual.
type listed struct {
	References   []string
	Digest       string
	Created      time.Time
	Pulled       time.Time
	Used         time.Time
	Size         int64
	Own          int64
	Shared       int64
	Disk         int64
	Containers   []string
	Rootfs       string
	Pinned       bool
	Vendor       bool
	Architecture string
	Specials     []struct {
		Path, Type   string
		Major, Minor int
	}
}

// images is what the command lists.
func (m *machine) images() []listed {
	m.t.Helper()
	var all []listed
	must(m.t, json.Unmarshal([]byte(m.ok("images", "--json")), &all))
	return all
}

// references are read from the disk: reference to digits of the digest.
func (m *machine) references() (map[string]string, error) {
	entries, err := os.ReadDir(m.store("references"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	found := map[string]string{}
	for _, e := range entries {
		if e.Name()[0] == '.' {
			continue
		}
		target, err := os.Readlink(m.store("references", e.Name()))
		if err != nil {
			return nil, err
		}
		reference := unescape(e.Name())
		if strings.Contains(e.Name(), "__") {
			whole, err := os.ReadFile(m.store("references", ".name-"+e.Name()))
			if err != nil {
				return nil, err
			}
			reference = string(whole)
		}
		found[reference] = strings.TrimPrefix(target, "../images/")
	}
	return found, nil
}

func unescape(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '_' && i+2 < len(name) {
			if c, err := hex.DecodeString(strings.ToLower(name[i+1 : i+3])); err == nil {
				b.Write(c)
				i += 2
				continue
			}
		}
		b.WriteByte(name[i])
	}
	return b.String()
}

// published are the names of finished directories in images/.
func (m *machine) published() ([]string, error) {
	entries, err := os.ReadDir(m.store("images"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		if e.Name()[0] != '.' {
			found = append(found, e.Name())
		}
	}
	return found, nil
}

// debris is what interrupted commands left.
func (m *machine) debris() (found []string) {
	for _, pattern := range []string{"images/.*", "repo/tmp/txn-*", "references/.tmp-*"} {
		paths, _ := filepath.Glob(m.store(pattern))
		found = append(found, paths...)
	}
	return found
}

// inspect returns what is wrong with a store, whatever happened to it: everything that is published has to be whole.
// What is no longer there, or not yet, the caller knows.
func (m *machine) inspect(f *fixture) error {
	references, err := m.references()
	if err != nil {
		return err
	}
	digests, err := m.published()
	if err != nil {
		return err
	}
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	whole := map[string]bool{}
	for _, digest := range digests {
		whole[digest] = true
		if err := m.inspectImage(f, digest); err != nil {
			wrong("image %s: %w", digest, err)
		}
	}
	for reference, digest := range references {
		if !whole[digest] {
			wrong("reference %s leads to no image", reference)
		}
	}
	if _, err := os.Stat(m.store("repo/objects")); err == nil {
		if out, err := exec.Command("ostree", "--repo="+m.store("repo"), "fsck", "-q").CombinedOutput(); err != nil {
			wrong("ostree fsck: %w: %s", err, out)
		}
	}
	listed := map[string]string{}
	for _, image := range m.images() {
		for _, reference := range image.References {
			listed[reference] = strings.TrimPrefix(image.Digest, "sha256:")
		}
	}
	for reference, digest := range references {
		if listed[reference] != digest {
			wrong("images lists %s as %q, not %s", reference, listed[reference], digest)
		}
	}
	for reference := range listed {
		if references[reference] == "" {
			wrong("images lists %s, which is not there", reference)
		}
	}
	return errors.Join(errs...)
}

func (m *machine) inspectImage(f *fixture, digest string) error {
	p := f.byDigest[digest]
	if p == nil {
		return errors.New("nobody made this image")
	}
	dir := m.store("images", digest)
	got, err := readTree(filepath.Join(dir, "rootfs"))
	if err != nil {
		return err
	}
	if d := differences(p.tree, got); d != "" {
		return fmt.Errorf("is not what umoci unpacks:\n%s", d)
	}
	for name, want := range map[string]string{"manifest.json": "sha256:" + digest, "config.json": p.config} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if sum := fmt.Sprintf("sha256:%x", sha256.Sum256(content)); sum != want {
			return fmt.Errorf("%s has the digest %s, want %s", name, sum, want)
		}
	}
	return nil
}

// diffIDs are the digits of the layers that an image's config.json names.
func diffIDs(t testing.TB, path string) (ids []string) {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	var config struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	must(t, json.Unmarshal(content, &config))
	for _, id := range config.RootFS.DiffIDs {
		ids = append(ids, strings.TrimPrefix(id, "sha256:"))
	}
	return ids
}
