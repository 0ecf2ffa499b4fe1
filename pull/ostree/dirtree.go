package ostree

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// DirTree is the content of one directory. Both lists are sorted by name,
// bytewise, and a name occurs once over both.
type DirTree struct {
	Files []FileEntry
	Dirs  []DirEntry
}

// FileEntry is a regular file or a symbolic link in a directory.
type FileEntry struct {
	Name string
	File Checksum
}

// DirEntry is a directory in a directory.
type DirEntry struct {
	Name string
	Tree Checksum // .dirtree
	Meta Checksum // .dirmeta
}

// checkName refuses what cannot be the name of one directory entry.
func checkName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("invalid name %q", name)
	case len(name) > 255:
		return fmt.Errorf("name %q… is longer than 255 bytes", name[:64])
	case strings.IndexByte(name, '/') >= 0 || strings.IndexByte(name, 0) >= 0 || !utf8.ValidString(name):
		return fmt.Errorf("invalid name %q", name)
	}
	return nil
}

func (t *DirTree) check() error {
	last := ""
	for _, f := range t.Files {
		if err := checkName(f.Name); err != nil {
			return err
		}
		if f.Name <= last {
			return fmt.Errorf("file %q: out of order", f.Name)
		}
		last = f.Name
	}
	last = ""
	for _, d := range t.Dirs {
		if err := checkName(d.Name); err != nil {
			return err
		}
		if d.Name <= last {
			return fmt.Errorf("directory %q: out of order", d.Name)
		}
		last = d.Name
		if _, both := slices.BinarySearchFunc(t.Files, d.Name, func(f FileEntry, name string) int {
			return strings.Compare(f.Name, name)
		}); both {
			return fmt.Errorf("%q is a file and a directory", d.Name)
		}
	}
	return nil
}

// encodeDirTree serialises a .dirtree object: (a(say)a(sayay)).
func encodeDirTree(t *DirTree) []byte {
	files := make([][]byte, len(t.Files))
	for i, f := range t.Files {
		files[i] = encodeTuple(member{1, 0, encodeString(f.Name)}, member{1, 0, f.File[:]})
	}
	dirs := make([][]byte, len(t.Dirs))
	for i, d := range t.Dirs {
		dirs[i] = encodeTuple(member{1, 0, encodeString(d.Name)}, member{1, 0, d.Tree[:]}, member{1, 0, d.Meta[:]})
	}
	return encodeTuple(member{1, 0, encodeArray(1, files)}, member{1, 0, encodeArray(1, dirs)})
}

func decodeDirTree(b []byte) (*DirTree, error) {
	lists := []member{{align: 1}, {align: 1}}
	if err := decodeTuple(b, lists); err != nil {
		return nil, err
	}
	files, err := decodeArray(lists[0].data, 1)
	if err != nil {
		return nil, err
	}
	dirs, err := decodeArray(lists[1].data, 1)
	if err != nil {
		return nil, err
	}
	t := &DirTree{}
	for _, e := range files {
		fields := []member{{align: 1}, {align: 1}}
		var f FileEntry
		if err := decodeEntry(e, fields, &f.Name, &f.File); err != nil {
			return nil, err
		}
		t.Files = append(t.Files, f)
	}
	for _, e := range dirs {
		fields := []member{{align: 1}, {align: 1}, {align: 1}}
		var d DirEntry
		if err := decodeEntry(e, fields, &d.Name, &d.Tree, &d.Meta); err != nil {
			return nil, err
		}
		t.Dirs = append(t.Dirs, d)
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, normal(b, encodeDirTree(t))
}

func decodeEntry(b []byte, fields []member, name *string, sums ...*Checksum) (err error) {
	if err := decodeTuple(b, fields); err != nil {
		return err
	}
	if *name, err = decodeString(fields[0].data); err != nil {
		return err
	}
	for i, sum := range sums {
		if len(fields[i+1].data) != len(sum) {
			return errors.New("checksum is not 32 bytes long")
		}
		*sum = Checksum(fields[i+1].data)
	}
	return nil
}
