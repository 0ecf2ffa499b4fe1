package atomic

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParseManifest(t *testing.T) {
	m, err := ParseManifest([]byte(`{"version": "1.0", "unknown": [1],
		"defaultValues": {"PORT": "8081", "N": 3, "ON": true, "NONE": null, "L": [1, "a", {"k": "it's"}], "PORT": "9"},
		"renameFiles": {"/usr/b": "/opt/$NAME", "/etc/a": "/etc/c"},
		"installedFilesTemplate": ["/etc/c"], "noContainerService": true, "useLinks": false}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"PORT": "9", "N": "3", "ON": "True", "NONE": "None", "L": `[1, 'a', {'k': "it's"}]`}; !reflect.DeepEqual(m.Defaults, want) {
		t.Errorf("%q", m.Defaults)
	}
	if want := []Rename{{"/etc/a", "/etc/c"}, {"/usr/b", "/opt/$NAME"}}; !reflect.DeepEqual(m.Renames, want) {
		t.Errorf("%q", m.Renames)
	}
	if !reflect.DeepEqual(m.Templates, []string{"/etc/c"}) || !m.NoService || !m.NoLinks {
		t.Errorf("%+v", m)
	}
	if m, err := ParseManifest([]byte(`{"version": "1.0"}`)); err != nil || m.NoService || m.NoLinks || len(m.Defaults) != 0 {
		t.Errorf("%+v, %v", m, err)
	}
	for text, want := range map[string]string{
		`{`:                                "Invalid manifest.json of the image: unexpected end of JSON input",
		`[]`:                               "Invalid manifest.json of the image: ",
		`{"defaultValues": []}`:            "manifest.json of the image: defaultValues: it is no object",
		`{"renameFiles": {"a": "/b"}}`:     `manifest.json of the image: renameFiles: "a" is no absolute path without . and ..`,
		`{"renameFiles": {"/a/..": "/b"}}`: `manifest.json of the image: renameFiles: "/a/.." is no absolute path without . and ..`,
		`{"renameFiles": {"/a": 1}}`:       "manifest.json of the image: renameFiles: ",
		`{"useLinks": "no", "noContainerService": 1}`: "manifest.json of the image: noContainerService: json: cannot unmarshal number into Go value of type bool\n" +
			"manifest.json of the image: useLinks: ",
	} {
		if _, err := ParseManifest([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestDefaultsArePythons(t *testing.T) {
	texts := []string{`""`, `"a"`, `true`, `false`, `null`, `0`, `-0`, `-1`, `12345678901234567890123`, `1.0`, `1.50`, `1e3`, `1e15`, `1e16`, `123456789012345678.0`,
		`1e-4`, `0.00001`, `1E400`, `-1E400`, `0.1`, `1e22`, `5e-324`, `[]`, `{}`, `[1, [2, {"a": null}]]`, `{"b": "c", "a": true, "b": 1}`, `["it's", "\"", "it's \"", "a\\b"]`,
		`["\n\r\t\u0001\u007f\u00a0\u00ad é € 😀\u200b\ue000"]`, ` "x" `, `[ 1 , 2 ]`, `"it's"`, `["\u0378"]`}
	raws := make([]json.RawMessage, len(texts))
	for i, text := range texts {
		raws[i] = json.RawMessage(text)
	}
	var want []string
	judge(t, "import json, sys\njson.dump([str(json.loads(t)) for t in json.load(sys.stdin)], sys.stdout)", texts, &want)
	for i, raw := range raws {
		if got, err := pythonString(raw); err != nil || got != want[i] {
			t.Errorf("%s: %q, %v; Python has %q", raw, got, err, want[i])
		}
	}
	if _, err := pythonString(json.RawMessage(strings.Repeat("[", 50) + strings.Repeat("]", 50))); err == nil {
		t.Error("endless nesting is accepted")
	}
}

func TestValues(t *testing.T) {
	m, err := ParseManifest([]byte(`{"defaultValues": {"CONF_DIRECTORY": "/dead", "UUID": "own", "PORT": "1", "NAME": "dead", "A": "1"}}`))
	if err != nil {
		t.Fatal(err)
	}
	p := Place{Name: "web", Directory: "/d", Image: "q.io/web:1", ImageID: "ab", UUID: "given", Runtime: "/usr/bin/runc", Command: "/usr/bin/syscontainer",
		Capabilities: []string{"CAP_CHOWN", "CAP_KILL"}}
	got := p.Values([]string{"PORT=2=3", "RUN_DIRECTORY=/r", "DESTDIR=/x", "HOST_UID=7"}, m)
	for name, want := range map[string]string{
		"PORT": "2=3", "A": "1", "UUID": "own", "CONF_DIRECTORY": "/etc", "STATE_DIRECTORY": "/var/lib", "RUN_DIRECTORY": "/r", "PIDFILE": "/r/container-web.pid",
		"NAME": "web", "DESTDIR": "/d", "IMAGE_NAME": "q.io/web:1", "IMAGE_ID": "ab", "HOST_UID": "0", "HOST_GID": "0", "EXEC_START": "", "EXEC_STOPPOST": "",
		"ALL_PROCESS_CAPABILITIES": "\"CAP_CHOWN\",\n\"CAP_KILL\"\n", "RUNTIME": "/usr/bin/runc", "ATOMIC": "/usr/bin/syscontainer",
	} {
		if have, is := got[name]; !is || have != want {
			t.Errorf("%s: %q, want %q", name, have, want)
		}
	}
	if got := p.Values(nil, new(Manifest))["UUID"]; got != "given" {
		t.Error(got)
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if e, err := Read(root); e != nil || err != nil {
		t.Error(e, err)
	}
	write := func(name, text string) {
		t.Helper()
		name = filepath.Join(dir, "exports", name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("tmpfiles.template", "")
	write("config.json.template", `{"a": "$A $NAME"}`)
	write("service.template", "$B $$C")
	write("hostfs/etc/x", "x")
	write("manifest.json", `{"renameFiles": {"/etc/x": "/etc/$D"}}`)
	e, err := Read(root)
	if err != nil {
		t.Fatal(err)
	}
	if e.Tmpfiles == nil || e.Config != nil || !e.HostFiles {
		t.Errorf("%+v", e)
	}
	if got := strings.Join(e.Variables(), " "); got != "A B D NAME" {
		t.Error(got)
	}
	write("config.json", "{}")
	if e, err = Read(root); err != nil || strings.Join(e.Variables(), " ") != "B D" {
		t.Error(e.Variables(), err)
	}
	// What is no file of the image is not read.
	for _, target := range []string{"/etc/passwd", "../../../../../../../../etc/passwd", "hostfs", "service.template/x", "config.json"} {
		name := filepath.Join(dir, "exports/config.json")
		os.Remove(name)
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
		if e, err := Read(root); err == nil && e.Config != nil {
			t.Errorf("%s: read %q", target, e.Config)
		}
	}
}
