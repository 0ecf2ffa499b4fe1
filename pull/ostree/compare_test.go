package ostree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// differences compares a directory with a commit; "/mine" is the caller's.
func differences(t *testing.T, r *Repo, commit Checksum, path string) []string {
	t.Helper()
	dir := must[*os.File](t)(os.Open(path))
	defer dir.Close()
	var found []string
	err := r.Compare(t.Context(), commit, dir, func(path string) bool { return path == "/mine" }, func(path string, err error) {
		found = append(found, path)
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Whatever happens to a checkout is found at its path, and only there.
func TestCompareFindsChanges(t *testing.T) {
	r := newRepo(t)
	commits, _ := twoCommits(t, r)
	for name, c := range map[string]struct {
		change func(dir string) error
		want   []string
	}{
		"nothing":      {func(string) error { return nil }, nil},
		"caller's":     {func(d string) error { return os.Mkdir(d+"/mine", 0o755) }, nil},
		"time":         {func(d string) error { return unix.Utimes(d+"/hello", []unix.Timeval{{Sec: 9}, {Sec: 9}}) }, nil},
		"content":      {func(d string) error { return flip(d + "/hello") }, []string{"/hello"}},
		"length":       {func(d string) error { return appendTo(d+"/empty", "x") }, []string{"/empty"}},
		"mode":         {func(d string) error { return os.Chmod(d+"/hello", 0o600) }, []string{"/hello"}},
		"owner":        {func(d string) error { return os.Lchown(d+"/link", 3, 3) }, []string{"/link"}},
		"capability":   {func(d string) error { return os.Chown(d+"/sub/deep", 3, 3) }, []string{"/sub/deep"}}, // drops setuid
		"xattr":        {func(d string) error { return unix.Removexattr(d+"/sub/deep", "user.a") }, []string{"/sub/deep"}},
		"new xattr":    {func(d string) error { return unix.Setxattr(d+"/hello", "user.b", []byte("c"), 0) }, []string{"/hello"}},
		"missing":      {func(d string) error { return os.Remove(d + "/own") }, []string{"/own"}},
		"missing dir":  {func(d string) error { return os.RemoveAll(d + "/sub") }, []string{"/sub"}},
		"extra":        {func(d string) error { return os.WriteFile(d+"/sub/extra", nil, 0o644) }, []string{"/sub/extra"}},
		"extra dir":    {func(d string) error { return os.MkdirAll(d+"/sub/extra/below", 0o755) }, []string{"/sub/extra"}},
		"link":         {func(d string) error { return errors.Join(os.Remove(d+"/link"), os.Symlink("elsewhere", d+"/link")) }, []string{"/link"}},
		"file to link": {func(d string) error { return errors.Join(os.Remove(d+"/hello"), os.Symlink("own", d+"/hello")) }, []string{"/hello"}},
		"file to dir":  {func(d string) error { return errors.Join(os.Remove(d+"/hello"), os.Mkdir(d+"/hello", 0o644)) }, []string{"/hello"}},
		"file to fifo": {func(d string) error { return errors.Join(os.Remove(d+"/hello"), unix.Mkfifo(d+"/hello", 0o644)) }, []string{"/hello"}},
		"dir to link":  {func(d string) error { return errors.Join(os.Rename(d+"/sub", d+"/mine"), os.Symlink("mine", d+"/sub")) }, []string{"/sub"}},
		"dir mode":     {func(d string) error { return os.Chmod(d+"/sub", 0o700) }, []string{"/sub"}},
		"dir owner":    {func(d string) error { return os.Chown(d+"/dir", 7, 9) }, []string{"/dir"}},
		"dir xattr":    {func(d string) error { return unix.Setxattr(d+"/dir", "user.b", []byte("c"), 0) }, []string{"/dir"}},
		"root":         {func(d string) error { return os.Chmod(d, 0o711) }, []string{"/"}},
		"another file": {func(d string) error { return errors.Join(os.Remove(d+"/own"), os.Link(d+"/hello", d+"/own")) }, []string{"/own"}},
		"two":          {func(d string) error { return errors.Join(os.Remove(d+"/own"), os.Chmod(d+"/sub", 0)) }, []string{"/own", "/sub"}},
		"label":        {func(d string) error { return unix.Setxattr(d+"/hello", selinuxLabel, []byte("x"), 0) }, nil},
	} {
		for _, copied := range []bool{true, false} {
			if !copied && name != "nothing" && name != "missing" && name != "another file" && name != "root" {
				continue // would change the object
			}
			dir := layOut(t, r, commits[0], CheckoutOptions{Copy: copied})
			if err := c.change(dir); err != nil {
				t.Fatal(name, err)
			}
			got := differences(t, r, commits[0], dir)
			slices.Sort(got)
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("%s: found %q, want %q", name, got, c.want)
			}
		}
	}
	// A directory of the commit that cannot be read is said, not passed over.
	out := layOut(t, r, commits[0], CheckoutOptions{})
	tree := must[*Commit](t)(r.ReadCommit(commits[0])).Tree
	path := filepath.Join(r.Path(), "objects", object{tree, kindDirTree}.path())
	flip(path)
	if got := differences(t, r, commits[0], out); fmt.Sprint(got) != "[/]" {
		t.Errorf("damaged tree: %q", got)
	}
	flip(path)
}
