package layer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Merged is what an image consists of.
type Merged struct {
	Root        *Node // a Dir; below are Dir, File and Symlink
	Files, Dirs int
	Size        int64          // bytes of all files, each name counted; see Rejoin
	Unpacked    int64          // bytes of the files of all layers: more than Size if some are hidden
	Specials    []SpecialFile  // sorted by path
	Stripped    map[string]int // extended attributes that were dropped, by name
}

// Merge applies layers, the base first. The same layers make the same tree.
// The trees are not changed and may be used again; nodes of files are shared
// with them.
func Merge(layers []*Tree) (*Merged, error) {
	m := &Merged{Root: implicit(), Stripped: map[string]int{}}
	for i, l := range layers {
		links := map[*Node]*Node{}
		if err := m.find(l.root, links); err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
		apply(m.Root, l.root, links)
		for name, n := range l.Stripped {
			m.Stripped[name] += n
		}
		m.Unpacked += l.Size
	}
	m.sort(m.Root, "")
	slices.SortFunc(m.Specials, func(a, b SpecialFile) int { return strings.Compare(a.Path, b.Path) })
	return m, nil
}

// find resolves the hard links that lead out of a layer, in what the layers
// below are before this one changes it.
func (m *Merged) find(dir *Node, links map[*Node]*Node) error {
	for _, n := range dir.Children {
		switch n.Type {
		case Dir:
			if err := m.find(n, links); err != nil {
				return err
			}
		case deferredLink:
			target := m.Root.lookup(n.link)
			err := errors.New("there is no such file")
			if target != nil && target.Type == Dir {
				err = errors.New("it is a directory")
			} else if target != nil {
				links[n] = target
				continue
			}
			return fmt.Errorf("entry %.300q: hard link to %.300q: %w", n.entry, join(n.link), err)
		}
	}
	return nil
}

// apply puts one directory of a layer on top of what is there.
func apply(lower, upper *Node, links map[*Node]*Node) {
	if upper.explicit {
		lower.Meta = upper.Meta
	}
	if upper.opaque {
		lower.Children = nil
	}
	for name := range upper.whiteouts {
		delete(lower.Children, name)
	}
	for name, n := range upper.Children {
		if n.Type != Dir {
			if target, ok := links[n]; ok {
				n = target
			}
			lower.set(name, n)
			continue
		}
		dir := lower.Children[name]
		if dir == nil || dir.Type != Dir {
			dir = implicit()
			lower.set(name, dir)
		}
		apply(dir, n, links)
	}
}

// sort takes special files out of the tree and counts the rest.
func (m *Merged) sort(dir *Node, prefix string) {
	m.Dirs++
	for name, n := range dir.Children {
		switch n.Type {
		case Dir:
			m.sort(n, prefix+name+"/")
		case Special:
			m.Specials = append(m.Specials, SpecialFile{prefix + name, specialTypes[n.Flag], n.Meta, n.Major, n.Minor})
			delete(dir.Children, name)
		default:
			m.Files++
			m.Size += n.Size
		}
	}
}
