package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// What a patch mounts is held to the rules of all mounts, and what render does not know
// of the document stays.
func TestSettlePatched(t *testing.T) {
	image := plant(t, "proc/", "srv/", "link -> ../../srv", "kernel -> proc/self/attr")
	b := bundle(t.TempDir())
	if err := os.WriteFile(filepath.Join(string(b), "hosts"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ mounts, want, err string }{
		{`[{"destination":"/srv","type":"tmpfs","source":"x"}]`, `"destination":"/srv"`, ""},
		{`[{"destination":"/link/new","type":"tmpfs","source":"x","zNew":9007199254740993}]`, `{"destination":"/srv/new","source":"x","type":"tmpfs","zNew":9007199254740993}`, ""},
		{`[{"destination":"/etc/hosts","type":"bind","source":"hosts"}]`, `"hosts"`, ""}, // the bundle's
		{`[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/kernel","type":"tmpfs","source":"x"}]`, "", "ConfigPatch=: mount x on /kernel: links of the image lead to /proc/self/attr, which is the kernel's"},
		{`[{"destination":"/a","type":"bind","source":"/not/there"}]`, "", "ConfigPatch=: mount /not/there on /a: no such file or directory\nhint: create it"},
		{`[{"destination":"/a","options":["rbind"],"source":"not-there"}]`, "", "ConfigPatch=: mount not-there on /a: no such file"},
		{`null`, `"process"`, ""},
	} {
		document := []byte(`{"mounts":` + c.mounts + `,"new":1,"process":{"cwd":"/link"},"root":{"path":"/"},"linux":{}}`)
		s := new(rspec.Spec)
		if err := json.Unmarshal(document, s); err != nil {
			t.Fatal(err)
		}
		got, err := settlePatched(b, document, s, image)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.mounts, err, c.err)
			}
			continue
		}
		if err != nil || !strings.Contains(string(got), c.want) || !strings.Contains(string(got), `"new":1`) || !strings.Contains(string(got), `"cwd":"/srv"`) {
			t.Errorf("%s: %s, %v", c.mounts, got, err)
		}
	}
}

// A file that is bound with options instead of the type needs a file to be mounted on.
func TestMissingTargetsOfOptions(t *testing.T) {
	image := plant(t, "etc/")
	s := &rspec.Spec{Process: &rspec.Process{Cwd: "/"}, Mounts: []rspec.Mount{{Destination: "/etc/a", Source: "/a", Options: []string{"rbind"}}}}
	missing, err := missingTargets(image, s, func(string) bool { return true })
	if err != nil || len(missing) != 1 || !missing[0].file {
		t.Errorf("%+v, %v", missing, err)
	}
}
