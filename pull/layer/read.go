package layer

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Sink takes what files contain. Its methods are called concurrently.
type Sink interface {
	// File stores a regular file. It reads size bytes of content.
	File(meta Meta, size int64, content io.Reader) (ID, error)
	// Symlink stores a symbolic link.
	Symlink(meta Meta, target string) (ID, error)
}

// Read reads one layer from an uncompressed tar stream, to the end of the
// stream and not only of the archive: a digest checked at io.EOF has been
// checked when Read returns nil. Errors name the entry.
//
// Files up to 1 MiB are given to the sink by several goroutines; all have
// ended when Read returns.
func Read(ctx context.Context, r io.Reader, sink Sink, limits Limits) (*Tree, error) {
	l := &reader{
		limits: limits.withDefaults(),
		tree:   &Tree{Stripped: map[string]int{}, root: implicit()},
	}
	l.root, l.meter.limits = l.tree.root, &l.limits
	l.work = startWork(ctx, sink)
	err := l.read(r)
	if workErr := l.work.wait(); workErr != nil {
		err = workErr // what came first
	}
	if err == nil {
		err = l.resolveLinks(l.root)
	}
	if err != nil {
		l.limits.Account.add(-int64(l.tree.Entries), -l.metadata, -l.tree.Size)
		return nil, err
	}
	return l.tree, nil
}

type reader struct {
	limits   Limits
	tree     *Tree
	root     *Node
	work     *work
	metadata int64
	meter    meter
}

func (l *reader) read(r io.Reader) error {
	r = l.meter.count(r, &l.meter.stream)
	archive := tar.NewReader(r)
	content := l.meter.count(archive, &l.meter.content)
	for {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if errors.Is(err, tar.ErrInsecurePath) && h != nil {
			err = nil // judged below
		}
		if err != nil {
			return fmt.Errorf("read tar: %w", err)
		}
		if err := l.work.err(); err != nil {
			return err
		}
		if err := l.entry(h, content); err != nil {
			return fmt.Errorf("entry %.300q: %w", h.Name, err)
		}
	}
	n, err := io.Copy(io.Discard, io.LimitReader(r, maxTrailing+1))
	if err != nil {
		return fmt.Errorf("read tar: behind the last entry: %w", err)
	}
	if n > maxTrailing {
		return fmt.Errorf("read tar: more than %d bytes behind the last entry", maxTrailing)
	}
	return nil
}

func (l *reader) entry(h *tar.Header, content io.Reader) error {
	if err := l.header(h); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return l.charge(0)
	}
	path, err := l.split(h.Name)
	if err != nil {
		return err
	}
	base := ""
	if len(path) > 0 {
		base = path[len(path)-1]
		for _, name := range path[:len(path)-1] {
			switch {
			case strings.HasPrefix(name, reserved) && name != opaque:
				return l.charge(0) // aufs' bookkeeping, as below
			case isWhiteout(name):
				return errors.New("something below a whiteout")
			}
		}
	}
	if err := l.size(h); err != nil {
		return err
	}
	if isWhiteout(base) {
		return l.whiteout(path[:len(path)-1], base)
	}
	if len(path) == 0 && h.Typeflag != tar.TypeDir {
		return errors.New("the root is not a directory")
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return l.dir(path, h)
	case tar.TypeReg, '\x00', tar.TypeCont, tar.TypeGNUSparse:
		return l.file(path, h, content)
	case tar.TypeSymlink:
		return l.symlink(path, h)
	case tar.TypeLink:
		return l.hardlink(path, h)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return l.special(path, h)
	}
	return fmt.Errorf("unknown type %q", h.Typeflag)
}

// header judges the size of what stands before a header and adds to it.
func (l *reader) header(h *tar.Header) error {
	n := max(len(h.Name), len(h.Linkname)) // GNU's headers are for these alone
	if len(h.PAXRecords) > 0 {
		n = 0
		for name, value := range h.PAXRecords {
			n += len(name) + len(value)
		}
		h.Name, h.Linkname = strings.Clone(h.Name), strings.Clone(h.Linkname) // not the whole header with them
	}
	if int64(n) > l.limits.PAXSize {
		return fmt.Errorf("an extended header of %d bytes, %d are allowed (PAXSize=)", n, l.limits.PAXSize)
	}
	return nil
}

