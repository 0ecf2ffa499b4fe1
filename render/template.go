package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"syscontainer/pull/atomic"
	"syscontainer/pull/store"
	"syscontainer/units"
)

// imageTemplate is what an image brings below /exports for the container itself, with the unit's values, and made to fit
// this machine. The image's author wrote it: it shapes the container within what the unit leaves open.
type imageTemplate struct {
	file     string      // as errors call what spec is from
	spec     *rspec.Spec // nil: none, the image is as any other
	changes  []string    // what had to be put right
	tmpfiles *string     // lines of tmpfiles.d(5); nil: the image does not say
}

// findTemplate reads the templates of the image that t is. nil: it has none, or the unit wants none. Of an image without
// /exports it learns that by one look; what another calls so may be anything.
func findTemplate(b bundle, o options, c *units.Container, g ground, t *tree) (*imageTemplate, error) {
	if !c.Template {
		return nil, nil
	}
	if st, _, err := t.lstat("/" + atomic.Dir); err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil, nil
	}
	brings := func(name string) bool {
		_, _, err := t.lstat("/" + atomic.Dir + "/" + name)
		return err == nil
	}
	if !brings("config.json") && !brings(atomic.ConfigFile) && !brings(tmpfilesTemplate) {
		return nil, nil
	}
	if c.Rootfs != "" && !c.ReadOnly {
		warn(o.name, "/%s in Rootfs=%s counts for nothing: with ReadOnly=no the payload could change what it is allowed", atomic.Dir, c.Rootfs)
		return nil, nil
	}
	root, err := os.OpenRoot(g.rootfs)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	e, err := atomic.Read(root)
	if err != nil {
		return nil, withHint(err, "Template=no in [Container] makes it an ordinary image")
	}
	place, err := placeOf(b, o, c, g)
	if err != nil {
		return nil, err
	}
	template, err := expandTemplate(e, place.Values(c.Set, e.Manifest), atomic.ThisMachine())
	if err == nil && g.link == "" { // for what goes to $DESTDIR/rootfs
		if err = os.Mkdir(place.Directory, 0o755); err == nil {
			err = os.Symlink(g.rootfs, place.Directory+"/rootfs")
		}
	}
	return template, err
}

// missingValues tells what a start that failed before it came to the templates would have missed in them; else nil.
func missingValues(o options, c *units.Container, g ground) error {
	t, err := openTree(g.rootfs)
	if err != nil {
		return nil
	}
	defer t.close()
	var missing *atomic.MissingError
	if _, err = findTemplate(bundleOf(o.root, o.name), o, c, g, t); errors.As(err, &missing) {
		return err
	}
	return nil
}

// placeOf is what variables are about that nobody sets.
func placeOf(b bundle, o options, c *units.Container, g ground) (atomic.Place, error) {
	runtime, err := findRuntime(c.Runtime)
	if err != nil {
		return atomic.Place{}, err
	}
	machineID, _ := os.ReadFile("/etc/machine-id")
	p := atomic.Place{
		Name: o.name, Directory: b.file(store.BundleLink), Image: strings.TrimPrefix(c.Image, "oci:"), Runtime: runtime, Command: commandPath,
		UUID: atomic.UUID(string(machineID), o.name), Capabilities: atomic.ThisMachine().Capabilities,
	}
	if g.link == "" {
		p.Image = c.Rootfs
	} else {
		p.ImageID = filepath.Base(g.link)
	}
	return p, nil
}

// expandTemplate fills in the values. What is missing in any of the texts is in the error.
func expandTemplate(e *atomic.Exports, values map[string]string, machine atomic.Machine) (*imageTemplate, error) {
	t := &imageTemplate{file: atomic.ConfigFile + " of the image"}
	if e.Config != nil {
		t.file = "config.json of the image"
	}
	var problem error
	if t.spec, t.changes, problem = e.Configuration(values, machine); problem != nil && !isTemplateError(problem) {
		problem = fmt.Errorf("%s: %w", t.file, problem)
	}
	if e.Tmpfiles != nil {
		text, err := (atomic.Template{File: tmpfilesTemplate, Text: string(e.Tmpfiles)}).Expand(values)
		problem = errors.Join(problem, err)
		t.tmpfiles = &text
	}
	var missing *atomic.MissingError
	if errors.As(problem, &missing) {
		return nil, withHint(problem, "Set=%s=… in [Container]", missing.Names[0])
	}
	if problem != nil {
		return nil, problem
	}
	if t.spec != nil {
		return t, t.check()
	}
	return t, nil
}

// isTemplateError: those of expanding name their file themselves.
func isTemplateError(err error) bool {
	var missing *atomic.MissingError
	var placeholder *atomic.PlaceholderError
	return errors.As(err, &missing) || errors.As(err, &placeholder)
}

// check refuses what no process can be given, and leaves out what is of other systems.
func (t *imageTemplate) check() error {
	s := t.spec
	for _, text := range append(append([]string{s.Process.Cwd, s.Hostname}, s.Process.Args...), s.Process.Env...) {
		if strings.IndexByte(text, 0) >= 0 {
			return fmt.Errorf("%s: NUL byte in %q", t.file, text)
		}
	}
	s.Solaris, s.Windows, s.VM, s.ZOS, s.FreeBSD = nil, nil, nil, nil, nil
	s.Process.CommandLine, s.Process.ConsoleSize = "", nil
	return nil
}

// asImage is the template's process in the place of an image's configuration.
func (t *imageTemplate) asImage() *imageConfig {
	image := new(imageConfig)
	p := t.spec.Process
	image.Config.User = strconv.FormatUint(uint64(p.User.UID), 10) + ":" + strconv.FormatUint(uint64(p.User.GID), 10)
	image.Config.Env, image.Config.Cmd, image.Config.WorkingDir = p.Env, p.Args, p.Cwd
	return image
}

// tell logs what had to be put right, for those who look for it.
func (t *imageTemplate) tell(name string) {
	if !inJournal() {
		return
	}
	for _, change := range t.changes {
		report(priorityDebug, name, fmt.Errorf("%s: %s", t.file, change))
	}
}
