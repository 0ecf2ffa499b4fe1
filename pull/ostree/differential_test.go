package ostree

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// randomTree makes a directory of odd names, modes and attributes, and the
// same as a tree to be written.
func randomTree(t *testing.T, rnd *rand.Rand, txn *Txn, dir string, depth int) *Tree {
	tree := &Tree{Files: map[string]Checksum{}, Dirs: map[string]*Tree{}}
	count := rnd.IntN(12)
	if depth == 1 && rnd.IntN(8) == 0 {
		count, depth = 1700, 4 // offsets of four bytes
	}
	for i := range count {
		name := randomName(rnd, i)
		path := filepath.Join(dir, name)
		switch kind := rnd.IntN(10); {
		case kind == 0 && depth < 4:
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			tree.Dirs[name] = randomTree(t, rnd, txn, path, depth+1)
		case kind == 1:
			target := strings.Repeat("t/", rnd.IntN(140)) + "x"
			meta := Meta{UID: rnd.Uint32N(3), GID: rnd.Uint32N(70000)}
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
			os.Lchown(path, int(meta.UID), int(meta.GID))
			tree.Files[name] = must[Checksum](t)(txn.WriteSymlink(meta, target))
		default:
			meta := randomMeta(rnd)
			content := strings.Repeat("c", rnd.IntN(3)*rnd.IntN(9000))
			if rnd.IntN(100) == 0 {
				content = string(make([]byte, rnd.IntN(3<<20)))
			}
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			applyMeta(t, path, meta)
			tree.Files[name] = writeFile(t, txn, meta, content)
		}
	}
	tree.Meta = randomMeta(rnd)
	applyMeta(t, dir, tree.Meta)
	return tree
}

func randomName(rnd *rand.Rand, i int) string {
	alphabet := []string{"a", "Z", " ", "\n", "ä", "日", "-", ".", "\\", "\x01", "~"}
	n := rnd.IntN(6)
	if rnd.IntN(10) == 0 {
		n = 60 + rnd.IntN(10)
	}
	var b strings.Builder
	for range n {
		b.WriteString(alphabet[rnd.IntN(len(alphabet))])
	}
	name := b.String() + fmt.Sprint("_", i)
	if rnd.IntN(10) == 0 { // around the width of an offset
		name = strings.Repeat("x", 214+rnd.IntN(8)-len(fmt.Sprint(i))) + fmt.Sprint(i)
	}
	return name
}

func randomMeta(rnd *rand.Rand) Meta {
	m := Meta{UID: rnd.Uint32N(2) * rnd.Uint32N(1<<32-1), GID: rnd.Uint32N(5), Mode: rnd.Uint32N(0o10000)}
	for i := range max(0, rnd.IntN(8)-5) {
		if m.Xattrs == nil {
			m.Xattrs = map[string]string{}
		}
		m.Xattrs[fmt.Sprint("user.", rnd.IntN(100))] = strings.Repeat("v", 1+i*rnd.IntN(250))
	}
	return m
}

func applyMeta(t *testing.T, path string, m Meta) {
	t.Helper()
	if err := os.Chown(path, int(m.UID), int(m.GID)); err != nil {
		t.Fatal(err)
	}
	for name, value := range m.Xattrs {
		if err := unix.Setxattr(path, name, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Chmod(path, m.Mode); err != nil {
		t.Fatal(err)
	}
}

// libostree commits a directory, we write the same: every id is equal, down to
// the commit's.
func TestSameAsLibostree(t *testing.T) {
	need(t, "ostree")
	seeds := uint64(12)
	if os.Getenv("SYSCONTAINER_TEST_LONG") != "" {
		seeds = 100
	}
	for seed := range seeds {
		rnd := rand.New(rand.NewPCG(seed, 1))
		theirs := filepath.Join(t.TempDir(), "theirs")
		run(t, "ostree", "--repo="+theirs, "init", "--mode=bare")
		ours := newRepo(t)
		txn := begin(t, ours)
		dir := filepath.Join(t.TempDir(), "tree")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		tree := randomTree(t, rnd, txn, dir, 0)
		args := []string{"--repo=" + theirs, "commit", "-b", "t", "--tree=dir=" + dir, "--no-bindings", "--fsync=false",
			fmt.Sprint("--timestamp=@", seed*1e8), "-s", strings.Repeat("S", int(seed*20))}
		metadata := map[string]string{}
		for i := range seed % 4 {
			key, value := fmt.Sprint("k", i), strings.Repeat("ä ", int(seed*5))
			metadata[key] = value
			args = append(args, "--add-metadata-string="+key+"="+value)
		}
		want := strings.TrimSpace(run(t, "ostree", args...))

		root, meta, err := txn.WriteTree(tree)
		if err != nil {
			t.Fatal(err)
		}
		commit := must[Checksum](t)(txn.WriteCommit(Commit{
			Metadata: StringMetadata(metadata), Subject: strings.Repeat("S", int(seed*20)), Timestamp: seed * 1e8, Tree: root, Meta: meta,
		}))
		if err := txn.Publish(map[string]Checksum{"t": commit}); err != nil {
			t.Fatal(err)
		}
		if commit.String() != want {
			t.Errorf("seed %d: commit %v, libostree's %s", seed, commit, want)
		}
		// And we read what libostree wrote.
		r := must[*Repo](t)(Open(theirs))
		if got := must[Checksum](t)(r.ResolveRef("t")); got.String() != want {
			t.Errorf("seed %d: resolved %v", seed, got)
		}
		if err := r.Fsck(t.Context(), sum(t, want)); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		compareCheckouts(t, r, sum(t, want))
		r.Close()
	}
}

// compareCheckouts lays out a commit by both implementations.
func compareCheckouts(t *testing.T, r *Repo, commit Checksum) {
	t.Helper()
	ours := layOut(t, r, commit, CheckoutOptions{})
	copied := layOut(t, r, commit, CheckoutOptions{Copy: true})
	theirs := filepath.Join(t.TempDir(), "out")
	run(t, "ostree", "--repo="+r.Path(), "checkout", "-H", commit.String(), theirs)
	want := describe(t, theirs)
	for _, dir := range []string{ours, copied} {
		if got := describe(t, dir); got != want {
			t.Errorf("checkout differs from libostree's:\n%s", firstDifference(got, want))
		}
	}
}

// describe lists type, mode, owner, size, target, time and attributes of
// everything below dir.
func describe(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		fmt.Fprintf(&b, "%q %o %d:%d", name, st.Mode, st.Uid, st.Gid)
		if info.Mode()&os.ModeSymlink != 0 {
			target, _ := os.Readlink(path)
			fmt.Fprintf(&b, " -> %q", target)
		} else {
			if !info.IsDir() {
				content, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				fmt.Fprintf(&b, " %v", FileChecksum(Meta{}, content))
			}
			if st.Size > 0 { // libostree copies empty files, with a fresh time
				fmt.Fprintf(&b, " @%d", st.Mtim.Sec)
			}
		}
		xattrs, err := xattrsOfPath(path).read()
		fmt.Fprintf(&b, " %q\n", xattrs)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("got  %s\nwant %s", g[i], w[i])
		}
	}
	return fmt.Sprintf("%d entries, want %d", len(g), len(w))
}
