package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

const (
	exportsFile = "exports.json"
	exportsLock = ".exports" // held by who changes files of the host, before any other lock
)

// ExportRequest is what a unit wants of an image's files for the host. The start path compares it with the one that was
// carried out last.
type ExportRequest struct {
	Reference string   `json:"reference,omitempty"` // canonical
	Image     string   `json:"image,omitempty"`     // 64 digits; "": the container has a directory instead
	Rootfs    string   `json:"rootfs,omitempty"`    // that directory
	Export    []string `json:"export"`              // as units.Container has it
	Set       []string `json:"set,omitempty"`
	Runtime   string   `json:"runtime,omitempty"` // as the unit names it
}

// Same tells whether carrying out both gives the same. Nobody knows what becomes of a directory.
func (r ExportRequest) Same(other ExportRequest) bool {
	return r.Image != "" && r.Reference == other.Reference && r.Image == other.Image && r.Rootfs == other.Rootfs &&
		slices.Equal(r.Export, other.Export) && slices.Equal(r.Set, other.Set) && r.Runtime == other.Runtime
}

// Kinds of what is exported.
const (
	ExportedFile = "file"
	ExportedLink = "link"
	ExportedDir  = "directory" // made for one of the others, or wanted empty
)

// Exported is a file of the host that comes from an image.
type Exported struct {
	Path string `json:"path"` // absolute, without links of the host on the way
	Kind string `json:"kind"`
	Sum  string `json:"sha256,omitempty"` // of a file's content
	Link string `json:"link,omitempty"`   // text of a link
	Mode uint32 `json:"mode,omitempty"`   // of a file, with the bits of setuid(2) and so on
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
	Kept bool   `json:"kept,omitempty"` // the machine's own is in its place: it is not the container's
}

// Exports is the record of a container's files on the host. While it is unfinished each path is as in Files, as in Next, or
// not there at all.
type Exports struct {
	Request    ExportRequest `json:"request"`
	Unfinished bool          `json:"unfinished,omitempty"`
	Files      []Exported    `json:"files"`
	Next       []Exported    `json:"next,omitempty"`
}

// ReadExports reads the record of a container below root, by the name of its service. nil: there is none.
func ReadExports(root, name string) (*Exports, error) {
	file := exportsPath(root, name)
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the record of exported files: %w", err)
	}
	e := new(Exports)
	if err := json.Unmarshal(data, e); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	for _, x := range slices.Concat(e.Files, e.Next) {
		if !filepath.IsAbs(x.Path) || filepath.Clean(x.Path) != x.Path || x.Path == "/" {
			return nil, fmt.Errorf("read %s: %q is no path of a file", file, x.Path)
		}
	}
	return e, nil
}

// ListExports reads the records of all containers, by name. Records that cannot be read are errors, and the others are
// returned all the same.
func ListExports(root string) (map[string]*Exports, error) {
	all := map[string]*Exports{}
	var errs []error
	for _, name := range names(filepath.Join("/", root, Dir, "containers")) {
		e, err := ReadExports(root, name)
		if e != nil {
			all[name] = e
		}
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}

// LockExports holds the files of the host that come from images, and their records. It waits as LockReference does.
func (w *Writer) LockExports(ctx context.Context, waiting func()) (*Lock, error) {
	return w.lock(ctx, exportsLock, waiting)
}

// WriteExports replaces a record. It is durable when this returns.
func (w *Writer) WriteExports(name string, e *Exports) error {
	data, err := json.MarshalIndent(e, "", " ")
	if err == nil {
		err = w.writeExports(name, append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the record of exported files: %w", err)
	}
	return nil
}

func (w *Writer) writeExports(name string, data []byte) error {
	all, dir := w.path("containers"), w.path("containers", name)
	for _, d := range []string{all, dir} {
		err := os.Mkdir(d, 0o700)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err == nil {
			if err := syncDir(filepath.Dir(d)); err != nil {
				return err
			}
		}
	}
	temporary := filepath.Join(dir, "."+exportsFile)
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(temporary)
		return err
	}
	if err := os.Rename(temporary, exportsPath(w.root, name)); err != nil {
		return err
	}
	return syncDir(dir)
}

// RemoveExports removes a record, and the container's directory if nothing else is in it. That is durable when this returns.
func (w *Writer) RemoveExports(name string) error {
	dir := w.path("containers", name)
	for _, file := range []string{exportsPath(w.root, name), filepath.Join(dir, "."+exportsFile)} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the record of exported files: %w", err)
		}
	}
	if err := syncDir(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if os.Remove(dir) != nil { // it holds something else
		return nil
	}
	return syncDir(w.path("containers"))
}

func exportsPath(root, name string) string {
	return filepath.Join("/", root, Dir, "containers", name, exportsFile)
}