// split cuts a name into components and refuses what could lead elsewhere.
func (l *reader) split(name string) ([]string, error) {
	return splitName(name, l.limits.PathLength, l.limits.Depth)
}

// charge accounts for one node with that many bytes of strings.
func (l *reader) charge(bytes int) error {
	cost := nodeCost + int64(bytes)
	l.tree.Entries++
	l.metadata += cost
	switch entries, metadata, _ := l.limits.Account.add(1, cost, 0); {
	case entries > l.limits.Entries:
		return fmt.Errorf("there are more than %d entries (Entries=)", l.limits.Entries)
	case metadata > l.limits.Metadata:
		return fmt.Errorf("names and attributes take more than %d bytes (Metadata=)", l.limits.Metadata)
	}
	return nil
}

// size judges the declared size of anything with content.
func (l *reader) size(h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeReg, '\x00', tar.TypeCont, tar.TypeGNUSparse:
	default:
		return nil
	}
	if h.Size < 0 || h.Size > l.limits.FileSize {
		return fmt.Errorf("%d bytes are more than the %d allowed for a file (FileSize=)", h.Size, l.limits.FileSize)
	}
	if h.Size > l.limits.TotalSize {
		return fmt.Errorf("%d bytes are more than the %d allowed for all files (TotalSize=)", h.Size, l.limits.TotalSize)
	}
	l.tree.Size += h.Size
	if _, _, total := l.limits.Account.add(0, 0, h.Size); total > l.limits.TotalSize {
		return fmt.Errorf("the files take more than %d bytes (TotalSize=)", l.limits.TotalSize)
	}
	if l.limits.Admit != nil {
		return l.limits.Admit(h.Size)
	}
	return nil
}

// parent finds or makes a directory without following links: whatever else is
// there is replaced.
func (l *reader) parent(path []string) (*Node, error) {
	n := l.root
	for _, name := range path {
		child := n.Children[name]
		if child == nil || child.Type != Dir {
			if err := l.charge(len(name)); err != nil {
				return nil, err
			}
			child = implicit()
			n.set(name, child)
		}
		n = child
	}
	return n, nil
}

// place puts a node at a path.
func (l *reader) place(path []string, n *Node) error {
	base := path[len(path)-1]
	dir, err := l.parent(path[:len(path)-1])
	if err != nil {
		return err
	}
	cost := len(base) + len(n.Target) + len(n.entry) + n.Meta.cost()
	for _, c := range n.link {
		cost += 16 + len(c)
	}
	if err := l.charge(cost); err != nil {
		return err
	}
	dir.set(base, n)
	return nil
}

func (l *reader) whiteout(path []string, base string) error {
	hidden := strings.TrimPrefix(base, whiteout)
	switch {
	case hidden == "" || hidden == "." || hidden == "..":
		return errors.New("a whiteout of nothing, of its own directory or of the one above")
	case base != opaque && strings.HasPrefix(base, reserved):
		return l.charge(0)
	}
	dir, err := l.parent(path)
	if err != nil {
		return err
	}
	if base == opaque {
		dir.opaque = true
		return l.charge(0)
	}
	if dir.whiteouts == nil {
		dir.whiteouts = map[string]struct{}{}
	}
	dir.whiteouts[hidden] = struct{}{}
	return l.charge(len(hidden))
}

func (l *reader) dir(path []string, h *tar.Header) error {
	meta, err := l.meta(h, Dir)
	if err != nil {
		return err
	}
	n, cost := l.root, meta.cost()
	if len(path) > 0 {
		above, base := path[:len(path)-1], path[len(path)-1]
		dir, err := l.parent(above)
		if err != nil {
			return err
		}
		if n = dir.Children[base]; n == nil || n.Type != Dir {
			n = implicit()
			dir.set(base, n)
		}
		cost += len(base)
	}
	n.Meta, n.explicit = meta, true
	return l.charge(cost)
}

