package layer

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
)

// SpecialFile is a device or fifo that the image asks for.
type SpecialFile struct {
	Path         string
	Type         string // "char", "block" or "fifo"
	Meta         Meta
	Major, Minor int64 // as the layer says, which may be what no kernel knows
}

// specialTypes are tar's type flags and our names.
var specialTypes = map[byte]string{tar.TypeChar: "char", tar.TypeBlock: "block", tar.TypeFifo: "fifo"}

// storedSpecial is the stored form of a device or fifo.
type storedSpecial struct {
	Path   string            `json:"path,omitempty"`
	Type   string            `json:"type"`
	UID    uint32            `json:"uid"`
	GID    uint32            `json:"gid"`
	Mode   uint32            `json:"mode"`
	Xattrs map[string][]byte `json:"xattrs,omitempty"` // names are UTF-8, see keepXattr
	Major  int64             `json:"major,omitempty"`
	Minor  int64             `json:"minor,omitempty"`
}

func (n *Node) special() storedSpecial {
	s := storedSpecial{
		Type: specialTypes[n.Flag], UID: n.Meta.UID, GID: n.Meta.GID, Mode: n.Meta.Mode, Major: n.Major, Minor: n.Minor,
	}
	for name, value := range n.Meta.Xattrs {
		put(&s.Xattrs, name, []byte(value))
	}
	return s
}

// node is the inverse of Node.special, for what comes from a disk.
func (s storedSpecial) node() (*Node, error) {
	n := &Node{Type: Special, Meta: Meta{UID: s.UID, GID: s.GID, Mode: s.Mode}, Major: s.Major, Minor: s.Minor}
	for flag, name := range specialTypes {
		if name == s.Type {
			n.Flag = flag
		}
	}
	if n.Flag == 0 {
		return nil, fmt.Errorf("unknown type %.300q of a special file", s.Type)
	}
	for name, value := range s.Xattrs {
		put(&n.Meta.Xattrs, name, string(value))
	}
	return n, n.Meta.check(Special)
}

// EncodeSpecials returns the special files of an image as JSON, to be kept
// with it: nobody can store them, but fifos can be made again. It fails if
// DecodeSpecials would not take them back.
func EncodeSpecials(files []SpecialFile) ([]byte, error) {
	list := make([]storedSpecial, 0, len(files))
	for _, f := range files {
		n := Node{Meta: f.Meta, Major: f.Major, Minor: f.Minor}
		s := n.special()
		s.Path, s.Type = f.Path, f.Type
		list = append(list, s)
	}
	text, err := json.Marshal(list)
	if err == nil && len(text) > MaxNote {
		err = fmt.Errorf("%d of them take %d bytes, %d are allowed", len(files), len(text), MaxNote)
	}
	if err != nil {
		return nil, fmt.Errorf("record special files: %w", err)
	}
	return text, nil
}

// DecodeSpecials is the inverse of EncodeSpecials. The text comes from a disk:
// more than MaxNote bytes, paths that no layer could have, and an order other
// than by path are refused. No path returned leads outside of a root.
func DecodeSpecials(text []byte) ([]SpecialFile, error) {
	if len(text) > MaxNote {
		return nil, fmt.Errorf("read special files: %d bytes, %d are allowed", len(text), MaxNote)
	}
	var list []storedSpecial
	if err := strict(text, &list); err != nil {
		return nil, fmt.Errorf("read special files: %w", err)
	}
	var files []SpecialFile
	last := ""
	for _, s := range list {
		path, err := splitName(s.Path, maxPath, maxDepth)
		if err == nil && (s.Path == "" || join(path) != s.Path) {
			err = errors.New("not a clean path")
		}
		if err == nil && s.Path <= last {
			err = errors.New("not in order")
		}
		var n *Node
		if err == nil {
			n, err = s.node()
		}
		if err != nil {
			return nil, fmt.Errorf("read special files: %.300q: %w", s.Path, err)
		}
		last = s.Path
		files = append(files, SpecialFile{s.Path, s.Type, n.Meta, n.Major, n.Minor})
	}
	return files, nil
}
