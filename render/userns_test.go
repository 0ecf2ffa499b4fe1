package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// subordinateFiles writes etc/subuid and etc/subgid below root.
func subordinateFiles(t testing.TB, root, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"etc/subuid", "etc/subgid"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSubordinates(t *testing.T) {
	for text, want := range map[string]string{
		"": "[]",
		"alice:100000:65536\ncontainers:2147483647:2147483648\n":  "[2147483647 to 4294967294]",
		"# a comment\n\ncontainers:200000:1\ncontainers:300000:2": "[200000 to 200000 300000 to 300001]",
		"containers:200000:0\ncontainer:300000:9\r\n":             "[]",
		"a:1:10\nb:5:10\n1000:5:5\n":                              "[]", // the others' own affair

		"containers:200000":                       `f:1: "containers:200000" is no range of users`,
		"\nalice 100000 65536\n":                  `f:2: "alice 100000 65536" is no range of users`,
		":1:2":                                    `f:1: ":1:2" is no range of users`,
		"containers:200000:65536:x":               "f:1: ",
		"containers:+1:65536":                     "f:1: ",
		"containers:0x10:65536":                   "f:1: ",
		"containers:4294967294:2":                 "f:1: ", // the last would be nobody's number
		"containers:2147483648:4294967296":        "f:1: ",
		"containers:0:65536":                      `f:1: it gives root to "containers"`,
		"alice:100000:65536\ncontainers:165535:1": `f:2: 165535 to 165535 overlap those of "alice" in line 1`,
		"containers:5:10\nx:1:1\nbob:14:1":        `f:3: 14 to 14 overlap those of "containers" in line 1`,
		"containers:5:10\ncontainers:5:10":        `f:2: 5 to 14 overlap those of "containers" in line 1`,
	} {
		got, err := subordinates("f", text)
		if strings.HasPrefix(want, "f:") {
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		shown := []string{}
		for _, r := range got {
			shown = append(shown, r.String())
		}
		if err != nil || "["+strings.Join(shown, " ")+"]" != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func FuzzSubordinates(f *testing.F) {
	f.Add("containers:5:10\nbob:14:1\n#\n\nx:y:z")
	f.Fuzz(func(t *testing.T, text string) {
		own, err := subordinates("f", text)
		for i, a := range own {
			if err != nil || a.First == 0 || a.Size == 0 || a.end() > 1<<32-1 ||
				slices.ContainsFunc(own[:i], a.overlaps) {
				t.Errorf("%q: %v, %v", text, own, err)
			}
		}
	})
}

// chosen is the first number that a container of that name gets, or why it gets none.
func chosen(root, name string, size uint32, u user) string {
	c := &units.Container{UserNSAuto: size}
	if err := chooseUsers(options{root: root, name: name}, c, u); err != nil {
		return err.Error()
	}
	if len(c.UIDMap) != 1 || !slices.Equal(c.UIDMap, c.GIDMap) || c.UIDMap[0].Container != 0 || c.UIDMap[0].Size != size {
		return "wrong maps"
	}
	return strconv.FormatUint(uint64(c.UIDMap[0].Host), 10)
}

func TestChooseUsers(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, store.Dir, "containers")
	subordinateFiles(t, root, "containers:100000:1000\ncontainers:500000:300\n")
	expect := func(name string, size uint32, want string) {
		t.Helper()
		if got := chosen(root, name, size, user{UID: 3}); got != want && (want[0] != 'U' || !strings.HasPrefix(got, want)) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	expect("a", 100, "500200")
	expect("b", 100, "500100")
	expect("a", 100, "500200") // as it was
	expect("c", 200, "100800") // there is a hole of 100 only
	expect("d", 100, "500000")
	for _, name := range []string{"a", "b", "c", "d"} { // they run
		if err := os.MkdirAll(string(bundleOf(root, name)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	expect("e", 801, "UserNS=auto: no 801 users in a row are left") // and nobody lost anything
	expect("e", 1001, "UserNS=auto: 1001 users are asked for, and /etc/subuid and /etc/subgid give \"containers\" at most 1000 in a row")
	expect("a", 100, "500200")

	// A container that has written stays what it is.
	upper := filepath.Join(dir, "a/upper")
	if err := os.Mkdir(upper, 0o755); err != nil {
		t.Fatal(err)
	}
	expect("a", 100, "500200")
	expect("a", 50, "UserNS=auto: what the container wrote into its root, in "+dir+"/a, belongs to users of another")
	expect("b", 50, "500150") // one that has not may change
	subordinateFiles(t, root, "containers:100000:1000\n")
	expect("a", 100, "UserNS=auto: what the container wrote, in "+dir+"/a, belongs to the users 500200 to 500299, and /etc/subuid and /etc/subgid do not give them")
	subordinateFiles(t, root, "containers:100000:1000\ncontainers:500000:300\n")
	copied := exec.Command("cp", "-a", dir+"/a", dir+"/copy")
	if err := copied.Run(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"copy", "a"} {
		expect(name, 100, "UserNS=auto: what the container wrote, in "+dir+"/"+name+", belongs to the users 500200 to 500299, and ")
	}
	if err := os.RemoveAll(dir + "/copy"); err != nil {
		t.Fatal(err)
	}
	expect("a", 100, "500200")

	// UIDMap= with ReadOnly=no has a note, too; what it wrote before there was one is nobody's to guess.
	if err := sameMaps(dir+"/own", &idMaps{[]units.IDMap{{Host: 100750, Size: 50}}, []units.IDMap{{Host: 100700, Size: 25}}}); err != nil {
		t.Fatal(err)
	}
	expect("f", 10, "500140")
	expect("g", 45, "100655") // the group numbers count, too
	if err := os.MkdirAll(dir+"/old/upper", 0o755); err != nil {
		t.Fatal(err)
	}
	expect("old", 10, "UserNS=auto: what the container wrote into its root")

	// And back: without a layer nothing belongs to anybody.
	if err := sameMaps(dir+"/g", nil); err != nil {
		t.Error(err)
	}
	if err := sameMaps(dir+"/a", nil); err == nil {
		t.Error("what users wrote became the machine's")
	}

	if err := os.WriteFile(dir+"/f/maps.json", []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("h", 10, "UserNS=auto: read "+dir+"/f/maps.json")
	if got := chosen(root, "h", 10, user{UID: 1, Groups: []uint32{4, 10}}); !strings.Contains(got, "user or group 10,") || !strings.Contains(got, "hint: write UserNS=auto:size=11") {
		t.Error(got)
	}
}

// When nothing is left, those go that have nothing and do not run: the one first whose last start is longest ago.
func TestTakeOver(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, store.Dir, "containers")
	subordinateFiles(t, root, "containers:1000:40\n")
	for i, name := range []string{"runs", "keeps", "old", "older"} {
		if got, want := chosen(root, name, 10, user{}), strconv.Itoa(1030-10*i); got != want {
			t.Fatalf("%s: %s", name, got)
		}
		then := time.Now().Add(-time.Duration(i+1) * time.Hour)
		if err := os.Chtimes(filepath.Join(dir, name, mapsNote), then, then); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(string(bundleOf(root, "runs")), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir+"/keeps/volumes", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		size uint32
		want string
	}{{"more", 21, "no 21 users in a row are left"}, {"new", 10, "1000"}, {"newer", 10, "1010"}, {"new", 10, "1000"}, {"newer", 10, "1010"}} {
		if got := chosen(root, c.name, c.size, user{}); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if c.name != "more" {
			os.MkdirAll(string(bundleOf(root, c.name)), 0o700)
		}
	}
	if got := chosen(root, "newest", 10, user{}); !strings.Contains(got, "hint: remove the directories of containers that are gone from "+dir) {
		t.Error(got)
	}
	for name, want := range map[string]string{"runs": "1030", "keeps": "1020"} {
		if got := chosen(root, name, 10, user{}); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, err := os.Lstat(dir + "/older"); err == nil {
		t.Error("a container without anything is still there")
	}
}

func TestSpareIDs(t *testing.T) {
	root := t.TempDir()
	if _, err := spareIDs(root); err == nil || !strings.Contains(err.Error(), "/etc/subuid gives nothing to \"containers\"\nhint: add the line containers:2147483647:2147483648") {
		t.Error(err)
	}
	subordinateFiles(t, root, "containers:1000:100\ncontainers:2000:100\n")
	groups := filepath.Join(root, "etc/subgid")
	for text, want := range map[string]string{"containers:1050:1000\n": "[1050 to 1099 2000 to 2049]", "containers:5000:10\n": "", "x:1:1\n": ""} {
		if err := os.WriteFile(groups, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		spare, err := spareIDs(root)
		shown := []string{}
		for _, r := range spare {
			shown = append(shown, r.String())
		}
		if want == "" && err == nil || want != "" && (err != nil || "["+strings.Join(shown, " ")+"]" != want) {
			t.Errorf("%q: %v, %v", text, spare, err)
		}
	}
}
