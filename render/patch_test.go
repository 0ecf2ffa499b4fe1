package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"syscontainer/units"
)

// The examples of RFC 7396, appendix A.
func TestMerge(t *testing.T) {
	for _, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		var v [3]any
		for i := range c {
			var err error
			if v[i], err = decodeJSON([]byte(c[i])); err != nil {
				t.Fatal(err)
			}
		}
		if got := merge(v[0], v[1]); !reflect.DeepEqual(got, v[2]) {
			t.Errorf("%s with %s: %v, want %s", c[0], c[1], got, c[2])
		}
	}
}

func TestPatch(t *testing.T) {
	file := filepath.Join(t.TempDir(), "patch.json")
	if err := os.WriteFile(file, []byte(`{"linux":{"resources":{"memory":{"limit":9007199254740993}}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	s := specOf(t, base(), someHost("web"))
	document, err := encodeSpec(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ patches, want, err string }{
		{`{"hostname":"x"}`, `"hostname":"x"`, ""},
		{`{"hostname":"x"} {"hostname":"y"}`, `"hostname":"y"`, ""},
		{file, `"limit":9007199254740993`, ""}, // no float64 on its way
		{`{"newInLaterVersions":{"a":1}}`, `"newInLaterVersions":{"a":1}`, ""},
		{`{"process":{"args":[]}}`, "", "ConfigPatch= no. 1: nothing is left to run"},
		{`{"hostname":"x"} {"process":null}`, "", "ConfigPatch= no. 2: nothing is left to run"},
		{`{"root":{"path":null}}`, "", "no root is left in root.path"},
		{`{"root":{"path":"/"}}`, "", "root.path cannot be /: the root is put together elsewhere\nhint: set Rootfs="},
		{`{"process":{"user":{"uid":"root"}}}`, "", "process.user.uid cannot be a string"},
		{`{"process":{"user":{"uid":-1}}}`, "", "uid"},
		{`{"mounts":{}}`, "", "mounts cannot be a object"},
		{`{"linux":null}`, "", "linux is gone"},
		{`[]`, "", "a JSON object is expected"},
		{`{`, "", "ConfigPatch= no. 1: unexpected EOF"},
		{`{}{}`, "", "something follows"},
		{"/no/such.json", "", "ConfigPatch=/no/such.json: no such file"},
		{"/dev/zero", "", "/dev/zero is no regular file"},
	} {
		var list []units.ConfigPatch
		for _, p := range strings.Fields(c.patches) {
			if p[0] == '/' {
				list = append(list, units.ConfigPatch{File: p})
			} else {
				list = append(list, units.ConfigPatch{JSON: p})
			}
		}
		got, patched, err := patch(document, s, list)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.patches, err, c.err)
			}
			continue
		}
		if err != nil || !strings.Contains(string(got), c.want) || patched == nil {
			t.Errorf("%s: %s, %v", c.patches, got, err)
		}
	}
	if got, same, err := patch(document, s, nil); err != nil || same != s || string(got) != string(document) {
		t.Error("no patch, but a change")
	}
}

func FuzzPatch(f *testing.F) {
	for _, text := range []string{`{"hostname":"x"}`, `{"process":{"args":["a"]}}`, `{"root":null}`, `[]`, `{"linux":{"devices":[{}]}}`} {
		f.Add([]byte(text))
	}
	document := []byte(`{"ociVersion":"1.0.2","process":{"user":{"uid":0,"gid":0},"args":["x"],"cwd":"/"},"root":{"path":"/r"},"linux":{}}`)
	f.Fuzz(func(t *testing.T, text []byte) {
		got, s, err := patchOnce(document, text)
		if err != nil {
			return
		}
		if len(s.Process.Args) == 0 || s.Root.Path == "" || !json.Valid(got) {
			t.Fatalf("%s makes %s", text, got)
		}
		again, _, err := patchOnce(got, text)
		if err != nil || string(again) != string(got) {
			t.Fatalf("%s twice: %s, then %s, %v", text, got, again, err)
		}
	})
}
