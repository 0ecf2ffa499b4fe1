package convert

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// systemctl enable is the judge of [Install]: of the same section in a unit of
// systemd's it makes the same links, or refuses too.
func TestAsSystemctlEnables(t *testing.T) {
	need(t, "systemctl")
	for _, c := range []struct{ name, install string }{
		{"a", "WantedBy=multi-user.target"},
		{"a", "WantedBy=multi-user.target b.service\nRequiredBy=c.target\nWantedBy=multi-user.target"},
		{"a", "WantedBy=no.target\nWantedBy=\nWantedBy=yes.target"},
		{"a-b", "WantedBy=%p.target %j.slice\nAlias=%N-too.service"},
		{"a", "Alias=b.service c.service\nAlias=b.service"},
		{"a", "Alias=a.service"},
		{"a", "Alias=b@.service"},
		{"a", "Alias=b@x.service"},
		{"a", "Alias=b.target"},
		{"a@", "Alias=b@.service"},
		{"a@", "Alias=b@x.service"},
		{"a@", "Alias=b.service"},
		{"a@", "DefaultInstance=x\nWantedBy=multi-user.target"},
		{"a@", "DefaultInstance=x\nWantedBy=w-%i.target\nRequiredBy=r@%i.service"},
		{"a@", "DefaultInstance=x\nAlias=b.service"},
		{"a@", "DefaultInstance=x\nAlias=b@x.service"},
		{"a@", "DefaultInstance=x\nAlias=b@y.service"},
		{"a@", "DefaultInstance=x\nAlias=b@.service"},
		{"a@", "DefaultInstance=%p\nWantedBy=%i.target"},
		{"a", "DefaultInstance=x\nWantedBy=multi-user.target"},
		{"a@x", "WantedBy=%i.target"},
		{"a@x", "Alias=b@x.service"},
		{"a@x", "Alias=b@y.service"},
		{"a@x", "Alias=b@.service"},
		{"a@x", "Alias=b.service"},
		{"a@x", "DefaultInstance=y\nWantedBy=%i.target"},
		{"a", "WantedBy=../x.target"},
		{"a", "Alias=../x.service"},
	} {
		t.Run(c.name+" "+strings.ReplaceAll(c.install, "\n", " "), func(t *testing.T) {
			root := t.TempDir()
			must(t, os.MkdirAll(root+"/etc/systemd/system", 0o755))
			must(t, os.MkdirAll(root+"/usr/lib/systemd/system", 0o755))
			file := root + "/usr/lib/systemd/system/" + c.name + ".service"
			must(t, os.WriteFile(file, []byte("[Service]\nExecStart=/bin/true\n[Install]\n"+c.install+"\n"), 0o644))
			said, refused := exec.Command("systemctl", "--root="+root, "enable", c.name+".service").CombinedOutput()
			want := make(map[string]bool)
			must(t, filepath.WalkDir(root+"/etc/systemd/system", func(name string, e fs.DirEntry, err error) error {
				must(t, err)
				if e.Type()&fs.ModeSymlink != 0 {
					target, err := os.Readlink(name)
					must(t, err)
					relative, _ := filepath.Rel(root+"/etc/systemd/system", name)
					want[relative+" -> "+filepath.Base(target)] = true
				}
				return nil
			}))
			out, ours, failed := generate(t, map[string]string{c.name + ".syscontainer": "[Container]\nImage=q.io/a\n[Install]\n" + c.install + "\n"})
			got := make(map[string]bool)
			for name, text := range out {
				if target, is := strings.CutPrefix(text, "-> "); is {
					got[name+" -> "+filepath.Base(target)] = true
				}
			}
			if len(want) > 0 && failed || refused != nil && len(got) > 0 || len(got) != len(want) {
				t.Errorf("systemctl: %v, we: %v\n%s\n%s", want, got, said, ours)
			}
			for link := range want {
				if !got[link] {
					t.Errorf("no link %s; we: %v\n%s\n%s", link, got, said, ours)
				}
			}
		})
	}
}
