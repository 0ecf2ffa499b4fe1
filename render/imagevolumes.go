package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// imageVolume is a directory that the image wants apart from its files.
type imageVolume struct {
	Target string // in the container, without links of the image on its way
	Source string // on the machine; "": memory, Volatile=yes
}

// lookVolumes finds the storage of the image's volumes and fills it at its first use. It
// belongs to the container, by the name of its service, and outlives image and bundle.
//
// The image names the targets. Links are followed here and never by a runtime, so that none
// leads out of the root, nor into /proc, where a volume could take the place of the files by
// which a runtime confines the payload (CVE-2019-16884).
func lookVolumes(o options, c *units.Container, image *imageConfig, t *tree, u user, h *host) error {
	if len(image.Config.Volumes) == 0 {
		return nil
	}
	covered := unitTargets(c, h, t)
	for _, name := range slices.Sorted(maps.Keys(image.Config.Volumes)) {
		written := path.Join("/", name)
		if slices.ContainsFunc(covered, func(dir string) bool { return within(written, dir) }) {
			continue
		}
		at, err := t.resolve(written, nil)
		if err != nil {
			return fmt.Errorf("volume %s of the image: %w", name, err)
		}
		if slices.ContainsFunc(covered, func(dir string) bool { return within(at.path, dir) }) ||
			slices.ContainsFunc(h.Volumes, func(v imageVolume) bool { return v.Target == at.path }) {
			continue
		}
		if err := usableTarget(written, at); err != nil {
			return err
		}
		v := imageVolume{Target: at.path}
		if c.Volatile {
			if d, ok := t.directory(at.path); ok {
				h.Scratch[at.path] = d
			}
		} else {
			v.Source = filepath.Join("/", o.root, store.Dir, "containers", o.name, "volumes", store.Escape(written[1:]))
			if err := makeVolume(v.Source, t, at, u); err != nil {
				return fmt.Errorf("fill volume %s of the image: %w", name, err)
			}
			h.Sources[v.Source] = source{Dir: true}
		}
		h.Volumes = append(h.Volumes, v)
	}
	return nil
}

// usableTarget refuses what no directory of the image's own could be.
func usableTarget(written string, at place) error {
	leads := written
	if at.path != written {
		leads += ", which leads to " + at.path + ","
	}
	for _, dir := range kernelDirectories {
		if within(at.path, dir) {
			return withHint(fmt.Errorf("volume %s of the image would hide what the kernel shows in %s", leads, dir),
				"a Volume= or Tmpfs= with the target %s takes its place", written)
		}
	}
	switch {
	case at.path == "/":
		return fmt.Errorf("volume %s of the image would hide the image", leads)
	case at.exists && !at.dir:
		return withHint(fmt.Errorf("volume %s of the image is no directory there", leads), "a Volume= with the target %s takes its place", written)
	}
	return nil
}

// unitTargets is where the unit itself mounts, as written and where links lead.
func unitTargets(c *units.Container, h *host, t *tree) (list []string) {
	add := func(target string) {
		list = append(list, path.Clean(target))
		if at, err := t.resolve(target, nil); err == nil && at.path != list[len(list)-1] {
			list = append(list, at.path)
		}
	}
	for _, v := range c.Volumes {
		add(v.Target)
	}
	for _, m := range c.Mounts {
		if m.Type != "glob" {
			add(m.Target)
			continue
		}
		for _, source := range h.Globs[m.Source] {
			add(path.Join(m.Target, path.Base(source)))
		}
	}
	for _, f := range c.Tmpfs {
		add(f.Target)
	}
	return list
}

// within tells whether a clean path is a directory or below it.
func within(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}

// makeVolume sees to the storage of a volume. A new one holds what the image has there;
// where it has nothing, it is the payload's. One that was filled halfway is filled anew.
func makeVolume(dir string, t *tree, at place, u user) error {
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return err // the payload may have changed all of it
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	fresh := dir + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return err
	}
	to, err := os.OpenRoot(fresh)
	if err != nil {
		return err
	}
	defer to.Close()
	if at.exists {
		err = copyImage(t, at.path, to)
	} else if err = to.Chown(".", int(u.UID), int(u.GID)); err == nil {
		err = to.Chmod(".", 0o755) // whatever the umask
	}
	if err != nil {
		return err
	}
	if err := syncAll(to); err != nil {
		return err
	}
	return os.Rename(fresh, dir)
}

// syncAll brings a file system to the disk: a rename may survive a power cut that the
// files do not.
func syncAll(to *os.Root) error {
	d, err := to.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}

// volumeMounts shows the image's volumes to the payload; the owners of their files are
// the container's.
func volumeMounts(c *units.Container, h host) (list []rspec.Mount) {
	for _, v := range h.Volumes {
		if v.Source == "" {
			f := units.Tmpfs{Target: v.Target}
			if h.Scratch[v.Target].Full {
				f.Options = []string{"tmpcopyup"}
			}
			list = append(list, tmpfs(f, h))
			continue
		}
		m := mountOf(v.Target, "bind", v.Source, "rbind", "rprivate", "nosuid", "nodev")
		if mapsIDs(c) {
			m.Options = append(m.Options, "idmap")
		}
		list = append(list, m)
	}
	return list
}
