package atomic

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

// hostImage is the root of an image with these files: "PATH=CONTENT", "PATH->LINK", "PATH/".
func hostImage(t *testing.T, files ...string) *os.Root {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		name, content, isFile := strings.Cut(f, "=")
		link, to, isLink := strings.Cut(f, "->")
		if isLink {
			name = link
		}
		full := filepath.Join(dir, HostDir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case isLink:
			err = os.Symlink(to, full)
		case isFile:
			err = os.WriteFile(full, []byte(content), 0o644)
		default:
			err = os.Mkdir(full, 0o750)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func hostList(h *HostFiles) (list []string) {
	for _, f := range h.Files {
		text := f.Path
		switch {
		case f.Mode.IsDir():
			text += "/"
		case f.Link != "":
			text += " -> " + f.Link
		case f.Template:
			text += " = " + f.Text
		}
		list = append(list, text)
	}
	return list
}

func TestReadHostFiles(t *testing.T) {
	all := []string{"yes"}
	for _, c := range []struct {
		name     string
		files    []string
		manifest string
		list     []string
		want     string
		without  string
	}{
		{"as it is", []string{"etc/a=1", "usr/bin/b=2", "var/lib/empty/"}, `{}`, all, "/etc/a\n/usr/bin/b\n/var/lib/empty/", ""},
		{"a file renamed", []string{"etc/a=1"}, `{"renameFiles": {"/etc/a": "/etc/$NAME.conf"}}`, all, "/etc/web.conf", ""},
		{"a directory renamed", []string{"usr/lib/a/b/c=1", "usr/lib/ab=2"}, `{"renameFiles": {"/usr/lib/a": "/opt/x/"}}`, all, "/opt/x/b/c\n/usr/lib/ab", ""},
		{"renamed twice on the way", []string{"a/b/c/d=1"}, `{"renameFiles": {"/a/b": "/x", "/x/c": "/y"}}`, all, "/y/d", ""},
		{"a replaced path is not looked up itself", []string{"a=1", "b=2"}, `{"renameFiles": {"/a": "/c", "/c": "/d"}}`, all, "/b\n/c", ""},
		{"to the root", []string{"rootfs/etc/a=1"}, `{"renameFiles": {"/rootfs": "/"}}`, all, "/etc/a", ""},
		{"an empty directory renamed", []string{"etc/x/"}, `{"renameFiles": {"/etc/x": "/etc/$NAME"}}`, all, "/etc/web/", ""},
		{"a directory whose content is renamed away", []string{"etc/x/f=1"}, `{"renameFiles": {"/etc/x/f": "/opt/f"}}`, all, "/opt/f", ""},
		// Entries directly below hostfs once escaped all rules.
		{"at the top", []string{"a=$NAME", "link->/x"}, `{"renameFiles": {"/a": "/etc/a"}, "installedFilesTemplate": ["/etc/a"]}`, all, "/etc/a = web\n/link -> /x", ""},
		{"templates by their new name", []string{"etc/a=$NAME", "etc/b=$NAME"}, `{"renameFiles": {"/etc/a": "/etc/b", "/etc/b": "/etc/c"}, "installedFilesTemplate": ["/etc/b"]}`, all,
			"/etc/b = web\n/etc/c", ""},
		// A link to a directory that is not empty was once lost.
		{"links", []string{"d/f=1", "to-dir->d", "dangling->/no/where", "up->../../../etc"}, `{"installedFilesTemplate": ["/dangling"]}`, all,
			"/d/f\n/dangling -> /no/where\n/to-dir -> d\n/up -> ../../../etc", ""},
		{"two become one directory", []string{"a/x/", "b/x/"}, `{"renameFiles": {"/b": "/a"}}`, all, "/a/x/", ""},
		{"a list", []string{"etc/a=1", "etc/ab=2", "usr/b/c=3", "usr/d/"}, `{}`, []string{"/etc/a", "/usr", "/opt"}, "/etc/a\n/usr/b/c\n/usr/d/", "/opt"},
		{"a list of new names", []string{"etc/a=1"}, `{"renameFiles": {"/etc/a": "/etc/b"}}`, []string{"/etc/a", "/etc/b"}, "/etc/b", "/etc/a"},
		{"what is not wanted needs no value", []string{"etc/a=$MISSING", "etc/b=1"}, `{"installedFilesTemplate": ["/etc/a"]}`, []string{"/etc/b"}, "/etc/b", ""},
		{"the same place twice, unwanted", []string{"a=1", "b=2", "c=3"}, `{"renameFiles": {"/a": "/b"}}`, []string{"/c"}, "/c", ""},
	} {
		m, err := ParseManifest([]byte(c.manifest))
		if err != nil {
			t.Fatal(c.name, err)
		}
		h, err := ReadHostFiles(hostImage(t, c.files...), m, map[string]string{"NAME": "web"}, c.list)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := strings.Join(hostList(h), "\n"); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
		if got := strings.Join(h.Without, " "); got != c.without {
			t.Errorf("%s: without %q", c.name, got)
		}
	}
}

func TestHostFilesRefused(t *testing.T) {
	for _, c := range []struct {
		name, manifest, want string
		files                []string
	}{
		{"all missing variables", `{"renameFiles": {"/a": "/$B", "/b": "/$A/$B"}, "installedFilesTemplate": ["/c"]}`,
			"The template file 'c' still contains an unreplaced value for: ''C''\nThe template file 'manifest.json' still contains an unreplaced value for: ''A'', ''B''",
			[]string{"a=1", "b=2", "c=$C $NAME"}},
		{"a placeholder", `{"installedFilesTemplate": ["/etc/c"]}`, "c: Invalid placeholder in string: line 2, col 3", []string{"etc/c=a\nb $5"}},
		{"up", `{"renameFiles": {"/a": "/x/../../$NAME"}}`, `manifest.json of the image: renameFiles: "/a" becomes "/x/../../web", which is no absolute path without ..`, []string{"a=1"}},
		{"relative", `{"renameFiles": {"/a": "x"}}`, `manifest.json of the image: renameFiles: "/a" becomes "x", which is no absolute path without ..`, []string{"a=1"}},
		{"the root", `{"renameFiles": {"/a": "/"}}`, `manifest.json of the image: renameFiles: "/a" would become the root directory`, []string{"a=1"}},
		{"the same place twice", `{"renameFiles": {"/a": "/b"}}`, "/exports/hostfs/a and /exports/hostfs/b of the image both become /b", []string{"a=1", "b=2"}},
		{"below a file", `{"renameFiles": {"/a": "/b/c"}}`, "/exports/hostfs/a of the image becomes /b/c, which is to be below /exports/hostfs/b", []string{"a=1", "b=2"}},
		{"below a link", `{"renameFiles": {"/a": "/b/c"}}`, "/exports/hostfs/a of the image becomes /b/c, which is to be below /exports/hostfs/b", []string{"a=1", "b->/etc"}},
		{"Latin-1", `{}`, "/exports/hostfs/caf? of the image: the name or link is not UTF-8", []string{"caf\xe9=1"}},
		{"a newline in a link", `{}`, "/exports/hostfs/a of the image: the name or link has a control character in it", []string{"a->x\ny"}},
	} {
		m, err := ParseManifest([]byte(c.manifest))
		if err != nil {
			t.Fatal(c.name, err)
		}
		_, err = ReadHostFiles(hostImage(t, c.files...), m, map[string]string{"NAME": "web"}, []string{"yes"})
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n%v\nwant\n%s", c.name, err, c.want)
		}
	}
	root := hostImage(t, "etc/a=1")
	if err := syscall.Mkfifo(filepath.Join(root.Name(), HostDir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadHostFiles(root, new(Manifest), nil, []string{"yes"}); err == nil || !strings.Contains(err.Error(), "/exports/hostfs/pipe of the image is neither") {
		t.Error(err)
	}
}

// Nothing outside of the image is read, wherever its links lead.
func TestHostFilesStayInside(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.MkdirAll(filepath.Join(secret, "hostfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(secret, "hostfs/f"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{Dir, HostDir, HostDir + "/d"} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, link)), 0o755); err != nil {
			t.Fatal(err)
		}
		to := secret
		if link == HostDir {
			to += "/hostfs"
		}
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		m := &Manifest{Templates: []string{"/f", "/d", "/d/f"}}
		h, err := ReadHostFiles(root, m, nil, []string{"yes"})
		if err == nil && strings.Contains(fmt.Sprint(h.Files), "secret\"") {
			t.Errorf("%s: %v", link, h.Files)
		}
		for _, f := range hostFilesOf(h) {
			if f.Text != "" || f.Path == "/f" || f.Path == "/d/f" {
				t.Errorf("%s: %+v", link, f)
			}
		}
	}
}

func hostFilesOf(h *HostFiles) []HostFile {
	if h == nil {
		return nil
	}
	return h.Files
}

func TestHostFilesOfNone(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	h, err := ReadHostFiles(root, new(Manifest), nil, []string{"/etc/a"})
	if err != nil || len(h.Files) != 0 || !reflect.DeepEqual(h.Without, []string{"/etc/a"}) {
		t.Error(h, err)
	}
	h, err = ReadHostFiles(root, new(Manifest), nil, []string{"yes"})
	if err != nil || len(h.Files) != 0 || len(h.Without) != 0 {
		t.Error(h, err)
	}
}

func TestHostFileMeta(t *testing.T) {
	root := hostImage(t, "usr/bin/x=1", "etc/d/f=2")
	bin := filepath.Join(root.Name(), HostDir, "usr/bin/x")
	if err := errors.Join(os.Chmod(bin, fs.ModeSetuid|0o711), os.Chmod(filepath.Join(root.Name(), HostDir, "etc/d"), 0o700)); err != nil {
		t.Fatal(err)
	}
	h, err := ReadHostFiles(root, new(Manifest), nil, []string{"/usr/bin/x", "/etc/d/f"})
	if err != nil {
		t.Fatal(err)
	}
	at := h.Files[1]
	if at.Path != "/usr/bin/x" || at.Mode&fs.ModeSetuid == 0 || at.Mode.Perm() != 0o711 || at.UID != os.Getuid() {
		t.Errorf("%+v", at)
	}
	if d := h.Dirs["/etc/d"]; d.Mode.Perm() != 0o700 {
		t.Errorf("%+v", d)
	}
}
