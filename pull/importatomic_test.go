package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syscontainer/pull/store"
)

// oldHost is a host with installations as Atomic's command left them: made by libostree's own command, in the layout of
// Atomic, of images with made-up content.
type oldHost struct {
	t    *testing.T
	root string
}

func newOldHost(t *testing.T) *oldHost {
	t.Helper()
	need(t, "ostree")
	h := &oldHost{t, t.TempDir()}
	plant(t, h.root, map[string]string{"etc/machine-id": "0123456789abcdef0123456789abcdef\n", "usr/bin/runc": "", "etc/systemd/system/x": ""})
	if err := os.MkdirAll(filepath.Join(h.root, atomicCheckouts, ".storage"), 0o755); err != nil {
		t.Fatal(err)
	}
	h.ostree("init", "--mode=bare")
	return h
}

func (h *oldHost) repo() string { return filepath.Join(h.root, atomicCheckouts, ".storage/ostree") }

func (h *oldHost) ostree(args ...string) string {
	h.t.Helper()
	out, err := exec.Command("ostree", append([]string{"--repo=" + h.repo()}, args...)...).CombinedOutput()
	if err != nil {
		h.t.Fatalf("ostree %q: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit stores files under a ref.
func (h *oldHost) commit(ref string, files map[string]string, metadata ...string) string {
	h.t.Helper()
	dir := h.t.TempDir()
	plant(h.t, dir, files)
	args := []string{"commit", "-b", "ociimage/" + ref, "--tree=dir=" + dir, "--owner-uid=0", "--owner-gid=0"}
	for _, m := range metadata {
		args = append(args, "--add-metadata-string="+m)
	}
	return h.ostree(args...)
}

func hexOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// image stores an image of layers, and returns its digest, its commit and those of its layers.
func (h *oldHost) image(name string, layers ...map[string]string) (digest, commit string, of []string) {
	h.t.Helper()
	type named struct {
		Digest string `json:"digest"`
	}
	config := `{"architecture":"amd64","os":"linux","config":{"Labels":{"name":"` + name + `"}},"rootfs":{"type":"layers","diff_ids":[]}}`
	h.commit(hexOf(config), map[string]string{"content": config})
	m := struct {
		SchemaVersion int     `json:"schemaVersion"`
		Config        named   `json:"config"`
		Layers        []named `json:"layers"`
	}{2, named{"sha256:" + hexOf(config)}, nil}
	for _, files := range layers {
		id := hexOf(fmt.Sprint(files))
		of = append(of, id)
		h.commit(id, files, "docker.size=10")
		m.Layers = append(m.Layers, named{"sha256:" + id})
	}
	manifest, _ := json.Marshal(m)
	digest = hexOf(string(manifest))
	var ref strings.Builder
	for _, c := range []byte(name) {
		if strings.IndexByte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", c) >= 0 {
			ref.WriteByte(c)
		} else {
			fmt.Fprintf(&ref, "_%02X", c)
		}
	}
	commit = h.commit(ref.String(), map[string]string{"manifest.json": string(manifest)}, "docker.manifest="+string(manifest), "docker.digest=sha256:"+digest)
	return digest, commit, of
}

// install lays an installation out, with a unit and tmpfiles in force.
func (h *oldHost) install(name string, info map[string]any, layers ...string) {
	h.t.Helper()
	slot := filepath.Join(atomicCheckouts, name+".0")
	if err := os.Mkdir(filepath.Join(h.root, slot), 0o755); err != nil {
		h.t.Fatal(err)
	}
	for _, layer := range layers {
		h.ostree("checkout", "--union", "ociimage/"+layer, filepath.Join(h.root, slot, "rootfs"))
	}
	text, err := json.Marshal(info)
	if err != nil {
		h.t.Fatal(err)
	}
	const service = "[Unit]\nDescription=old\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
	file := name + ".service"
	plant(h.t, h.root, map[string]string{
		filepath.Join(slot, "info"):                                  string(text),
		filepath.Join(slot, file):                                    service,
		filepath.Join(slot, "tmpfiles-"+name+".conf"):                "d /var/lib/" + name + "\n",
		filepath.Join("etc/tmpfiles.d", name+".conf"):                "d /var/lib/" + name + "\n",
		filepath.Join(systemdUnits, file):                            service,
		filepath.Join(systemdUnits, "multi-user.target.wants", file): "-> " + filepath.Join(systemdUnits, file),
		filepath.Join(atomicCheckouts, name):                         "-> " + slot,
	})
}

// everything is what lies below a directory: kinds, modes, owners, times and contents, and what links to where.
func (h *oldHost) everything(dirs ...string) map[string]string {
	h.t.Helper()
	all := map[string]string{}
	for _, dir := range dirs {
		err := filepath.WalkDir(filepath.Join(h.root, dir), func(file string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			said := fmt.Sprint(info.Mode(), info.ModTime().UnixNano())
			switch info.Mode().Type() {
			case 0:
				text, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				said += hexOf(string(text))
			case fs.ModeSymlink:
				target, _ := os.Readlink(file)
				said += target
			}
			all[file] = said
			return nil
		})
		if err != nil {
			h.t.Fatal(err)
		}
	}
	return all
}

func (h *oldHost) run(args ...string) (stdout, stderr string, status int) {
	h.t.Helper()
	return command(h.t, append([]string{"--root", h.root, "import", "--atomic"}, args...)...)
}

func (h *oldHost) unit(name string) string {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.root, "etc/containers/systemd", name+".syscontainer"))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// whole is an image with all that one can bring, of two layers: the upper one hides and replaces.
func whole() []map[string]string {
	return []map[string]string{{
		"usr/bin/run.sh": "#!/bin/sh\n", "gone": "x", "replaced": "old", "dir/hidden": "x", "link": "-> usr/bin/run.sh",
	}, {
		".wh.gone": "", "replaced": "new", "dir/.wh..wh..opq": "", "dir/shown": "y",
		"exports/config.json.template":      `{"ociVersion":"1.0.0","process":{"user":{"uid":0,"gid":0},"args":["run.sh"],"cwd":"/","env":["PORT=$PORT","WORD=$WORD"]},"root":{"path":"rootfs","readonly":true},"mounts":[],"linux":{"namespaces":[{"type":"mount"}]}}`,
		"exports/manifest.json":             `{"version":"1.0","defaultValues":{"PORT":"81"},"renameFiles":{"/usr/local/bin/tool":"/usr/local/bin/${NAME}-tool"}}`,
		"exports/service.template":          "[Unit]\nDescription=$NAME\n\n[Service]\nExecStart=$EXEC_START\nExecStop=$EXEC_STOP\nWorkingDirectory=$DESTDIR\nRestart=on-failure\n\n[Install]\nWantedBy=multi-user.target\n",
		"exports/hostfs/usr/local/bin/tool": "#!/bin/sh\n", "exports/hostfs/etc/extra": "never installed\n",
	}}
}

// values are all that Atomic recorded of an installation that chose one.
func values(name string, more map[string]any) map[string]any {
	all := map[string]any{"NAME": name, "DESTDIR": atomicCheckouts + "/" + name + ".0", "HOST_UID": 0, "HOST_GID": 0, "RUN_DIRECTORY": "/run",
		"PIDFILE": "/run/container-" + name + ".pid", "CONF_DIRECTORY": "/etc", "STATE_DIRECTORY": "/var/lib", "RUNTIME": "/usr/bin/runc",
		"PORT": "81", "WORD": "a \"word\" 100%", "UUID": "aaaa-bbbb", "EXEC_START": "x"}
	maps.Copy(all, more)
	return all
}

func TestTakeOver(t *testing.T) {
	h := newOldHost(t)
	digest, commit, layers := h.image("q.io/old/web:1", whole()...)
	h.install("web", map[string]any{
		"image": "q.io/old/web:1", "revision": digest, "ostree-commit": commit, "created": 1, "values": values("web", nil), "remote": nil, "rpm-installed": nil,
		"installed-files": []string{"/usr/local/bin/web-tool"}, "installed-files-checksum": map[string]string{"/usr/local/bin/web-tool": hexOf("#!/bin/sh\n")},
	}, layers...)
	plant(t, h.root, map[string]string{"usr/local/bin/web-tool": "#!/bin/sh\n"})
	before := h.everything(".")

	dry, said, status := h.run("--dry-run")
	if status != 0 || !maps.Equal(before, h.everything(".")) {
		t.Fatalf("--dry-run: status %d, or it changed something: %s", status, said)
	}
	old := h.everything(atomicCheckouts, "etc/systemd", "etc/tmpfiles.d", "usr")
	stdout, said, status := h.run("web")
	if status != 0 || !strings.Contains(stdout, "web: /etc/containers/systemd/web.syscontainer\n") || !strings.Contains(stdout, "import --atomic --switch web") {
		t.Fatalf("status %d, %s%s", status, stdout, said)
	}
	if !maps.Equal(old, h.everything(atomicCheckouts, "etc/systemd", "etc/tmpfiles.d", "usr")) {
		t.Error("the old installation was changed")
	}
	text := h.unit("web")
	if text != dry {
		t.Errorf("--dry-run says\n%s, it becomes\n%s", dry, text)
	}
	for _, line := range []string{"Image=q.io/old/web:1", `Set="WORD=a \"word\" 100%%"`, "Set=UUID=aaaa-bbbb", "#Set=PORT=81", "Export=/usr/local/bin/web-tool", "Restart=on-failure", "WantedBy=multi-user.target"} {
		if !slices.Contains(strings.Split(text, "\n"), line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	if strings.Count(text, "\nSet=") != 2 || strings.Count(text, "\nExport=") != 1 {
		t.Errorf("more than was chosen:\n%s", text)
	}

	image, err := store.Lookup(h.root, "q.io/old/web:1")
	if err != nil || image.Digest != digest {
		t.Fatal(image, err)
	}
	for file, want := range map[string]string{"replaced": "new", "dir/shown": "y", "usr/bin/run.sh": "#!/bin/sh\n", "gone": "", "dir/hidden": "", ".wh.gone": "", "dir/.wh..wh..opq": ""} {
		got, err := os.ReadFile(filepath.Join(image.Rootfs(), file))
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%s is %q, %v, want %q", file, got, err, want)
		}
	}
	if out, said, status := command(t, "--root", h.root, "verify"); status != 0 {
		t.Errorf("verify: %s%s", out, said)
	}
	if out, err := exec.Command("ostree", "fsck", "--quiet", "--repo="+store.RepoOf(h.root, false)).CombinedOutput(); err != nil {
		t.Errorf("libostree: %v: %s", err, out)
	}
	if out, _, _ := command(t, "--root", h.root, "images"); !strings.Contains(out, "q.io/old/web:1") {
		t.Errorf("images: %s", out)
	}

	// Again: nothing but the hint. An edited unit stays.
	stdout, said, status = h.run()
	if status != 0 || strings.Contains(stdout, "web.syscontainer") {
		t.Errorf("again: status %d, %s%s", status, stdout, said)
	}
	plant(t, h.root, map[string]string{"etc/containers/systemd/web.syscontainer": text + "# mine\n"})
	stdout, said, status = h.run("web")
	if status != 1 || !strings.Contains(stdout, "\n-# mine\n") || !strings.Contains(said, "hint: --yes") || h.unit("web") != text+"# mine\n" {
		t.Errorf("edited: status %d, %s%s", status, stdout, said)
	}
	if _, said, status = h.run("--yes", "web"); status != 0 || h.unit("web") != text {
		t.Errorf("--yes: status %d, %s", status, said)
	}

	// Switched: what Atomic had put into the system is kept elsewhere, its checkouts stay where they are.
	checkouts := h.everything(atomicCheckouts)
	stdout, said, status = h.run("--switch", "web")
	if status != 0 {
		t.Fatalf("--switch: status %d, %s%s", status, stdout, said)
	}
	for _, file := range []string{"/etc/systemd/system/web.service", "/etc/systemd/system/multi-user.target.wants/web.service", "/etc/tmpfiles.d/web.conf"} {
		if _, err := os.Lstat(filepath.Join(h.root, file)); err == nil {
			t.Errorf("%s is there", file)
		}
		if _, err := os.Lstat(filepath.Join(h.root, takenOver, "web", file)); err != nil || !strings.Contains(stdout, "moved "+file) {
			t.Errorf("%s is not kept, or not said: %v", file, err)
		}
	}
	if !maps.Equal(checkouts, h.everything(atomicCheckouts)) {
		t.Error("--switch changed Atomic's checkouts")
	}
	loads(t, h.root, "web")
	record, err := store.ReadExports(h.root, "web")
	if err != nil || record == nil || len(record.Files) != 1 || record.Files[0].Path != "/usr/local/bin/web-tool" || record.Files[0].Kept {
		t.Errorf("the record is %+v, %v", record, err)
	}
	for _, args := range [][]string{{}, {"--switch"}} {
		stdout, said, status = h.run(args...)
		if status != 0 || stdout != "web: nothing to do, it is taken over\n" {
			t.Errorf("%q again: status %d, %q, %s", args, status, stdout, said)
		}
	}
	// What was exported goes with the unit.
	if _, said, status := command(t, "uninstall", "--root", h.root, "web"); status != 0 {
		t.Errorf("uninstall: %s", said)
	}
	if _, err := os.Lstat(filepath.Join(h.root, "usr/local/bin/web-tool")); err == nil {
		t.Error("a file for the host outlived its container")
	}
}

// The version that is installed counts, though its name has moved on or is gone; one of another name is not in the way.
func TestTakeOverVersions(t *testing.T) {
	h := newOldHost(t)
	first, commit, layers := h.image("app:latest", map[string]string{"version": "1"})
	h.install("app", map[string]any{"image": "app", "revision": first, "ostree-commit": commit, "values": values("app", nil)}, layers...)
	h.install("same", map[string]any{"image": "app:latest", "revision": first, "ostree-commit": commit, "values": values("same", nil)}, layers...)
	second, _, _ := h.image("app:latest", map[string]string{"version": "2"})
	h.install("other", map[string]any{"image": "docker:app", "revision": second, "values": values("other", nil)})
	if _, said, status := h.run(); status != 0 || !strings.Contains(said, "app:latest names no registry: the image is localhost/app:latest here") {
		t.Fatalf("status %d, %s", status, said)
	}
	for name, line := range map[string]string{"app": "Image=localhost/app@sha256:" + first, "same": "Image=localhost/app@sha256:" + first, "other": "Image=localhost/app:latest"} {
		if text := h.unit(name); !strings.Contains(text, line+"\n") {
			t.Errorf("%s has no %s:\n%s", name, line, text)
		}
		c, _ := unitBelow(t, h.root, name)
		image, err := store.Lookup(h.root, c)
		version, _ := os.ReadFile(filepath.Join(image.Rootfs(), "version"))
		if want := map[bool]string{true: "2", false: "1"}[name == "other"]; err != nil || string(version) != want {
			t.Errorf("%s runs version %q, %v", name, version, err)
		}
	}
}

func unitBelow(t *testing.T, root, name string) (image, text string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "etc/containers/systemd", name+".syscontainer"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if value, found := strings.CutPrefix(line, "Image="); found {
			image = strings.TrimSpace(value)
		}
	}
	return image, string(data)
}

// What cannot be taken over is told, with its place; nothing is written for it, and the others are taken over.
func TestTakeOverErrors(t *testing.T) {
	h := newOldHost(t)
	digest, commit, layers := h.image("q.io/old/good:latest", map[string]string{"a": "b"})
	h.install("good", map[string]any{"image": "q.io/old/good", "revision": digest, "ostree-commit": commit, "values": values("good", nil)}, layers...)
	_, _, gone := h.image("q.io/old/holes:latest", map[string]string{"c": "d"}, map[string]string{"e": "f"})
	h.ostree("refs", "--delete", "ociimage/"+gone[1])
	h.install("holes", map[string]any{"image": "q.io/old/holes", "values": map[string]any{}})
	_, _, flipped := h.image("q.io/old/flipped:latest", map[string]string{"file": "sound and whole"})
	object := h.ostree("ls", "-C", "ociimage/"+flipped[0], "/file")
	sum := strings.Fields(object)[4]
	file := filepath.Join(h.repo(), "objects", sum[:2], sum[2:]+".file")
	if err := os.WriteFile(file, []byte("sound and whol!"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.install("flipped", map[string]any{"image": "q.io/old/flipped", "values": map[string]any{}})
	h.install("absent", map[string]any{"image": "q.io/old/absent", "values": map[string]any{}})
	h.install("types", map[string]any{"image": 1, "values": []string{}, "remote": "relative", "installed-files": map[string]any{"a": 1}, "rpm-installed": true})
	h.install("empty", nil)
	h.install("list", map[string]any{"image": "q.io/old/good", "values": map[string]any{"A B": "x"}})
	plant(t, h.root, map[string]string{
		atomicCheckouts + "/away": "-> /etc", atomicCheckouts + "/astray": "-> good.0", atomicCheckouts + "/.hidden": "-> good.0",
		atomicCheckouts + "/fifo": "-> fifo.0", atomicCheckouts + "/fifo.0/info": "-> ../../../../../etc/machine-id",
	})
	stdout, said, status := h.run()
	if status != 1 {
		t.Fatalf("status %d, %s", status, stdout)
	}
	for _, want := range []string{
		"import holes: image q.io/old/holes:latest in /var/lib/containers/atomic/.storage/ostree: Layer not found: " + gone[1] + ".  Please pull the image again",
		"import flipped: take image q.io/old/flipped:latest: /var/lib/containers/atomic/.storage/ostree: /file: ",
		"import absent: image q.io/old/absent:latest is not in /var/lib/containers/atomic/.storage/ostree",
		"import types: read /var/lib/containers/atomic/types.0/info: image is no text\n", "values is no object", `remote "relative" is no absolute path`,
		"installed-files is no list of texts", "rpm-installed is no text",
		"import empty: read /var/lib/containers/atomic/empty.0/info: values are missing\nimage is missing",
		`import list: read /var/lib/containers/atomic/list.0/info: values: "A B": it is no name of a variable`,
		`import away: /var/lib/containers/atomic/away leads to "/etc", which is none of its versions`, "import astray: ", "import fifo: read ",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("not said: %s", want)
		}
	}
	if t.Failed() {
		t.Log(said)
	}
	written, _ := filepath.Glob(filepath.Join(h.root, "etc/containers/systemd/*"))
	if len(written) != 1 || filepath.Base(written[0]) != "good.syscontainer" {
		t.Errorf("written: %q", written)
	}
	listing, err := store.List(h.root)
	if err != nil || len(listing.Images) != 1 {
		t.Errorf("stored: %v, %v", listing.Images, err)
	}
	if _, said, status := h.run("goood"); status != 1 || !strings.Contains(said, "hint: did you mean good?") {
		t.Errorf("a name that is near: %d, %s", status, said)
	}
	for _, args := range [][]string{{"--dry-run", "--switch"}, {"--force"}, {"../x"}, {"good", "--switch"}} {
		if _, said, status := h.run(args...); status != 2 {
			t.Errorf("%q: status %d, %s", args, status, said)
		}
	}
}
