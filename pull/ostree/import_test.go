package ostree_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"syscontainer/pull/layer"
	"syscontainer/pull/ostree"
)

// sink stores what layers contain. The Meta types are the same.
type sink struct{ *ostree.Txn }

func (s sink) File(meta layer.Meta, size int64, content io.Reader) (layer.ID, error) {
	return s.WriteFile(ostree.Meta(meta), size, content)
}

func (s sink) Symlink(meta layer.Meta, target string) (layer.ID, error) {
	return s.WriteSymlink(ostree.Meta(meta), target)
}

// tree is a merged directory in the form to be written.
func tree(n *layer.Node) *ostree.Tree {
	t := &ostree.Tree{Meta: ostree.Meta(n.Meta), Files: map[string]ostree.Checksum{}, Dirs: map[string]*ostree.Tree{}}
	for name, child := range n.Children {
		if child.Type == layer.Dir {
			t.Dirs[name] = tree(child)
		} else {
			t.Files[name] = child.ID
		}
	}
	return t
}

// load stores an image, given its compressed layers from the base up, as one
// commit under a ref.
func load(ctx context.Context, repo *ostree.Repo, layers []io.Reader, metadata map[string]string, timestamp uint64, ref string) (ostree.Checksum, error) {
	txn, err := repo.Begin(ctx)
	if err != nil {
		return ostree.Checksum{}, err
	}
	defer txn.Abort()
	trees, failures := make([]*layer.Tree, len(layers)), make([]error, len(layers))
	var group sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for i, blob := range layers {
		group.Go(func() {
			plain, err := layer.Decompress(blob)
			if err == nil {
				trees[i], err = layer.Read(ctx, plain, sink{txn}, layer.Limits{})
				plain.Close()
			}
			if err != nil {
				failures[i] = fmt.Errorf("layer %d: %w", i, err)
				cancel()
			}
		})
	}
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		return ostree.Checksum{}, err
	}
	merged, err := layer.Merge(trees)
	if err != nil {
		return ostree.Checksum{}, err
	}
	root, meta, err := txn.WriteTree(tree(merged.Root))
	if err != nil {
		return ostree.Checksum{}, err
	}
	commit, err := txn.WriteCommit(ostree.Commit{
		Metadata: ostree.StringMetadata(metadata), Subject: ref, Timestamp: timestamp, Tree: root, Meta: meta,
	})
	if err != nil {
		return ostree.Checksum{}, err
	}
	return commit, txn.Publish(map[string]ostree.Checksum{ref: commit})
}

// An image's way from blobs to a checkout.
func TestImport(t *testing.T) {
	for _, program := range []string{"ostree", "tar"} {
		if _, err := exec.LookPath(program); err != nil || os.Geteuid() != 0 {
			if os.Getenv("SYSCONTAINER_TEST_STRICT") == "1" {
				t.Fatalf("needs %s and root", program)
			}
			t.Skipf("needs %s and root", program)
		}
	}
	work := t.TempDir()
	shell(t, work, `mkdir -p a/etc a/bin b/bin b/etc; echo one >a/etc/f; echo bin >a/bin/sh; chmod 4755 a/bin/sh; ln -s sh a/bin/ash
		echo two >b/etc/g; touch b/etc/.wh.f; ln a/bin/sh a/bin/link; chmod 700 a/etc
		tar -C a -czf 0.tar.gz .; tar -C b -cf 1.tar etc/g etc/.wh.f`)
	repo, err := ostree.OpenOrCreate(filepath.Join(work, "repo"))
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	commit, err := load(t.Context(), repo, open(t, work+"/0.tar.gz", work+"/1.tar"), map[string]string{"io.test": "x"}, 1, "image/test")
	if err != nil {
		t.Fatal(err)
	}
	parent, err := os.Open(work)
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Close()
	if err := repo.Checkout(t.Context(), commit, parent, "rootfs", ostree.CheckoutOptions{Sync: true}); err != nil {
		t.Fatal(err)
	}
	got := shell(t, work, `ostree --repo=repo fsck -q; ostree --repo=repo ls -R image/test | tr -s ' ' | cut -d' ' -f1,5-; cat rootfs/etc/g; stat -c %a rootfs/etc`)
	for _, want := range []string{"d00755 /\n", "-04755 /bin/link\n", "l00777 /bin/ash -> sh\n", "d00700 /etc\n", "/etc/g\n", "two\n700\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "/etc/f") {
		t.Errorf("the whiteout had no effect:\n%s", got)
	}
	// A broken blob leaves nothing.
	broken := []io.Reader{open(t, work+"/0.tar.gz")[0], strings.NewReader("garbage" + strings.Repeat(" ", 1000))}
	if _, err := load(t.Context(), repo, broken, nil, 1, "image/broken"); err == nil || !strings.Contains(err.Error(), "layer 1") {
		t.Error(err)
	}
	if got := shell(t, work, `ostree --repo=repo refs; ls repo/tmp | grep txn- || true`); got != "image/test\n" {
		t.Errorf("after a broken image: %q", got)
	}
}

