// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

// benchPull pulls a minimal Debian, ours and podman's in turn, each time to a fresh ext4: one that many files were deleted
// from makes new ones slowly for minutes.
func benchPull(ctx context.Context, runs int) error {
	root := filepath.Join(host.Cache(), "minbase")
	if _, err := os.Stat(filepath.Join(root, "etc/debian_version")); err != nil {
		fmt.Fprintln(os.Stderr, "bench: making a Debian root, once")
		os.RemoveAll(root)
		if out, err := exec.CommandContext(ctx, "debootstrap", "--variant=minbase", "stable", root).CombinedOutput(); err != nil {
			os.RemoveAll(root)
			return fmt.Errorf("debootstrap: %w: %s", err, out)
		}
	}
	entries, err := image.Tree(root)
	if err != nil {
		return err
	}
	size := 0
	for _, e := range entries {
		size += len(e.Data)
	}
	dir, done, err := tempDir()
	if err != nil {
		return err
	}
	defer done()
	storage, err := stored(dir, image.Image{Layers: []image.Layer{{Entries: entries}}})
	if err != nil {
		return err
	}
	fmt.Printf("pull of a Debian root: %d files, %d MB, gzip\n", len(entries), size>>20)
	runs = max(3, min(runs, 7))
	var disks []host.Disk
	for i := range 2 * (runs + 1) {
		disks = append(disks, host.Disk{Target: fmt.Sprintf("/disk/%d", i), Size: "2G"})
	}
	return onHost(ctx, "pull", runs, storage, disks, nil)
}

func insidePull(ctx context.Context, runs int) error {
	n := 0
	var usage [2]syscall.Rusage
	pull := func(which int, command string) func() error {
		return func() error {
			disk := fmt.Sprintf("/disk/%d", n)
			n++
			// --root is the root of everything: of the registry's description, too.
			if out, err := exec.Command("sh", "-c", `mkdir -p "$1/etc" && cp -R /etc/containers "$1/etc/"`, "sh", disk).CombinedOutput(); err != nil {
				return fmt.Errorf("prepare %s: %w: %s", disk, err, out)
			}
			words := strings.Fields(strings.ReplaceAll(command, "DISK", disk))
			cmd := exec.CommandContext(ctx, words[0], words[1:]...)
			out, err := cmd.CombinedOutput()
			if err != nil {
				return fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, out)
			}
			usage[which] = *cmd.ProcessState.SysUsage().(*syscall.Rusage)
			// What a pull leaves unwritten, somebody else pays for.
			syscall.Sync()
			return nil
		}
	}
	const ours = "syscontainer --root DISK pull 127.0.0.1:5000/bench:1"
	const theirs = "podman --root DISK/podman --runroot /run/podman-bench --storage-driver overlay pull --quiet --tls-verify=false 127.0.0.1:5000/bench:1"
	if _, err := exec.LookPath("podman"); err != nil {
		fmt.Println("  podman is not installed here: nothing to compare with")
		f, err := measure(runs, 0, pull(0, ours))
		if err != nil {
			return err
		}
		row("syscontainer pull", f[0], "")
		return nil
	}
	f, err := measure(runs, 0, pull(0, ours), pull(1, theirs))
	if err != nil {
		return err
	}
	cpu := func(u syscall.Rusage) time.Duration { return time.Duration(u.Utime.Nano() + u.Stime.Nano()) }
	detail := func(u syscall.Rusage) string {
		return fmt.Sprintf("cpu %.1f s, %d MB resident", cpu(u).Seconds(), u.Maxrss>>10)
	}
	row("syscontainer pull", f[0], detail(usage[0]))
	row("podman pull", f[1], ratio(f[1], f[0])+" times ours, "+detail(usage[1]))
	return nil
}
