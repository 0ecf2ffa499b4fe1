package ostree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

const heads = "refs/heads"

// checkNewRef refuses names that libostree does not take, and a few it takes in
// another sense: 64 hex digits are a commit, and one component of hex digits
// may be the beginning of one.
func checkNewRef(name string) error {
	for component := range strings.SplitSeq(name, "/") {
		if !validComponent(component) {
			return fmt.Errorf("invalid ref %q: components are [A-Za-z0-9_][A-Za-z0-9._-]*, up to 255 bytes", name)
		}
	}
	if isHex(name) {
		return fmt.Errorf("invalid ref %q: reads like a commit", name)
	}
	return nil
}

func validComponent(s string) bool {
	if s == "" || len(s) > 255 || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if !isPlain(s[i]) && s[i] != '_' {
			return false
		}
	}
	return true
}

// checkRef refuses what libostree would not read as a ref.
func checkRef(name string) error {
	for component := range strings.SplitSeq(name, "/") {
		if !readComponent(component) {
			return fmt.Errorf("invalid ref %q", name)
		}
	}
	return nil
}

// readComponent is libostree's own rule, which knows letters of every script.
func readComponent(s string) bool {
	if s == "" || len(s) > 255 || s[0] == '.' || s[0] == '-' || !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if c != '_' && c != '.' && c != '-' && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return false
		}
	}
	return true
}

func isPlain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-'
}

