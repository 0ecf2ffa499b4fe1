package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"syscontainer/pull/atomic"
	"syscontainer/pull/registry"
	"syscontainer/pull/store"
	"syscontainer/units"
)

const installHelp = `Usage: syscontainer install [OPTION…] IMAGE
       syscontainer install [OPTION…] --rootfs DIR

Writes /etc/containers/systemd/NAME.syscontainer for an image, with the service
that the image brings below /exports. Nothing else is written, and nothing is
started. A file that is there stays unless --yes is given; the difference is
printed. An image whose label atomic.run is once is run instead.

      --name NAME         default is the last part of IMAGE, with its tag
      --set NAME=VALUE    a value for the image's templates
      --dry-run           print the file
      --yes               replace the file that is there
      --pull              ask for a newer image, even if there is one
      --rootfs DIR        a directory of the host instead of an image
      --vendor            write below /usr/share, as a part of the system
      --root DIR          work below DIR instead of /
  -h, --help              print this text
`

// Directories of units that install writes to.
const (
	adminUnits  = "/etc/containers/systemd"
	vendorUnits = "/usr/share/containers/systemd"
)

// installation is a .syscontainer file on its way.
type installation struct {
	root   string
	name   units.Name
	file   string // below root
	given  []string
	dryRun bool
	yes    bool
	pull   bool

	reference string // canonical; "" with rootfs
	rootfs    string // a directory of the host, which holds a root
	image     store.Image
	once      bool            // it is to be run once, and not installed
	exports   *atomic.Exports // nil: there are none
	set       []string        // what the file says, "NAME=VALUE"
	values    map[string]string
	exported  []string    // files of the host that the image brings
	refused   []string    // those that have no place there, with the reason
	old       string      // the file that is there
	exists    bool        // it is
	mode      os.FileMode // of the file
	takeover  *takeover   // of an installation by Atomic; nil: there was none
}

func runInstall(ctx context.Context, root string, args []string) error {
	in, err := parseInstall(root, args)
	if err != nil {
		return err
	}
	if err := in.find(ctx); err != nil {
		return err
	}
	if in.once {
		return in.runOnce(ctx)
	}
	if err := in.lookAtUnits(); err != nil {
		return err
	}
	text, said, err := in.compose()
	if err != nil {
		return err
	}
	if in.dryRun {
		sayAll(said)
		_, err := os.Stdout.WriteString(text)
		return err
	}
	switch {
	case in.exists && in.old == text:
		fmt.Fprintf(os.Stderr, "%s is as it would be written\n", in.file)
		return reloadSystemd(in.root) // whoever wrote it may have been killed before this
	case in.exists && !in.yes:
		io.WriteString(os.Stdout, unified(in.file, in.file, in.old, text))
		return fmt.Errorf("%s is there already, and differs from what would be written\nhint: --yes replaces it; what is your own belongs into %s.d/NAME.conf", in.file, in.file)
	case in.exists:
		io.WriteString(os.Stdout, unified(in.file, in.file, in.old, text))
	}
	sayAll(said)
	if err := writeUnitFile(in.root, in.file, text, in.mode); err != nil {
		return fmt.Errorf("write %s: %w", in.file, err)
	}
	if !in.exists {
		fmt.Println(in.file)
	}
	return reloadSystemd(in.root)
}

func sayAll(said []string) {
	for _, s := range said {
		fmt.Fprintf(os.Stderr, "syscontainer: %s\n", s)
	}
}

// parseInstall takes options before IMAGE and after it, as Atomic's command did.
func parseInstall(root string, args []string) (*installation, error) {
	in := &installation{root: root, mode: 0o644}
	var name, below string
	var vendor bool
	flags := newFlags("syscontainer install", func(w io.Writer) { io.WriteString(w, installHelp) })
	flags.StringVar(&name, "name", "", "")
	flags.StringVar(&below, "root", "", "")
	flags.StringVar(&in.rootfs, "rootfs", "", "")
	flags.BoolVar(&vendor, "vendor", false, "")
	flags.BoolVar(&in.dryRun, "dry-run", false, "")
	flags.BoolVar(&in.yes, "yes", false, "")
	flags.BoolVar(&in.pull, "pull", false, "")
	flags.Func("set", "", func(s string) error { in.given = append(in.given, s); return nil })
	var words []string
	for {
		if err := parse(flags, args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			break
		}
		words, args = append(words, flags.Arg(0)), flags.Args()[1:]
	}
	if below != "" {
		var err error
		if in.root, err = filepath.Abs(below); err != nil {
			return nil, err
		}
	}
	switch {
	case in.rootfs == "" && len(words) == 0:
		return nil, usagef("install: an image is missing, see syscontainer install --help")
	case in.rootfs != "" && len(words) > 0:
		return nil, usagef("install: --rootfs is in place of an image")
	case len(words) > 1:
		return nil, usagef("install: unexpected argument %q, one image is installed at a time", words[1])
	}
	for _, s := range in.given {
		name, _, found := strings.Cut(s, "=")
		if !found {
			return nil, usagef("install: Invalid value '%s'.  Expected form NAME=VALUE", s)
		}
		if atomic.ClassOf(name) == atomic.Forced {
			return nil, usagef("install: --set %s: the container itself gives $%s its value", s, name)
		}
	}
	var err error
	if in.rootfs != "" {
		err = in.chooseRootfs()
	} else if in.reference, err = canonical(in.root, words[0]); err != nil {
		err = fmt.Errorf("install: %w", err)
	}
	if err != nil {
		return nil, err
	}
	if name == "" {
		name = in.defaultName()
	}
	if in.name, err = units.ParseName(strings.TrimSuffix(name, ".syscontainer")); err != nil {
		return nil, usagef("install: %w\nhint: --name gives the container another name", err)
	}
	if in.name.Template {
		return nil, usagef("install: %s is the name of a template: the image's service is for one container\nhint: --name %sINSTANCE", name, name)
	}
	in.file = path.Join(adminUnits, in.name.Full+".syscontainer")
	if vendor {
		in.file = path.Join(vendorUnits, in.name.Full+".syscontainer")
	}
	return in, nil
}

