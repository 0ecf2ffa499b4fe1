package ostree

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

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
	got, err := xattrsOfPath(path).read()
	if err != nil || !maps.Equal(got, info.Meta.Xattrs) {
		t.Errorf("%s: attributes %q (%v), want %q", name, got, err, info.Meta.Xattrs)
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
