package units

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file from anywhere takes the place of the unit of its name, with the drop-ins of
// both; the other units are there as before.
func TestExtra(t *testing.T) {
	root, away := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		root + "/etc/containers/systemd/web.syscontainer":           "[Container]\nImage=q.io/old:1\n",
		root + "/etc/containers/systemd/web.syscontainer.d/20.conf": "[Container]\nUser=admin\n",
		root + "/etc/containers/systemd/web.syscontainer.d/30.conf": "[Container]\nUser=hidden\n",
		root + "/etc/containers/systemd/db.syscontainer":            "[Container]\nImage=q.io/db:1\n",
		away + "/web.syscontainer":                                  "[Container]\nImage=q.io/new:1\n",
		away + "/web.syscontainer.d/30.conf":                        "[Container]\nGroup=mine\n",
		away + "/db.syscontainer.d/30.conf":                         "[Container]\nUser=nobody-reads-this\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	values := func(u *Unit) string {
		var s []string
		for _, l := range u.Lines {
			s = append(s, l.Key+"="+l.Value)
		}
		return strings.Join(s, " ")
	}
	for _, c := range []struct{ name, text, want string }{
		{"web", "", "Image=q.io/new:1 User=admin Group=mine"},
		{"given", "[Container]\nImage=q.io/given:1\n", "Image=q.io/given:1"},
	} {
		e := Extra{Path: away + "/" + c.name + ".syscontainer", Text: c.text, Given: c.text != ""}
		set := Load(root, Directories(), e)
		found := map[string]string{}
		for _, u := range set.Units {
			found[u.Name.Full] = values(u)
			if u.Name.Full == c.name && u.Path != e.Path {
				t.Errorf("%s: path %s", c.name, u.Path)
			}
		}
		if found[c.name] != c.want || found["db"] != "Image=q.io/db:1" || len(set.Problems) > 0 {
			t.Errorf("%s: %q, %v", c.name, found, set.Problems)
		}
	}
	set := Load(root, Directories(), Extra{Path: away + "/nowhere.syscontainer"})
	for _, u := range set.Units {
		if u.Name.Full == "nowhere" && (len(u.Errors) != 1 || u.Errors[0].File != away+"/nowhere.syscontainer") {
			t.Errorf("nowhere: %v", u.Errors)
		}
	}
}
