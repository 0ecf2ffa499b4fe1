// Package libostree is a module of its own because it links libostree, by way
// of its Go binding, and so needs cgo, which nothing else here does. It asks
// that library about a repository that pull/ostree wrote. The binding can do
// little more than open, log and check out; all else is asked of the ostree
// command in pull/ostree's own tests.
//
// To run it: apt install libostree-dev pkg-config gcc, then
//
//	CGO_ENABLED=1 go test ./...
package libostree

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ostreedev/ostree-go/pkg/otbuiltin"
)

// made is a repository of ours and a checkout by us.
func made(t *testing.T) (repo, checkout string) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("SYSCONTAINER_TEST_STRICT") == "1" {
			t.Fatal("needs root")
		}
		t.Skip("needs root")
	}
	dir := t.TempDir()
	repo, checkout = filepath.Join(dir, "repo"), filepath.Join(dir, "ours")
	cmd := exec.Command("go", "run", "test/libostree/testdata/make.go", repo, checkout)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return repo, checkout
}

func TestOpenLogCheckout(t *testing.T) {
	repo, ours := made(t)
	if _, err := otbuiltin.OpenRepo(repo); err != nil {
		t.Fatalf("open: %v", err)
	}
	entries, err := otbuiltin.Log(repo, "made", otbuiltin.NewLogOptions())
	if err != nil {
		t.Fatalf("log: %v", err)
	}
	if len(entries) != 1 || entries[0].Subject != "written without libostree" || entries[0].Timestamp.Unix() != 1700000000 {
		t.Errorf("log: %+v", entries)
	}

	theirs := filepath.Join(filepath.Dir(ours), "theirs")
	options := otbuiltin.NewCheckoutOptions()
	options.RequireHardlinks = true
	if err := otbuiltin.Checkout(repo, theirs, "made", options); err != nil {
		t.Fatalf("check out: %v", err)
	}
	if a, b := list(t, ours), list(t, theirs); a != b {
		t.Errorf("checkouts differ\nours:\n%.2000s\nlibostree's:\n%.2000s", a, b)
	}
}

// list describes a tree. Files are hard links to objects, so their inode tells
// everything, but for empty ones, which libostree copies.
func list(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		fmt.Fprintf(&b, "%q %o %d:%d", name, st.Mode, st.Uid, st.Gid)
		switch {
		case !e.IsDir() && st.Size > 0:
			fmt.Fprintf(&b, " inode %d", st.Ino)
		case e.IsDir():
			value := make([]byte, 100)
			if n, err := syscall.Getxattr(path, "trusted.t", value); err == nil {
				fmt.Fprintf(&b, " trusted.t=%q", value[:n])
			}
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
