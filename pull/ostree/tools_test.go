package ostree

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// need skips a test whose judge is not installed.
func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("SYSCONTAINER_TEST_STRICT") == "1" {
				t.Fatalf("needs %s", p)
			}
			t.Skipf("needs %s", p)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

func run(t testing.TB, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", cmd, err, out, stderr.String())
	}
	return string(out)
}

// newRepo is a repository that libostree must find flawless when the test ends.
// It is not made durable: that would wait for all that others write.
func newRepo(t testing.TB) *Repo {
	t.Helper()
	need(t, "ostree")
	r, err := OpenOrCreate(filepath.Join(t.TempDir(), "repo"))
	if err != nil {
		t.Fatal(err)
	}
	r.config.fsync = false
	t.Cleanup(func() {
		run(t, "ostree", "--repo="+r.Path(), "fsck", "-q")
		left, err := filepath.Glob(r.Path() + "/tmp/txn-*")
		if err != nil || len(left) > 0 {
			t.Errorf("left in tmp/: %v", left)
		}
		r.Close()
	})
	return r
}

func begin(t testing.TB, r *Repo) *Txn {
	t.Helper()
	txn, err := r.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(txn.Abort)
	return txn
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func writeFile(t testing.TB, txn *Txn, meta Meta, content string) Checksum {
	t.Helper()
	return must[Checksum](t)(txn.WriteFile(meta, int64(len(content)), strings.NewReader(content)))
}

// publish writes a tree as a commit under a ref.
func publish(t testing.TB, txn *Txn, tree *Tree, ref string) Checksum {
	t.Helper()
	root, meta, err := txn.WriteTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	commit := must[Checksum](t)(txn.WriteCommit(Commit{Subject: ref, Tree: root, Meta: meta}))
	if err := txn.Publish(map[string]Checksum{ref: commit}); err != nil {
		t.Fatal(err)
	}
	return commit
}

func small(t testing.TB, txn *Txn) *Tree {
	t.Helper()
	return &Tree{Meta: Meta{Mode: 0o755}, Files: map[string]Checksum{
		"hello": writeFile(t, txn, Meta{Mode: 0o644}, "hello\n"),
		"empty": writeFile(t, txn, Meta{Mode: 0o600}, ""),
		"link":  must[Checksum](t)(txn.WriteSymlink(Meta{}, "../../nowhere")),
	}, Dirs: map[string]*Tree{"dir": {Meta: Meta{UID: 7, GID: 8, Mode: 0o1777}}}}
}

func layOut(t testing.TB, r *Repo, commit Checksum, options CheckoutOptions) string {
	t.Helper()
	parent := must[*os.File](t)(os.Open(filepath.Dir(r.Path())))
	defer parent.Close()
	name := "out-" + filepath.Base(t.TempDir())
	if options.Copy {
		name += "-copy"
	}
	if err := r.Checkout(t.Context(), commit, parent, name, options); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(filepath.Dir(r.Path()), name)
}

func xattrsOfPath(path string) xattrReader {
	return xattrReader{
		func(b []byte) (int, error) { return unix.Llistxattr(path, b) },
		func(n string, b []byte) (int, error) { return unix.Lgetxattr(path, n, b) },
	}
}

func filePath(c Checksum) string { return object{c, kindFile}.path() }
