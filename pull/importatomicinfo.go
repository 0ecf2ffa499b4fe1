package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Where Project Atomic's command kept its containers, below the root, unless its configuration says otherwise.
const (
	atomicCheckouts = "/var/lib/containers/atomic"
	atomicConf      = "/etc/atomic.conf"
)

// atomicContainer is an installation of `atomic install --system`, as its file info describes it.
type atomicContainer struct {
	name string
	slot string // directory of the version that is installed, below the root

	image    string // as it was given
	revision string // digits of the manifest's digest
	commit   string // of OSTree
	values   map[string]json.RawMessage
	files    map[string]string // put on the host: checksum by path
	remote   string            // a root elsewhere
	runtime  string
	rpm      string // package that its host files were put into
}

// atomicLayout is where the installations and their repository are, below root.
func atomicLayout(root string) (checkouts, repository string, err error) {
	conf, err := readAtomicConf(filepath.Join(root, atomicConf))
	if err != nil {
		return "", "", err
	}
	checkouts = first(os.Getenv("ATOMIC_OSTREE_CHECKOUT_PATH"), conf["checkout_path"], atomicCheckouts)
	repository = first(os.Getenv("ATOMIC_OSTREE_REPO"), conf["ostree_repository"])
	for _, dir := range []string{checkouts, repository} {
		if dir != "" && !path.IsAbs(dir) {
			return "", "", fmt.Errorf("Atomic's directory %q is no absolute path", dir)
		}
	}
	if repository == "" {
		repository = path.Join(checkouts, ".storage/ostree")
		if _, err := os.Stat(filepath.Join(root, "ostree/repo/objects")); err == nil && sameDisk(filepath.Join(root, "ostree/repo"), filepath.Join(root, checkouts)) {
			repository = "/ostree/repo"
		}
	}
	return path.Clean(checkouts), path.Clean(repository), nil
}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

func sameDisk(a, b string) bool {
	var one, other unix.Stat_t
	return unix.Stat(a, &one) == nil && unix.Stat(b, &other) == nil && one.Dev == other.Dev
}

// readAtomicConf reads the plain entries of a YAML file, key: value; Atomic's has no others that matter here.
func readAtomicConf(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	conf := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		key, value, found := strings.Cut(lines.Text(), ":")
		if !found || key != strings.TrimLeft(key, " \t#-") {
			continue
		}
		value = strings.TrimSpace(value)
		if quoted := value != "" && (value[0] == '"' || value[0] == '\''); quoted {
			value, _, _ = strings.Cut(value[1:], value[:1])
		} else if comment := strings.Index(value, " #"); comment >= 0 || strings.HasPrefix(value, "#") {
			value = strings.TrimSpace(value[:max(comment, 0)])
		}
		conf[strings.TrimSpace(key)] = value
	}
	return conf, lines.Err()
}

// atomicNames are the installations in a directory: each is a link to NAME.0 or NAME.1.
func atomicNames(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && e.Type() == fs.ModeSymlink {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// readAtomicContainer reads an installation. Nothing in it is trusted to be what it should be.
func readAtomicContainer(root, checkouts, name string) (*atomicContainer, error) {
	target, err := os.Readlink(filepath.Join(root, checkouts, name))
	if err != nil {
		return nil, err
	}
	slot := path.Base(target)
	if slot != name+".0" && slot != name+".1" {
		return nil, fmt.Errorf("%s/%s leads to %q, which is none of its versions", checkouts, name, target)
	}
	c := &atomicContainer{name: name, slot: path.Join(checkouts, slot)}
	file := path.Join(c.slot, "info")
	text, err := readPlain(filepath.Join(root, file))
	if err == nil {
		err = c.read(text)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return c, nil
}

// readPlain reads a file that is one, and no more of it than any such file has.
func readPlain(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	text, err := io.ReadAll(io.LimitReader(f, longestFile+1))
	if err == nil && len(text) > longestFile {
		err = errors.New("it is larger than 16 MiB")
	}
	return text, err
}

// read takes what matters out of an info file. All that is wrong is in the error.
func (c *atomicContainer) read(text []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	var errs []error
	get := func(key string, to any, kind string) {
		if err := json.Unmarshal(raw[key], to); len(raw[key]) > 0 && err != nil {
			errs = append(errs, fmt.Errorf("%s is no %s", key, kind))
		}
	}
	get("image", &c.image, "text")
	get("revision", &c.revision, "text")
	get("ostree-commit", &c.commit, "text")
	get("remote", &c.remote, "text")
	get("runtime", &c.runtime, "text")
	get("rpm-installed", &c.rpm, "text")
	get("values", &c.values, "object")
	var installed []string
	get("installed-files", &installed, "list of texts")
	get("installed-files-checksum", &c.files, "object of texts")
	if c.values == nil && (len(raw["values"]) == 0 || string(raw["values"]) == "null") {
		errs = append(errs, errors.New("values are missing"))
	}
	if c.remote != "" && !path.IsAbs(c.remote) {
		errs = append(errs, fmt.Errorf("remote %q is no absolute path", c.remote))
	}
	if c.image == "" && c.remote == "" {
		errs = append(errs, errors.New("image is missing"))
	}
	c.revision = strings.TrimPrefix(c.revision, "sha256:")
	if c.files == nil {
		c.files = map[string]string{}
	}
	for _, file := range installed {
		if _, known := c.files[file]; !known {
			c.files[file] = ""
		}
	}
	for _, file := range slices.Sorted(maps.Keys(c.files)) { // what lay at the top of hostfs was recorded as /./NAME
		if clean := path.Clean(file); clean != file {
			c.files[clean] = c.files[file]
			delete(c.files, file)
		}
	}
	return errors.Join(errs...)
}
