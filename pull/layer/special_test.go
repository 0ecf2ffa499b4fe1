package layer

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestSpecialsAreKept(t *testing.T) {
	for _, c := range []struct {
		name         string
		lower, upper []entry
		want         string
	}{
		{"fifo", []entry{special(tar.TypeFifo, "p", 0, 0)}, nil, "p fifo 666 0,0\n"},
		{"numbers of nobody", []entry{special(tar.TypeChar, "c", 1<<40, -1)}, nil, "c char 666 1099511627776,-1\n"},
		{"in order", []entry{special(tar.TypeFifo, "a/x", 0, 0), special(tar.TypeFifo, "a.b", 0, 0)}, nil, "/a 755 0:0\na.b fifo 666 0,0\na/x fifo 666 0,0\n"},
		{"attributes", []entry{special(tar.TypeFifo, "p", 0, 0).xattr("trusted.t", "\xff", "user.u", "1", "trusted.\xff", "1")}, nil, "p fifo 666 0,0 trusted.t=\xff\n"},
		{"over a file", []entry{file("p", 0o644, "")}, []entry{special(tar.TypeFifo, "p", 0, 0)}, "p fifo 666 0,0\n"},
		{"over a directory", []entry{file("p/x", 0o644, "")}, []entry{special(tar.TypeBlock, "p", 7, 0)}, "p block 666 7,0\n"},
		{"over another", []entry{special(tar.TypeFifo, "p", 0, 0)}, []entry{special(tar.TypeChar, "p", 1, 3)}, "p char 666 1,3\n"},
		{"under a file", []entry{special(tar.TypeFifo, "p", 0, 0)}, []entry{file("p", 0o644, "")}, "/p 644 0:0 \"\"\n"},
		{"under a directory", []entry{special(tar.TypeFifo, "p", 0, 0)}, []entry{file("p/x", 0o644, "")}, "/p 755 0:0\n/p/x 644 0:0 \"\"\n"},
		{"under a whiteout", []entry{special(tar.TypeFifo, "p", 0, 0)}, []entry{file(".wh.p", 0, "")}, ""},
		{"under an opaque directory", []entry{special(tar.TypeFifo, "d/p", 0, 0)}, []entry{file("d/.wh..wh..opq", 0, "")}, "/d 755 0:0\n"},
		{"beside a whiteout", nil, []entry{special(tar.TypeFifo, "p", 0, 0), file(".wh.p", 0, "")}, "p fifo 666 0,0\n"},
		{"hard link", []entry{special(tar.TypeFifo, "p", 0, 0)}, []entry{hardlink("q", "p")}, "p fifo 666 0,0\nq fifo 666 0,0\n"},
		{"hard link before", nil, []entry{hardlink("q", "p"), special(tar.TypeFifo, "p", 0, 0)}, "p fifo 666 0,0\nq fifo 666 0,0\n"},
		{"hard link to a removed one", []entry{special(tar.TypeFifo, "p", 0, 0)}, []entry{file(".wh.p", 0, ""), hardlink("q", "p")}, "q fifo 666 0,0\n"},
	} {
		got, err := merged(t, c.lower, c.upper)
		if err != nil || got != root+c.want {
			t.Errorf("%s: %v\ngot  %q\nwant %q", c.name, err, got, root+c.want)
		}
	}
}

func TestEncodeSpecials(t *testing.T) {
	files := []SpecialFile{
		{Path: "dev/null", Type: "char", Meta: Meta{UID: 1, GID: 2, Mode: 0o666, Xattrs: map[string]string{"trusted.b": "\xff", "trusted.a": "x"}}, Major: 1, Minor: 3},
		{Path: "run/<p>", Type: "fifo", Meta: Meta{Mode: 0o600}},
	}
	text, err := EncodeSpecials(files)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeSpecials(text)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(files) {
		t.Errorf("%s\n%v, %v", text, got, err)
	}
	if text, err := EncodeSpecials(nil); err != nil || string(text) != "[]" {
		t.Errorf("%s, %v", text, err)
	}
	if got, err := DecodeSpecials([]byte("[]")); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := EncodeSpecials([]SpecialFile{{Path: strings.Repeat("x", MaxNote), Type: "fifo"}}); err == nil {
		t.Error("what cannot be read back was written")
	}
	fifo := func(path string) string {
		name, _ := json.Marshal(path)
		return `{"path":` + string(name) + `,"type":"fifo","uid":0,"gid":0,"mode":384}`
	}
	for text, want := range map[string]string{
		"":                         "read special files",
		"{}":                       "read special files",
		"[]x":                      "read special files",
		"[" + fifo("../x") + "]":   `".."`,
		"[" + fifo("/etc/x") + "]": "clean",
		"[" + fifo("a//x") + "]":   "clean",
		"[" + fifo("") + "]":       "clean",
		"[" + fifo(strings.Repeat("d/", 3000)+"x") + "]":                                   "longer",
		"[" + fifo("b") + "," + fifo("a") + "]":                                            "order",
		"[" + fifo("a") + "," + fifo("a") + "]":                                            "order",
		`[{"path":"a","type":"socket","uid":0,"gid":0,"mode":0}]`:                          "unknown type",
		`[{"path":"a","type":"fifo","uid":4294967295,"gid":0,"mode":0}]`:                   "owner",
		`[{"path":"a","type":"fifo","uid":0,"gid":0,"mode":0,"xattrs":{"user.a":"eA=="}}]`: "user.a",
		"[" + strings.Repeat(" ", MaxNote) + "]":                                           "allowed",
	} {
		if _, err := DecodeSpecials([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.200s: got %v, want %q", text, err, want)
		}
	}
}
