package layer

import "strings"

// Type is what a node is.
type Type uint8

const (
	Dir Type = iota
	File
	Symlink
	Special      // a device or fifo; never part of what Merge returns
	deferredLink // a hard link to what only lower layers can have
)

// maxID is the largest user or group: the one above means nobody to the kernel.
const maxID = 1<<32 - 2

// Meta is what a file or directory carries beside its content.
type Meta struct {
	UID, GID uint32
	Mode     uint32            // the 12 permission bits; 0777 for symbolic links
	Xattrs   map[string]string // name to raw value, never empty; nil if there are none
}

// ID is what a Sink calls a file.
type ID = [32]byte

// Node is a file or directory. Hard links share one.
type Node struct {
	Type     Type
	Meta     Meta
	ID       ID               // of a File or Symlink
	Size     int64            // of a File
	Target   string           // of a Symlink, as written
	Children map[string]*Node // of a Dir

	// Of a Special: the tar type flag ('3' character device, '4' block device,
	// '6' fifo) and device numbers.
	Flag         byte
	Major, Minor int64

	explicit  bool                // a Dir that has an entry of its own
	opaque    bool                // a Dir that hides all below
	whiteouts map[string]struct{} // names a Dir hides below

	entry    string   // name of a deferredLink's entry, for errors
	link     []string // its target
	resolved *Node    // what it turned out to be
}

// Tree is one layer.
type Tree struct {
	Entries  int            // nodes and whiteouts that were read
	Size     int64          // declared bytes of all files
	Stripped map[string]int // extended attributes that were dropped, by name

	root *Node
}

// implicit is a directory nobody described.
func implicit() *Node { return &Node{Type: Dir, Meta: Meta{Mode: 0o755}} }

func (n *Node) set(name string, child *Node) {
	if n.Children == nil {
		n.Children = map[string]*Node{}
	}
	n.Children[name] = child
}

// lookup finds a node without following or creating anything.
func (n *Node) lookup(path []string) *Node {
	for _, name := range path {
		if n == nil || n.Type != Dir {
			return nil
		}
		n = n.Children[name]
	}
	return n
}

func join(path []string) string { return strings.Join(path, "/") }
