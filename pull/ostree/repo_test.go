package ostree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
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

func TestCreate(t *testing.T) {
	r := newRepo(t)
	if err := Create(r.Path()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create over a repository: %v", err)
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of an empty directory: %v", err)
	}
	if mode := run(t, "ostree", "--repo="+r.Path(), "config", "get", "core.mode"); mode != "bare\n" {
		t.Errorf("libostree says mode %q", mode)
	}
	// What an interrupted Create left is completed.
	half := t.TempDir()
	os.Mkdir(filepath.Join(half, "tmp"), 0o755)
	if err := Create(half); err != nil {
		t.Error(err)
	}
	run(t, "ostree", "--repo="+half, "fsck")
}

func TestOpenOfLibostreesRepository(t *testing.T) {
	need(t, "ostree")
	for mode, ok := range map[string]bool{"bare": true, "bare-user": false, "archive": false, "bare-user-only": false} {
		dir := t.TempDir()
		run(t, "ostree", "--repo="+dir, "init", "--mode="+mode)
		r, err := Open(dir)
		if (err == nil) != ok {
			t.Errorf("%s: %v", mode, err)
		}
		if err == nil {
			r.Close()
		}
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{newConfig, ""},
		{"[core]\r\nmode = bare\r\nrepo_version = 1\r\n", ""},
		{"# x\n[core]\nrepo_version=1\nmode=archive\n[core]\nmode=bare\nunknown=a # b \\\n", ""},
		{"[core]\nmode=bare\n", "repo_version"},
		{"[core]\nrepo_version=2\nmode=bare\n", "repo_version=2"},
		{"[core]\nrepo_version=1\nmode=archive-z2\n", "mode=archive-z2"},
		{"[core]\nrepo_version=1\nmode=bare \n", "ends in a blank"},
		{"[core]\nrepo_version=1\nparent=../repo\n", "parent=../repo"},
		{"[core]\nrepo_version=1\nparent=/ostree/repo\n", ""},
		{"[core]\nrepo_version=1\nlocking=false\n", "locking"},
		{"[core]\nrepo_version=1\nfsync=yes\n", "fsync=yes"},
		{"[core]\nrepo_version=1\nmin-free-space-percent=100\n", "percent"},
		{"[core]\nrepo_version=1\nmin-free-space-size=5KB\n", "size"},
		{"; x\n[core]\nrepo_version=1\n", "config:1"},
		{"mode=bare\n[core]\nrepo_version=1\n", "before the first group"},
	} {
		_, err := parseConfig([]byte(c.text))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: got %v, want %q", c.text, err, c.want)
		}
	}
}

// The judge sees what was written, entry by entry.
func TestLibostreeReadsOurs(t *testing.T) {
	r := newRepo(t)
	r.config.fsync = true
	txn := begin(t, r)
	file := writeFile(t, txn, metaA2, "#!/bin/sh\n")
	tree := small(t, txn)
	tree.Files["run"] = file
	tree.Dirs["x"] = &Tree{Meta: metaB2, Dirs: map[string]*Tree{"ä b": {Meta: Meta{Mode: 0o700}}}}
	root, meta, err := txn.WriteTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	commit := must[Checksum](t)(txn.WriteCommit(Commit{
		Metadata: StringMetadata(map[string]string{"version": "1.0", "io.test": "a b"}),
		Subject:  "subject", Body: "body", Timestamp: 1700000000, Tree: root, Meta: meta,
	}))
	refs := map[string]Checksum{"one": commit, "image/two.x": commit}
	if err := txn.Publish(refs); err != nil {
		t.Fatal(err)
	}

	listing := run(t, "ostree", "--repo="+r.Path(), "ls", "-R", "-C", "-d", "-X", "one")
	for _, want := range []string{
		"-04755 1000 8     10 " + file.String() + " { [(b'user.a', [byte 0x31]), (b'user.b', [0x74, 0x77, 0x6f])] } /run",
		"l00777 0 0      0 ", "/link -> ../../nowhere", "d01777 7 8      0 ", "/x/ä b", "d02775 0 12 ", "-00600 0 0      0 " + FileChecksum(Meta{Mode: 0o600}, nil).String(),
	} {
		if !strings.Contains(listing, want) {
			t.Errorf("ostree ls: no %q in\n%s", want, listing)
		}
	}
	show := run(t, "ostree", "--repo="+r.Path(), "show", commit.String())
	if !strings.Contains(show, "subject") || !strings.Contains(show, "2023-11-14 22:13:20") {
		t.Errorf("ostree show:\n%s", show)
	}
	if v := run(t, "ostree", "--repo="+r.Path(), "show", "--print-metadata-key=io.test", "one"); v != "'a b'\n" {
		t.Errorf("metadata: %q", v)
	}
	if got := run(t, "ostree", "--repo="+r.Path(), "refs"); !strings.Contains(got, "image/two.x\n") || !strings.Contains(got, "one\n") {
		t.Errorf("ostree refs: %q", got)
	}
	if got := must[map[string]Checksum](t)(r.Refs("")); !maps.Equal(got, refs) {
		t.Errorf("Refs: %v", got)
	}
	c := must[*Commit](t)(r.ReadCommit(commit))
	if text, _ := c.Metadata.Text("version"); text != "1.0" {
		t.Errorf("ReadCommit: %+v", c)
	}
	if err := r.Fsck(t.Context(), commit); err != nil {
		t.Error(err)
	}
}

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

