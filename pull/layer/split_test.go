package layer

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The comparison is in merged.
func TestRejoinIsTheInverseOfSplit(t *testing.T) {
	accepted := uint64(0)
	for seed := range rounds(5000, 200000) {
		if _, err := merged(t, layers(random(seed, 4*(8+int(seed)%40)), seed%2 == 0)...); err == nil {
			accepted++
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if accepted < rounds(5000, 200000)/10 {
		t.Errorf("only %d were layers at all", accepted)
	}
}

// What a store keeps of a file may be its ID alone.
func TestRejoinWithIDsAlone(t *testing.T) {
	var poor func(n *Node) *Node
	poor = func(n *Node) *Node {
		if n.Type != Dir {
			return &Node{Type: File, ID: n.ID}
		}
		c := &Node{Type: Dir, Meta: n.Meta}
		for name, child := range n.Children {
			c.set(name, poor(child))
		}
		return c
	}
	var same func(t *testing.T, got, want *Node, path string)
	same = func(t *testing.T, got, want *Node, path string) {
		if (got.Type == Dir) != (want.Type == Dir) || got.ID != want.ID || len(got.Children) != len(want.Children) ||
			want.Type == Dir && fmt.Sprint(got.Meta) != fmt.Sprint(want.Meta) {
			t.Errorf("%q: %+v, want %+v", path, got, want)
			return
		}
		for name, child := range want.Children {
			if got.Children[name] == nil {
				t.Errorf("%q is missing", path+"/"+name)
				continue
			}
			same(t, got.Children[name], child, path+"/"+name)
		}
	}
	compared := 0
	for seed := range rounds(1000, 20000) {
		var trees, stored []*Tree
		for _, entries := range layers(random(seed, 4*(8+int(seed)%40)), true) {
			tree, err := read(t, &memory{}, archive(t, entries...))
			if err != nil {
				break
			}
			root, note := tree.Split()
			back, err := Rejoin(poor(root), note)
			if err != nil {
				t.Fatal(err)
			}
			trees, stored = append(trees, tree), append(stored, back)
		}
		want, err := Merge(trees)
		got, errGot := Merge(stored)
		if (err == nil) != (errGot == nil) {
			t.Errorf("%v, want %v", errGot, err)
		}
		if err == nil && errGot == nil {
			same(t, got.Root, want.Root, "")
			if got.Files != want.Files || got.Dirs != want.Dirs || got.Unpacked != want.Unpacked || fmt.Sprint(got.Specials) != fmt.Sprint(want.Specials) {
				t.Errorf("got %+v, want %+v", got, want)
			}
			compared += want.Files + want.Dirs
		}
	}
	if compared < 1000 {
		t.Errorf("only %d files and directories were compared", compared)
	}
}

func TestSplitDeep(t *testing.T) {
	deep := strings.Repeat("d/", 2045)
	stream := archive(t, file(deep+"f", 0o644, ""), hardlink(deep+"h", deep+"x"), special(tar.TypeFifo, deep+"p", 0, 0), file(deep+".wh.w", 0, ""))
	tree, err := Read(t.Context(), bytes.NewReader(stream), &memory{}, Limits{Depth: 2048})
	if err != nil {
		t.Fatal(err)
	}
	if len(splitAndRejoin(t, []*Tree{tree})) != 1 {
		t.Error("nothing was rejoined")
	}
}

func TestSplit(t *testing.T) {
	tree, err := read(t, &memory{}, archive(t,
		dir("d", 0o700).xattr("user.a", "1"), file("d/e/f", 0o644, "12345").xattr("security.selinux", "x"), file("d/.wh.<b>", 0, ""), file("d/.wh.a", 0, ""),
		file("d/e/.wh..wh..opq", 0, ""), hardlink("h", "/lower//x"), special(tar.TypeChar, "c", 1, 3).owner(4, 5).xattr("trusted.t", "\xff\x00"),
	))
	if err != nil {
		t.Fatal(err)
	}
	root, note := tree.Split()
	const want = `{"version":1,"entries":8,"size":5,"nodes":4,"stripped":{"security.selinux":1},"root":{"implicit":true,` +
		`"links":{"h":{"target":"lower/x","entry":"h"}},` +
		`"specials":{"c":{"type":"char","uid":4,"gid":5,"mode":438,"xattrs":{"trusted.t":"/wA="},"major":1,"minor":3}},` +
		`"dirs":{"d":{"whiteouts":["<b>","a"],"dirs":{"e":{"implicit":true,"opaque":true}}}}}}` + "\n"
	if string(note) != want {
		t.Errorf("got  %swant %s", note, want)
	}
	if e := root.Children["d"].Children["e"]; len(root.Children) != 1 || e.Meta.Mode != 0o755 || e.Children["f"].Size != 5 {
		t.Errorf("%+v", root)
	}
	if tree, err = Rejoin(root, note); err != nil || tree.Entries != 8 || tree.Size != 5 || tree.Stripped["security.selinux"] != 1 {
		t.Errorf("%+v, %v", tree, err)
	}
}

func TestRejoinRefuses(t *testing.T) {
	small := func() *Node {
		root := implicit()
		root.set("d", &Node{Type: Dir, Meta: Meta{Mode: 0o700}})
		root.set("f", &Node{Type: File, Meta: Meta{Mode: 0o644}})
		return root
	}
	with := func(name string, n *Node) *Node {
		root := small()
		root.set(name, n)
		return root
	}
	const good = `{"version":1,"entries":3,"size":0,"nodes":3,"root":{"implicit":true}}`
	const four = `{"version":1,"entries":3,"size":0,"nodes":4}`
	says := func(s string) string {
		return `{"version":1,"entries":3,"size":0,"nodes":3,"root":{` + s + `}}`
	}
	if _, err := Rejoin(small(), []byte(good)); err != nil {
		t.Error(err)
	}
	loop := small()
	loop.set("l", loop)
	twice := implicit()
	for range 60 { // 2^60 paths
		n := implicit()
		n.set("a", twice)
		n.set("b", twice)
		twice = n
	}
	for _, c := range []struct {
		name string
		root *Node
		note string
		want string
	}{
		{"nothing", small(), "", "read note"},
		{"no JSON", small(), "\x00", "read note"},
		{"two", small(), good + good, "read note"},
		{"behind", small(), good + "x", "read note"},
		{"unknown", small(), says(`"mtime":1`), "unknown field"},
		{"too long", small(), good + strings.Repeat(" ", MaxNote), "bytes"},
		{"deep", small(), says(strings.Repeat(`"dirs":{"d":{`, 20000) + strings.Repeat("}}", 20000)), "depth"},
		{"wide numbers", small(), `{"version":1,"entries":1e99,"size":0,"nodes":3}`, "read note"},
		{"numbers", small(), `{"version":1,"entries":-1,"size":0,"nodes":3}`, "numbers"},
		{"stripped", small(), `{"version":1,"entries":1,"size":0,"nodes":3,"stripped":{"a":0}}`, "numbers"},
		{"no tree", nil, good, "no directory"},
		{"file", &Node{Type: File}, good, "no directory"},
		{"smaller tree", implicit(), good, "2 more"},
		{"larger tree", with("x", implicit()), good, "smaller"},
		{"loop", loop, four, "smaller"},
		{"exponential", twice, four, "smaller"},
		{"special in the tree", with("x", &Node{Type: Special, Flag: '6'}), four, "only"},
		{"whiteout in the tree", with(".wh.x", implicit()), four, "whiteout"},
		{"..", with("..", implicit()), four, `".."`},
		{"slash", with("a/b", implicit()), four, "slash"},
		{"empty name", with("", implicit()), four, "empty"},
		{"mode", with("x", &Node{Type: File, Meta: Meta{Mode: 0o10000}}), four, "mode"},
		{"owner", with("x", &Node{Type: File, Meta: Meta{GID: 1<<32 - 1}}), four, "owner"},
		{"attribute", with("x", &Node{Type: Dir, Meta: Meta{Xattrs: map[string]string{"trusted.overlay.opaque": "y"}}}), four, "trusted.overlay.opaque"},
		{"whiteout", small(), says(`"whiteouts":["a/b"]`), "slash"},
		{"whiteout ..", small(), says(`"whiteouts":[".."]`), `".."`},
		{"link outside", small(), says(`"links":{"l":{"target":"a/../../b","entry":""}}`), `".."`},
		{"link to the root", small(), says(`"links":{"l":{"target":"/","entry":""}}`), "root"},
		{"link over a file", small(), says(`"links":{"f":{"target":"a","entry":""}}`), "tree"},
		{"link name", small(), says(`"links":{"../l":{"target":"a","entry":""}}`), "slash"},
		{"special over a file", small(), says(`"specials":{"f":{"type":"fifo","uid":0,"gid":0,"mode":0}}`), "tree"},
		{"special type", small(), says(`"specials":{"s":{"type":"file","uid":0,"gid":0,"mode":0}}`), "unknown type"},
		{"special mode", small(), says(`"specials":{"s":{"type":"fifo","uid":0,"gid":0,"mode":65535}}`), "mode"},
		{"special name", small(), says(`"specials":{".wh.s":{"type":"fifo","uid":0,"gid":0,"mode":0}}`), "whiteout"},
		{"directory missing", small(), says(`"dirs":{"x":{}}`), "not there"},
		{"directory is a file", small(), says(`"dirs":{"f":{}}`), "not there"},
		{"implicit with metadata", small(), says(`"dirs":{"d":{"implicit":true}}`), "no metadata"},
	} {
		if _, err := Rejoin(c.root, []byte(c.note)); err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrNoteVersion) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	for _, note := range []string{"{}", `{"version":2,"news":1}`} {
		if _, err := Rejoin(small(), []byte(note)); !errors.Is(err, ErrNoteVersion) {
			t.Errorf("%s: got %v", note, err)
		}
	}
}

// Notes in which one thing or another has been changed.
func TestRejoinOfDamagedNotes(t *testing.T) {
	strange := []any{nil, "", "..", "a/b", "/", ".wh.a", "\xff", "fifo", 0.0, -1.0, 1e9, 0.5, true, []any{}, map[string]any{}, []any{"a", "a"}, map[string]any{"a": map[string]any{}}}
	var damage func(r *rand.Rand, v any) any
	damage = func(r *rand.Rand, v any) any {
		if r.IntN(4) == 0 {
			return strange[r.IntN(len(strange))]
		}
		switch v := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				switch r.IntN(3 * len(v)) {
				case 0:
					delete(v, key)
				case 1:
					v["abcd."[r.IntN(5):][:1]] = v[key]
				case 2, 3, 4:
					v[key] = damage(r, v[key])
				}
			}
		case []any:
			if len(v) > 0 {
				i := r.IntN(len(v))
				v[i] = damage(r, v[i])
			}
		}
		return v
	}
	good, bad := 0, 0
	for seed := range rounds(5000, 200000) {
		data := random(seed, 4*(8+int(seed)%40))
		tree, err := read(t, &memory{}, archive(t, layers(data, true)[0]...))
		if err != nil {
			continue
		}
		root, note := tree.Split()
		var v any
		if err := json.Unmarshal(note, &v); err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(seed, 1))
		v.(map[string]any)["root"] = damage(r, v.(map[string]any)["root"])
		if note, err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
		back, err := Rejoin(plain(t, root), note)
		if err != nil {
			bad++
			continue
		}
		good++
		if m, err := Merge(splitAndRejoin(t, []*Tree{tree, back})); err == nil {
			wholesome(t, m)
		}
		if t.Failed() {
			t.Fatalf("seed %d: %s", seed, note)
		}
	}
	if good < 100 || bad < 100 {
		t.Errorf("%d notes were good, %d bad: that shows little", good, bad)
	}
}

