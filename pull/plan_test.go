package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"syscontainer/test/image"
)

// releases are two versions of an image and a unit for them: the reference is a tag that can be moved.
func releases(t *testing.T) (root string, layout *image.Layout, reference string) {
	t.Helper()
	root, layout = newRoot(t)
	reference = "oci:" + layout.Dir + ":web"
	writeFile(t, root+"/etc/containers/systemd/web.syscontainer", "[Container]\nImage="+reference+"\n")
	release(t, layout, "web", image.Config{Cmd: []string{"/bin/web"}, Env: []string{"A=1", "B=2"}}, []image.Entry{
		image.File("bin/web", 0o755, "one"), image.File("etc/gone", 0o644, "x"), image.File("etc/same", 0o644, "x"), image.Dir("srv", 0o755)})
	return root, layout, reference
}

// release lets a tag name an image of a layer that stays and one that differs.
func release(t *testing.T, layout *image.Layout, tag string, config image.Config, entries []image.Entry) {
	t.Helper()
	base := image.Layer{Entries: []image.Entry{image.File("bin/sh", 0o755, strings.Repeat("shell", 1000))}}
	if _, err := layout.Put(tag, image.Image{Layers: []image.Layer{base, {Entries: entries}}, Config: config}); err != nil {
		t.Fatal(err)
	}
}

func plans(t *testing.T, root string, args ...string) (all []change) {
	t.Helper()
	if err := json.Unmarshal([]byte(must(t, root, append([]string{"update", "--dry-run", "--json"}, args...)...)), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDryRun(t *testing.T) {
	root, layout, reference := releases(t)
	must(t, root, "pull", reference)
	if p := plans(t, root, "web"); p[0].State != stateCurrent || p[0].From != p[0].To {
		t.Errorf("nothing new: %+v", p)
	}
	release(t, layout, "web", image.Config{Cmd: []string{"/bin/web", "-v"}, Env: []string{"B=2", "A=3"}, User: "7"}, []image.Entry{
		image.File("bin/web", 0o4755, "two"), image.File("etc/same", 0o644, "x"), image.Dir("srv", 0o750), image.File("srv/new", 0o644, "n")})
	before := imagesOf(t, root)
	p := plans(t, root, "--all")[0]
	if p.State != stateUpdate || p.Files != nil || p.FetchLayers != 1 || p.FetchBytes == 0 || p.FetchBytes > 2000 || p.FailedBefore {
		t.Errorf("before the fetch: %+v", p)
	}
	wants := []configChange{{"Cmd", `["/bin/web"]`, `["/bin/web","-v"]`}, {"Env A", "1", "3"}, {"User", "", "7"}}
	if !slices.Equal(p.Config, wants) {
		t.Errorf("configuration: %+v, want %+v", p.Config, wants)
	}
	if after := imagesOf(t, root); len(after) != 1 || after[0].Digest != before[0].Digest {
		t.Errorf("a dry run has fetched: %+v", after)
	}

	// Both are here when another reference has brought the new one.
	release(t, layout, "next", image.Config{}, nil)
	must(t, root, "pull", "oci:"+layout.Dir+":next")
	release(t, layout, "web2", image.Config{Cmd: []string{"/bin/web"}, Env: []string{"A=1", "B=2"}}, []image.Entry{
		image.File("bin/web", 0o4755, "two"), image.File("etc/same", 0o644, "x"), image.Dir("srv", 0o750), image.File("srv/new", 0o644, "n")})
	must(t, root, "pull", "oci:"+layout.Dir+":web2")
	p = plans(t, root, "--image", "oci:"+layout.Dir+":web2", "web")[0]
	if p.Files == nil || !slices.Equal(p.Files.Added, []string{"/srv/new"}) || !slices.Equal(p.Files.Changed, []string{"/bin/web", "/srv/"}) ||
		!slices.Equal(p.Files.Removed, []string{"/etc/gone"}) || p.FetchBytes != 0 || len(p.Config) != 0 {
		t.Errorf("both are here: %+v %+v", p, p.Files)
	}
	if !slices.Equal(p.Powers.Added, powers{"/bin/web is set-user-ID, of user 0"}) || len(p.Powers.Removed) != 0 {
		t.Errorf("powers: %+v", p.Powers)
	}
	text := must(t, root, "update", "--dry-run", "--image", "oci:"+layout.Dir+":web2", "web")
	for _, want := range []string{"fetch    nothing", "1 added, 2 changed, 1 removed", "~ /bin/web", "- /etc/gone", "power    + /bin/web is set-user-ID", "restart  nothing"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestPinned(t *testing.T) {
	root, _, reference := releases(t)
	digest := must(t, root, "pull", reference)
	must(t, root, "tag", reference, "q.io/web@"+strings.TrimSpace(digest))
	writeFile(t, root+"/etc/containers/systemd/web.syscontainer", "[Container]\nImage=q.io/web@"+digest+"\n")
	if out := must(t, root, "update", "--dry-run", "web"); out != "web: pinned: Image= names the digest "+digest {
		t.Errorf("%q", out)
	}
	if out := must(t, root, "update", "web"); out != "web: pinned: Image= names the digest "+digest {
		t.Errorf("%q", out)
	}
}

func TestFileCapabilities(t *testing.T) {
	// VFS_CAP_REVISION_2, permitted: net_bind_service, and bpf in the second word.
	value := "\x01\x00\x00\x02" + "\x00\x04\x00\x00" + "\x00\x00\x00\x00" + "\x80\x00\x00\x00" + "\x00\x00\x00\x00"
	names, err := fileCapabilities(value)
	if err != nil || !slices.Equal(names, []string{"CAP_NET_BIND_SERVICE", "CAP_BPF"}) {
		t.Errorf("%q, %v", names, err)
	}
	if _, err := fileCapabilities("\x01"); err == nil {
		t.Error("a stub is taken")
	}
}