func isHex(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdef") == "" }

// ResolveRef returns the commit that a ref names: NAME is refs/heads/NAME,
// REMOTE:NAME is refs/remotes/REMOTE/NAME. What is not here may be in a parent
// repository. A ref that is not there is fs.ErrNotExist; one that is empty or holds anything but a checksum is damage
// and another error. That the commit is there is not checked.
func (r *Repo) ResolveRef(name string) (Checksum, error) {
	path := heads + "/" + name
	plain := name
	if remote, rest, ok := strings.Cut(name, ":"); ok {
		if !validComponent(remote) {
			return Checksum{}, fmt.Errorf("invalid remote %q", remote)
		}
		path, plain = "refs/remotes/"+remote+"/"+rest, rest
	}
	if err := checkRef(plain); err != nil {
		return Checksum{}, err
	}
	c, err := r.readRef(path)
	if r.parent != nil && errors.Is(err, fs.ErrNotExist) {
		return r.parent.ResolveRef(name)
	}
	return c, err
}

func (r *Repo) readRef(path string) (c Checksum, err error) {
	// A symbolic link is libostree's alias; it may not lead out of the repository.
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	}
	fd, err := unix.Openat2(r.fd(), path, &how)
	for range 1000 { // ".." in an alias, and somebody renames something on this machine
		if err != unix.EAGAIN && err != unix.EINTR {
			break
		}
		fd, err = unix.Openat2(r.fd(), path, &how)
	}
	if err == unix.ENOTDIR {
		err = unix.ENOENT
	}
	if err != nil {
		return c, fmt.Errorf("ref %s: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return c, fmt.Errorf("ref %s: %w", path, fs.ErrNotExist) // a directory of refs
	}
	data := make([]byte, 128)
	n, err := f.Read(data)
	if err != nil && n == 0 {
		return c, fmt.Errorf("ref %s is damaged: empty", path)
	}
	c, err = ParseChecksum(strings.TrimRight(string(data[:n]), " \t\r\n"))
	if err != nil {
		return c, fmt.Errorf("ref %s is damaged: %w", path, err)
	}
	return c, nil
}

// Refs returns the local refs below prefix, which is a ref or what stands
// before a slash in one; "" is all. A damaged ref is an error.
func (r *Repo) Refs(prefix string) (map[string]Checksum, error) {
	refs := map[string]Checksum{}
	err := r.eachRef(prefix, func(name, path string) (err error) {
		refs[name], err = r.readRef(path)
		return err
	})
	return refs, err
}

// RefTimes returns when each of the local refs below prefix was written. Refs
// that hold no checksum are among them.
func (r *Repo) RefTimes(prefix string) (map[string]time.Time, error) {
	times := map[string]time.Time{}
	err := r.eachRef(prefix, func(name, path string) error {
		var st unix.Stat_t
		if err := unix.Fstatat(r.fd(), path, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("ref %s: %w", path, err)
		}
		times[name] = time.Unix(st.Mtim.Unix())
		return nil
	})
	return times, err
}

// eachRef calls fn for every local ref below prefix, with its path.
func (r *Repo) eachRef(prefix string, fn func(name, path string) error) error {
	if prefix == "" {
		return r.walkRefs(heads, "", 0, fn)
	}
	if err := checkRef(prefix); err != nil {
		return err
	}
	path := heads + "/" + prefix
	var st unix.Stat_t
	switch err := unix.Fstatat(r.fd(), path, &st, unix.AT_SYMLINK_NOFOLLOW); {
	case err == unix.ENOENT || err == unix.ENOTDIR:
		return nil
	case err != nil:
		return fmt.Errorf("list %s: %w", path, err)
	case st.Mode&typeMask == typeDir:
		return r.walkRefs(heads, prefix+"/", 0, fn)
	}
	return fn(prefix, path)
}

// walkRefs calls fn for every ref in one directory below base, which is
// refs/heads or one of its siblings; prefix is "" or ends in a slash.
func (r *Repo) walkRefs(base, prefix string, depth int, fn func(name, path string) error) error {
	if depth > 64 {
		return fmt.Errorf("%s/%s: refs nest too deep", base, prefix)
	}
	path := base + "/" + prefix
	dir, err := openDir(r.fd(), path, unix.O_NOFOLLOW)
	if err != nil {
		return fmt.Errorf("list %s: %w", path, err)
	}
	entries, err := dir.ReadDir(-1)
	dir.Close()
	if err != nil {
		return fmt.Errorf("list %s: %w", path, err)
	}
	for _, e := range entries {
		name := prefix + e.Name()
		if !readComponent(e.Name()) {
			continue // as libostree does
		}
		if e.IsDir() {
			err = r.walkRefs(base, name+"/", depth+1, fn)
		} else {
			err = fn(name, base+"/"+name)
			if errors.Is(err, fs.ErrNotExist) && missing(r, base+"/"+name) {
				err = nil // deleted meanwhile
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteRef removes one local ref, durably; its objects stay until a prune. A
// ref that is not there is fs.ErrNotExist. An alias of it that somebody made
// with libostree dangles then: delete that first.
func (r *Repo) DeleteRef(ctx context.Context, name string) error {
	if err := checkRef(name); err != nil {
		return err
	}
	lock, err := r.lock(ctx, false)
	if err != nil {
		return err
	}
	defer lock.Close()
	dir, err := r.unlinkRef(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return errors.Join(r.touch(), r.syncFile(dir))
}

// unlinkRef removes a ref, not yet durably, and returns the directory it was
// in.
func (r *Repo) unlinkRef(name string) (*os.File, error) {
	dir, base, err := r.refDir(heads+"/"+name, false)
	if err != nil {
		return nil, fmt.Errorf("delete ref %s: %w", name, err)
	}
	if err := unix.Unlinkat(int(dir.Fd()), base, 0); err != nil {
		dir.Close()
		if err == unix.EISDIR {
			err = fs.ErrNotExist
		}
		return nil, fmt.Errorf("delete ref %s: %w", name, err)
	}
	return dir, nil
}

// writeRef replaces a ref by way of a file in the staging directory: a
// leftover in refs/ would be a ref. The rename is not durable yet.
func (r *Repo) writeRef(staging int, name string, commit Checksum) error {
	err := func() error {
		dir, base, err := r.refDir(heads+"/"+name, true)
		if err != nil {
			return err
		}
		defer dir.Close()
		const temporary = "ref"
		fd, err := openAt(staging, temporary, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW, 0o644)
		if err != nil {
			return err
		}
		err = writeAll(fd, []byte(commit.String()+"\n"))
		if err == nil {
			err = unix.Fchmod(fd, 0o644)
		}
		if err == nil && r.config.fsync {
			err = retry(func() error { return unix.Fsync(fd) })
		}
		if err = closeAfter(fd, err); err != nil {
			return err
		}
		if err := unix.Renameat(staging, temporary, int(dir.Fd()), base); err != nil {
			return err
		}
		return r.touch()
	}()
	switch err {
	case nil:
		return nil
	case unix.ENOTDIR, unix.EISDIR:
		return fmt.Errorf("write ref %s: a ref cannot be the beginning of another: %w", name, err)
	}
	return fmt.Errorf("write ref %s: %w", name, err)
}

// refDir opens the directory of a ref, never through a symbolic link.
func (r *Repo) refDir(path string, create bool) (dir *os.File, base string, err error) {
	i := strings.LastIndexByte(path, '/')
	base = path[i+1:]
	if dir, err = openDir(r.fd(), heads, unix.O_NOFOLLOW); err != nil {
		return nil, "", err
	}
	for component := range strings.SplitSeq(strings.Trim(strings.TrimPrefix(path[:i], heads), "/"), "/") {
		if component == "" {
			break
		}
		if create {
			if err := unix.Mkdirat(int(dir.Fd()), component, 0o777); err != nil && err != unix.EEXIST {
				dir.Close()
				return nil, "", err
			}
		}
		next, err := openDir(int(dir.Fd()), component, unix.O_NOFOLLOW)
		dir.Close()
		if err != nil {
			return nil, "", err
		}
		dir = next
	}
	return dir, base, nil
}

// touch tells other programs that refs have changed.
func (r *Repo) touch() error {
	now := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Nsec: unix.UTIME_NOW}}
	return unix.UtimesNanoAt(r.fd(), "", now, unix.AT_EMPTY_PATH)
}

func (r *Repo) syncFile(f *os.File) error {
	if !r.config.fsync {
		return nil
	}
	return f.Sync()
}
