package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"syscontainer/units"
)

// mapsIDs tells whether the container has a user namespace of its own.
func mapsIDs(c *units.Container) bool { return len(c.UIDMap) > 0 }

// hostID is what a number of the container is on the machine; without a map, itself.
func hostID(ids []units.IDMap, id uint32) (uint32, bool) {
	for _, m := range ids {
		if id >= m.Container && id-m.Container < m.Size {
			return m.Host + (id - m.Container), true
		}
	}
	return id, len(ids) == 0
}

func mappings(ids []units.IDMap) (list []rspec.LinuxIDMapping) {
	for _, m := range ids {
		list = append(list, rspec.LinuxIDMapping{ContainerID: m.Container, HostID: m.Host, Size: m.Size})
	}
	return list
}

// idMaps are the maps of a container that has a user namespace.
type idMaps struct{ UID, GID []units.IDMap }

// owner gives a file the owner it would have if it were seen through the maps.
func (m *idMaps) owner(uid, gid uint32) (int, int) {
	if m != nil {
		uid, _ = hostID(m.UID, uid)
		gid, _ = hostID(m.GID, gid)
	}
	return int(uid), int(gid)
}

// mapsNote is the file in a container's directory that says whose its files are.
const mapsNote = "maps.json"

// sameMaps refuses maps other than those that a writable layer in dir was made with: its
// files belong to the users of the host, for overlayfs cannot write through a mount with
// other owners. A new layer gets a note of its maps.
func sameMaps(dir string, m *idMaps) error {
	if m == nil {
		m = new(idMaps)
	}
	have, err := readMaps(dir)
	if err != nil {
		return err
	}
	if have.equal(m) {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(dir, "upper")); errors.Is(err, os.ErrNotExist) {
		return writeMaps(dir, m)
	} else if err != nil {
		return err
	}
	return otherMaps(dir)
}

func otherMaps(dir string) error {
	return withHint(fmt.Errorf("what the container wrote into its root, in %s, belongs to users of another UIDMap=, GIDMap= or UserNS=", dir),
		"set them as they were, or remove %s and lose it", dir)
}

// equal takes no maps for a container without a user namespace.
func (m *idMaps) equal(other *idMaps) bool {
	if m == nil {
		m = new(idMaps)
	}
	return slices.Equal(m.UID, other.UID) && slices.Equal(m.GID, other.GID)
}

// readMaps is nil where there is no note.
func readMaps(dir string) (*idMaps, error) {
	data, err := os.ReadFile(filepath.Join(dir, mapsNote))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	m := new(idMaps)
	if err == nil {
		err = json.Unmarshal(data, m)
	}
	if err != nil {
		return nil, withHint(fmt.Errorf("read %s, whose users a container's files belong to: %w", filepath.Join(dir, mapsNote), err),
			"remove %s and lose what is in it", dir)
	}
	return m, nil
}

// writeMaps returns when the note is on the disk: files that belong to its users come after it.
func writeMaps(dir string, m *idMaps) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	note := filepath.Join(dir, mapsNote)
	f, err := os.OpenFile(note+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(note+".new", note)
	}
	if err != nil {
		os.Remove(note + ".new")
		return err
	}
	return syncDirectory(dir)
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// userNamespace makes a user namespace with these maps, which lasts as long as the
// descriptor. It is that of a process which is stopped before its first instruction.
// The caller's goroutine must be bound to its thread: that is who may stop it.
func (m *idMaps) userNamespace() (*os.File, error) {
	convert := func(ids []units.IDMap) (list []syscall.SysProcIDMap) {
		for _, m := range ids {
			list = append(list, syscall.SysProcIDMap{ContainerID: int(m.Container), HostID: int(m.Host), Size: int(m.Size)})
		}
		return list
	}
	p, err := os.StartProcess("/proc/self/exe", []string{"render"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, UidMappings: convert(m.UID), GidMappings: convert(m.GID),
		GidMappingsEnableSetgroups: true, Ptrace: true, Pdeathsig: unix.SIGKILL}})
	if err != nil {
		return nil, fmt.Errorf("make a user namespace: %w", cause(err))
	}
	defer p.Wait()
	defer p.Kill()
	return os.Open(fmt.Sprintf("/proc/%d/ns/user", p.Pid))
}

// mappedMount is a mount of a directory or file of which the owners are seen through
// the maps of a user namespace (mount_setattr(2)); nothing in it changes.
type mappedMount struct {
	From  string `json:"from"`
	At    string `json:"at"`              // what is there to mount on
	Below bool   `json:"below,omitempty"` // what is mounted below From, too
	Given bool   `json:"given,omitempty"` // through the maps of what is given to the payload, not the root's
}

func (m mappedMount) mount(namespace *os.File, attributes uint64) error {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	var recursive uint
	if m.Below {
		flags |= unix.AT_RECURSIVE
		recursive = unix.AT_RECURSIVE
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, m.From, flags)
	if err != nil && err != unix.ENOSYS {
		return fmt.Errorf("mount %s with other owners: %w", m.From, err)
	}
	if err == nil {
		defer unix.Close(fd)
		err = unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|recursive, &unix.MountAttr{Attr_set: attributes | unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(namespace.Fd())})
	}
	switch {
	case errors.Is(err, unix.ENOSYS):
		return withHint(fmt.Errorf("mount %s with other owners: this kernel cannot", m.From), "UIDMap=, and Directories= with a user, need Linux 5.12")
	case errors.Is(err, unix.EINVAL):
		return withHint(fmt.Errorf("mount %s with other owners: its file system cannot, not with this kernel", m.From),
			"ext4, xfs, btrfs and, since Linux 6.3, tmpfs can; see mount_setattr(2)")
	case err != nil:
		return fmt.Errorf("mount %s with other owners: %w", m.From, err)
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, m.At, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount %s with other owners on %s: %w", m.From, m.At, err)
	}
	return nil
}
