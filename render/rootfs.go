package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// rootPlan says how the container's root is put together from the image's
// checkout, which all containers of the image share and nothing may write, or from a
// directory of the host.
type rootPlan struct {
	Lower  []string      `json:"lower"`           // directories, the first on top; the last is the checkout
	Upper  string        `json:"upper,omitempty"` // takes what the container writes; "": the root is read-only
	Work   string        `json:"work,omitempty"`
	Direct bool          `json:"direct,omitempty"` // the only lower directory itself takes what is written
	Share  bool          `json:"share,omitempty"`  // the container's mounts shall be seen on the host
	Label  string        `json:"label,omitempty"`  // SELinux context of every file; "": their own
	Map    *idMaps       `json:"map,omitempty"`    // the user namespace; nil: none
	Given  *idMaps       `json:"given,omitempty"`  // of what is given to the payload; nil: nothing
	Mapped []mappedMount `json:"mapped,omitempty"` // made before the root, which they may be part of
	Shared []peerMount   `json:"shared,omitempty"` // of another container

	Delegate bool `json:"delegate,omitempty"` // the payload manages its cgroup

	// Volatile is the checkout, with its own owners, when Upper and Work lie in memory that
	// is mounted above them at each start; "": they lie on a disk.
	Volatile string `json:"volatile,omitempty"`
}

// target is something to mount on that the image lacks.
type target struct {
	path string // without links
	file bool   // else a directory
	mode uint32 // of a directory
}

// settleMounts replaces the destinations of mounts, and the working directory, by where the
// image's links lead, for runtimes do not agree on that: crun 1.21 fails on a link to what
// is missing, and mounts on the files of /proc by which it confines the payload. Links
// into what the kernel shows are refused.
func settleMounts(t *tree, s *rspec.Spec) error {
	covers := make(map[string]bool, len(s.Mounts))
	for i := range s.Mounts {
		m := &s.Mounts[i]
		at, err := t.resolve(m.Destination, covers)
		if err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.Source, m.Destination, err)
		}
		to := path.Join(at.path, at.rest)
		for _, dir := range kernelDirectories {
			if m.Destination == dir && to != dir {
				return fmt.Errorf("%s in the image is a link, to %s", dir, to)
			}
			if dir != "/dev" && within(to, dir) && !within(m.Destination, dir) {
				return fmt.Errorf("mount %s on %s: links of the image lead to %s, which is the kernel's", m.Source, m.Destination, to)
			}
		}
		m.Destination = to
		if !at.covered && !slices.Contains(m.Options, "tmpcopyup") { // which shows what the image has
			covers[to] = true
		}
	}
	at, err := t.resolve(s.Process.Cwd, covers)
	if err != nil {
		return fmt.Errorf("working directory: %w", err)
	}
	if at.exists && !at.dir && !at.covered {
		return fmt.Errorf("working directory %s is no directory in the image", s.Process.Cwd)
	}
	s.Process.Cwd = path.Join(at.path, at.rest)
	return nil
}

// kernelDirectories show what the kernel has.
var kernelDirectories = []string{"/proc", "/sys", "/dev"}

// missingTargets finds what a runtime would create in the root before it mounts
// something there or enters the working directory, read-only or not (runc 1.1,
// 1.4 and crun do). isFile tells the kind of a bind mount's source.
func missingTargets(t *tree, s *rspec.Spec, isFile func(source string) bool) ([]target, error) {
	var missing []target
	covers := make(map[string]bool, len(s.Mounts))
	for _, m := range s.Mounts {
		file := isBind(m) && isFile(m.Source)
		at, err := t.resolve(m.Destination, covers)
		switch {
		case err != nil:
			return nil, fmt.Errorf("mount %s on %s: %w", m.Source, m.Destination, err)
		case at.covered:
			continue
		case at.exists && at.dir == file:
			return nil, fmt.Errorf("mount %s on %s: one is a directory, the other is not", m.Source, m.Destination)
		case !at.exists:
			missing = append(missing, target{at.path, file, modeOf(m, 0o755)})
		case m.Type == "tmpfs":
			// runc 1.1 gives a tmpfs the mode of what it covers, whatever mode= says.
			if d, ok := t.directory(m.Destination); ok && d.Mode != modeOf(m, d.Mode) {
				missing = append(missing, target{at.path, false, modeOf(m, d.Mode)})
			}
		}
		covers[at.path] = true
	}
	at, err := t.resolve(s.Process.Cwd, covers)
	if err != nil {
		return nil, fmt.Errorf("working directory: %w", err)
	}
	if !at.covered && !at.exists {
		missing = append(missing, target{path: at.path, mode: 0o755})
	}
	return missing, nil
}

