package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"syscontainer/pull/atomic"
	"syscontainer/pull/store"
	"syscontainer/units"
)

const infoHelp = `Usage: syscontainer images info [--json] IMAGE

Shows what is known of a stored image: its configuration, labels, and what it
brings below /exports: templates, their variables, files for the host.

      --json              print an object
  -h, --help              print this text
`

// imageInfo is what images info --json prints, see syscontainer(1).
type imageInfo struct {
	References   []string           `json:"references"`
	Digest       string             `json:"digest"`
	Created      time.Time          `json:"created"`
	OS           string             `json:"os"`
	Architecture string             `json:"architecture"`
	Variant      string             `json:"variant"`
	Size         int64              `json:"size"`
	Layers       int                `json:"layers"`
	Entrypoint   []string           `json:"entrypoint"`
	Cmd          []string           `json:"cmd"`
	Env          []string           `json:"env"`
	User         string             `json:"user"`
	WorkingDir   string             `json:"working_dir"`
	StopSignal   string             `json:"stop_signal"`
	Volumes      []string           `json:"volumes"`
	Ports        []string           `json:"ports"`
	Labels       map[string]string  `json:"labels"`
	RunOnce      bool               `json:"run_once"`
	NoService    bool               `json:"no_service"`
	Exports      []string           `json:"exports"`
	Variables    []templateVariable `json:"variables"`
	HostFiles    []string           `json:"host_files"`

	problem error // of what is below /exports
}

// templateVariable is one of an image's templates. Who gives it its value: "unit" (it must), "image" (the unit may set another),
// "machine" (likewise), "container" (nobody else).
type templateVariable struct {
	Name    string `json:"name"`
	From    string `json:"from"`
	Default string `json:"default"`
}

func runInfo(ctx context.Context, root string, args []string) error {
	flags := newFlags("syscontainer images info", func(w io.Writer) { io.WriteString(w, infoHelp) })
	asJSON := flags.Bool("json", false, "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return usagef("images info: one image is needed, see syscontainer images info --help")
	}
	listing, err := store.List(root)
	if err != nil {
		return err
	}
	image, reference, err := findOne(root, listing, flags.Arg(0))
	if errors.Is(err, fs.ErrNotExist) && reference != "" {
		return fmt.Errorf("%w\nhint: syscontainer pull %s", err, reference)
	} else if err != nil {
		return err
	}
	info, err := inform(ctx, root, image, reference)
	if err != nil {
		return err
	}
	if *asJSON {
		err = printJSON(info)
	} else {
		err = info.print(os.Stdout, time.Now())
	}
	return errors.Join(err, info.problem)
}

// inform gathers what is known of an image.
func inform(ctx context.Context, root string, image *store.Stored, reference string) (*imageInfo, error) {
	d, err := readDescription(image.Image)
	if err != nil {
		return nil, err
	}
	config, _ := image.Document("config.json")
	i := &imageInfo{
		References: append([]string{}, image.References...), Digest: "sha256:" + image.Digest, Created: created(config).UTC(),
		OS: d.OS, Architecture: d.Architecture, Variant: d.Variant, Layers: len(d.RootFS.DiffIDs),
		Entrypoint: d.Config.Entrypoint, Cmd: d.Config.Cmd, Env: d.Config.Env, User: d.Config.User, WorkingDir: d.Config.WorkingDir,
		StopSignal: d.Config.StopSignal, Labels: d.Config.Labels, RunOnce: d.runsOnce(),
		Volumes: slices.Sorted(maps.Keys(d.Config.Volumes)), Ports: slices.Sorted(maps.Keys(d.Config.ExposedPorts)),
		Exports: []string{}, Variables: []templateVariable{}, HostFiles: []string{},
	}
	for _, list := range []*[]string{&i.Entrypoint, &i.Cmd, &i.Env, &i.Volumes, &i.Ports} {
		if *list == nil {
			*list = []string{}
		}
	}
	if i.Labels == nil {
		i.Labels = map[string]string{}
	}
	sizes, err := measure(ctx, image.Rootfs())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	i.Size = sizes.files
	exports, err := exportsOf(image.Rootfs())
	if err != nil {
		i.problem = err
	} else if exports != nil {
		i.NoService = exports.Manifest.NoService
		i.problem = i.lookAtExports(image, exports, reference)
	}
	return i, nil
}

