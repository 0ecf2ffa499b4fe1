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
	"runtime/debug"
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
	layers, entries = nil, nil
	debug.FreeOSMemory() // the null run is part of this process
	// What a child reports as its peak begins with ours, see proc(5), clear_refs.
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return err
	}
	r, err := image.Serve(host.Part("docker-registry"), storage)
	if err != nil {
		return err
	}
	defer r.Close()
	p := &puller{ctx: ctx, reference: r.Address + "/bench:1"}
	defer p.unmount()
	return p.bench(max(3, min(runs, 7)))
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

// puller pulls to one disk after the other, on this machine and not on a throw-away host: what filters the host's system
// calls would be measured, too.
type puller struct {
	ctx       context.Context
	reference string
	disks     []string // mounted
	used      int      // of disks
	last      string   // where the last of our pulls went
	grown     int64    // bytes that a checkout took
	usage     [2]usage
	size      string // of a disk, 2G when empty
}

// bench measures, each beside the others: a pull, podman's, the null run, which fetches, unpacks and hashes the same and
// stores nothing, a pull with nothing new, and one that only has to check out.
func (p *puller) bench(runs int) error {
	for range 2 * (runs + 1) {
		if err := p.mount(); err != nil {
			return err
		}
	}
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

// mount makes a fresh disk, that is the root of everything for one pull.
func (p *puller) mount() error {
	_, port, _ := strings.Cut(p.reference, ":")
	port, _, _ = strings.Cut(port, "/")
	const script = `mkdir "$1"
truncate -s "${3:-2G}" "$1.img"
mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$1.img"
loop=$(losetup --direct-io=on --find --show "$1.img")
mount "$loop" "$1"
losetup -d "$loop" # once it is unmounted
rm "$1.img"
mkdir -p "$1/etc/containers"
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$1/etc/containers/policy.json"
printf '[[registry]]\nlocation = "127.0.0.1:%s"\ninsecure = true\n' "$2" >"$1/etc/containers/registries.conf"`
	if len(p.disks) == 0 {
		dir, err := os.MkdirTemp(host.Cache(), "bench-")
		if err != nil {
			return err
		}
		p.disks = []string{dir}
	}
	disk := filepath.Join(p.disks[0], fmt.Sprint(len(p.disks)))
	if out, err := exec.Command("sh", "-ec", script, "sh", disk, port, p.size).CombinedOutput(); err != nil {
		return fmt.Errorf("make a disk: %w: %s", err, out)
	}
	p.disks = append(p.disks, disk)
	return nil
}

func (p *puller) unmount() {
	for i, disk := range p.disks {
		if i > 0 {
			exec.Command("umount", "-l", disk).Run()
		}
	}
	if len(p.disks) > 0 {
		os.RemoveAll(p.disks[0])
	}
}

func (p *puller) next() string {
	p.used++
	return p.disks[p.used]
}

type usage syscall.Rusage

func (u usage) String() string {
	cpu := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	return fmt.Sprintf("cpu %.1f s, %d MB resident", cpu.Seconds(), u.Maxrss>>10)
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

func (p *puller) ours() error {
	p.last = p.next()
	return p.nothingBut(&p.usage[0])
}

func (p *puller) nothing() error { return p.nothingBut(nil) }

func (p *puller) nothingBut(u *usage) error {
	return p.run(u, filepath.Join(os.Getenv("SYSCONTAINER_TEST_STAGE"), "usr/bin/syscontainer"), "--root", p.last, "pull", p.reference)
}

func (p *puller) podman() error {
	return p.podmanTo(p.next())
}

func (p *puller) podmanTo(disk string) error {
	if err := p.run(&p.usage[1], "podman", "--root", disk+"/podman", "--runroot", "/run/podman-bench", "--storage-driver", "overlay",
		"pull", "--quiet", "--tls-verify=false", p.reference); err != nil {
		return err
	}
	return p.run(nil, "sync", "--file-system", disk) // as ours has done: what is left unwritten, somebody else pays for
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
	source, err := registry.Open(p.ctx, p.reference, registry.Options{Root: p.last})
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
