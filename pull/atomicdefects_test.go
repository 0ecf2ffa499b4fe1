package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syscontainer/pull/store"
	"syscontainer/test/image"
)

// What Project Atomic's own command did wrong, where no other test shows that this one does not.

// It had two places for versions of a container, and never emptied them: the third version was laid over the first.
func TestThirdVersionHasNothingOfTheFirst(t *testing.T) {
	s := newExportScene(t)
	common := image.File("etc/common", 0o644, "common")
	one := s.image("one", "", image.File("etc/first", 0o644, "1"), common)
	two := s.image("two", "", common)
	three := s.image("three", "", common, image.File("etc/third", 0o644, "3"))
	for _, version := range []string{one, two, three} {
		must(t, s.root, "tag", version, "q.io/web:1")
		s.unit("web", "q.io/web:1", "Export=yes")
		s.export("web")
		stored, err := store.Lookup(s.root, "q.io/web:1")
		if err != nil {
			t.Fatal(err)
		}
		for name, in := range map[string]string{"etc/first": one, "etc/third": three, "etc/common": version} {
			_, inImage := os.Lstat(filepath.Join(stored.Rootfs(), "exports/hostfs", name))
			_, onHost := os.Lstat(s.at(name))
			if want := version == in; (inImage == nil) != want || (onHost == nil) != want {
				t.Errorf("%s with %s: in the image %v, on the host %v", name, version, inImage, onHost)
			}
		}
	}
}

// Its rollback rendered files without values, and by the list of the newer version; and did nothing to files for the host if
// the version that ran had none.
func TestRollbackOfHostFiles(t *testing.T) {
	s := newExportScene(t)
	one := s.image("one", `{"installedFilesTemplate": ["/etc/a"], "defaultValues": {"WORD": "default"}}`, image.File("etc/a", 0o644, "$WORD of $NAME"), image.File("etc/b", 0o644, "$WORD"))
	two := s.image("two", `{"installedFilesTemplate": ["/etc/b"]}`, image.File("etc/a", 0o644, "$WORD"), image.File("etc/b", 0o644, "$NAME has $WORD"))
	none := s.image("none", `{"noContainerService": true}`)
	files := s.image("files", `{"noContainerService": true, "installedFilesTemplate": ["/etc/a"]}`, image.File("etc/a", 0o644, "$NAME alone"))
	for _, step := range []struct{ version, a, b string }{
		{one, "mine of web", "$WORD"}, {two, "$WORD", "web has mine"}, {one, "mine of web", "$WORD"},
		{none, "", ""}, {one, "mine of web", "$WORD"}, {files, "web alone", ""}, {none, "", ""}, {files, "web alone", ""}, {two, "$WORD", "web has mine"},
	} {
		s.unit("web", step.version, "Export=yes", "Set=WORD=mine")
		s.export("web")
		for name, want := range map[string]string{"etc/a": step.a, "etc/b": step.b} {
			if want == "" {
				s.absent(name)
			} else {
				s.is(name, want)
			}
		}
	}
}

// Its prune took labels of images that were in use, and names that look like digests for parts of others.
func TestPruneKeepsLabelsAndNames(t *testing.T) {
	root, layout := newRoot(t)
	once := image.Image{Layers: []image.Layer{{Entries: []image.Entry{image.File("a", 0o644, "a")}}}, Config: image.Config{Labels: map[string]string{"atomic.run": "once"}}}
	if _, err := layout.Put("labelled", once); err != nil {
		t.Fatal(err)
	}
	must(t, root, "pull", "oci:"+layout.Dir+":labelled")
	hex := strings.Repeat("cafe", 16)
	names := []string{"q.io/cafe:beef", "q.io/" + hex + ":1", "q.io/deadbeef:latest"}
	for _, name := range names {
		must(t, root, "tag", "oci:"+layout.Dir+":labelled", name)
	}
	must(t, root, "rmi", "oci:"+layout.Dir+":labelled")
	for i, name := range names {
		writeFile(t, root+"/etc/containers/systemd/"+string(rune('a'+i))+".syscontainer", "[Container]\nImage="+name+"\n")
	}
	for range 2 {
		must(t, root, "prune", "--grace=0")
		listed := must(t, root, "images")
		for _, name := range names {
			if !strings.Contains(listed, strings.TrimSuffix(name, ":latest")) {
				t.Errorf("%s is not in\n%s", name, listed)
			}
			if info := must(t, root, "images", "info", name); !strings.Contains(info, "atomic.run=once") || !strings.Contains(info, "to be run once") {
				t.Errorf("%s has lost its label:\n%s", name, info)
			}
		}
	}
}

