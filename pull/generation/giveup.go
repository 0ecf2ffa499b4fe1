package generation

import (
	"fmt"
	"path/filepath"
)

// GiveUp lets no generation of a container keep its image any more, nor be current: for who removes the image before there
// is another one. The records stay, and numbers go on.
func (l *Locked) GiveUp(name string) error {
	c, err := l.Read(name)
	if err != nil {
		return err
	}
	dir := containerDir(l.root, name)
	links := []string{filepath.Join(dir, "current"), filepath.Join(dir, "previous")} // first what leads to them
	for _, g := range c.Generations {
		if g.Kept {
			links = append(links, linkPath(dir, g.Number))
		}
	}
	for _, link := range links {
		if err := remove(link); err != nil {
			return fmt.Errorf("give up the generations of %s: %w", name, err)
		}
	}
	return nil
}
