package generation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Container is what is known of a container's generations.
type Container struct {
	Name        string
	Generations []Record // by number, those that can be read
	Current     int      // number; 0: there is none
	Previous    int      // the last good one before it, which keeps its image; 0: there is none
	Held        bool     // by a person, see Locked.Hold

	// Problems are of records and links that cannot be read. Nothing removes them, and what they may keep stays.
	Problems []error

	taken int // highest number in use, readable or not
}

// Read reads the generations of a container below root ("" or "/" for the host), by the name of its service without
// ".service". None are no error: Current is 0. An error means that nobody can tell what is current.
func Read(root, name string) (*Container, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	c, err := read(root, name)
	if err != nil {
		return nil, fmt.Errorf("read the generations of %s: %w", name, err)
	}
	return c, nil
}

func read(root, name string) (*Container, error) {
	c, dir := &Container{Name: name}, containerDir(root, name)
	_, err := os.Lstat(filepath.Join(dir, "hold"))
	c.Held = err == nil
	if err := checkDir(generationsDir(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	entries, err := os.ReadDir(generationsDir(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	records := map[int]bool{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), temporary) {
			continue
		}
		n, ok := parseNumber(strings.TrimSuffix(e.Name(), ".json"))
		if !ok {
			c.Problems = append(c.Problems, fmt.Errorf("%s: it is neither generation nor record", filepath.Join(generationsDir(dir), e.Name())))
			continue
		}
		c.taken = max(c.taken, n)
		records[n] = records[n] || strings.HasSuffix(e.Name(), ".json")
	}
	for n, has := range records {
		if !has { // of a step that was interrupted: the record comes first, and goes last
			c.Problems = append(c.Problems, fmt.Errorf("%s: it has no record", linkPath(dir, n)))
			continue
		}
		r, err := readRecord(dir, n)
		if err != nil {
			c.Problems = append(c.Problems, err)
			continue
		}
		c.Generations = append(c.Generations, r)
	}
	slices.SortFunc(c.Generations, func(a, b Record) int { return a.Number - b.Number })
	slices.SortFunc(c.Problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if c.Current, err = c.follow(dir, "current"); err != nil {
		return nil, err
	}
	if c.Previous, err = c.follow(dir, "previous"); err != nil { // it can be told again from the records
		c.Problems, c.Previous = append(c.Problems, err), 0
	}
	return c, nil
}

// follow is the generation that a link leads to, 0 if there is no link.
func (c *Container) follow(dir, name string) (int, error) {
	link := filepath.Join(dir, name)
	text, err := readLink(link, "generations/")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, ok := parseNumber(text)
	if !ok {
		return 0, fmt.Errorf("%s: leads to generation %q, which is no number", link, text)
	}
	if _, ok := c.Get(n); !ok {
		_, err := readRecord(dir, n)                                         // says why
		return 0, fmt.Errorf("%s: leads to generation %d: %v", link, n, err) // not %w: this is no absence
	}
	return n, nil
}

// Get finds a generation by number.
func (c *Container) Get(n int) (Record, bool) {
	i, ok := slices.BinarySearchFunc(c.Generations, n, func(r Record, n int) int { return r.Number - n })
	if !ok {
		return Record{}, false
	}
	return c.Generations[i], true
}

// Now is the current generation; false if there is none.
func (c *Container) Now() (Record, bool) { return c.Get(c.Current) }

// Before is the generation to go back to: Previous. False if there is none, or its image was given up.
func (c *Container) Before() (Record, bool) {
	r, ok := c.Get(c.Previous)
	return r, ok && r.Kept
}

// HasFailed tells whether the last generation of an image failed, and which. Such an image is not tried again unasked.
func (c *Container) HasFailed(digest string) (Record, bool) {
	for _, r := range slices.Backward(c.Generations) {
		if r.Digest == digest && r.Outcome != Interrupted && r.Outcome != Pending {
			return r, r.Outcome == Failed
		}
	}
	return Record{}, false
}

// before is the generation to go back to from number n: the last good one of another image; else the last one that was
// left unjudged; 0 if there is none.
func (c *Container) before(n int) int {
	now, _ := c.Get(n)
	for _, outcome := range []Outcome{Good, Unjudged} {
		for _, r := range slices.Backward(c.Generations) {
			if r.Number < n && r.Outcome == outcome && r.Kept && r.Digest != now.Digest {
				return r.Number
			}
		}
	}
	return 0
}

// Recorded tells whether anything is recorded of a container's generations, be it what an interruption left.
func Recorded(root, name string) bool {
	return CheckName(name) == nil && slices.ContainsFunc([]string{"current", "previous", "hold", "generations"}, func(record string) bool {
		_, err := os.Lstat(filepath.Join(containerDir(root, name), record))
		return err == nil
	})
}

// List reads all containers below root of which something is recorded, by name. What cannot be read are errors, and
// the others are returned all the same.
func List(root string) ([]*Container, error) {
	entries, err := os.ReadDir(containersDir(root))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return nil, err
	}
	var all []*Container
	var errs []error
	for _, e := range entries {
		if !Recorded(root, e.Name()) {
			continue
		}
		c, err := Read(root, e.Name())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, c)
	}
	return all, errors.Join(errs...)
}