func shell(t testing.TB, dir, script string) string {
	t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, stderr.String())
	}
	return string(out)
}

func open(t testing.TB, paths ...string) (layers []io.Reader) {
	t.Helper()
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		layers = append(layers, f)
	}
	return layers
}

// BenchmarkImport imports the layers that OSTREE_BENCH_LAYERS names (paths,
// separated by colons) into a new repository below OSTREE_BENCH_DIR. Without
// the first it makes a layer of this machine's /usr/share.
//
//	OSTREE_BENCH_LAYERS=base.tar.gz:app.tar.gz OSTREE_BENCH_DIR=/mnt/fresh go test -run '^$' -bench Import -benchtime 1x
func BenchmarkImport(b *testing.B) {
	paths := strings.Split(os.Getenv("OSTREE_BENCH_LAYERS"), ":")
	if paths[0] == "" {
		paths = []string{filepath.Join(b.TempDir(), "layer.tar.gz")}
		shell(b, "/", "tar -czf "+paths[0]+" usr/share/doc usr/share/perl* usr/share/zoneinfo 2>/dev/null || true")
	}
	dir := os.Getenv("OSTREE_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	for i := range b.N {
		path := filepath.Join(dir, fmt.Sprint("repo-", os.Getpid(), "-", i))
		repo, err := ostree.OpenOrCreate(path)
		if err != nil {
			b.Fatal(err)
		}
		parent, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		unix.Syncfs(int(parent.Fd()))
		runtime.GC()
		var before, after unix.Rusage
		unix.Getrusage(unix.RUSAGE_SELF, &before)
		began := time.Now()
		commit, err := load(b.Context(), repo, open(b, paths...), nil, 0, "bench")
		if err != nil {
			b.Fatal(err)
		}
		imported := time.Now()
		if err := repo.Checkout(b.Context(), commit, parent, "checkout", ostree.CheckoutOptions{}); err != nil {
			b.Fatal(err)
		}
		laidOut := time.Now()
		unix.Syncfs(int(parent.Fd()))
		synced := time.Now()
		if _, err := load(b.Context(), repo, open(b, paths...), nil, 0, "again"); err != nil {
			b.Fatal(err)
		}
		again := time.Now()
		unix.Getrusage(unix.RUSAGE_SELF, &after)
		var size int64
		repo.Walk(b.Context(), commit, func(n ostree.Node) error {
			if !n.Dir {
				info, err := repo.StatFile(n.File)
				if err != nil {
					return err
				}
				size += info.Size
			}
			return nil
		})
		b.ReportMetric(imported.Sub(began).Seconds(), "import-s")
		b.ReportMetric(float64(size)/1e6/imported.Sub(began).Seconds(), "import-MB/s")
		b.ReportMetric(laidOut.Sub(imported).Seconds(), "checkout-s")
		b.ReportMetric(synced.Sub(laidOut).Seconds(), "sync-s")
		b.ReportMetric(again.Sub(synced).Seconds(), "again-s")
		b.ReportMetric(time.Duration(after.Utime.Nano()-before.Utime.Nano()).Seconds(), "user-s")
		b.ReportMetric(time.Duration(after.Stime.Nano()-before.Stime.Nano()).Seconds(), "sys-s")
		b.ReportMetric(float64(after.Maxrss)/1024, "rss-MiB")
		parent.Close()
		repo.Close()
	}
}
