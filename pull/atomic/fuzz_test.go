package atomic

import (
	"encoding/json"
	"io/fs"
	"path"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzExpandJSON(f *testing.F) {
	f.Add("a\"b\\c\n", "$")
	f.Add("\\", "\\\"")
	f.Add("\u2028\x7f", "\\u0022")
	f.Fuzz(func(t *testing.T, value, around string) {
		if !utf8.ValidString(value) || !utf8.ValidString(around) {
			return
		}
		inside, _ := json.Marshal(around)
		text := `["` + strings.ReplaceAll(strings.Trim(string(inside), `"`), "$", "$$") + `", "$V"]`
		if strings.Trim(string(inside), `"`) != string(inside[1:len(inside)-1]) {
			return // a quote at an end
		}
		out, err := Template{Text: text, JSON: true}.Expand(map[string]string{"V": value})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := json.Unmarshal([]byte(out), &got); err != nil || len(got) != 2 || got[0] != around || got[1] != value {
			t.Fatalf("%q with %q: %q, %v", text, value, out, err)
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"defaultValues": {"A": "b", "C": [1, {"d": null}]}, "renameFiles": {"/a": "/$A"}}`))
	f.Add([]byte(`{"defaultValues": {"A": 1e400, "A": -0}, "useLinks": null, "installedFilesTemplate": ["/x"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data)
		if err != nil {
			return
		}
		for _, r := range m.Renames {
			if !path.IsAbs(r.From) || path.Clean(r.From) != r.From {
				t.Errorf("renames %q", r.From)
			}
		}
		values := Place{Name: "x"}.Values(nil, m)
		if values["NAME"] != "x" || values["EXEC_START"] != "" {
			t.Errorf("a manifest changed what is forced: %q", values)
		}
	})
}

func FuzzHostFiles(f *testing.F) {
	f.Add([]byte(`{"renameFiles": {"/etc/a": "/$N/b"}, "installedFilesTemplate": ["/x/b"]}`), "etc/a", "x")
	f.Add([]byte(`{"renameFiles": {"/a": "/", "/b/c": "/$N/../d"}}`), "b/c/d", "..")
	f.Add([]byte(`{"renameFiles": {"/a": "//b/./c/"}}`), "a/../a", "\x00")
	f.Fuzz(func(t *testing.T, manifest []byte, name, value string) {
		m, err := ParseManifest(manifest)
		if err != nil || !fs.ValidPath(name) || name == "." {
			return
		}
		w := hostWalk{manifest: m, values: map[string]string{"N": value}, to: map[string]string{}}
		to, err := w.rename("/" + name)
		if err != nil {
			return
		}
		if !path.IsAbs(to) || path.Clean(to) != to {
			t.Errorf("%q with %q becomes %q", name, manifest, to)
		}
	})
}
