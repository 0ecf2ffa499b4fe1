// SPDX-License-Identifier: Apache-2.0

package store

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"syscontainer/test/host"
)

// disk is an ext4 file system in a file.
type disk struct {
	t         testing.TB
	file, dir string
}

// newDisk makes one of so many bytes, with more options for mkfs.ext4(8), and mounts it. The file is in memory: what the
// machine's disk is busy with costs these tests nothing.
func newDisk(t testing.TB, size int64, options ...string) *disk {
	t.Helper()
	host.Need(t, "mkfs.ext4", "mount", "umount", "ostree", program())
	work := t.TempDir()
	must(t, unix.Mount("tmpfs", work, "tmpfs", 0, "mode=755"))
	t.Cleanup(func() { unix.Unmount(work, unix.MNT_DETACH) })
	d := &disk{t: t, file: filepath.Join(work, "disk"), dir: filepath.Join(work, "mnt")}
	must(t, os.WriteFile(d.file, nil, 0o600))
	must(t, os.Truncate(d.file, size))
	must(t, os.Mkdir(d.dir, 0o755))
	tool(t, "mkfs.ext4", append([]string{"-q", "-F", "-b", "4096", "-m", "0", "-E", "lazy_itable_init=1,nodiscard"}, append(options, d.file)...)...)
	if out, err := exec.Command("mount", "-o", "loop", d.file, d.dir).CombinedOutput(); err != nil {
		if host.Strict() {
			t.Fatalf("needs loop devices: %v: %s", err, out)
		}
		t.Skipf("needs loop devices: %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", d.dir).Run() })
	return d
}

// machine is one whose root the disk is, and that trusts registries at these addresses.
func (d *disk) machine(addresses ...string) *machine {
	m := &machine{d.t, d.dir}
	m.trust(addresses...)
	return m
}

// sync makes what the test itself wrote survive a cut.
func (d *disk) sync() {
	f, err := os.Open(d.dir)
	must(d.t, err)
	defer f.Close()
	must(d.t, unix.Syncfs(int(f.Fd())))
}

// cut is a power cut: the file system reaches its disk no more and does not write its log. See FS_IOC_SHUTDOWN in
// linux/fs.h. Processes go on until they notice.
func (d *disk) cut() {
	const request, noLogFlush = 0x8004587d, 2
	f, err := os.Open(d.dir)
	must(d.t, err)
	defer f.Close()
	must(d.t, unix.IoctlSetPointerInt(int(f.Fd()), request, noLogFlush))
}

// again mounts the disk as after a boot.
func (d *disk) again() {
	d.t.Helper()
	tool(d.t, "umount", d.dir)
	tool(d.t, "mount", "-o", "loop", d.file, d.dir)
}

// used are the blocks and the inodes that are taken.
func (d *disk) used() (blocks, inodes int64) {
	f, err := os.Open(d.dir)
	must(d.t, err)
	defer f.Close()
	must(d.t, unix.Syncfs(int(f.Fd()))) // delayed allocation
	var st unix.Statfs_t
	must(d.t, unix.Fstatfs(int(f.Fd()), &st))
	return int64(st.Blocks - st.Bfree), int64(st.Files - st.Ffree)
}