// Its listings ended with an error for {} as a configuration, which it wrote itself, and for a manifest without values.
func TestEmptyConfigurationIsListed(t *testing.T) {
	root, empty := t.TempDir(), t.TempDir()
	plant(t, empty, map[string]string{"exports/config.json": "{}", "exports/manifest.json": `{"version": "1.0"}`, "exports/tmpfiles.template": ""})
	plantImage(t, root, "q.io/empty:1", empty, usualConfig)
	must(t, root, "install", "--name", "empty", "q.io/empty:1")
	for _, args := range [][]string{{"images"}, {"images", "info", "q.io/empty:1"}, {"check", "--image", "q.io/empty:1"}, {"check", "--image"}, {"check"}} {
		if stdout, stderr, status := command(t, append([]string{"--root", root}, args...)...); status != 0 || strings.Contains(stdout, "error:") {
			t.Errorf("%v: status %d: %s%s", args, status, stdout, stderr)
		}
	}
}

// Its failed installations left files behind, and its names of images depended on whether a host was known to DNS.
func TestFailedInstallLeavesNothing(t *testing.T) {
	root, broken := t.TempDir(), t.TempDir()
	plant(t, broken, map[string]string{"exports/service.template": "[Service]\nExecStart=$EXEC_START\nMemoryMax=$MISSING\n", "exports/hostfs/etc/a": "a", "exports/tmpfiles.template": "d /var/lib/x\n"})
	plantImage(t, root, "no-such-host.invalid:5000/x:latest", broken, usualConfig)
	before := snapshotOf(t, root)
	_, stderr, status := command(t, "--root", root, "install", "no-such-host.invalid:5000/x")
	if status != 1 || !strings.Contains(stderr, "install no-such-host.invalid:5000/x:latest: ") || !strings.Contains(stderr, "''MISSING''") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if after := snapshotOf(t, root); !slices.Equal(after, before) {
		t.Errorf("there is\n%q\nand was\n%q", after, before)
	}
	if stdout := must(t, root, "install", "no-such-host.invalid:5000/x", "--set", "MISSING=1G"); !strings.HasSuffix(stdout, "/x.syscontainer\n") {
		t.Error(stdout)
	}
}

// Its second update of a container whose root is a directory of the host failed, for the link that the first had made.
func TestInstallRootfsAgain(t *testing.T) {
	root := t.TempDir()
	plantImage(t, root, "q.io/other:1", greeter, usualConfig) // for the machine around it
	if err := os.CopyFS(root+"/srv/remote/rootfs", os.DirFS(greeter)); err != nil {
		t.Fatal(err)
	}
	install := []string{"install", "--rootfs", "/srv/remote", "--yes", "--set"}
	for _, value := range []string{"GREETING=one", "GREETING=two", "GREETING=three", "GREETING=three"} {
		must(t, root, append(install, value)...)
		c, _ := loads(t, root, "remote")
		if c.Rootfs != "/srv/remote/rootfs" || !slices.Equal(c.Set, []string{value}) {
			t.Errorf("%s: %q, %q", value, c.Rootfs, c.Set)
		}
	}
}

// Its containers could not be removed any more when the file that described them was lost.
func TestUninstallWithoutRecords(t *testing.T) {
	s := newExportScene(t)
	s.unit("web", s.image("web", "", image.File("etc/a", 0o644, "1")), "Export=yes")
	s.export("web")
	if err := os.RemoveAll(s.at("var/lib/syscontainer/containers/web")); err != nil {
		t.Fatal(err)
	}
	must(t, s.root, "uninstall", "web")
	s.is("etc/a", "1") // nobody's now
	s.absent("etc/containers/systemd/web.syscontainer")
	s.export("--undo", "web")

	s.unit("web", "q.io/not-there:1")
	s.write("var/lib/syscontainer/containers/web/exports.json", "{")
	_, stderr, status := command(t, "--root", s.root, "uninstall", "web")
	if status != 1 || !strings.Contains(stderr, "var/lib/syscontainer/containers/web/exports.json") {
		t.Errorf("status %d: %s", status, stderr)
	}
	s.absent("etc/containers/systemd/web.syscontainer")
	os.Remove(s.at("var/lib/syscontainer/containers/web/exports.json"))
	must(t, s.root, "uninstall", "--data", "web")
	s.absent("var/lib/syscontainer/containers/web")
}
