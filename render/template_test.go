package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/pull/atomic"
	"syscontainer/units"
)

// somePlace is the same everywhere, and knows all capabilities up to CAP_SYS_ADMIN.
func somePlace(name string) atomic.Place {
	return atomic.Place{Name: name, Directory: "/run/syscontainer/" + name + "/image", Image: "q.io/a/" + name + ":1", ImageID: strings.Repeat("ab", 32),
		UUID: atomic.UUID("0123456789abcdef0123456789abcdef", name), Runtime: "/usr/bin/runc", Command: "/usr/bin/syscontainer", Capabilities: atomic.Capabilities(21)}
}

var someMachine = atomic.Machine{Capabilities: atomic.Capabilities(40)}

// exportsOf is what an image has below /exports, from a directory.
func exportsOf(t testing.TB, dir string) *atomic.Exports {
	t.Helper()
	image := t.TempDir()
	if err := os.CopyFS(filepath.Join(image, atomic.Dir), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(image)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	e, err := atomic.Read(root)
	if err != nil || e == nil {
		t.Fatal(e, err)
	}
	return e
}

// An image's configuration is the base, the unit has the last word. NAME.said is what the journal gets to know.
func TestTemplateGolden(t *testing.T) {
	list, err := filepath.Glob("testdata/templates/*.unit")
	if err != nil || len(list) == 0 {
		t.Fatal("no cases: ", err)
	}
	for _, file := range list {
		name := strings.TrimSuffix(filepath.Base(file), ".unit")
		t.Run(name, func(t *testing.T) {
			unit := readUnitFile(t, file)
			template, err := expandTemplate(exportsOf(t, "testdata/templates/"+name), somePlace(name).Values(unit.Set, &atomic.Manifest{
				Defaults: exportsOf(t, "testdata/templates/"+name).Manifest.Defaults}), someMachine)
			if err != nil {
				t.Fatal(err)
			}
			tree := plant(t, "srv/here/", "data/", "var/run -> ../run", "run/")
			image := new(imageConfig)
			c := template.over(unit, image)
			h := someHost(name)
			look(t, c, &h)
			h.User = user{UID: template.spec.Process.User.UID, GID: template.spec.Process.User.GID, Home: "/"}
			template.addGroups(c, &h.User)
			if len(c.Credentials) > 0 {
				h.Credentials = "/run/syscontainer/" + name + "/credentials"
			}
			if err := template.lookSources(options{}, c, tree, &h); err != nil {
				t.Fatal(err)
			}
			s, err := spec(c, image, h)
			if err == nil {
				s, err = template.merge(c, s, h, tree)
			}
			if err != nil {
				t.Fatal(err)
			}
			checkEncoding(t, s)
			checkNames(t, s)
			said := strings.Join(append(template.powers(c, s, tree), template.changes...), "\n") + "\n"
			if c.Sets("SeccompProfile") {
				s.Linux.Seccomp = nil // long, and seccomp_test.go's business
			}
			got, err := json.MarshalIndent(s, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, "testdata/templates/"+name+".json", append(got, '\n'))
			compareGolden(t, "testdata/templates/"+name+".said", []byte(said))
		})
	}
}

func compareGolden(t *testing.T, golden string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("differs from %s; after a change on purpose, run with -update and read the difference:\n%s", golden, got)
	}
}

// checkNames holds whatever an image's author writes.
func checkNames(t *testing.T, s *rspec.Spec) {
	t.Helper()
	seen := map[string]bool{}
	for _, m := range s.Mounts {
		if seen[m.Destination] {
			t.Errorf("two mounts on %s", m.Destination)
		}
		seen[m.Destination] = true
		if m.Type == "bind" && !filepath.IsAbs(m.Source) {
			t.Errorf("bind mount of %q", m.Source)
		}
	}
	if s.Hooks != nil || s.Process.Terminal || s.Process.Capabilities == nil || s.Version != "1.0.2" || !filepath.IsAbs(s.Process.Cwd) ||
		!strings.HasSuffix(s.Linux.CgroupsPath, "/payload") || !strings.HasSuffix(s.Root.Path, "/rootfs") || !filepath.IsAbs(s.Root.Path) {
		t.Errorf("a default is gone: %+v %+v", s.Process, s.Root)
	}
	mount := 0
	for _, n := range s.Linux.Namespaces {
		if n.Type == rspec.MountNamespace {
			mount++
		}
	}
	if mount != 1 {
		t.Error("the mount namespace is gone")
	}
	if s.Linux.Seccomp != nil && s.Linux.Seccomp.ListenerPath != "" {
		t.Error("the runtime talks to", s.Linux.Seccomp.ListenerPath)
	}
}

