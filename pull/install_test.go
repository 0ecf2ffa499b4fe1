package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syscontainer/generator/convert"
	"syscontainer/pull/store"
	"syscontainer/units"
)

// plantImage puts an image into the store below root: what lies in a directory, and this configuration.
func plantImage(t *testing.T, root, reference, dir, config string) (digest string) {
	t.Helper()
	sum := sha256.Sum256([]byte(reference + dir + config))
	digest = hex.EncodeToString(sum[:])
	image := filepath.Join(root, "var/lib/syscontainer/images", digest)
	if err := os.CopyFS(filepath.Join(image, "rootfs"), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(root, "var/lib/syscontainer/references", store.Escape(reference))
	os.Remove(link)
	plant(t, root, map[string]string{
		"var/lib/syscontainer/images/" + digest + "/config.json":     config,
		"var/lib/syscontainer/images/" + digest + "/manifest.json":   "{}",
		"var/lib/syscontainer/references/" + store.Escape(reference): "-> ../images/" + digest,
		"etc/machine-id": "0123456789abcdef0123456789abcdef\n",
		"usr/bin/runc":   "",
	})
	return digest
}

const usualConfig = `{"architecture":"amd64","os":"linux","config":{"Cmd":["/bin/sh"]}}`

// loads asserts that a unit below root loads, and converts without an error; and returns it with its service.
func loads(t *testing.T, root, name string) (*units.Container, string) {
	t.Helper()
	plan := convert.Convert(units.Load(root, units.SearchPath()), convert.Options{Root: root, Render: renderPath})
	for i := range plan.Services {
		if s := &plan.Services[i]; s.Unit.Stem.Full == name {
			if len(s.Errors) > 0 {
				t.Errorf("%s: %v", name, s.Errors)
			}
			c, _, _ := s.Unit.Container()
			return c, s.Text
		}
	}
	t.Fatalf("there is no unit %s", name)
	return nil, ""
}

// Each directory of testdata/install is the root of an image, with values in the file set; what a person sees is golden.
func TestInstallText(t *testing.T) {
	dirs, err := filepath.Glob("testdata/install/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no images", err)
	}
	for _, dir := range dirs {
		name := filepath.Base(dir)
		if name == "want" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			plantImage(t, root, "q.io/old/"+name+":latest", dir, usualConfig)
			args := []string{"--root", root, "install", "q.io/old/" + name}
			set, _ := os.ReadFile(filepath.Join(dir, "set"))
			for line := range strings.Lines(string(set)) {
				args = append(args, "--set", strings.TrimSuffix(line, "\n"))
			}
			dry, said, status := command(t, append(args, "--dry-run")...)
			if status != 0 {
				t.Fatalf("status %d: %s", status, said)
			}
			golden(t, "install/want/"+name+".syscontainer", dry)
			golden(t, "install/want/"+name+".stderr", said)
			file := filepath.Join(root, "etc/containers/systemd", name+".syscontainer")
			if _, err := os.Stat(filepath.Dir(file)); err == nil {
				t.Error("--dry-run wrote something")
			}
			stdout, again, status := command(t, args...)
			if status != 0 || stdout != "/etc/containers/systemd/"+name+".syscontainer\n" || again != said {
				t.Errorf("status %d, %q, %q", status, stdout, again)
			}
			if text, err := os.ReadFile(file); err != nil || string(text) != dry {
				t.Errorf("written is %s, %v", text, err)
			}
			c, service := loads(t, root, name)
			if len(c.AddCapability) > 0 || c.Privileged {
				t.Error("an image gave itself rights")
			}
			for line := range strings.Lines(string(set)) {
				if !slices.Contains(c.Set, strings.TrimSuffix(line, "\n")) {
					t.Errorf("Set= is %q, without %q", c.Set, line)
				}
			}
			if strings.Contains(service, "\x1a") || strings.Contains(service, "EXEC_") {
				t.Errorf("the service is\n%s", service)
			}
			_, out, status := command(t, "--root", root, "check")
			if status != 0 {
				t.Errorf("check: %s", out)
			}
		})
	}
}

