package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// quadletItem is a part of one of Quadlet's files: an assignment with all its
// physical lines, a header, a comment, an empty line.
type quadletItem struct {
	raw     []string // physical lines as they stand; nil for one that was made
	line    int      // of the first
	section string   // the header's own, too
	header  bool
	key     string // "" for all but an assignment
	value   string // on one line, as Quadlet joins lines
	ours    string // the whole as systemd joins them, with a blank
	from    string // of one that was made: the assignment it is a part of, "PodmanArgs=--init"
}

// shown is the assignment as the person knows it.
func (i *quadletItem) shown() string {
	if i.from != "" {
		return i.from
	}
	return i.key + "=" + i.value
}

// readQuadlet reads a file as systemd.syntax(7) has it. What is neither text nor an
// assignment nor a header is an item without a key.
func readQuadlet(path string) (items []*quadletItem, private bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if !info.Mode().IsRegular() {
		return nil, false, fmt.Errorf("%s is no file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, longestFile+1))
	if err != nil {
		return nil, false, err
	}
	if len(data) > longestFile {
		return nil, false, fmt.Errorf("%s is larger than 16 MiB", path)
	}
	items, err = quadletItems(string(data))
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return items, info.Mode()&0o004 == 0, err
}

func quadletItems(text string) (items []*quadletItem, err error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("is not valid UTF-8")
	}
	if strings.ContainsRune(text, 0) {
		return nil, errors.New("has a zero byte in it")
	}
	text = strings.TrimPrefix(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\ufeff")
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	section := ""
	for i := 0; i < len(lines); i++ {
		item := &quadletItem{raw: lines[i : i+1], line: i + 1, section: section}
		items = append(items, item)
		s := strings.Trim(lines[i], " \t")
		if s == "" || isComment(s) {
			continue
		}
		if s[0] == '[' {
			if !strings.HasSuffix(s, "]") {
				return nil, fmt.Errorf("line %d: section header %q has no ] at its end", i+1, s)
			}
			section = s[1 : len(s)-1]
			item.section, item.header = section, true
			continue
		}
		joined, more := cutBackslash(lines[i])
		item.ours = joined
		for ; more && i+1 < len(lines); i++ { // comments inside are a part of it, and stay where they are
			if next := lines[i+1]; !isComment(strings.Trim(next, " \t")) {
				next, more = cutBackslash(next)
				joined += strings.TrimLeft(next, " \t")
				item.ours += " " + next
			}
			item.raw = lines[item.line-1 : i+2]
		}
		if key, value, ok := strings.Cut(joined, "="); ok && section != "" && strings.Trim(key, " \t") != "" {
			item.key, item.value = strings.Trim(key, " \t"), strings.Trim(value, " \t")
		}
	}
	return items, nil
}

func isComment(s string) bool { return s != "" && (s[0] == '#' || s[0] == ';') }

// cutBackslash takes off the backslash that joins the next line. For Quadlet blanks
// may follow it; for systemd not.
func cutBackslash(s string) (string, bool) {
	t := strings.TrimRight(s, " \t")
	if n := len(t) - len(strings.TrimRight(t, `\`)); n%2 == 1 {
		return t[:len(t)-1], true
	}
	return s, false
}

// asWritten are the lines of an assignment that systemd reads as Quadlet does; nil if
// they are read in two ways, which only one line helps against.
func (i *quadletItem) asWritten() []string {
	if _, ours, _ := strings.Cut(i.ours, "="); len(i.raw) > 1 && !slices.Equal(rawWords(ours), rawWords(i.value)) {
		return nil
	}
	lines := make([]string, len(i.raw))
	for n, line := range i.raw {
		if lines[n] = line; n < len(i.raw)-1 {
			lines[n] = strings.TrimRight(line, " \t")
		}
	}
	return lines
}

// quadletValue is the last value of a key in another file of Quadlet, beside the
// unit. No such file is no value.
func quadletValue(dir, name, section, key string) (value string, found bool) {
	if name != filepath.Base(name) {
		return "", false
	}
	items, _, err := readQuadlet(filepath.Join(dir, name))
	if err != nil {
		return "", false
	}
	for _, i := range items {
		if i.section == section && i.key == key {
			value = i.value
		}
	}
	return value, true
}