func TestTemplateErrors(t *testing.T) {
	text := func(s string) []byte { return []byte(s) }
	for _, c := range []struct {
		e    atomic.Exports
		want string
	}{
		{atomic.Exports{ConfigTemplate: text(`{"$B $A $B": "${C}"}`), Tmpfiles: text("d $D")},
			"The template file 'config.json.template' still contains an unreplaced value for: ''A'', ''B'', ''C''\n" +
				"The template file 'tmpfiles.template' still contains an unreplaced value for: ''D''\nhint: Set=A=… in [Container]"},
		{atomic.Exports{Tmpfiles: text("d $D")}, "The template file 'tmpfiles.template' still contains an unreplaced value for: ''D''\nhint: Set=D=… in [Container]"},
		{atomic.Exports{ConfigTemplate: text("{\n 100$")}, "config.json.template: Invalid placeholder in string: line 2, col 5"},
		{atomic.Exports{ConfigTemplate: text("{"), Config: text("[]")}, "config.json of the image: Invalid json in configuration file: "},
		{atomic.Exports{ConfigTemplate: text(`{"root": {"path": "/"}}`)}, "config.json.template of the image: Invalid configuration file.  Path must be 'rootfs'"},
		{atomic.Exports{ConfigTemplate: text(`{"root": {"path": "rootfs"}, "process": {"args": ["a\u0000b"]}}`)}, `config.json.template of the image: NUL byte in "a\x00b"`},
	} {
		c.e.Manifest = new(atomic.Manifest)
		_, err := expandTemplate(&c.e, somePlace("web").Values(nil, c.e.Manifest), someMachine)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// {} is no configuration, and what has none is as any other image.
func TestNoTemplate(t *testing.T) {
	e := &atomic.Exports{Config: []byte("{}"), Manifest: new(atomic.Manifest)}
	template, err := expandTemplate(e, nil, someMachine)
	if err != nil || template.configures() {
		t.Fatal(template, err)
	}
	for _, template := range []*imageTemplate{nil, template} {
		c, image := base(), &imageConfig{}
		if template.over(c, image) != c {
			t.Error("the unit is another")
		}
		template.addGroups(c, &user{})
		if err := template.lookSources(options{}, c, nil, nil); err != nil {
			t.Error(err)
		}
		s := new(rspec.Spec)
		if got, err := template.merge(c, s, host{}, nil); got != s || err != nil {
			t.Error(got, err)
		}
	}
}

// Without tmpfiles.template, what is missing is made for the payload: what the image has there, a file or a directory.
func TestMissingSources(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "real"), 0o755); err != nil {
		t.Fatal(err)
	}
	tree := plant(t, "etc/set", "data/a.conf/", "var/")
	bind := func(source, target string) rspec.Mount {
		return rspec.Mount{Type: "bind", Source: dir + source, Destination: target, Options: []string{"bind"}}
	}
	s := &rspec.Spec{Linux: &rspec.Linux{}, Mounts: []rspec.Mount{
		bind("/link/new", "/x"), bind("/there", "/etc/set"), bind("/is.conf", "/data/a.conf"), bind("/b.conf", "/y"), bind("/x.sock", "/z"),
		bind("/real", "/there"), bind("/unit", "/unit"), bind("/replaced", "/var"),
		{Type: "bind", Source: "/proc/nothing", Destination: "/p"}, {Type: "bind", Source: "/dev/nothing", Destination: "/q"},
	}}
	c := base()
	c.Tmpfiles = []string{"d " + dir + "/unit 0700 - - -"}
	c.Volumes = []units.Volume{{Source: "/srv", Target: "/var"}}
	template := &imageTemplate{spec: s}
	got := template.missingSources(c, user{UID: 996, GID: 994}, tree)
	want := []string{"d " + dir + "/real/new 0755 996 994", "f " + dir + "/there 0644 996 994", "d " + dir + "/is.conf 0755 996 994", "f " + dir + "/b.conf 0644 996 994"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	c.UIDMap, c.GIDMap = []units.IDMap{{Host: 1000, Size: 65536}}, []units.IDMap{{Host: 2000, Size: 65536}}
	if got := template.missingSources(c, user{UID: 996, GID: 994}, tree); len(got) == 0 || !strings.HasSuffix(got[0], " 1996 2994") {
		t.Errorf("%q", got)
	}
	empty := ""
	template.tmpfiles = &empty
	if got := template.missingSources(c, user{}, tree); got != nil {
		t.Errorf("an empty tmpfiles.template: %q", got)
	}
	template.tmpfiles = nil
	s.Mounts = []rspec.Mount{bind("/x.sock", "/z")}
	err := template.lookSources(options{}, c, tree, &host{Sources: map[string]source{}})
	if err == nil || !strings.Contains(err.Error(), dir+"/x.sock on /z: no such file or directory\nhint: ") {
		t.Error(err)
	}
	// What a command behind ours makes is not there yet.
	s.Mounts = []rspec.Mount{bind("/later", "/etc/set"), bind("/later.d", "/new")}
	for commands, known := range map[string]bool{"ExecStartPre=ours\n": false, "ExecStartPre=ours\nExecStartPre=more\n": true} {
		unit, h := filepath.Join(dir, "unit"), host{Sources: map[string]source{}}
		if err := os.WriteFile(unit, []byte("[Service]\n"+commands), 0o644); err != nil {
			t.Fatal(err)
		}
		err := template.lookSources(options{unit: unit}, c, tree, &h)
		if later, is := h.Sources[dir+"/later"]; (err == nil) != known || is != known || later.Dir || h.Sources[dir+"/later.d"].Dir != known {
			t.Errorf("%q: %v %v", commands, err, h.Sources)
		}
	}
}

// Where the machine has a link in what is shown, a mount on it goes where it leads, in the container.
func TestFollowBinds(t *testing.T) {
	dir := t.TempDir()
	for name, to := range map[string]string{"log": "/run/real", "up": "../etc/x", "loop": "loop", "sub": "log"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"/dev/log": "/run/real", "/dev/up/a": "/etc/x/a", "/dev/none/log": "/dev/none/log", "/dev/sub": "/run/real", "/dev": "/dev", "/device": "/device"} {
		list := followBinds([]rspec.Mount{{Destination: "/dev", Type: "bind", Source: dir}, {Destination: name}})
		if got := list[1].Destination; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	followBinds([]rspec.Mount{{Destination: "/dev", Type: "bind", Source: dir}, {Destination: "/dev/loop"}}) // ends
}

// FuzzTemplate: whatever an image's author writes becomes an error or a configuration that is still ours.
func FuzzTemplate(f *testing.F) {
	list, err := filepath.Glob("testdata/templates/*/config.json*")
	if err != nil || len(list) == 0 {
		f.Fatal("no cases: ", err)
	}
	for _, name := range list {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	tree := plant(f, "etc/")
	f.Fuzz(func(t *testing.T, data []byte) {
		e := &atomic.Exports{ConfigTemplate: data, Manifest: new(atomic.Manifest)}
		template, err := expandTemplate(e, somePlace("web").Values([]string{"GREETING=a", "COUNT=1", "MORE="}, e.Manifest), someMachine)
		if err != nil || !template.configures() {
			return
		}
		image := new(imageConfig)
		c := base()
		c.Notify = true
		c = template.over(c, image)
		h := someHost("web")
		if template.lookSources(options{}, c, tree, &h) != nil {
			return
		}
		s, err := spec(c, image, h)
		if err != nil {
			return
		}
		if s, err = template.merge(c, s, h, tree); err != nil {
			return
		}
		template.powers(c, s, tree)
		checkNames(t, s)
	})
}

// What an image has below /exports may be anything; only what has the names counts.
func TestFindTemplate(t *testing.T) {
	const good = `{"root": {"path": "rootfs"}}`
	for name, c := range map[string]struct {
		files map[string]string // name to content, "-> TARGET" for a link
		unit  units.Container
		err   string // "" and no configuration, or "found"
	}{
		"none":                    {},
		"an empty directory":      {files: map[string]string{"exports/x": ""}},
		"a file":                  {files: map[string]string{"exports": ""}},
		"a link":                  {files: map[string]string{"exports": "-> /srv", "srv/config.json": good}},
		"somebody's manifest":     {files: map[string]string{"exports/manifest.json": "[]"}},
		"a configuration":         {files: map[string]string{"exports/config.json": good}, err: "found"},
		"not wanted":              {files: map[string]string{"exports/config.json": "["}, unit: units.Container{Rootfs: "no"}},
		"no configuration":        {files: map[string]string{"exports/config.json": "["}, err: "config.json of the image: Invalid json"},
		"a bad manifest":          {files: map[string]string{"exports/config.json": good, "exports/manifest.json": "["}, err: "Invalid manifest.json of the image"},
		"a link out of the image": {files: map[string]string{"exports/config.json": "-> ../../../../../../../etc/passwd"}, err: "read /exports/config.json of the image: "},
		"a directory to write to": {files: map[string]string{"exports/config.json": good}, unit: units.Container{Template: true, Rootfs: "/srv"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range c.files {
				file := filepath.Join(dir, name)
				err := os.MkdirAll(filepath.Dir(file), 0o755)
				if link, is := strings.CutPrefix(content, "-> "); err == nil && is {
					err = os.Symlink(link, file)
				} else if err == nil {
					err = os.WriteFile(file, []byte(content), 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			tree, err := openTree(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer tree.close()
			unit := c.unit
			if unit.Rootfs == "" {
				unit = units.Container{Template: true, ReadOnly: true, Image: "q.io/a:1", Runtime: "/bin/sh"}
			}
			got, err := findTemplate(bundle("/run/x"), options{name: "web"}, &unit, ground{rootfs: dir, link: "/x/" + strings.Repeat("ab", 32)}, tree)
			switch {
			case c.err == "found":
				if err != nil || !got.configures() {
					t.Error(got, err)
				}
			case c.err == "":
				if err != nil || got != nil {
					t.Error(got, err)
				}
			case err == nil || !strings.HasPrefix(err.Error(), c.err):
				t.Errorf("%v, want %s", err, c.err)
			}
		})
	}
}

// The variables that nobody sets, of an image and of a directory.
func TestPlace(t *testing.T) {
	b, digest := bundle("/run/x"), strings.Repeat("ab", 32)
	c := &units.Container{Image: "q.io/a:1", Runtime: "/bin/sh", Template: true, ReadOnly: true}
	image := ground{link: "/x/" + digest}
	p, err := placeOf(b, options{name: "web"}, c, image)
	if err != nil || p.Name != "web" || p.ImageID != digest || p.Image != "q.io/a:1" || p.Runtime != "/bin/sh" || p.Directory != "/run/x/image" || p.Command != commandPath {
		t.Errorf("%+v, %v", p, err)
	}
	again, err := placeOf(b, options{name: "web"}, c, image)
	other, _ := placeOf(b, options{name: "other"}, c, image)
	if err != nil || again.UUID != p.UUID || other.UUID == p.UUID || len(p.UUID) != 36 {
		t.Error(p.UUID, again.UUID, other.UUID)
	}
	c.Image, c.Rootfs = "", "/srv/r"
	if p, err = placeOf(b, options{name: "web"}, c, ground{}); err != nil || p.Image != "/srv/r" || p.ImageID != "" {
		t.Errorf("%+v, %v", p, err)
	}

	// What goes to $DESTDIR/rootfs finds a directory, too.
	tree := plant(t, "exports/config.json.template")
	if err := os.WriteFile(filepath.Join(tree.name, "exports/config.json.template"), []byte(`{"root": {"path": "rootfs"}, "hostname": "$A"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	b = bundle(t.TempDir())
	root := ground{rootfs: tree.name}
	if err := missingValues(options{name: "web"}, c, root); err == nil || !strings.Contains(err.Error(), "for: ''A''\nhint: Set=A=") {
		t.Error(err)
	}
	c.Set = []string{"A=b"}
	if err := missingValues(options{name: "web"}, c, root); err != nil {
		t.Error(err)
	}
	if _, err := findTemplate(b, options{name: "web"}, c, root, tree); err != nil {
		t.Error(err)
	}
	if to, _ := os.Readlink(b.file("image/rootfs")); to != tree.name {
		t.Error(to)
	}
}

// Those of Project Atomic that lie beside the tree: what came of them then comes of them now.
func TestAtomicImages(t *testing.T) {
	list, _ := filepath.Glob("../../shared/atomic-images/*/exports")
	if len(list) == 0 {
		t.Skip("needs ../shared/atomic-images")
	}
	for _, dir := range list {
		name := filepath.Base(filepath.Dir(dir))
		t.Run(name, func(t *testing.T) {
			e := exportsOf(t, dir)
			template, err := expandTemplate(e, somePlace(name).Values(nil, e.Manifest), someMachine)
			if err != nil || !template.configures() {
				t.Fatal(err)
			}
			tree, c, image := plant(t, "etc/"), base(), new(imageConfig)
			c = template.over(c, image)
			h := someHost(name)
			s, err := spec(c, image, h)
			if err == nil {
				s, err = template.merge(c, s, h, tree)
			}
			if err != nil {
				t.Fatal(err)
			}
			checkNames(t, s)
			checkEncoding(t, s)
			if c.PID == "private" == (name == "net-snmp") || c.Network != "host" || !s.Root.Readonly || s.Linux.Seccomp != nil || len(s.Process.Capabilities.Bounding) == 0 {
				t.Errorf("%+v", s.Linux.Namespaces)
			}
			for _, m := range s.Mounts {
				if slices.Contains(m.Options, "mode=755") && m.Type == "bind" {
					t.Error("runtimes of today refuse", m)
				}
			}
			if bare := template.missingSources(c, user{}, tree); (bare == nil) == (name == "kubernetes-apiserver") {
				t.Errorf("%q", bare)
			}
		})
	}
}
