package generation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"syscontainer/pull/store"
)

// step is called before each change of the disk. Tests end the process there.
var step = func() {}

// temporary begins the names of what is being written. Under a container's lock there is one writer, and what a kill left
// the next one replaces.
const temporary = ".new-"

func containersDir(root string) string { return filepath.Join("/", root, store.Dir, "containers") }
func updatesDir(root string) string    { return filepath.Join("/", root, store.Dir, "updates") }

func containerDir(root, name string) string { return filepath.Join(containersDir(root), name) }
func generationsDir(dir string) string      { return filepath.Join(dir, "generations") }
func linkPath(dir string, n int) string     { return filepath.Join(dir, "generations", strconv.Itoa(n)) }
func recordPath(dir string, n int) string   { return linkPath(dir, n) + ".json" }

// CheckName tells why a word is no container's name: one component of a path, as the service's without ".service".
func CheckName(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > 247 || strings.ContainsAny(name, "/\x00\n") {
		return fmt.Errorf("%q is no name of a container", name)
	}
	return nil
}

// makeDirs makes directories, each durably. One that is there is fine, a link to one is not.
func makeDirs(dirs ...string) error {
	for _, dir := range dirs {
		step()
		err := os.Mkdir(dir, 0o700)
		if errors.Is(err, fs.ErrExist) {
			err = checkDir(dir)
		}
		if err == nil {
			err = syncDir(filepath.Dir(dir)) // also of one that somebody has just made
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkDir wants a directory; none is fs.ErrNotExist.
func checkDir(dir string) error {
	info, err := os.Lstat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s: it is no directory", dir)
	}
	return err
}

// writeJSON makes or replaces a record, durably.
func writeJSON(file string, v any) error {
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	beside := filepath.Join(filepath.Dir(file), temporary+filepath.Base(file))
	if err := removeIfThere(beside); err != nil {
		return err
	}
	step()
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	step()
	_, err = f.Write(append(data, '\n'))
	step()
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(beside)
		return err
	}
	return rename(beside, file)
}

// writeLink makes or replaces a symbolic link, durably.
func writeLink(target, link string) error {
	if now, err := os.Readlink(link); err == nil && now == target {
		return syncDir(filepath.Dir(link)) // whoever wrote it may have died before this
	}
	beside := filepath.Join(filepath.Dir(link), temporary+filepath.Base(link))
	if err := removeIfThere(beside); err != nil {
		return err
	}
	step()
	if err := os.Symlink(target, beside); err != nil {
		return err
	}
	return rename(beside, link)
}

func rename(from, to string) error {
	step()
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// remove removes a file or link, durably; none is no error.
func remove(file string) error {
	if err := removeIfThere(file); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

func removeIfThere(file string) error {
	step()
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func syncDir(dir string) error {
	step()
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
