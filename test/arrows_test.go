// SPDX-License-Identifier: Apache-2.0

// Package test holds what no room can test alone. Here: who may import whom.
package test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows are the rooms and the rooms they may know. A room is a folder with all below it, the longest name first.
var arrows = map[string][]string{
	"units":             {},
	"generator":         {"units", "generator/convert"},
	"generator/convert": {"units"},
	"render":            {"units", "pull/store", "pull/accounts", "pull/atomic"},
	"pull":              {"units", "generator/convert", "pull/store", "pull/generation", "pull/accounts", "pull/atomic", "pull/registry", "pull/layer", "pull/ostree"},
	"pull/registry":     {},
	"pull/layer":        {},
	"pull/ostree":       {},
	"pull/store":        {},
	"pull/generation":   {"pull/store"},
	"pull/accounts":     {},
	"pull/atomic":       {"units"},
	"test":              nil, // support for tests, imported by tests only: checked from the other end
}

// modules that may be linked into the programs of boot and start: each init() there costs every boot.
var modules = map[string][]string{
	"generator": {"github.com/coreos/go-systemd/v22"},
	"render": {
		"github.com/opencontainers/runtime-spec",
		"github.com/opencontainers/runtime-tools",
		"golang.org/x/sys",
		// What runtime-tools/generate itself imports:
		"github.com/moby/sys/capability",
	},
}

// forbidden parts of the standard library: they have no business there, or cost time before main.
var forbidden = map[string][]string{
	"generator": {"net", "net/http", "os/exec", "crypto/tls", "regexp", "text/template", "encoding/json"},
	"render":    {"net/http", "crypto/tls", "text/template"},
}

type listed struct {
	ImportPath string
	Standard   bool
	Module     *struct{ Path string }
	Imports    []string
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Standard,Module,Imports"}, args...)...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("%v: %s", cmd, exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var l listed
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
}

// room is the room of a package, "" for a package of somebody else.
func room(importPath string) string {
	path, ours := strings.CutPrefix(importPath, "syscontainer/")
	if !ours {
		return ""
	}
	for r := path; r != "."; r = r[:max(0, strings.LastIndex(r, "/"))] {
		if _, ok := arrows[r]; ok {
			return r
		}
		if !strings.Contains(r, "/") {
			return r
		}
	}
	return path
}

func TestArrows(t *testing.T) {
	for _, p := range list(t, "./...") {
		from := room(p.ImportPath)
		if _, known := arrows[from]; !known {
			t.Errorf("%s is in no room of the design", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			to := room(imported)
			if to == "" || to == from || from == "test" || slices.Contains(arrows[from], to) {
				continue
			}
			t.Errorf("%s imports %s: %s may know only %v", p.ImportPath, imported, from, arrows[from])
		}
	}
}

func TestModules(t *testing.T) {
	for program, allowed := range modules {
		for _, p := range list(t, "-deps", "./"+program) {
			switch {
			case p.Standard:
				if slices.Contains(forbidden[program], p.ImportPath) {
					t.Errorf("%s links %s", program, p.ImportPath)
				}
			case p.Module != nil && p.Module.Path != "syscontainer" && !slices.Contains(allowed, p.Module.Path):
				t.Errorf("%s links %s of module %s", program, p.ImportPath, p.Module.Path)
			}
		}
	}
}