func TestCapabilitiesAndSetuidSurvive(t *testing.T) {
	r := newRepo(t)
	txn := begin(t, r)
	capability := string(unhex(t, "01000002 00040000 00000000 00000000 00000000"))
	acl := string(unhex(t, "02000000 0100 0700 ffffffff 0200 0500 e8030000 0400 0500 ffffffff 1000 0500 ffffffff 2000 0500 ffffffff"))
	large := strings.Repeat("large ", 1<<20)
	commit := publish(t, txn, &Tree{Meta: Meta{Mode: 0o755}, Files: map[string]Checksum{
		"ping":  writeFile(t, txn, Meta{UID: 3, GID: 4, Mode: 0o6755, Xattrs: map[string]string{"security.capability": capability}}, "x"),
		"acl":   writeFile(t, txn, Meta{Mode: 0o755, Xattrs: map[string]string{"system.posix_acl_access": acl}}, "x"),
		"large": writeFile(t, txn, Meta{UID: 3, Mode: 0o4711, Xattrs: map[string]string{"security.capability": capability, "trusted.x": "y\x00z"}}, large),
		"link":  must[Checksum](t)(txn.WriteSymlink(Meta{UID: 5, GID: 6, Xattrs: map[string]string{"trusted.l": "m"}}, "/etc")),
		"none":  writeFile(t, txn, Meta{UID: 9}, "unreadable"),
	}}, "caps")
	for _, copied := range []bool{false, true} {
		dir := layOut(t, r, commit, CheckoutOptions{Copy: copied})
		for _, name := range []string{"ping", "acl", "large", "link", "none"} {
			compareInodes(t, dir+"/"+name, r, commit, name, copied)
		}
		os.RemoveAll(dir)
	}
}

// compareInodes compares one file of a checkout with the object.
func compareInodes(t *testing.T, path string, r *Repo, commit Checksum, name string, copied bool) {
	t.Helper()
	var want Node
	r.Walk(t.Context(), commit, func(n Node) error {
		if n.Path == name {
			want = n
		}
		return nil
	})
	info := must[*File](t)(r.StatFile(want.File))
	var st, object unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	unix.Fstatat(int(r.objects.Fd()), filePath(want.File), &object, unix.AT_SYMLINK_NOFOLLOW)
	if linked := st.Ino == object.Ino; linked == copied {
		t.Errorf("%s: linked: %v, to be copied: %v", name, linked, copied)
	}
	if st.Uid != info.Meta.UID || st.Gid != info.Meta.GID || st.Mode&0o7777 != info.Meta.Mode {
		t.Errorf("%s: %d:%d %o, want %+v", name, st.Uid, st.Gid, st.Mode, info.Meta)
	}
	if !info.IsSymlink() && st.Mtim.Sec != 0 {
		t.Errorf("%s: mtime %d", name, st.Mtim.Sec)
	}
	got, err := xattrReader{
		func(b []byte) (int, error) { return unix.Llistxattr(path, b) },
		func(n string, b []byte) (int, error) { return unix.Lgetxattr(path, n, b) },
	}.read()
	if err != nil || !maps.Equal(got, info.Meta.Xattrs) {
		t.Errorf("%s: attributes %q (%v), want %q", name, got, err, info.Meta.Xattrs)
	}
}

func filePath(c Checksum) string { return object{c, kindFile}.path() }

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

func TestCheckoutCopiesBeyondTheLinkLimit(t *testing.T) {
	r := newRepo(t)
	txn := begin(t, r)
	id := writeFile(t, txn, Meta{UID: 1, Mode: 0o4755, Xattrs: map[string]string{"user.a": "b"}}, "often")
	commit := publish(t, txn, &Tree{Meta: Meta{Mode: 0o755}, Files: map[string]Checksum{"f": id}}, "often")
	links := t.TempDir()
	dir := must[*os.File](t)(os.Open(links))
	defer dir.Close()
	for i := 0; ; i++ {
		err := unix.Linkat(int(r.objects.Fd()), filePath(id), int(dir.Fd()), "l"+strings.Repeat("x", i/60000)+string(rune('0'+i%10))+filepath.Base(links)+itoa(i), 0)
		if err == unix.EMLINK {
			break
		}
		if err != nil || i > 70000 {
			t.Skipf("this file system has no limit that a test could reach: %v", err)
		}
	}
	out := layOut(t, r, commit, CheckoutOptions{})
	compareInodes(t, out+"/f", r, commit, "f", true)
	if b, _ := os.ReadFile(out + "/f"); string(b) != "often" {
		t.Errorf("content %q", b)
	}
}