// Short names and attributes are parts of header records of up to a megabyte:
// what is kept must not keep those.
func TestMemoryIsThatOfWhatIsKept(t *testing.T) {
	const entries, padding = 30, 900_000
	for name, e := range map[string]entry{
		"records":    file("f", 0o644, "").xattr("user.a", "1"),
		"long name":  file(strings.Repeat("./", padding/2)+"f", 0o644, ""),
		"long link":  hardlink("l", strings.Repeat("./", padding/2)+"f"),
		"attributes": file("f", 0o644, ""),
	} {
		t.Run(name, func(t *testing.T) {
			if e.PAXRecords == nil {
				e.PAXRecords = map[string]string{}
			}
			if name == "records" {
				e.PAXRecords["X.comment"] = strings.Repeat("x", padding)
			}
			base := e.Name
			var before, after runtime.MemStats
			var streams bytes.Buffer
			for i := range entries {
				e.Name = fmt.Sprint(base, i)
				if name == "attributes" {
					e = e.xattr(fmt.Sprint(i, strings.Repeat("x", padding)), "1")
				}
				stream := archive(t, e)
				streams.Write(stream[:len(stream)-1024])
			}
			runtime.GC()
			runtime.ReadMemStats(&before)
			tree, err := read(t, &memory{}, streams.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			runtime.KeepAlive(&streams)
			if len(tree.root.Children) != entries {
				t.Errorf("%d files", len(tree.root.Children))
			}
			if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 5<<20 {
				t.Errorf("%d entries keep %d MiB", entries, kept>>20)
			}
		})
	}
}
