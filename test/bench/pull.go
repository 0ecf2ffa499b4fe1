// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"syscontainer/pull/layer"
	"syscontainer/pull/registry"
	"syscontainer/test/host"
	"syscontainer/test/image"
)

// benchPull pulls a Debian with compilers and four small layers on top, ours and podman's in turn, each time to a fresh
// ext4: one that many files were deleted from makes new ones slowly for minutes.
func benchPull(ctx context.Context, runs int) error {
	root, err := debian(ctx)
	if err != nil {
		return err
	}
	entries, err := image.Tree(root)
	if err != nil {
		return err
	}
	size := 0
	for _, e := range entries {
		size += len(e.Data)
	}
	layers := []image.Layer{{Entries: entries, Compression: image.Best}}
	for i := range 4 {
		var small []image.Entry
		for j := range 50 {
			small = append(small, image.File(fmt.Sprintf("opt/app%d/file%d", i, j), 0o644, strings.Repeat(fmt.Sprintln(i, j), 500)))
		}
		layers = append(layers, image.Layer{Entries: small, Compression: image.Best})
	}
	dir, done, err := tempDir()
	if err != nil {
		return err
	}
	defer done()
	storage, err := stored(dir, image.Image{Layers: layers})
	if err != nil {
		return err
	}
	fmt.Printf("pull of a Debian root and four small layers: %d files, %d MB, gzip\n", len(entries)+200, size>>20)
	runs = max(3, min(runs, 7))
	var disks []host.Disk
	for i := range 2 * (runs + 1) {
		disks = append(disks, host.Disk{Target: fmt.Sprintf("/disk/%d", i), Size: "3G"})
	}
	return onHost(ctx, "pull", runs, storage, disks, nil)
}

// debian is the path of a Debian root, made once.
func debian(ctx context.Context) (string, error) {
	root := filepath.Join(host.Cache(), "buildd")
	if _, err := os.Stat(root + ".done"); err == nil {
		return root, nil
	}
	fmt.Fprintln(os.Stderr, "bench: making a Debian root, once")
	const script = `rm -rf "$1"
unshare --mount debootstrap --variant=buildd --include=python3,git,perl-doc stable "$1"
rm -rf "$1"/proc/* "$1"/sys/* "$1"/dev/* "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
: >"$1.done"`
	if out, err := exec.CommandContext(ctx, "sh", "-ec", script, "sh", root).CombinedOutput(); err != nil {
		return "", fmt.Errorf("debootstrap: %w: %s", err, out)
	}
	return root, nil
}

// insidePull measures, each beside the others: a pull, podman's, the null run, which fetches, unpacks and hashes the same
// and stores nothing, a pull with nothing new, and one that only has to check out.
func insidePull(ctx context.Context, runs int) error {
	const reference = "127.0.0.1:5000/bench:1"
	p := &puller{ctx: ctx, reference: reference}
	things := []func() error{p.ours, p.null, p.nothing, p.checkout}
	if _, err := exec.LookPath("podman"); err == nil {
		things = append(things, p.podman)
	}
	f, err := measure(runs, 0, things...)
	if err != nil {
		return err
	}
	row("syscontainer pull", f[0], p.usage[0].String())
	row("null run: fetch, unpack, hash", f[1], ratio(f[0], f[1])+" of it is the pull")
	row("pull with nothing new", f[2], "")
	row("pull that checks out only", f[3], fmt.Sprintf("%.1f MB more on disk", float64(p.grown)/1e6))
	if len(f) == 5 {
		row("podman pull", f[4], ratio(f[0], f[4])+" of it is the pull, "+p.usage[1].String())
	} else {
		fmt.Println("  podman is not installed here: nothing to compare with")
	}
	return nil
}

// puller pulls to one disk after the other.
type puller struct {
	ctx       context.Context
	reference string
	disk      int
	last      string // where the last of our pulls went
	grown     int64  // bytes that a checkout took
	usage     [2]usage
}

type usage syscall.Rusage

func (u usage) String() string {
	cpu := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	return fmt.Sprintf("cpu %.1f s, %d MB resident", cpu.Seconds(), u.Maxrss>>10)
}

// next is a fresh disk that is the root of everything, also of the registry's description.
func (p *puller) next() (string, error) {
	disk := fmt.Sprintf("/disk/%d", p.disk)
	p.disk++
	if out, err := exec.Command("sh", "-c", `mkdir -p "$1/etc" && cp -R /etc/containers "$1/etc/"`, "sh", disk).CombinedOutput(); err != nil {
		return "", fmt.Errorf("prepare %s: %w: %s", disk, err, out)
	}
	return disk, nil
}

func (p *puller) run(u *usage, words ...string) error {
	cmd := exec.CommandContext(p.ctx, words[0], words[1:]...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, out)
	}
	if u != nil {
		*u = usage(*cmd.ProcessState.SysUsage().(*syscall.Rusage))
	}
	return nil
}

func (p *puller) ours() (err error) {
	if p.last, err = p.next(); err != nil {
		return err
	}
	defer syscall.Sync() // what a pull leaves unwritten, somebody else pays for
	return p.nothingBut(&p.usage[0])
}

func (p *puller) nothing() error { return p.nothingBut(nil) }

func (p *puller) nothingBut(u *usage) error {
	return p.run(u, "syscontainer", "--root", p.last, "pull", p.reference)
}

func (p *puller) podman() error {
	disk, err := p.next()
	if err != nil {
		return err
	}
	defer syscall.Sync()
	return p.run(&p.usage[1], "podman", "--root", disk+"/podman", "--runroot", "/run/podman-bench", "--storage-driver", "overlay",
		"pull", "--quiet", "--tls-verify=false", p.reference)
}

// checkout pulls after the checkout was lost.
func (p *puller) checkout() error {
	images := p.last + "/var/lib/syscontainer/images"
	names, err := os.ReadDir(images)
	if err != nil || len(names) != 1 {
		return fmt.Errorf("%s: %d images, %v", images, len(names), err)
	}
	// Moved away, not removed: that would be timed, too.
	if err := os.Rename(filepath.Join(images, names[0].Name()), filepath.Join(p.last, "lost")); err != nil {
		return err
	}
	before, err := used(p.last)
	if err != nil {
		return err
	}
	if err := p.nothing(); err != nil {
		return err
	}
	after, err := used(p.last)
	p.grown = after - before
	return err
}

func used(path string) (int64, error) {
	var st syscall.Statfs_t
	err := syscall.Statfs(path, &st)
	return int64(st.Blocks-st.Bfree) * st.Bsize, err
}

// null does what a pull does up to the tar stream, with the same code.
func (p *puller) null() error {
	source, err := registry.Open(p.ctx, p.reference, registry.Options{})
	if err != nil {
		return err
	}
	defer source.Close()
	img, err := source.Resolve(p.ctx)
	if err != nil {
		return err
	}
	errs := make([]error, len(img.Layers))
	var all sync.WaitGroup
	for i, l := range img.Layers {
		all.Go(func() { errs[i] = discard(p.ctx, source, l) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func discard(ctx context.Context, source *registry.Source, l registry.Layer) error {
	blob, err := source.Layer(ctx, l, nil)
	if err != nil {
		return err
	}
	defer blob.Close()
	plain, err := layer.Decompress(blob)
	if err != nil {
		return err
	}
	defer plain.Close()
	_, err = io.CopyBuffer(io.Discard, struct{ io.Reader }{registry.Verify(plain, "layer", l.DiffID, -1)}, make([]byte, 1<<20))
	return err
}