func (l *reader) file(path []string, h *tar.Header, content io.Reader) error {
	meta, err := l.meta(h, File)
	if err != nil {
		return err
	}
	n := &Node{Type: File, Meta: meta, Size: h.Size}
	if err := l.place(path, n); err != nil {
		return err
	}
	return l.work.file(n, h.Name, content)
}

func (l *reader) symlink(path []string, h *tar.Header) error {
	if h.Linkname == "" || len(h.Linkname) > maxTarget || strings.IndexByte(h.Linkname, 0) >= 0 || !utf8.ValidString(h.Linkname) {
		return fmt.Errorf("symbolic link to %.300q: the target must be 1 to %d bytes of UTF-8", h.Linkname, maxTarget)
	}
	meta, err := l.meta(h, Symlink)
	if err != nil {
		return err
	}
	n := &Node{Type: Symlink, Meta: meta, Target: h.Linkname}
	if err := l.place(path, n); err != nil {
		return err
	}
	return l.work.symlink(n, h.Name)
}

func (l *reader) special(path []string, h *tar.Header) error {
	meta, err := l.meta(h, Special)
	if err != nil {
		return err
	}
	return l.place(path, &Node{Type: Special, Meta: meta, Flag: h.Typeflag, Major: h.Devmajor, Minor: h.Devminor})
}

// hardlink takes the node its target is now. If there is none yet, the rest of
// the layer and then the layers below are searched.
func (l *reader) hardlink(path []string, h *tar.Header) error {
	target, err := l.split(h.Linkname)
	if err != nil {
		return fmt.Errorf("hard link to %.300q: %w", h.Linkname, err)
	}
	n := l.root.lookup(target)
	switch {
	case n == nil:
		n = &Node{Type: deferredLink, link: target, entry: short(h.Name)}
	case n.Type == Dir:
		return fmt.Errorf("hard link to %.300q, a directory", h.Linkname)
	}
	return l.place(path, n)
}

// short is as much of a name as errors tell, and as is worth to be kept.
func short(name string) string {
	return strings.Clone(strings.ToValidUTF8(name[:min(len(name), 300)], "\uFFFD"))
}

// resolveLinks replaces deferred links by what the finished layer has at their
// target. What is not found stays deferred.
func (l *reader) resolveLinks(dir *Node) error {
	for name, n := range dir.Children {
		switch n.Type {
		case Dir:
			if err := l.resolveLinks(n); err != nil {
				return err
			}
		case deferredLink:
			found, err := l.resolve(n)
			if err != nil {
				return fmt.Errorf("entry %.300q: hard link to %.300q: %w", n.entry, join(n.link), err)
			}
			dir.Children[name] = found
		}
	}
	return nil
}

// resolve follows a chain of links, each to the next, and remembers its end
// for all of them.
func (l *reader) resolve(n *Node) (*Node, error) {
	chain := map[*Node]bool{}
	end := n
	for end.Type == deferredLink && end.resolved == nil {
		if chain[end] {
			return nil, errors.New("it leads to itself")
		}
		chain[end] = true
		next := l.root.lookup(end.link)
		if next == nil {
			end.resolved = end
			break
		}
		if next.Type == Dir {
			return nil, errors.New("it is a directory")
		}
		end = next
	}
	if end.resolved != nil {
		end = end.resolved
	}
	for link := range chain {
		link.resolved = end
	}
	return end, nil
}

// meta takes owner, mode and attributes from a header.
func (l *reader) meta(h *tar.Header, t Type) (Meta, error) {
	if h.Uid < 0 || h.Uid > maxID || h.Gid < 0 || h.Gid > maxID {
		return Meta{}, fmt.Errorf("owner %d:%d: ids are 0 to %d", h.Uid, h.Gid, maxID)
	}
	m := Meta{UID: uint32(h.Uid), GID: uint32(h.Gid), Mode: uint32(h.Mode & 0o7777)}
	if t == Symlink {
		m.Mode = 0o777
	}
	var err error
	m.Xattrs, err = l.xattrs(h, t, m.Mode)
	return m, err
}
