package ostree

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPublishRefuses(t *testing.T) {
	r := newRepo(t)
	nobody := sum(t, idD0)
	if err := begin(t, r).Publish(map[string]Checksum{"x": nobody}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ref to a missing commit: %v", err)
	}
	for _, name := range []string{"", "/a", "a/", "a//b", "..", "a/../b", ".a", "-a", "a b", "a@b", "a:b", "ä", "cafe", nobody.String(), strings.Repeat("x", 256)} {
		if err := begin(t, r).Publish(map[string]Checksum{name: nobody}); err == nil || !strings.Contains(err.Error(), "invalid ref") {
			t.Errorf("ref %q: %v", name, err)
		}
	}
	txn := begin(t, r)
	if _, err := txn.WriteDirTree(treeC1(t)); err == nil {
		t.Error("a tree of files that were not written: accepted")
	}
	if err := txn.Publish(nil); err == nil {
		t.Error("published after a failed write")
	}
	txn = begin(t, r)
	if _, err := txn.WriteFile(Meta{}, 10, strings.NewReader("short")); err == nil {
		t.Error("short content: accepted")
	}
	publish(t, begin(t, r), &Tree{Meta: Meta{Mode: 0o755}}, "a/b")
	txn = begin(t, r)
	tree := &Tree{Meta: Meta{Mode: 0o700}}
	root, meta, err := txn.WriteTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	commit := must[Checksum](t)(txn.WriteCommit(Commit{Tree: root, Meta: meta}))
	if err := txn.Publish(map[string]Checksum{"a": commit}); err == nil {
		t.Error("ref a beside ref a/b: accepted")
	}
}

