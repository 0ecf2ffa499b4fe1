package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/pull/store"
)

// A directory of the machine stays where it is; a service that was disabled stays disabled; a configuration that is gone
// is made of what the manifest knows; an image may be a commit alone.
func TestTakeOverKinds(t *testing.T) {
	h := newOldHost(t)
	plant(t, h.root, map[string]string{"srv/far/rootfs/usr/x": "", "srv/far/rootfs/exports/service.template": "[Service]\nExecStart=$EXEC_START\n"})
	h.install("far", map[string]any{"image": "q.io/old/far", "remote": "/srv/far", "values": map[string]any{"NAME": "far"}})
	manifest := `{"schemaVersion":1,"name":"old/one","fsLayers":[{"blobSum":"sha256:` + hexOf("upper") + `"},{"blobSum":"sha256:` + hexOf("lower") + `"}],"history":[{"v1Compatibility":"{\"architecture\":\"s390x\",\"os\":\"linux\",\"config\":{\"Labels\":{\"who\":\"me\"}}}"}]}`
	h.commit(hexOf("lower"), map[string]string{"a": "lower", "b": "lower"})
	h.commit(hexOf("upper"), map[string]string{"a": "upper", ".wh.b": ""})
	h.commit("q.io_2Fold_2Fone_3Alatest", map[string]string{"manifest.json": manifest}, "docker.manifest="+manifest, "docker.digest=sha256:"+hexOf("its payload"))
	h.install("one", map[string]any{"image": "q.io/old/one", "revision": hexOf("its payload"), "values": map[string]any{}})
	flat := h.commit("q.io_2Fold_2Fflat_3Alatest", map[string]string{"root": "itself"})
	h.install("flat", map[string]any{"image": "q.io/old/flat", "revision": flat, "ostree-commit": flat, "values": map[string]any{}})
	if err := os.Remove(filepath.Join(h.root, systemdUnits, "multi-user.target.wants/one.service")); err != nil {
		t.Fatal(err)
	}
	if _, said, status := h.run(); status != 0 || !strings.Contains(said, "one: the image's configuration is not in ") {
		t.Fatalf("status %d, %s", status, said)
	}
	if out, said, status := command(t, "--root", h.root, "verify"); status != 0 {
		t.Errorf("verify: %s%s", out, said)
	}
	if text := h.unit("far"); !strings.Contains(text, "\nRootfs=/srv/far/rootfs\n") || strings.Contains(text, "Image=") {
		t.Errorf("far:\n%s", text)
	}
	if text := h.unit("one"); strings.Contains(text, "WantedBy") {
		t.Errorf("a disabled service is enabled:\n%s", text)
	}
	image, err := store.Lookup(h.root, "q.io/old/one:latest")
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := os.ReadFile(filepath.Join(image.Rootfs(), "a")); string(a) != "upper" || isFile(filepath.Join(image.Rootfs(), "b")) {
		t.Error("the layers are in the wrong order")
	}
	d, err := readDescription(image)
	if err != nil || d.Architecture != "s390x" || d.Config.Labels["who"] != "me" {
		t.Errorf("the configuration is %+v, %v", d, err)
	}
	// A digest of that time is that of a part of the manifest; damage is found nevertheless.
	config := filepath.Join(image.Dir, "config.json")
	text, err := os.ReadFile(config)
	if err == nil {
		err = os.WriteFile(config, bytes.Replace(text, []byte("s390x"), []byte("s390y"), 1), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, _, status := command(t, "--root", h.root, "verify"); status != 1 || !strings.Contains(out, "config.json is not what was fetched") {
		t.Errorf("verify: status %d, %s", status, out)
	}
	image, err = store.Lookup(h.root, "q.io/old/flat:latest")
	if text, _ := os.ReadFile(filepath.Join(image.Rootfs(), "root")); err != nil || string(text) != "itself" {
		t.Errorf("flat: %q, %v", text, err)
	}
}

// A switch that was killed between any two of its steps is finished by the next one.
func TestSwitchAfterKill(t *testing.T) {
	files := []string{"etc/tmpfiles.d/web.conf", "etc/systemd/system/web.service", "etc/systemd/system/multi-user.target.wants/web.service"}
	for gone := range len(files) + 1 {
		h := newOldHost(t)
		digest, commit, layers := h.image("q.io/old/web:1", whole()...)
		h.install("web", map[string]any{"image": "q.io/old/web:1", "revision": digest, "ostree-commit": commit, "values": values("web", nil)}, layers...)
		if _, said, status := h.run(); status != 0 {
			t.Fatal(said)
		}
		text := h.unit("web")
		for _, file := range files[:gone] {
			if err := os.Remove(filepath.Join(h.root, file)); err != nil {
				t.Fatal(err)
			}
		}
		again := []string{"--switch"}
		if gone > 0 { // then there is a note, which is enough
			plant(t, h.root, map[string]string{takenOver + "/web/" + switchNote: oldRan})
			again = nil
			if dry, said, status := h.run("--dry-run"); status != 0 || dry != text || !strings.Contains(said, "web: a switch was interrupted, which this would end") {
				t.Errorf("%d gone: --dry-run: status %d, %s%s", gone, status, dry, said)
			}
		}
		if _, said, status := h.run(again...); status != 0 || h.unit("web") != text || gone > 0 && !strings.Contains(said, "a switch was interrupted, which this ends") {
			t.Errorf("%d gone: %s", gone, said)
		}
		if stdout, said, status := h.run(); status != 0 || stdout != "web: nothing to do, it is taken over\n" || said != "" {
			t.Errorf("%d gone, again: status %d, %s%s", gone, status, stdout, said)
		}
		for _, file := range files {
			if _, err := os.Lstat(filepath.Join(h.root, file)); err == nil {
				t.Errorf("%d gone: %s is there", gone, file)
			}
		}
	}
}

// Files for the host alone have no service that hides the new one: it may have started before the switch.
func TestSwitchFiles(t *testing.T) {
	h := newOldHost(t)
	digest, commit, layers := h.image("q.io/old/files:latest", map[string]string{"exports/manifest.json": `{"noContainerService": true}`,
		"exports/hostfs/etc/same": "as it was", "exports/hostfs/etc/edited": "as it was"})
	sum := hexOf("as it was")
	h.install("files", map[string]any{"image": "q.io/old/files", "revision": digest, "ostree-commit": commit, "has-container-service": false, "values": values("files", nil),
		"installed-files": []string{"/etc/same", "/etc/edited"}, "installed-files-checksum": map[string]string{"/etc/same": sum, "/etc/edited": sum}}, layers...)
	for _, file := range []string{systemdUnits + "/files.service", systemdUnits + "/multi-user.target.wants/files.service", "etc/tmpfiles.d/files.conf",
		atomicCheckouts + "/files.0/files.service", atomicCheckouts + "/files.0/tmpfiles-files.conf"} {
		if err := os.Remove(filepath.Join(h.root, file)); err != nil {
			t.Fatal(err)
		}
	}
	plant(t, h.root, map[string]string{"etc/same": "as it was", "etc/edited": "by hand"})
	if _, said, status := h.run(); status != 0 {
		t.Fatal(said)
	}
	if _, said, status := command(t, "--root", h.root, "export", "files"); status != 0 || !strings.Contains(said, "/etc/same is there already") {
		t.Fatalf("status %d, %s", status, said)
	}
	if stdout, said, status := h.run("--switch"); status != 0 || strings.Contains(stdout, "nothing to do") {
		t.Fatalf("status %d, %s%s", status, stdout, said)
	}
	if stdout, said, status := h.run("--switch"); status != 0 || stdout != "files: nothing to do, it is taken over\n" {
		t.Errorf("again: status %d, %s%s", status, stdout, said)
	}
	if _, said, status := command(t, "uninstall", "--root", h.root, "files"); status != 0 {
		t.Error(said)
	}
	if isFile(filepath.Join(h.root, "etc/same")) || !isFile(filepath.Join(h.root, "etc/edited")) {
		t.Error("the unchanged file stayed, or the edited one went")
	}
}

func TestAtomicLayout(t *testing.T) {
	for _, test := range []struct{ conf, checkouts, repository string }{
		{"", atomicCheckouts, atomicCheckouts + "/.storage/ostree"},
		{"# checkout_path: /no\ncheckout_path: /srv/a # here\nruntime: x\n", "/srv/a", "/srv/a/.storage/ostree"},
		{"checkout_path: \"/srv/b\"\nostree_repository: '/srv/repo'\nsub:\n  checkout_path: /no\n", "/srv/b", "/srv/repo"},
	} {
		root := t.TempDir()
		plant(t, root, map[string]string{"etc/atomic.conf": test.conf})
		checkouts, repository, err := atomicLayout(root)
		if err != nil || checkouts != test.checkouts || repository != test.repository {
			t.Errorf("%q: %s, %s, %v", test.conf, checkouts, repository, err)
		}
	}
	root := t.TempDir()
	plant(t, root, map[string]string{"etc/atomic.conf": "checkout_path: /no\n", "ostree/repo/objects/x": "", "srv/c/x": ""})
	t.Setenv("ATOMIC_OSTREE_CHECKOUT_PATH", "/srv/c")
	if checkouts, repository, err := atomicLayout(root); err != nil || checkouts != "/srv/c" || repository != "/ostree/repo" {
		t.Errorf("%s, %s, %v", checkouts, repository, err)
	}
	t.Setenv("ATOMIC_OSTREE_REPO", "/srv/d")
	if _, repository, _ := atomicLayout(root); repository != "/srv/d" {
		t.Error(repository)
	}
}
