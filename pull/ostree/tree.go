package ostree

import (
	"fmt"
	"maps"
	"slices"
)

// Tree is a directory to be written, with all below it.
type Tree struct {
	Meta  Meta
	Files map[string]Checksum // regular files and symbolic links, by name
	Dirs  map[string]*Tree
}

// maxDepth is how deep directories may nest: no path of libc reaches further.
const maxDepth = 2048

// WriteTree stores a directory and all below it, and returns what a commit
// needs to name it. The files must have been written in this transaction.
func (t *Txn) WriteTree(root *Tree) (tree, meta Checksum, err error) {
	return t.writeTree(root, 0)
}

func (t *Txn) writeTree(dir *Tree, depth int) (tree, meta Checksum, err error) {
	if depth > maxDepth {
		return tree, meta, t.fail(fmt.Errorf("directories nest deeper than %d", maxDepth))
	}
	var entries DirTree
	for _, name := range slices.Sorted(maps.Keys(dir.Files)) {
		entries.Files = append(entries.Files, FileEntry{name, dir.Files[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(dir.Dirs)) {
		e := DirEntry{Name: name}
		if e.Tree, e.Meta, err = t.writeTree(dir.Dirs[name], depth+1); err != nil {
			return tree, meta, fmt.Errorf("%s/%w", name, err)
		}
		entries.Dirs = append(entries.Dirs, e)
	}
	if tree, err = t.WriteDirTree(&entries); err != nil {
		return tree, meta, err
	}
	meta, err = t.WriteDirMeta(dir.Meta)
	return tree, meta, err
}