const greeter = "testdata/install/ledger"

func TestInstallAgain(t *testing.T) {
	root := t.TempDir()
	plantImage(t, root, "q.io/ledger:1", greeter, usualConfig)
	const file = "/etc/containers/systemd/ledger-1.syscontainer"
	install := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, status := command(t, append([]string{"install", "--root", root}, args...)...)
		if status != want {
			t.Fatalf("install %q: status %d, %s", args, status, stderr)
		}
		return stdout, stderr
	}
	text := func() string {
		t.Helper()
		data, err := os.ReadFile(root + file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	install(0, "--set", "GREETING=hello\nworld 100% \\ \"", "q.io/ledger:1")
	first := text()
	if c, _ := loads(t, root, "ledger-1"); !slices.Contains(c.Set, "GREETING=hello\nworld 100% \\ \"") {
		t.Errorf("Set= is %q", c.Set)
	}
	// The same again, with the values that it has.
	stdout, stderr := install(0, "q.io/ledger:1")
	if stdout != "" || !strings.Contains(stderr, file+" is as it would be written") || text() != first {
		t.Errorf("%q, %q", stdout, stderr)
	}
	// Another value: shown, and written only with --yes. The first one stays.
	stdout, stderr = install(1, "q.io/ledger:1", "--set=MEMORY=1G")
	if text() != first || !strings.Contains(stdout, "+MemoryMax=1G\n") || !strings.Contains(stdout, "-MemoryMax=256M\n") || !strings.Contains(stderr, "hint: --yes") {
		t.Errorf("%q, %q", stdout, stderr)
	}
	again, _ := install(0, "q.io/ledger:1", "--yes", "--set=MEMORY=1G")
	if again != stdout || !strings.Contains(text(), "MemoryMax=1G\n") || !strings.Contains(text(), "GREETING=hello") {
		t.Errorf("%s\n%s", again, text())
	}
	// A newer image of the same name, and a file that only root may read.
	newer := t.TempDir()
	if err := os.CopyFS(newer, os.DirFS(greeter)); err != nil {
		t.Fatal(err)
	}
	template := filepath.Join(newer, "exports/service.template")
	old, _ := os.ReadFile(template)
	writeFile(t, template, strings.Replace(string(old), "RestartSec=5", "RestartSec=7", 1))
	plantImage(t, root, "q.io/ledger:1", newer, usualConfig)
	if err := os.Chmod(root+file, 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _ = install(1, "q.io/ledger:1")
	if !strings.Contains(stdout, "-RestartSec=5\n+RestartSec=7\n") || strings.Count(stdout, "\n+")+strings.Count(stdout, "\n-") != 3 {
		t.Errorf("%s", stdout)
	}
	install(0, "q.io/ledger:1", "--yes")
	if info, err := os.Stat(root + file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// What a drop-in sets counts for the service's text, and is not copied.
	plant(t, root, map[string]string{file + ".d/mine.conf": "[Container]\nSet=MEMORY=2G\n"})
	install(0, "q.io/ledger:1", "--yes")
	if !strings.Contains(text(), "MemoryMax=2G\n") || strings.Contains(text(), "Set=MEMORY=2G") {
		t.Errorf("%s", text())
	}
	for _, entry := range []string{"", ".d"} {
		if _, err := os.Stat(root + file + entry); err != nil {
			t.Error(err)
		}
	}
	if left, _ := filepath.Glob(root + "/etc/containers/systemd/.*"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// Defaults are not written down as if a person had set them: another image's count, and a person's own stay.
func TestInstallDefaultsMove(t *testing.T) {
	root, newer := t.TempDir(), t.TempDir()
	plantImage(t, root, "q.io/ledger:latest", greeter, usualConfig)
	for _, args := range [][]string{{"--name", "as-it-is"}, {"--name", "mine", "--set=MEMORY=3M"}} {
		if _, stderr, status := command(t, append([]string{"--root", root, "install", "q.io/ledger", "--set=GREETING=x"}, args...)...); status != 0 {
			t.Fatal(stderr)
		}
	}
	if err := os.CopyFS(newer, os.DirFS(greeter)); err != nil {
		t.Fatal(err)
	}
	manifest := filepath.Join(newer, "exports/manifest.json")
	old, _ := os.ReadFile(manifest)
	writeFile(t, manifest, strings.Replace(string(old), `"256M"`, `"512M"`, 1))
	plantImage(t, root, "q.io/ledger:latest", newer, usualConfig)
	for name, want := range map[string]string{"as-it-is": "MemoryMax=512M\n", "mine": "MemoryMax=3M\n"} {
		if _, stderr, status := command(t, "--root", root, "install", "q.io/ledger", "--yes", "--name", name); status != 0 {
			t.Fatal(stderr)
		}
		if _, service := loads(t, root, name); !strings.Contains(service, want) || strings.Contains(service, "MEMORY=256M") {
			t.Errorf("%s: want %s, the service is\n%s", name, want, service)
		}
	}
}

// Of lines that replace one another the last is what the image says. One that is refused gives way to none of the others.
func TestInstallRefusedLines(t *testing.T) {
	root, image := t.TempDir(), t.TempDir()
	plant(t, image, map[string]string{"exports/service.template": "[Service]\nExecStart=$EXEC_START\nProtectSystem=full\n" + strings.Repeat("User=a\n", 5000) + "ProtectSystem=strict\nSystemCallFilter=~@swap\nSystemCallFilter=@basic-io\n",
		"exports/manifest.json": "{}"})
	plantImage(t, root, "q.io/a:latest", image, usualConfig)
	plant(t, root, map[string]string{"etc/containers/systemd/.a.syscontainer.new": "of one that was killed"})
	if _, stderr, status := command(t, "--root", root, "install", "q.io/a"); status != 0 {
		t.Fatal(stderr)
	}
	_, service := loads(t, root, "a")
	if strings.Contains(service, "ProtectSystem") || strings.Contains(service, "User=") || !strings.Contains(service, "SystemCallFilter=~@swap\n") || strings.Contains(service, "basic-io") {
		t.Errorf("%s", service)
	}
	if left, _ := filepath.Glob(root + "/etc/containers/systemd/.*"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// Two of one image, and one in the system itself.
func TestInstallSeveral(t *testing.T) {
	root := t.TempDir()
	plantImage(t, root, "q.io/ledger:latest", greeter, usualConfig)
	for _, args := range [][]string{{"--name", "one", "--set", "PORT=1"}, {"--name=two", "--set=PORT=2"}, {"--name", "three", "--vendor"}} {
		if _, stderr, status := command(t, append(append([]string{"--root", root, "install", "q.io/ledger"}, args...), "--set", "GREETING=x")...); status != 0 {
			t.Fatalf("%q: %s", args, stderr)
		}
	}
	for name, want := range map[string]string{"one": "PORT=1", "two": "PORT=2", "three": "GREETING=x"} {
		c, service := loads(t, root, name)
		if !slices.Contains(c.Set, want) || !strings.Contains(service, "RuntimeDirectory="+name+"\n") {
			t.Errorf("%s: %q\n%s", name, c.Set, service)
		}
	}
	if _, err := os.Stat(root + "/usr/share/containers/systemd/three.syscontainer"); err != nil {
		t.Error(err)
	}
}

func TestInstallErrors(t *testing.T) {
	root := t.TempDir()
	plantImage(t, root, "q.io/ledger:latest", greeter, usualConfig)
	plantImage(t, root, "q.io/once:1", greeter, `{"config":{"Labels":{"atomic.run":"once"}}}`)
	plantImage(t, root, "q.io/dockeronce:1", greeter, `{"container_config":{"Labels":{"atomic.run":"once"}}}`)
	agent, broken := t.TempDir(), t.TempDir()
	plant(t, agent, map[string]string{"exports/service.template": "[Unit]\nDescription=x\n[Service]\nExecStart=$DESTDIR/rootfs/bin/agent\nMemoryMax=1\n[Install]\nWantedBy=a.b\n"})
	plant(t, broken, map[string]string{"exports/service.template": "[Unit]\nDescription=x\n[Service]\nExecStart=$EXEC_START\n[Install]\n\nWantedBy=we/ird.target\nAlias=x.socket\n",
		"exports/manifest.json": "{}"})
	plantImage(t, root, "q.io/agent:1", agent, usualConfig)
	plantImage(t, root, "q.io/broken:1", broken, usualConfig)
	plant(t, broken, map[string]string{"exports/config.json.template": `{"root": {"path": "rootfs"}, "x": $A$B}`, "exports/service.template": "[Unit]\nDescription=$C\n", "exports/manifest.json": `{"renameFiles":{"/a":"$D"}}`})
	plantImage(t, root, "q.io/missing:1", broken, usualConfig)
	const units = "etc/containers/systemd/"
	plant(t, root, map[string]string{
		units + "masked.syscontainer":                               "-> /dev/null",
		"usr/share/containers/systemd/shipped.syscontainer":         good,
		"run/containers/systemd/now.syscontainer":                   good,
		units + "sub/deep.syscontainer":                             good,
		units + "linked.syscontainer":                               "-> /etc/other",
		"etc/other":                                                 good,
		"usr/lib/systemd/system/sshd.service":                       "[Service]\n",
		"usr/lib/systemd/system-generators/podman-system-generator": "",
		units + "quadlet.container":                                 "[Container]\nImage=q.io/x\n",
	})
	before := snapshotOf(t, root)
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"q.io/ledger", 1, "The template file 'config.json.template' still contains an unreplaced value for: ''GREETING''\nhint: --set GREETING=…\n"},
		{"q.io/missing:1", 1, "for: ''A'', ''B''\nThe template file 'service.template' still contains an unreplaced value for: ''C''\nThe template file 'manifest.json' still contains an unreplaced value for: ''D''\nhint: --set A=… --set B=… --set C=… --set D=…\n"},
		{"q.io/once:1", 1, "label atomic.run says so; that is for a machine that runs\nhint: there, syscontainer run q.io/once:1\n"},
		{"q.io/dockeronce:1 --dry-run", 1, "hint: there, syscontainer run"},
		{"q.io/agent:1", 1, "service.template:4: ExecStart= starts a program of the host"},
		{"q.io/broken:1", 1, "service.template:7: WantedBy=: \"we/ird.target\" is no name of a unit\nhint: for example multi-user.target\nservice.template:8: Alias="},
		{"q.io/ledger --set GREETING", 2, "Invalid value 'GREETING'.  Expected form NAME=VALUE"},
		{"q.io/ledger --set NAME=x", 2, "the container itself gives $NAME its value"},
		{"q.io/ledger --set GREETING=x --name shipped", 1, "shipped is there already: it is the name of /usr/share/containers/systemd/shipped.syscontainer"},
		{"q.io/ledger --set GREETING=x --name now", 1, "now is there already"},
		{"q.io/ledger --set GREETING=x --name deep", 1, "sub/deep.syscontainer"},
		{"q.io/ledger --set GREETING=x --name masked", 1, "is masked"},
		{"q.io/ledger --set GREETING=x --name linked", 1, "it is a link"},
		{"q.io/ledger --set GREETING=x --name sshd", 1, "/usr/lib/systemd/system/sshd.service is there already"},
		{"q.io/ledger --set GREETING=x --name quadlet", 1, "quadlet.container becomes quadlet.service too"},
		{"q.io/ledger --set GREETING=x --name a/b", 2, "is no unit name"},
		{"q.io/ledger --set GREETING=x --name a@", 2, "is the name of a template"},
		{"q.io/ledger q.io/other", 2, "unexpected argument"},
		{"q.io/ledger --rootfs /srv", 2, "in place of an image"},
		{"--rootfs /srv", 1, "--rootfs was specified but the given location does not contain a rootfs"},
		{"ledger", 2, "docker.io/library/ledger"},
		{"docker:ledger", 2, "names no registry"},
		{"", 2, "an image is missing"},
	} {
		stdout, stderr, status := command(t, append([]string{"--root", root, "install"}, strings.Fields(c.args)...)...)
		if status != c.status || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("install %s: status %d, stdout %q, stderr\n%swant\n%s", c.args, status, stdout, stderr, c.want)
		}
	}
	if after := snapshotOf(t, root); !slices.Equal(before, after) {
		t.Errorf("changed: %q, was %q", after, before)
	}
}

// snapshotOf are all names below a directory.
func snapshotOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, _ os.DirEntry, err error) error {
		names = append(names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestInstallRootfs(t *testing.T) {
	root := t.TempDir()
	plant(t, root, map[string]string{"usr/bin/runc": ""})
	if err := os.CopyFS(filepath.Join(root, "srv/le dger 5%/rootfs"), os.DirFS(greeter)); err != nil {
		t.Fatal(err)
	}
	_, stderr, status := command(t, "--root", root, "install", "--rootfs", "/srv/le dger 5%", "--name", "ledger", "--set", "GREETING=x")
	if status != 0 {
		t.Fatal(stderr)
	}
	if c, _ := loads(t, root, "ledger"); c.Rootfs != "/srv/le dger 5%/rootfs" || c.Image != "" {
		t.Errorf("Rootfs=%s, Image=%s", c.Rootfs, c.Image)
	}
}

func TestInstallName(t *testing.T) {
	for reference, want := range map[string]string{
		"docker.io/a/b:1.0": "b-1.0", "docker.io/a/b:latest": "b", "host:5000/x:latest": "x", "q.io/x.0:latest": "x.0",
		"q.io/x@sha256:" + strings.Repeat("1", 64): "x", "oci:/srv/images:web": "images-web", "dir:/srv/web": "web",
	} {
		if got := (&installation{reference: reference}).defaultName(); got != want {
			t.Errorf("%s: %s, want %s", reference, got, want)
		}
	}
}

// What is written as a word is read as that word.
func FuzzQuotedWord(f *testing.F) {
	for _, s := range []string{"a b", `"\%%n$`, "\n\t\x00\x7f", "ä\u202e\U0001f600", "", "'", "#x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		written := quotedWord("V=" + s)
		if strings.ContainsFunc(written, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Fatalf("%q", written)
		}
		lines, _, refused := units.Parse("x", "[Container]\nImage=q.io/x\nSet="+written+"\n")
		name, _ := units.ParseName("x")
		c, errs, _ := (&units.Unit{Name: name, Stem: name, Path: "/x", Lines: lines}).Container()
		if strings.ToValidUTF8(s, "") != s || strings.ContainsRune(s, 0) {
			if len(errs) == 0 {
				t.Fatalf("%q is taken as %q", s, c.Set)
			}
			return
		}
		if refused != nil || len(errs) > 0 || len(c.Set) != 1 || c.Set[0] != "V="+s {
			t.Fatalf("%q is written as %s and read as %q, %v %v", s, written, c.Set, errs, refused)
		}
	})
}

// The public images of old, where they are at hand.
func TestInstallPublicImages(t *testing.T) {
	dirs, _ := filepath.Glob("../../shared/atomic-images/*/exports")
	if len(dirs) == 0 {
		t.Skip("no images of Project Atomic at hand")
	}
	for _, dir := range dirs {
		image := filepath.Dir(dir)
		name := filepath.Base(image)
		root := t.TempDir()
		plantImage(t, root, "q.io/old/"+name+":latest", image, usualConfig)
		for _, as := range []string{name, name + "-too"} {
			if _, stderr, status := command(t, "--root", root, "install", "q.io/old/"+name, "--name", as); status != 0 || stderr != "" {
				t.Errorf("%s: status %d, %s", as, status, stderr)
				continue
			}
			c, service := loads(t, root, as)
			if !strings.Contains(service, "Restart=on-failure\n") || strings.Contains(service, "WorkingDirectory") || c.Notify != (name == "net-snmp") {
				t.Errorf("%s: Notify %v\n%s", as, c.Notify, service)
			}
		}
		if _, said, status := command(t, "--root", root, "check"); status != 0 || said != "" {
			t.Errorf("%s: check: %s", name, said)
		}
	}
}
