package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// A start runs a program for the files of an image only if they are not yet what the unit wants.
func TestExportFilesRunsOnlyIfNeeded(t *testing.T) {
	before := commandPath
	defer func() { commandPath = before }()
	digest := strings.Repeat("0", 64)
	done := store.ExportRequest{Reference: "q.io/a:1", Image: digest, Export: []string{"yes"}, Set: []string{"A=1"}, Runtime: "runc"}
	wants := func(change func(*units.Container)) *units.Container {
		c := &units.Container{Image: "q.io/a:1", Export: []string{"yes"}, Set: []string{"A=1"}, Runtime: "runc"}
		change(c)
		return c
	}
	other := "/var/lib/syscontainer/images/" + strings.Repeat("1", 64)
	for name, c := range map[string]struct {
		record *store.Exports
		c      *units.Container
		link   string
		asked  string // "": nothing is run
	}{
		"nothing":            {nil, wants(func(c *units.Container) { c.Export = nil }), "", ""},
		"done":               {&store.Exports{Request: done}, wants(func(*units.Container) {}), "", ""},
		"first":              {nil, wants(func(*units.Container) {}), "", `"export":["yes"]`},
		"unfinished":         {&store.Exports{Request: done, Unfinished: true}, wants(func(*units.Container) {}), "", `"export":["yes"]`},
		"other image":        {&store.Exports{Request: done}, wants(func(*units.Container) {}), other, `"image":"1111`},
		"other name":         {&store.Exports{Request: done}, wants(func(c *units.Container) { c.Image = "q.io/b:1" }), "", `"reference":"q.io/b:1"`},
		"other value":        {&store.Exports{Request: done}, wants(func(c *units.Container) { c.Set = []string{"A=2"} }), "", `"set":["A=2"]`},
		"other list":         {&store.Exports{Request: done}, wants(func(c *units.Container) { c.Export = []string{"/a"} }), "", `"export":["/a"]`},
		"no more":            {&store.Exports{Request: done}, wants(func(c *units.Container) { c.Export = nil }), "", `"export":null`},
		"directory":          {&store.Exports{Request: store.ExportRequest{Rootfs: "/srv", Export: []string{"yes"}}}, &units.Container{Rootfs: "/srv", Export: []string{"yes"}}, "", `"rootfs":"/srv"`},
		"directory, nothing": {nil, &units.Container{Rootfs: "/srv"}, "", ""},
	} {
		root := t.TempDir()
		commandPath = filepath.Join(root, "syscontainer")
		script := "#!/bin/sh\n{ echo \"$@\"; cat; } >" + root + "/asked\necho '<4>web: said' >&2\necho 'syscontainer: export web: wrong' >&2\nexit 1\n"
		if err := os.WriteFile(commandPath, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		if c.record != nil {
			data, err := json.Marshal(c.record)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(root, store.Dir, "containers/web")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "exports.json"), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if c.link == "" {
			c.link = "/var/lib/syscontainer/images/" + digest
		}
		err := exportFiles(options{root: root, name: "web"}, c.c, ground{link: c.link})
		asked, _ := os.ReadFile(root + "/asked")
		switch {
		case c.asked == "" && (err != nil || len(asked) > 0):
			t.Errorf("%s: %v, ran %s", name, err, asked)
		case c.asked != "" && (err == nil || err.Error() != "export files of the image: wrong" || !strings.Contains(string(asked), c.asked) ||
			!strings.Contains(string(asked), "export --request --progress-fd=3 web\n")):
			t.Errorf("%s: %v, ran %s, want %s", name, err, asked, c.asked)
		}
	}
}
