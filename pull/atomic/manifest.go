package atomic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Manifest is manifest.json of an image. The zero value is that of an image without one. Unknown keys mean nothing.
type Manifest struct {
	Defaults       map[string]string // values that a unit may set otherwise
	Renames        []Rename          // of files below hostfs, sorted by From
	Templates      []string          // paths on the host, after renaming, of files that are expanded
	NoService      bool              // files for the host only: nothing is started
	NoLinks        bool              // files of the host must be copies
	defaultsListed []string          // in the image's order
}

// Rename gives a file or directory below hostfs another path on the host. To may hold variables.
type Rename struct{ From, To string }

// ParseManifest reads a manifest.json. All that is wrong with it is in the error.
func ParseManifest(data []byte) (*Manifest, error) {
	const file = "manifest.json of the image"
	var raw struct {
		DefaultValues          json.RawMessage `json:"defaultValues"`
		RenameFiles            json.RawMessage `json:"renameFiles"`
		InstalledFilesTemplate json.RawMessage `json:"installedFilesTemplate"`
		NoContainerService     json.RawMessage `json:"noContainerService"`
		UseLinks               json.RawMessage `json:"useLinks"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("Invalid %s: %w", file, err)
	}
	m := &Manifest{Defaults: map[string]string{}}
	var errs []error
	bad := func(key string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", file, key, err))
		}
	}
	if given(raw.DefaultValues) {
		names, values, err := members(raw.DefaultValues)
		bad("defaultValues", err)
		for i, name := range names {
			text, err := pythonString(values[i])
			bad("defaultValues", err)
			if _, twice := m.Defaults[name]; !twice {
				m.defaultsListed = append(m.defaultsListed, name)
			}
			m.Defaults[name] = text // the last one of a name counts, as for Python
		}
	}
	if given(raw.RenameFiles) {
		var renames map[string]string
		bad("renameFiles", json.Unmarshal(raw.RenameFiles, &renames))
		for from, to := range renames {
			if !path.IsAbs(from) || path.Clean(from) != from {
				bad("renameFiles", fmt.Errorf("%q is no absolute path without . and ..", from))
				continue
			}
			m.Renames = append(m.Renames, Rename{from, to})
		}
		slices.SortFunc(m.Renames, func(a, b Rename) int { return strings.Compare(a.From, b.From) })
	}
	if given(raw.InstalledFilesTemplate) {
		bad("installedFilesTemplate", json.Unmarshal(raw.InstalledFilesTemplate, &m.Templates))
	}
	if given(raw.NoContainerService) {
		bad("noContainerService", json.Unmarshal(raw.NoContainerService, &m.NoService))
	}
	if given(raw.UseLinks) {
		links := true
		bad("useLinks", json.Unmarshal(raw.UseLinks, &links))
		m.NoLinks = !links
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return m, nil
}

func given(raw json.RawMessage) bool { return len(raw) > 0 && !bytes.Equal(raw, []byte("null")) }

// members are those of a JSON object in their order.
func members(raw json.RawMessage) (names []string, values []json.RawMessage, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, nil, errors.New("it is no object")
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, err
		}
		names, values = append(names, name.(string)), append(values, value)
	}
	return names, values, nil
}

// DefaultNames are the names of Defaults, in the image's order.
func (m *Manifest) DefaultNames() []string { return slices.Clone(m.defaultsListed) }
