package layer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// MaxNote is the longest note that Rejoin takes, in bytes. A layer that needs
// a longer one, with some hundred thousand whiteouts, has to be read again.
const MaxNote = 16 << 20

// ErrNoteVersion tells of a note by another release of this package: read the
// layer again.
var ErrNoteVersion = errors.New("unknown version of a layer's note")

const noteVersion = 1

// note is what a plain tree cannot say of a layer.
type note struct {
	Version  int            `json:"version"`
	Entries  int            `json:"entries"`
	Size     int64          `json:"size"`
	Nodes    int            `json:"nodes"` // of the plain tree
	Stripped map[string]int `json:"stripped,omitempty"`
	Root     *noteDir       `json:"root,omitempty"`
}

// noteDir is a directory about which there is something to say, or below it.
// Paths in full would make a long note of a short layer.
type noteDir struct {
	Implicit  bool                     `json:"implicit,omitempty"`
	Opaque    bool                     `json:"opaque,omitempty"`
	Whiteouts []string                 `json:"whiteouts,omitempty"`
	Links     map[string]noteLink      `json:"links,omitempty"`
	Specials  map[string]storedSpecial `json:"specials,omitempty"`
	Dirs      map[string]*noteDir      `json:"dirs,omitempty"`
}

// noteLink is a hard link to what lower layers have.
type noteLink struct {
	Target string `json:"target"`
	Entry  string `json:"entry"` // as the tar spells it, for errors
}

// Split takes a layer apart into a tree of nothing but Dir, File and Symlink,
// which any store can hold, and a note of all that such a tree cannot say.
// Directories without an entry are root's, mode 0755, in the tree. The same
// layer makes the same tree and the same note, byte for byte.
//
// Files and symbolic links are shared with t; directories are not.
func (t *Tree) Split() (root *Node, text []byte) {
	n := note{Version: noteVersion, Entries: t.Entries, Size: t.Size, Stripped: t.Stripped}
	root, n.Root = split(t.root, &n)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(n); err != nil {
		panic(err) // numbers and strings
	}
	return root, b.Bytes()
}

// split returns the plain form of a directory and what is to be said about it,
// nil if there is nothing.
func split(dir *Node, n *note) (*Node, *noteDir) {
	n.Nodes++
	plain := &Node{Type: Dir, Meta: dir.Meta}
	d := noteDir{Implicit: !dir.explicit, Opaque: dir.opaque, Whiteouts: slices.Sorted(maps.Keys(dir.whiteouts))}
	for name, child := range dir.Children {
		switch child.Type {
		case Dir:
			plainChild, said := split(child, n)
			plain.set(name, plainChild)
			if said != nil {
				put(&d.Dirs, name, said)
			}
		case Special:
			put(&d.Specials, name, child.special())
		case deferredLink:
			put(&d.Links, name, noteLink{join(child.link), child.entry})
		default:
			n.Nodes++
			plain.set(name, child)
		}
	}
	if !d.Implicit && !d.Opaque && d.Whiteouts == nil && d.Links == nil && d.Specials == nil && d.Dirs == nil {
		return plain, nil
	}
	return plain, &d
}

func put[V any](m *map[string]V, name string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[name] = v
}

// Rejoin is the inverse of Split: merging what it returns gives what merging
// the original would. It takes over root and changes it.
//
// Both come from a disk and are trusted as little as a layer is. A note of
// another version is ErrNoteVersion.
//
// The Size and Target of nodes and the Xattrs of files may be zero where the
// store does not know them cheaply. Merge does without; only Merged.Size and
// the Targets it returns are short then.
func Rejoin(root *Node, text []byte) (*Tree, error) {
	t, err := rejoin(root, text)
	if err != nil {
		return nil, fmt.Errorf("rejoin layer: %w", err)
	}
	return t, nil
}

func rejoin(root *Node, text []byte) (*Tree, error) {
	n, err := parseNote(text)
	if err != nil {
		return nil, err
	}
	if root == nil || root.Type != Dir {
		return nil, errors.New("the root of the tree is no directory")
	}
	left := n.Nodes
	if err := explain(root, n.Root, &left, ""); err != nil {
		return nil, err
	}
	if left != 0 {
		return nil, fmt.Errorf("the note is of a tree with %d more files and directories", left)
	}
	if n.Stripped == nil {
		n.Stripped = map[string]int{}
	}
	return &Tree{Entries: n.Entries, Size: n.Size, Stripped: n.Stripped, root: root}, nil
}