func itoa(i int) string {
	var b []byte
	for ; i > 0; i /= 10 {
		b = append(b, byte('0'+i%10))
	}
	return string(b)
}

func TestCheckoutRefuses(t *testing.T) {
	r := newRepo(t)
	txn := begin(t, r)
	commit := publish(t, txn, small(t, txn), "x")
	parent := must[*os.File](t)(os.Open(t.TempDir()))
	defer parent.Close()
	os.Symlink("/etc", parent.Name()+"/link")
	os.Mkdir(parent.Name()+"/dir", 0o755)
	for _, name := range []string{"link", "dir", "", ".", "..", "a/b"} {
		if err := r.Checkout(t.Context(), commit, parent, name, CheckoutOptions{}); err == nil {
			t.Errorf("name %q: accepted", name)
		}
	}
	os.WriteFile(filepath.Join(r.Path(), partialMark(commit)), nil, 0o644)
	if err := r.Checkout(t.Context(), commit, parent, "partial", CheckoutOptions{}); err == nil || !strings.Contains(err.Error(), "partial") {
		t.Errorf("partial commit: %v", err)
	}
	// Writing it again completes it.
	txn = begin(t, r)
	if again := publish(t, txn, small(t, txn), "x"); again != commit {
		t.Errorf("commit %v, then %v", commit, again)
	}
	if err := r.Checkout(t.Context(), commit, parent, "complete", CheckoutOptions{Sync: true}); err != nil {
		t.Error(err)
	}
}

func TestRefs(t *testing.T) {
	r := newRepo(t)
	txn := begin(t, r)
	commit := publish(t, txn, small(t, txn), "image/docker.io_2Fbusybox_3Alatest")
	repo := "--repo=" + r.Path()
	run(t, "ostree", repo, "refs", "--create=theirs", commit.String())
	run(t, "ostree", repo, "refs", "-A", "--create=alias", "theirs")
	if got := must[Checksum](t)(r.ResolveRef("alias")); got != commit {
		t.Errorf("alias: %v", got)
	}
	if got := must[map[string]Checksum](t)(r.Refs("image")); len(got) != 1 {
		t.Errorf("Refs(image): %v", got)
	}
	if err := r.DeleteRef(t.Context(), "theirs"); err != nil {
		t.Error(err)
	}
	if err := r.DeleteRef(t.Context(), "alias"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"theirs", "image", "image/x", "theirs/x", "image/docker.io_2Fbusybox_3Alatest/x"} {
		if _, err := r.ResolveRef(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("ResolveRef(%s): %v", name, err)
		}
		if err := r.DeleteRef(t.Context(), name); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
			t.Errorf("DeleteRef(%s): %v", name, err)
		}
	}
	for _, content := range []string{"", "\n", " " + commit.String(), strings.ToUpper(commit.String()), commit.String() + "0"} {
		path := r.Path() + "/refs/heads/bad"
		os.WriteFile(path, []byte(content), 0o644)
		if _, err := r.ResolveRef("bad"); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("ref with %q: %v", content, err)
		}
		if _, err := r.Refs(""); err == nil {
			t.Errorf("listing a ref with %q: no error", content)
		}
		os.Remove(path)
	}
	os.Symlink("/etc/passwd", r.Path()+"/refs/heads/out")
	if _, err := r.ResolveRef("out"); err == nil {
		t.Error("a link out of the repository was followed")
	}
	os.Remove(r.Path() + "/refs/heads/out")
}

func TestLocks(t *testing.T) {
	r := newRepo(t)
	r.config.lockTimeout = 0
	txn := begin(t, r)
	// libostree's prune wants the lock for itself.
	cmd := exec.Command("ostree", "--repo="+r.Path(), "--", "prune", "--refs-only")
	os.WriteFile(r.Path()+"/config", []byte(newConfig+"lock-timeout-secs=0\n"), 0o644)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "Locking repo exclusive failed") {
		t.Errorf("prune during a transaction: %v, %s", err, out)
	}
	// Two of ours do not disturb each other, and the second leaves the first alone.
	other := begin(t, r)
	publish(t, other, small(t, other), "other")
	publish(t, txn, small(t, txn), "txn")
	lock := must[*os.File](t)(r.lock(t.Context(), true))
	if _, err := r.Begin(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("Begin during a prune: %v", err)
	}
	r.config.lockTimeout = -1
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Begin(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Begin, cancelled: %v", err)
	}
	lock.Close()
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