// lookAtExports lists files, variables, and where files for the host would be; a variable in such a path stays one.
func (i *imageInfo) lookAtExports(image *store.Stored, e *atomic.Exports, reference string) error {
	dir, err := os.OpenRoot(image.Rootfs())
	if err != nil {
		return err
	}
	defer dir.Close()
	entries, err := fs.ReadDir(dir.FS(), atomic.Dir)
	if err != nil {
		return fmt.Errorf("read /%s of the image: %w", atomic.Dir, err)
	}
	for _, entry := range entries {
		i.Exports = append(i.Exports, entry.Name())
	}
	values := atomic.Place{Name: "$NAME", Image: reference, ImageID: image.Digest}.Values(nil, e.Manifest)
	names := append(e.Variables(), e.Manifest.DefaultNames()...)
	files, err := atomic.ReadHostFiles(dir, e.Manifest, values, []string{"yes"})
	if missing := missingIn(err); len(missing) > 0 {
		names = append(names, missing...)
		for _, name := range missing {
			values[name] = "$" + name
		}
		files, err = atomic.ReadHostFiles(dir, e.Manifest, values, []string{"yes"})
	}
	if err == nil {
		for _, f := range files.Files {
			i.HostFiles = append(i.HostFiles, f.Path)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		v := templateVariable{Name: name, From: "unit"}
		text, has := e.Manifest.Defaults[name]
		switch {
		case atomic.ClassOf(name) == atomic.Forced:
			v.From = "container"
		case atomic.ClassOf(name) == atomic.FromSystem:
			v.From = "machine"
		case has:
			v.From, v.Default = "image", text
		}
		i.Variables = append(i.Variables, v)
	}
	return err
}

func (i *imageInfo) print(w io.Writer, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, units.Printable(value))
		}
	}
	list := func(name string, values []string) {
		for n, v := range values {
			if n > 0 {
				name = ""
			}
			fmt.Fprintf(t, "%s\t%s\n", name, units.Printable(v))
		}
	}
	command := func(words []string) string {
		quoted := make([]string, len(words))
		for n, word := range words {
			quoted[n] = quotedWord(word)
		}
		return strings.ReplaceAll(strings.Join(quoted, " "), "%%", "%")
	}
	list("Reference", i.References)
	line("Digest", i.Digest)
	line("Created", age(i.Created, now))
	line("Platform", strings.TrimRight(i.OS+"/"+i.Architecture+"/"+i.Variant, "/"))
	line("Size", fmt.Sprintf("%s in %d layers", size(i.Size), i.Layers))
	line("Entrypoint", command(i.Entrypoint))
	line("Command", command(i.Cmd))
	list("Environment", i.Env)
	line("User", i.User)
	line("Directory", i.WorkingDir)
	line("StopSignal", i.StopSignal)
	list("Volume", i.Volumes)
	list("Port", i.Ports)
	var labels []string
	for _, name := range slices.Sorted(maps.Keys(i.Labels)) {
		labels = append(labels, name+"="+i.Labels[name])
	}
	list("Label", labels)
	switch {
	case i.RunOnce:
		line("Service", "none: to be run once")
	case i.NoService:
		line("Service", "none: files for the host only")
	}
	list("Exports", i.Exports)
	var variables []string
	for _, from := range []string{"unit", "image", "machine"} { // what the container gives, nobody can change
		for _, v := range i.Variables {
			if v.From == from {
				text := map[string]string{"unit": "must be set", "machine": "from the machine", "image": fmt.Sprintf("default %q", v.Default)}[from]
				variables = append(variables, v.Name+": "+text)
			}
		}
	}
	list("Variable", variables)
	list("Host file", i.HostFiles)
	return t.Flush()
}
