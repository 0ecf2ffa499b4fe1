package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syscontainer/generator/convert"
	"syscontainer/pull/atomic"
	"syscontainer/units"
)

// Whatever an image brings and a person sets: the unit loads and converts without an error, sets what it was told to, and has
// no key of [Container] but those that are made for it.
func FuzzCompose(f *testing.F) {
	template, err := os.ReadFile(filepath.Join(greeter, "exports/service.template"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(template, "MEMORY=1G\n[Container]\nPrivileged=yes", "x")
	f.Add([]byte("[Service]\nExecStart=$EXEC_START\nUser=$GREETING\nUser=b\nRestart=always\nType=oneshot\nSlice=\\\n[Install]\nAlias=$GREETING.service"), "a\\", "PORT\n")
	f.Add([]byte("[Container]\nImage=x\n[Unit]\n\xef\xbb\xbfAfter=$AFTER\\\\\n"), "%n", "")
	root := f.TempDir()
	name, _ := units.ParseName("fuzz")
	f.Fuzz(func(t *testing.T, template []byte, value, name2 string) {
		m, err := atomic.ParseManifest([]byte(`{"defaultValues": {"AFTER": "a.service", "MEMORY": "1G", "PORT": "1"}}`))
		if err != nil {
			t.Fatal(err)
		}
		m.Defaults[name2] = value
		in := &installation{root: root, name: name, file: "/etc/containers/systemd/fuzz.syscontainer", rootfs: "/srv/fuzz",
			exports: &atomic.Exports{Service: template, Manifest: m}, set: []string{"GREETING=" + value}}
		if err := os.MkdirAll(filepath.Join(root, in.rootfs), 0o755); err != nil {
			t.Fatal(err)
		}
		text, _, err := in.compose()
		if err != nil {
			return
		}
		set := units.Load(root, nil, units.Extra{Path: in.file, Below: true, Text: text, Given: true})
		for _, s := range convert.Convert(set, convert.Options{Root: root, Render: renderPath}).Services {
			c, _, _ := s.Unit.Container()
			if len(s.Errors) > 0 || !slices.Equal(c.Set, in.set) || c.Privileged {
				t.Fatalf("%v, Set=%q\n%s", s.Errors, c.Set, text)
			}
			for _, l := range s.Unit.Section("Container") {
				if !slices.Contains([]string{"Rootfs", "Notify", "ReloadSignal", "Set"}, l.Key) {
					t.Fatalf("%s=%s\n%s", l.Key, l.Value, text)
				}
			}
		}
		if strings.ContainsAny(text, "\x1a\r\x00") {
			t.Fatalf("%q", text)
		}
	})
}