// chooseRootfs takes the directory that holds rootfs/, or such a root itself.
func (in *installation) chooseRootfs() error {
	dir, err := filepath.Abs(in.rootfs)
	if err != nil {
		return err
	}
	for _, dir := range []string{filepath.Join(dir, "rootfs"), dir} {
		if isDir(filepath.Join(in.root, dir, "usr")) || isDir(filepath.Join(in.root, dir, atomic.Dir)) {
			in.rootfs = dir
			return nil
		}
	}
	return fmt.Errorf("install: --rootfs was specified but the given location does not contain a rootfs: %s", dir)
}

// defaultName is the last part of the image's name, with its tag unless that is latest.
func (in *installation) defaultName() string {
	if in.rootfs != "" {
		if path.Base(in.rootfs) == "rootfs" {
			return path.Base(path.Dir(in.rootfs))
		}
		return path.Base(in.rootfs)
	}
	name, _, _ := strings.Cut(path.Base(in.reference), "@")
	name, tag, _ := strings.Cut(name, ":")
	if tag != "" && tag != "latest" {
		name += "-" + tag
	}
	return name
}

// find gets the image, and reads what it brings.
func (in *installation) find(ctx context.Context) (err error) {
	if in.rootfs != "" {
		in.exports, err = exportsOf(filepath.Join(in.root, in.rootfs))
		return err
	}
	in.image, err = store.Lookup(in.root, in.reference)
	if errors.Is(err, fs.ErrNotExist) || err == nil && in.pull {
		in.image, err = in.fetch(ctx)
	}
	if err != nil {
		return err
	}
	described, err := readDescription(in.image)
	if err != nil {
		return err
	}
	in.once = described.runsOnce()
	in.exports, err = exportsOf(in.image.Rootfs())
	return err
}

func (in *installation) fetch(ctx context.Context) (store.Image, error) {
	progress, err := newProgress(-1)
	if err != nil {
		return store.Image{}, err
	}
	settings, err := loadSettings(in.root)
	if err != nil {
		return store.Image{}, err
	}
	f := fetcher{root: in.root, reference: in.reference, options: registry.Options{Root: in.root, RateLimit: settings.rateLimit},
		settings: settings, progress: progress}
	image, err := f.fetch(ctx)
	progress.done()
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		return image, fmt.Errorf("pull %s: %w", in.reference, err)
	}
	return image, nil
}

// lookAtUnits finds who has the name, and what an earlier installation was told.
func (in *installation) lookAtUnits() error {
	name := in.name.Full
	set := units.Load(in.root, append([]string{path.Dir(in.file)}, units.SearchPath()...))
	if slices.Contains(set.Masked, name) {
		return fmt.Errorf("%s.syscontainer is masked: %s is empty or a link to /dev/null\nhint: remove that, or --name gives the container another name", name, maskOf(in.root, name))
	}
	for _, u := range set.Units {
		if u.Name.Full != name && u.Stem.Full != name || u.Derived {
			continue
		}
		if u.Path != in.file {
			return fmt.Errorf("%s is there already: it is the name of %s\nhint: --name gives the container another name", name, u.Path)
		}
	}
	// The first directory of the search path may hide the one that is written.
	for _, dir := range units.SearchPath() {
		if file := path.Join(dir, name+".syscontainer"); file != in.file {
			if _, err := os.Lstat(filepath.Join(in.root, file)); err == nil {
				return fmt.Errorf("%s is there already: it is the name of %s\nhint: --name gives the container another name", name, file)
			}
		}
	}
	return in.readOld()
}

// readOld reads the file that is there, and the values in it: they stay unless others are given.
func (in *installation) readOld() error {
	text, mode, err := readUnitFile(in.root, in.file)
	if errors.Is(err, fs.ErrNotExist) {
		in.give(nil)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", in.file, err)
	}
	in.old, in.exists, in.mode = text, true, mode
	lines, _, _ := units.Parse(in.file, text)
	u := &units.Unit{Name: in.name, Stem: in.name, Path: in.file}
	for _, l := range lines {
		if l.Section == "Container" && l.Key == "Set" {
			u.Lines = append(u.Lines, l)
		}
	}
	c, errs, _ := u.Container()
	if slices.ContainsFunc(errs, func(p *units.Problem) bool { return p.Line > 0 }) {
		return fmt.Errorf("read the values in %s: %w", in.file, errs)
	}
	in.give(c.Set)
	return nil
}

// give sets what --set says over what was there.
func (in *installation) give(before []string) {
	in.set = slices.Clone(before)
	for _, s := range in.given {
		name, _, _ := strings.Cut(s, "=")
		i := slices.IndexFunc(in.set, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		if i < 0 {
			in.set = append(in.set, s)
		} else {
			in.set[i] = s
		}
	}
}
