package accounts

import (
	"reflect"
	"strings"
	"testing"
)

const passwdFile = `# comment
root:x:0:0:root:/root:/bin/sh
broken
app:x:1000:1001:app:/home/app:/bin/sh
nogroup:x:1002:zero::/:/bin/sh
huge:x:4294967295:1::/:/bin/sh
4711:x:5:6:a name of digits:/five:/bin/sh
last:x:7:8::/last:/bin/sh`

const groupFile = `root:x:0:
app:x:1001:
extra:x:2000:app
short:x:3000
more:x:2001:x,app,root
more2:x:2001:app
`

func TestFind(t *testing.T) {
	for _, c := range []struct {
		name string
		want User
		err  string
	}{
		{"", User{0, 0, []uint32{2001}, "/root"}, ""},
		{"root", User{0, 0, []uint32{2001}, "/root"}, ""},
		{"app", User{1000, 1001, []uint32{2000, 2001}, "/home/app"}, ""},
		{"1000", User{1000, 1001, []uint32{2000, 2001}, "/home/app"}, ""},
		{"app:extra", User{1000, 2000, nil, "/home/app"}, ""},
		{"app:77", User{1000, 77, nil, "/home/app"}, ""},
		{"1000:0", User{1000, 0, nil, "/home/app"}, ""},
		{"app:short", User{1000, 3000, nil, "/home/app"}, ""},
		{"99", User{99, 0, nil, ""}, ""},
		{"99:98", User{99, 98, nil, ""}, ""},
		{"4711", User{4711, 0, nil, ""}, ""}, // a number is a number
		{"last", User{7, 8, nil, "/last"}, ""},
		{"nobody", User{}, `user "nobody" is not in the image's /etc/passwd`},
		{"nogroup", User{}, "not in"}, // group "zero" must not become 0
		{"huge", User{}, "not in"},
		{"4294967295", User{}, "not in"},
		{"-1", User{}, "not in"},
		{"app:nobody", User{}, `group "nobody" is not in the image's /etc/group`},
		{"app:", User{}, `group "" is not in`},
	} {
		got, err := Find(c.name, []byte(passwdFile), []byte(groupFile))
		if c.err == "" && (err != nil || !reflect.DeepEqual(got, c.want)) ||
			c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q: %+v, %v, want %+v, %q", c.name, got, err, c.want, c.err)
		}
	}
}

func FuzzFind(f *testing.F) {
	for _, name := range []string{"", "app", "1000", "app:extra", "nogroup", ":", "root:0"} {
		f.Add(name, []byte(passwdFile), []byte(groupFile))
	}
	f.Fuzz(func(t *testing.T, name string, passwd, group []byte) {
		u, err := Find(name, passwd, group)
		if err != nil {
			return
		}
		login, _, _ := strings.Cut(name, ":")
		if id, isNumber := ParseID(login); isNumber && u.UID != id {
			t.Fatalf("%q: %+v", name, u)
		}
		if u.UID == 1<<32-1 || u.GID == 1<<32-1 {
			t.Fatalf("%q: (uid_t)-1: %+v", name, u)
		}
		if strings.ContainsAny(u.Home, "\n\x00") {
			t.Fatalf("%q: home %q", name, u.Home)
		}
	})
}