// What the kernel would give back otherwise than it was set is refused.
func TestWriteFileRefuses(t *testing.T) {
	r := newRepo(t)
	for name, meta := range map[string]Meta{
		"uid":                {UID: 1<<32 - 1},
		"mode":               {Mode: 0o100644},
		"empty value":        {Xattrs: map[string]string{"user.a": ""}},
		"namespace":          {Xattrs: map[string]string{"foo.a": "x"}},
		"too large":          {Xattrs: map[string]string{"user.a": strings.Repeat("x", 1<<16+1)}},
		"default ACL":        {Xattrs: map[string]string{"system.posix_acl_default": string(unhex(t, "02000000 0100 0700 ffffffff 0400 0500 ffffffff 2000 0500 ffffffff"))}},
		"minimal ACL":        {Mode: 0o755, Xattrs: map[string]string{"system.posix_acl_access": string(unhex(t, "02000000 0100 0700 ffffffff 0400 0500 ffffffff 2000 0500 ffffffff"))}},
		"ACL against mode":   {Mode: 0o700, Xattrs: map[string]string{"system.posix_acl_access": string(unhex(t, "02000000 0100 0700 ffffffff 0200 0700 e8030000 0400 0500 ffffffff 1000 0700 ffffffff 2000 0500 ffffffff"))}},
		"capability v3 of 0": {Xattrs: map[string]string{"security.capability": string(unhex(t, "01000003 00040000 00000000 00000000 00000000 00000000"))}},
	} {
		if _, err := begin(t, r).WriteFile(meta, 1, strings.NewReader("x")); err == nil {
			t.Errorf("%s: accepted", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
	for _, target := range []string{"", "a\x00b", "\xff", strings.Repeat("x", 4096)} {
		if _, err := begin(t, r).WriteSymlink(Meta{}, target); err == nil {
			t.Errorf("target %.20q: accepted", target)
		}
	}
	if _, err := begin(t, r).WriteDirMeta(Meta{Xattrs: map[string]string{"user.a": strings.Repeat("x", 1<<16+1)}}); err == nil {
		t.Error("directory that cannot be checked out: accepted")
	}
}

func TestHolesAreNotWritten(t *testing.T) {
	r := newRepo(t)
	txn := begin(t, r)
	zeros := func(n int) string { return string(make([]byte, n)) }
	contents := map[string]string{
		"zeros":       zeros(300 << 10),
		"head":        zeros(64<<10) + "x",
		"tail":        "x" + zeros(200<<10),
		"middle":      strings.Repeat("x", 5000) + zeros(100<<10) + "y",
		"short":       strings.Repeat("x", 4096) + zeros(4096) + "y",
		"large":       strings.Repeat("x", 300<<10) + zeros(3<<20) + strings.Repeat("y", 77),
		"large tail":  "x" + zeros(5<<20),
		"large zeros": zeros(2<<20 + 1),
	}
	tree := &Tree{Meta: Meta{Mode: 0o755}, Files: map[string]Checksum{}}
	for name, content := range contents {
		tree.Files[name] = writeFile(t, txn, Meta{Mode: 0o644}, content)
	}
	dir := layOut(t, r, publish(t, txn, tree, "holes"), CheckoutOptions{})
	for name, content := range contents {
		got := must[[]byte](t)(os.ReadFile(dir + "/" + name))
		if string(got) != content {
			t.Errorf("%s: content differs", name)
		}
		var st unix.Stat_t
		unix.Stat(dir+"/"+name, &st)
		if name != "short" && st.Blocks*512 >= int64(len(content)) {
			t.Errorf("%s: %d bytes take %d", name, len(content), st.Blocks*512)
		}
	}
}

func TestEqualFilesAreOneObject(t *testing.T) {
	r := newRepo(t)
	for range 2 { // the second finds everything in the repository
		txn := begin(t, r)
		done := make(chan *Tree)
		for range 4 {
			go func() {
				tree := &Tree{Meta: Meta{Mode: 0o755}, Files: map[string]Checksum{}}
				for i := range 200 {
					content := strings.Repeat(string(rune('a'+i%26)), i*40)
					if i%50 == 0 {
						content = strings.Repeat(content+"x", 2<<20/(i*40+1)) // large
					}
					tree.Files[strings.Repeat("n", i+1)], _ = txn.WriteFile(Meta{Mode: 0o644}, int64(len(content)), strings.NewReader(content))
				}
				done <- tree
			}()
		}
		first := <-done
		for range 3 {
			if next := <-done; !maps.Equal(next.Files, first.Files) {
				t.Error("the same content has different ids")
			}
		}
		publish(t, txn, first, "same")
	}
	files, _ := filepath.Glob(r.Path() + "/objects/*/*.file")
	if len(files) != 200 {
		t.Errorf("%d objects", len(files))
	}
}

func TestNoSpaceIsReserved(t *testing.T) {
	r := newRepo(t)
	r.config.minFreeBytes = 1 << 60
	if _, err := begin(t, r).WriteFile(Meta{}, 1, strings.NewReader("x")); !errors.Is(err, unix.ENOSPC) {
		t.Error(err)
	}
}

// Objects that the repository has already may come up any number of times in a
// later transaction.
func TestStoredObjectsComeUpTwice(t *testing.T) {
	repo, err := OpenOrCreate(filepath.Join(t.TempDir(), "repo"))
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	for i := range 2 {
		txn, err := repo.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer txn.Abort()
		dir := func() *Tree { return &Tree{Meta: Meta{Mode: 0o755}} }
		tree, meta, err := txn.WriteTree(&Tree{Meta: Meta{Mode: 0o755}, Dirs: map[string]*Tree{"a": dir(), "b": dir()}})
		if err != nil {
			t.Fatal(err)
		}
		commit, err := txn.WriteCommit(Commit{Subject: fmt.Sprint(i), Tree: tree, Meta: meta})
		if err != nil {
			t.Fatal(err)
		}
		if err := txn.Publish(map[string]Checksum{"r": commit}); err != nil {
			t.Fatalf("transaction %d: %v", i+1, err)
		}
	}
}
