package ostree

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

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
