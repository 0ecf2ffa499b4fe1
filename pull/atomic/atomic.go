// Package atomic reads what images of Project Atomic's system containers say about themselves below /exports: templates of
// a runtime configuration, of a service and of tmpfiles.d lines, a manifest, files for the host. There was no
// specification; the format is what `atomic install --system` made of it.
//
// It executes nothing and writes nothing. Every file is the image's: found without following links out of its root, limited
// in size, parsed with the image as the address of each error.
package atomic

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// Dir is where an image keeps what it exports, below its root.
const Dir = "exports"

// longest bounds a file below Dir that is read whole.
const longest = 4 << 20

// Exports are the files of an image that this package knows. nil: the image has no such file; not nil and empty means that
// it has an empty one, which says something in the case of tmpfiles.template.
type Exports struct {
	Config         []byte // config.json: used as it is, before the template
	ConfigTemplate []byte // config.json.template
	Service        []byte // service.template
	Tmpfiles       []byte // tmpfiles.template
	Manifest       *Manifest
	HostFiles      bool // there is a directory hostfs
}

// Read reads the exports of an image below its root. An image without any gives nil and no error.
func Read(root *os.Root) (*Exports, error) {
	if info, err := root.Stat(Dir); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("look for /%s in the image: %w", Dir, err)
	}
	e := new(Exports)
	var manifest []byte
	for _, f := range []struct {
		name string
		to   *[]byte
	}{
		{"config.json", &e.Config}, {"config.json.template", &e.ConfigTemplate}, {"service.template", &e.Service},
		{"tmpfiles.template", &e.Tmpfiles}, {"manifest.json", &manifest},
	} {
		var err error
		if *f.to, err = readFile(root, Dir+"/"+f.name); err != nil {
			return nil, fmt.Errorf("read /%s/%s of the image: %w", Dir, f.name, err)
		}
	}
	e.Manifest = new(Manifest)
	if manifest != nil {
		var err error
		if e.Manifest, err = ParseManifest(manifest); err != nil {
			return nil, err
		}
	}
	info, err := root.Stat(Dir + "/hostfs")
	e.HostFiles = err == nil && info.IsDir()
	return e, nil
}

// readFile reads a regular file; nil if there is none. Links are followed below the root only.
func readFile(root *os.Root, name string) ([]byte, error) {
	info, err := root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, longest+1))
	if err != nil {
		return nil, err
	}
	if len(data) > longest {
		return nil, fmt.Errorf("it is longer than %d bytes", longest)
	}
	if data == nil {
		data = []byte{}
	}
	return data, nil
}

// Variables are those that the templates of an image ask for, sorted; of config.json.template none if config.json is there,
// for then it is not used.
func (e *Exports) Variables() []string {
	var names []string
	texts := [][]byte{e.Service, e.Tmpfiles}
	if e.Config == nil {
		texts = append(texts, e.ConfigTemplate)
	}
	for _, text := range texts {
		names = append(names, Variables(string(text))...)
	}
	for _, r := range e.Manifest.Renames {
		names = append(names, Variables(r.To)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