// modeOf is what a mount's mode= says, or else the other.
func modeOf(m rspec.Mount, otherwise uint32) uint32 {
	for _, option := range m.Options {
		if value, ok := strings.CutPrefix(option, "mode="); ok {
			if mode, err := strconv.ParseUint(value, 8, 12); err == nil {
				otherwise = uint32(mode)
			}
		}
	}
	return otherwise
}

// makeTargets fills dir, which is laid over the checkout: the missing targets,
// and the way to them, which looks as it does in the image seen through ids.
func makeTargets(t *tree, dir string, missing []target, ids *idMaps) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	over, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer over.Close()
	if err := likeImage(t, over, "/", ids); err != nil {
		return err
	}
	for _, m := range missing {
		names := strings.Split(strings.TrimPrefix(m.path, "/"), "/")
		for i := range names {
			name := strings.Join(names[:i+1], "/")
			if i == len(names)-1 && m.file {
				f, err := over.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
				if err != nil {
					return err
				}
				uid, gid := ids.owner(0, 0)
				err = f.Chown(uid, gid)
				f.Close()
				if err != nil {
					return err
				}
				continue
			}
			err := over.Mkdir(name, 0o755)
			if err == nil {
				err = likeImage(t, over, "/"+name, ids)
			} else if errors.Is(err, os.ErrExist) {
				err = nil
			}
			if err != nil {
				return err
			}
		}
		if !m.file {
			d, err := over.Open("." + m.path)
			if err != nil {
				return err
			}
			err = unix.Fchmod(int(d.Fd()), m.mode)
			d.Close()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// likeImage gives a directory of the upper layer the owner, mode and attributes
// it has in the image, for overlayfs shows those of the upper one. A directory
// the image lacks is root's, 0755.
func likeImage(t *tree, over *os.Root, name string, ids *idMaps) error {
	relative := "." + name
	_, _, err := t.lstat(name)
	if errors.Is(err, os.ErrNotExist) {
		uid, gid := ids.owner(0, 0)
		if err := over.Chown(relative, uid, gid); err != nil {
			return err
		}
		return over.Chmod(relative, 0o755) // whatever the umask
	}
	if err != nil {
		return err
	}
	from, err := t.openat2(path.Join(".", name), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, unix.RESOLVE_BENEATH)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	to, err := over.Open(relative)
	if err != nil {
		return err
	}
	defer to.Close()
	return copyMeta(from, to, ids)
}

// copyAttributes copies extended attributes as far as the file system of /run
// takes them: access control lists and labels, rarely anything.
func copyAttributes(from int, to *os.File) {
	names := make([]byte, 4096)
	n, err := unix.Flistxattr(from, names)
	if err != nil || n == 0 {
		return
	}
	value := make([]byte, 64<<10) // XATTR_SIZE_MAX
	for _, name := range strings.Split(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		if strings.HasPrefix(name, "trusted.overlay.") || strings.HasPrefix(name, "user.overlay.") {
			continue // would be orders to overlayfs
		}
		if n, err := unix.Fgetxattr(from, name, value); err == nil {
			unix.Fsetxattr(int(to.Fd()), name, value[:n], 0)
		}
	}
}

// makeUpper sees to the directory that keeps what a container writes: with
// ReadOnly=no, from one start to the next.
func makeUpper(t *tree, upper, work string, ids *idMaps) error {
	for _, dir := range []string{filepath.Dir(upper), work} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if _, err := os.Lstat(upper); !errors.Is(err, os.ErrNotExist) {
		return err // it is there; the payload may have changed its mode
	}
	fresh := upper + ".new"
	if err := os.Mkdir(fresh, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	over, err := os.OpenRoot(fresh)
	if err != nil {
		return err
	}
	defer over.Close()
	if err := likeImage(t, over, "/", ids); err != nil {
		return err
	}
	return os.Rename(fresh, upper)
}

// mount puts the root together at a directory. The image brings no device nodes.
func (p rootPlan) mount(at string) error {
	if err := p.mountMapped(); err != nil {
		return err
	}
	for _, m := range p.Shared {
		if err := m.mount(); err != nil {
			return err
		}
	}
	if p.Volatile != "" {
		if err := p.mountVolatile(); err != nil {
			return err
		}
	}
	if len(p.Lower) == 1 && p.Upper == "" && p.Label == "" {
		// Nothing is missing. Read-only nevertheless, so that a runtime which
		// wants to create something fails instead of changing the checkout.
		if err := unix.Mount(p.Lower[0], at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", p.Lower[0], err)
		}
		flags := uintptr(unix.MS_REMOUNT | unix.MS_BIND | unix.MS_NODEV)
		if !p.Direct {
			flags |= unix.MS_RDONLY
		}
		if err := unix.Mount("", at, "", flags, ""); err != nil {
			unix.Unmount(at, unix.MNT_DETACH)
			return fmt.Errorf("mount %s read-only: %w", p.Lower[0], err)
		}
		return nil
	}
	return p.mountOverlay(at)
}

// mountMapped makes the mounts with other owners. One user namespace does for all that
// have the same maps.
func (p rootPlan) mountMapped() error {
	namespaces := make(map[*idMaps]*os.File, 2)
	for _, m := range p.Mapped {
		ids := p.Map
		if m.Given {
			ids = p.Given
		}
		if namespaces[ids] == nil {
			namespace, err := ids.userNamespace()
			if err != nil {
				return err
			}
			defer namespace.Close()
			namespaces[ids] = namespace
		}
		if err := m.mount(namespaces[ids], 0); err != nil {
			return err
		}
	}
	return nil
}

// mountVolatile mounts the memory that takes what is written. The overlay has its own hold
// on it, so it lives as long as the root does, and nobody else can look into it. It is no
// directory of /run, which a payload could fill for the whole machine.
func (p rootPlan) mountVolatile() error {
	dir := filepath.Dir(p.Upper)
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, "mode=0700"); err != nil {
		return fmt.Errorf("mount memory for the writable layer: %w", err)
	}
	t, err := openTree(p.Volatile)
	if err != nil {
		return err
	}
	defer t.close()
	if err := makeUpper(t, p.Upper, p.Work, p.Map); err != nil {
		return fmt.Errorf("make the writable layer: %w", err)
	}
	return nil
}

func (p rootPlan) mountOverlay(at string) error {
	lower := make([]string, len(p.Lower))
	for i, dir := range p.Lower {
		lower[i] = overlayPath(dir)
	}
	data := "lowerdir=" + strings.Join(lower, ":")
	flags := uintptr(unix.MS_NODEV)
	if p.Upper == "" {
		flags |= unix.MS_RDONLY
	} else {
		// The image below may be another after an update: nothing in the upper
		// directory may refer to its inodes.
		data += ",upperdir=" + overlayPath(p.Upper) + ",workdir=" + overlayPath(p.Work) +
			",index=off,metacopy=off,redirect_dir=off"
	}
	if p.Label != "" {
		data += `,context="` + p.Label + `"`
	}
	err := unix.Mount("overlay", at, "overlay", flags, data)
	if errors.Is(err, unix.ENODEV) {
		return errNoOverlay()
	}
	if errors.Is(err, unix.EINVAL) && p.Map != nil {
		return withHint(fmt.Errorf("mount the root with other owners: this kernel cannot (overlay, %s)", data), "UIDMap= needs Linux 5.19")
	}
	if err != nil {
		return fmt.Errorf("mount the root (overlay, %s): %w", data, err)
	}
	return nil
}

func errNoOverlay() error {
	return withHint(errors.New("mount the root: this kernel has no overlay file system"), "modprobe overlay")
}

// overlayPath escapes what separates paths and options.
func overlayPath(s string) string {
	return strings.NewReplacer(`\`, `\\`, ":", `\:`, ",", `\,`).Replace(s)
}

// assemble mounts the root where the runtime will find it, and returns what to
// do once the container has its own hold on it.
//
// That happens in a mount namespace which only this thread and the runtime see
// and which ends with them: nothing stays on the host even if all are killed, and
// systemd is not told of a mount. Mounts the container makes could then not be
// seen on the host, so where a Volume= asks for that, the root is mounted on the
// host until the container exists.
//
// The caller's goroutine stays on its thread from now on.
func (p rootPlan) assemble(at string) (release func(), err error) {
	runtime.LockOSThread()
	if p.Share {
		release = func() {
			unix.Unmount(at, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
			if p.Volatile != "" {
				unix.Unmount(filepath.Dir(p.Upper), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
			}
			for _, m := range p.Shared {
				unix.Unmount(m.At, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
			}
			for _, m := range p.Mapped {
				unix.Unmount(m.At, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
			}
		}
		if err := p.mount(at); err != nil {
			release()
			return nil, err
		}
		return release, nil
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return nil, fmt.Errorf("make a mount namespace: %w", err)
	}
	// The host's later mounts still reach volumes with slave propagation.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return nil, fmt.Errorf("separate the mount namespace: %w", err)
	}
	return func() {}, p.mount(at)
}