func parseNote(text []byte) (*note, error) {
	if len(text) > MaxNote {
		return nil, fmt.Errorf("a note of %d bytes, %d are allowed", len(text), MaxNote)
	}
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("read note: %w", err)
	}
	if v.Version != noteVersion {
		return nil, fmt.Errorf("%w: %d", ErrNoteVersion, v.Version)
	}
	var n note
	if err := strict(text, &n); err != nil {
		return nil, fmt.Errorf("read note: %w", err)
	}
	if n.Entries < 0 || n.Size < 0 || n.Nodes < 0 || len(n.Stripped) > maxStripped {
		return nil, errors.New("impossible numbers in the note")
	}
	for _, count := range n.Stripped {
		if count < 1 {
			return nil, errors.New("impossible numbers in the note")
		}
	}
	return &n, nil
}

// strict reads one JSON value with nothing unknown in it and nothing behind.
func strict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something behind the end")
	}
	return nil
}

// explain tells a plain directory and all below what the note says. left is
// how many nodes there may be yet: directories that occur twice in a damaged
// tree could make it endless.
func explain(dir *Node, said *noteDir, left *int, path string) error {
	if *left--; *left < 0 {
		return errors.New("the note is of a smaller tree")
	}
	if len(path) > maxPath+1 {
		return fmt.Errorf("a path is longer than %d bytes", maxPath)
	}
	if err := dir.Meta.check(Dir); err != nil {
		return fmt.Errorf("%.300q: %w", path, err)
	}
	if said == nil {
		said = &noteDir{}
	}
	dir.explicit = !said.Implicit
	if said.Implicit && (dir.Meta.UID != 0 || dir.Meta.GID != 0 || dir.Meta.Mode != 0o755 || len(dir.Meta.Xattrs) > 0) {
		return fmt.Errorf("%.300q: the note tells of no metadata, the tree does", path)
	}
	for name, child := range dir.Children {
		if err := checkStored(name); err != nil {
			return fmt.Errorf("%.300q: %w", path+name, err)
		}
		switch child.Type {
		case Dir:
			if err := explain(child, said.Dirs[name], left, path+name+"/"); err != nil {
				return err
			}
		case File, Symlink:
			if *left--; *left < 0 {
				return errors.New("the note is of a smaller tree")
			}
			if err := child.Meta.check(child.Type); err != nil {
				return fmt.Errorf("%.300q: %w", path+name, err)
			}
		default:
			return fmt.Errorf("%.300q: a plain tree has directories, files and symbolic links only", path+name)
		}
	}
	for name := range said.Dirs {
		if child := dir.Children[name]; child == nil || child.Type != Dir {
			return fmt.Errorf("%.300q: the note tells of a directory that is not there", path+name)
		}
	}
	return dir.hide(said, path)
}

// hide adds what a plain directory has no place for.
func (n *Node) hide(said *noteDir, path string) error {
	n.opaque = said.Opaque
	for _, name := range said.Whiteouts {
		if err := checkName(name); err != nil {
			return fmt.Errorf("whiteout %.300q: %w", path+name, err)
		}
		put(&n.whiteouts, name, struct{}{})
	}
	add := func(name string, child *Node, err error) error {
		if err == nil {
			err = checkStored(name)
		}
		if err == nil && n.Children[name] != nil {
			err = errors.New("the note tells of it, but so does the tree")
		}
		if err != nil {
			return fmt.Errorf("%.300q: %w", path+name, err)
		}
		n.set(name, child)
		return nil
	}
	for name, link := range said.Links {
		target, err := splitName(link.Target, maxPath, maxDepth)
		if err == nil && len(target) == 0 {
			err = errors.New("hard link to the root")
		}
		if err := add(name, &Node{Type: deferredLink, link: target, entry: link.Entry}, err); err != nil {
			return err
		}
	}
	for name, s := range said.Specials {
		special, err := s.node()
		if err := add(name, special, err); err != nil {
			return err
		}
	}
	return nil
}

// checkStored refuses names that no tree of a layer has.
func checkStored(name string) error {
	if isWhiteout(name) {
		return errors.New("the name of a whiteout")
	}
	return checkName(name)
}

func (m Meta) check(t Type) error {
	if m.UID > maxID || m.GID > maxID || m.Mode > 0o7777 {
		return fmt.Errorf("owner %d:%d, mode %#o are impossible", m.UID, m.GID, m.Mode)
	}
	for name, value := range m.Xattrs {
		if value == "" || !keepXattr(name, t) {
			return fmt.Errorf("extended attribute %.300q has no place there", name)
		}
	}
	return nil
}
