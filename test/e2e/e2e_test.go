// SPDX-License-Identifier: Apache-2.0

// Package e2e runs what a user would type, on real hosts: systemd, runc, a registry and ostree are Debian's own.
//
// Every file of scripts/ is one test: a shell script run as root on a host of its own, with the functions of prelude.sh.
// Comment lines at its head say what the host has:
//
//	# disk: TARGET SIZE [OPTIONS]   an ext4 file system of its own
//	# shutdown                      the host stops its units in order afterwards
//	# reboots                       the host may reboot; the script then runs again
//	# needs: crun                   skipped where crun cannot run
//	# needs: FOLDER                 of third parties, beside this tree: skipped without it
package e2e

import (
	_ "embed"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/test/host"
)

//go:embed prelude.sh
var prelude string

func TestScripts(t *testing.T) {
	host.Need(t, "systemd-nspawn", "runc", "ostree", "skopeo", "strace", host.Part("busybox"), host.Part("etcd"),
		host.Part("etcdctl"), host.Part("docker-registry"), filepath.Join(host.Stage(), "usr/bin/syscontainer"))
	f := makeFixture(t)
	scripts, err := filepath.Glob("scripts/*.sh")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	roots := map[string]string{"this": "/"}
	if host.Long() {
		roots["debian-13"] = debian(t, "trixie")
	}
	for name, root := range roots {
		// A group ends when all its scripts have: the fixture stays until then.
		t.Run(name, func(t *testing.T) {
			for _, path := range scripts {
				t.Run(strings.TrimSuffix(filepath.Base(path), ".sh"), func(t *testing.T) {
					t.Parallel()
					script, err := os.ReadFile(path)
					if err != nil {
						t.Fatal(err)
					}
					runScript(t, f, root, string(script))
				})
			}
		})
	}
}

// debian is the root of another release.
func debian(t *testing.T, release string) string {
	t.Helper()
	host.Need(t, "debootstrap")
	root, err := host.Debian(t.Context(), release, "netavark", "nftables")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func runScript(t *testing.T, f fixture, root, script string) {
	o := host.Options{
		Root:   root,
		Script: prelude + script,
		Binds:  map[string]string{"/srv/registry": f.storage, "/srv/oci": f.layout},
		Files:  f.files(),
	}
	if host.Long() {
		o.Files["/etc/syscontainer-test-long"] = ""
	}
	for line := range strings.Lines(script) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "#" {
			break
		}
		switch {
		case len(words) >= 4 && words[1] == "disk:":
			disk := host.Disk{Target: words[2], Size: words[3]}
			if len(words) > 4 {
				disk.Options = words[4]
			}
			o.Disks = append(o.Disks, disk)
		case len(words) == 2 && words[1] == "shutdown":
			o.Shutdown = true
		case len(words) == 2 && words[1] == "reboots":
			o.Reboots = true
		case len(words) == 3 && words[1] == "needs:" && words[2] == "crun":
			host.Need(t, "crun")
			if !host.CrunWorks(root) {
				t.Skip("crun cannot run here, package vm runs it")
			}
		case len(words) == 3 && words[1] == "needs:":
			if _, err := os.Stat(filepath.Join("../../..", words[2])); err != nil {
				t.Skip(err)
			}
		}
	}
	res := host.Run(t, o)
	if res.Exit != 0 {
		t.Fatal(res)
	}
	if o.Shutdown && strings.Contains(res.Console, "timed out") {
		t.Error("a unit did not stop at shutdown:", res)
	}
}
