package ostree

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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

func TestRefTimes(t *testing.T) {
	r := newRepo(t)
	txn := begin(t, r)
	publish(t, txn, small(t, txn), "layer/a")
	txn = begin(t, r)
	publish(t, txn, small(t, txn), "image/b")
	then := time.Unix(1700000000, 5)
	if err := os.Chtimes(r.Path()+"/refs/heads/layer/a", then, then); err != nil {
		t.Fatal(err)
	}
	times := must[map[string]time.Time](t)(r.RefTimes(""))
	if len(times) != 2 || !times["layer/a"].Equal(then) || time.Since(times["image/b"]).Abs() > time.Hour {
		t.Errorf("%v", times)
	}
	if times := must[map[string]time.Time](t)(r.RefTimes("layer")); len(times) != 1 {
		t.Errorf("below layer: %v", times)
	}
	if times := must[map[string]time.Time](t)(r.RefTimes("nothing")); len(times) != 0 {
		t.Errorf("below nothing: %v", times)
	}
}

// A ref that goes while refs are listed is not there; one that is damaged is.
func TestRefsVanishWhileListed(t *testing.T) {
	r := newRepo(t)
	txn := begin(t, r)
	commit := publish(t, txn, small(t, txn), "x/0")
	if err := begin(t, r).Publish(map[string]Checksum{"x/1": commit, "x/2": commit}); err != nil {
		t.Fatal(err)
	}
	listed := 0
	err := r.eachRef("", func(name, path string) error {
		for _, other := range []string{"x/0", "x/1", "x/2"} {
			if other != name {
				os.Remove(r.Path() + "/refs/heads/" + other)
			}
		}
		_, err := r.readRef(path)
		if err == nil {
			listed++
		}
		return err
	})
	if err != nil || listed != 1 {
		t.Errorf("listed %d refs: %v", listed, err)
	}
}
