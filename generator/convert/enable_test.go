package convert

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What [Install] asks for is what systemctl enable would do with it: the same names, each leading to the same unit.
func TestInstallIsWhatEnableDoes(t *testing.T) {
	need(t, "systemctl")
	for _, c := range []struct{ name, install string }{
		{"a", "WantedBy=multi-user.target"},
		{"a", "WantedBy=a.target b.target\nRequiredBy=c.target a.target"},
		{"a", "WantedBy=a.target\nWantedBy=\nWantedBy=b.target"},
		{"a", "Alias=x.service y.service\nWantedBy=x.service"},
		{"a", "Alias=a.service x.service"},
		{"a", "WantedBy=\"a.target\" 'b.target'"},
		{"a", "Alias=x.socket"},
		{"a", "Alias=x@.service"},
		{"a", "Alias=x@y.service"},
		{"a", "Alias=../x.service"},
		{"a", "Alias=x"},
		{"a", "WantedBy=multi-user"},
		{"a", "WantedBy=../multi-user.target\nRequiredBy=r.target"},
		{"a", "WantedBy=%N.target %p-x.target %n.target %j.target"},
		{"a-b-c", "WantedBy=%j.target %p.target"},
		{"a", "WantedBy=x@.target x@%p.target"},
		{"a", "DefaultInstance=i\nWantedBy=a.target"},
		{"a", "Also=b.service\nWantedBy=a.target"},
		{"a@", "WantedBy=a.target"},
		{"a@", "DefaultInstance=i\nWantedBy=a.target"},
		{"a@", "DefaultInstance=i\nWantedBy=%i.target %p.target\nRequiredBy=%n.target"},
		{"a@", "DefaultInstance=i\nAlias=b@.service"},
		{"a@", "Alias=b@.service"},
		{"a@", "Alias=b.service"},
		{"a@", "DefaultInstance=i\nAlias=b@i.service"},
		{"a@", "DefaultInstance=i\nAlias=b@j.service b.service"},
		{"a@", "DefaultInstance=\nWantedBy=a.target"},
		{"a@x", "WantedBy=a.target %i.target"},
		{"a@x", "DefaultInstance=i\nWantedBy=%i.target"},
		{"a@x", "Alias=b@x.service"},
		{"a@x", "Alias=b.service b@y.service b@.service"},
	} {
		root := t.TempDir()
		dir := root + "/usr/lib/systemd/system"
		must(t, os.MkdirAll(dir, 0o755))
		must(t, os.MkdirAll(root+"/etc/systemd/system", 0o755))
		file := c.name
		if prefix, instance, ok := strings.Cut(c.name, "@"); ok && instance != "" {
			file = prefix + "@"
		}
		must(t, os.WriteFile(dir+"/"+file+".service", []byte("[Service]\nExecStart=/bin/true\n[Install]\n"+c.install+"\n"), 0o644))
		must(t, os.WriteFile(dir+"/b.service", []byte("[Service]\nExecStart=/bin/true\n"), 0o644)) // for Also=
		if strings.Contains(c.install, "Alias=b") || strings.Contains(c.install, " b.service") {
			must(t, os.Remove(dir+"/b.service"))
		}
		said, err := exec.Command("systemctl", "--root="+root, "enable", c.name+".service").CombinedOutput()
		want := enabledLinks(t, root+"/etc/systemd/system")

		out, messages, failed := generate(t, map[string]string{c.name + ".syscontainer": "[Container]\nImage=q.io/a\n[Install]\n" + c.install + "\n"})
		got := make(map[string]string)
		for name, text := range out {
			if target, ok := strings.CutPrefix(text, "-> "); ok {
				got[name] = filepath.Base(target)
			}
		}
		for name, target := range want { // a link to an instance of a unit that is a file of its own here
			if target == file+".service" && (strings.HasSuffix(name, "/"+c.name+".service") || !strings.Contains(name, "/")) {
				want[name] = c.name + ".service"
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s, %q:\n%v, systemctl enable makes\n%v (%v %s) \n%s", c.name, c.install, shown(got), shown(want), err, said, messages)
		}
		if err != nil && !failed && messages == "" {
			t.Errorf("%s, %q: systemctl says %s, we nothing", c.name, c.install, said)
		}
	}
}

func shown(links map[string]string) (list []string) {
	for name, target := range links {
		list = append(list, name+" -> "+target)
	}
	slices.Sort(list)
	return list
}

func enabledLinks(t *testing.T, dir string) map[string]string {
	links := make(map[string]string)
	must(t, filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		must(t, err)
		if e.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(name)
			must(t, err)
			relative, _ := filepath.Rel(dir, name)
			links[relative] = filepath.Base(target)
		}
		return nil
	}))
	return links
}
