// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

// A file may have more names than the file system allows links: 65000 on ext4. The rest are copies.
func TestMoreNamesThanLinks(t *testing.T) {
	if !host.Long() {
		t.Skip("takes long: SYSCONTAINER_TEST_LONG=1")
	}
	const names = 65_500
	entries := []image.Entry{image.Dir("d", 0o755)}
	for i := range names {
		entries = append(entries, image.File(fmt.Sprintf("d/%05d", i), 0o644, "the same\n"))
	}
	layout, err := image.Create(filepath.Join(t.TempDir(), "oci"))
	must(t, err)
	d, err := layout.Put("many", image.Image{Layers: []image.Layer{{Entries: entries}}})
	must(t, err)
	disk := newDisk(t, 256<<20)
	m := disk.machine()
	before, _ := disk.used()
	reference := "oci:" + layout.Dir + ":many"
	for range 2 { // the second finds no link left for its checkout
		if out := m.ok("pull", reference); out != d.Digest+"\n" {
			t.Errorf("pull prints %s", out)
		}
		rootfs := m.store("images", d.Hex(), "rootfs")
		all, err := readTree(rootfs)
		must(t, err)
		if len(all) != names+2 {
			t.Errorf("%d paths, want %d", len(all), names+2)
		}
		want := all["/d/00000"]
		if !strings.HasPrefix(want, fmt.Sprintf("%o 0:0 9 ", syscall.S_IFREG|0o644)) {
			t.Errorf("a file is %q", want)
		}
		for path, said := range all {
			if strings.HasPrefix(path, "/d/") && said != want {
				t.Fatalf("%s is %q, others are %q", path, said, want)
			}
		}
		inodes := map[uint64]bool{}
		for i := range names {
			var st unix.Stat_t
			must(t, unix.Lstat(fmt.Sprintf("%s/d/%05d", rootfs, i), &st))
			inodes[st.Ino] = true
		}
		if len(inodes) < 2 || len(inodes) > names-64_000 {
			t.Errorf("%d names are %d inodes", names, len(inodes))
		}
		if out := m.ok("verify"); out != "" {
			t.Errorf("verify says %s", out)
		}
		m.ok("tag", reference, "example.org/keep:1")
		removeAll(t, m.store("images", d.Hex()))
	}
	m.ok("pull", "--repair", reference)
	m.ok("verify")
	m.ok("rmi", d.Hex())
	m.ok("prune", "--grace=0")
	if after, _ := disk.used(); after > before+1024 {
		t.Errorf("%d blocks before, %d after", before, after)
	}
}
