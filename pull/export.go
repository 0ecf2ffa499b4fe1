package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"syscontainer/generator/convert"
	"syscontainer/pull/atomic"
	"syscontainer/pull/store"
	"syscontainer/units"
)

const exportHelp = `Usage: syscontainer export [OPTION…] NAME…

Puts the files for the host that a unit's image brings in their places, as
Export= of the unit says. A start does so by itself. Prints what it changes.

      --undo              take the files away that the container has put there
      --dry-run           say what would change, change nothing
      --request           read what is wanted from standard input: the start
                          path's own
      --progress-fd N     write progress lines to descriptor N
  -h, --help              print this text
`

func runExport(ctx context.Context, root string, args []string) error {
	flags := newFlags("syscontainer export", func(w io.Writer) { io.WriteString(w, exportHelp) })
	undo := flags.Bool("undo", false, "")
	dryRun := flags.Bool("dry-run", false, "")
	given := flags.Bool("request", false, "")
	progressFD := flags.Int("progress-fd", -1, "")
	if err := parse(flags, args); err != nil {
		return err
	}
	switch {
	case flags.NArg() == 0:
		return usagef("export: the name of a unit is missing, see syscontainer export --help")
	case *given && (*undo || flags.NArg() != 1):
		return usagef("export: --request goes with one name and without --undo")
	}
	progress, err := newProgress(*progressFD)
	if err != nil {
		return err
	}
	for _, word := range flags.Args() {
		name, err := word, error(nil)
		var request store.ExportRequest
		switch {
		case *given:
			if _, err = units.ParseName(name); err == nil {
				err = json.NewDecoder(io.LimitReader(os.Stdin, 64<<20)).Decode(&request)
			}
		case *undo:
			name, err = exporterOf(root, word)
		default:
			name, request, err = requestOf(root, word)
		}
		if err == nil {
			progress.phase("exporting files of " + name)
			err = export(ctx, root, name, request, *dryRun, *given)
			progress.done()
		}
		if err != nil {
			return fmt.Errorf("export %s: %w", word, err)
		}
	}
	return nil
}

// exporterOf is the container that a person means whose files are to go. Its unit may be gone.
func exporterOf(root, word string) (string, error) {
	name := strings.TrimSuffix(strings.TrimSuffix(word, ".syscontainer"), ".service")
	if _, err := units.ParseName(name); err != nil {
		return "", err
	}
	if e, err := store.ReadExports(root, name); e != nil || err != nil {
		return name, nil // a record that cannot be read is told later
	}
	if service, err := serviceOf(root, word); err == nil {
		return service, nil
	}
	return name, nil
}

// requestOf asks the unit files what a container's Export= wants, as the next start after a reload will. Name is the
// service's, without suffix.
func requestOf(root, word string) (name string, r store.ExportRequest, err error) {
	if name, err = serviceOf(root, word); err != nil {
		return name, r, err
	}
	n, err := units.ParseName(name)
	if err != nil {
		return name, r, err
	}
	if n.Template {
		return name, r, fmt.Errorf("%s is a template, of which only instances have files\nhint: name one, as %s1", name, name)
	}
	set := units.Load(root, units.SearchPath())
	u, err := findUnit(root, set, word)
	if err != nil {
		return name, r, err
	}
	for _, line := range u.Section("Container") {
		if slices.Contains([]string{"Image", "Rootfs", "Set", "Export", "Runtime"}, line.Key) && n.StartOnly(line.Value) {
			return name, r, fmt.Errorf("%s:%d: what %s= says only a start knows\nhint: systemctl restart %s exports the files", line.File, line.Line, line.Key, name)
		}
	}
	plan := convert.Convert(set, convert.Options{Root: root, Render: renderPath})
	for i := range plan.Services {
		s := &plan.Services[i]
		if s.Unit != u {
			continue
		}
		if len(s.Errors) > 0 {
			return name, r, s.Errors
		}
		c, err := units.ReadGenerated(strings.NewReader(s.Text), name+".service", nil)
		if err != nil {
			return name, r, err
		}
		r = store.ExportRequest{Rootfs: c.Rootfs, Export: c.Export, Set: c.Set, Runtime: c.Runtime}
		if c.Rootfs == "" && len(c.Export) > 0 {
			image, err := nextImage(root, name, c.Image, c.Pull == "always")
			if errors.Is(err, os.ErrNotExist) {
				err = fmt.Errorf("%w\nhint: syscontainer pull %s", err, c.Image)
			}
			if err != nil {
				return name, r, err
			}
			r.Reference, r.Image = c.Image, image.Digest
		}
		return name, r, nil
	}
	return name, r, fmt.Errorf("no service is made of %s", u.Path)
}

// export carries out a request; one without Export takes all away. started: it comes from the start path, which has said
// whose it is.
func export(ctx context.Context, root, name string, request store.ExportRequest, dryRun, started bool) error {
	if _, err := os.Stat(root); err != nil { // nothing makes one
		return err
	}
	var w *store.Writer
	if !dryRun {
		var err error
		if w, err = store.OpenWriter(root); err != nil {
			return err
		}
		lock, err := w.LockExports(ctx, nil)
		if err != nil {
			return err
		}
		defer lock.Release()
	}
	return exportHeld(ctx, w, root, name, request, started)
}

// finishExports ends a run that was killed by going back to what was before. The next start goes on from there.
func finishExports(ctx context.Context, root, name string) error {
	w, err := store.OpenWriter(root)
	if err != nil {
		return err
	}
	lock, err := w.LockExports(ctx, nil)
	if err != nil {
		return err
	}
	defer lock.Release()
	e, err := store.ReadExports(root, name)
	if err != nil || e == nil || !e.Unfinished { // it was only not finished yet
		return err
	}
	return exportHeld(ctx, w, root, name, e.Request, false)
}

// exportHeld is export with the lock held; without a writer it is a dry run.
func exportHeld(ctx context.Context, w *store.Writer, root, name string, request store.ExportRequest, started bool) error {
	dryRun := w == nil
	// One thread takes all steps: a trace shows them in their order, and can count them.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	x := &exporter{host: openMachine(root), name: name}
	defer x.host.close()
	if x.host.fd < 0 {
		return fmt.Errorf("%s is no directory that can be opened", root)
	}
	others, err := store.ListExports(root)
	if err != nil {
		return fmt.Errorf("nothing is exported while it is unknown what others have: %w", err)
	}
	x.record, x.others = others[name], others
	delete(others, name)
	if len(request.Export) == 0 && x.record == nil {
		return nil
	}
	if len(request.Export) > 0 {
		if x.image, err = wantedFiles(root, name, request); err != nil {
			return err
		}
		defer x.image.close()
	}
	if err := x.plan(); err != nil {
		return err
	}
	prefix := "syscontainer: export " + name + ": "
	if started {
		prefix = name + ": " // what follows the program's name is an error, for the start path
	}
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, priority("4")+prefix+format+"\n", args...)
	}
	if x.image != nil {
		for _, p := range x.image.Without {
			say("Export=%s: the image has no such file for the host", units.Printable(p))
		}
	}
	steps := x.steps
	if !dryRun && (len(steps) > 0 || x.image == nil || x.unfinished() || x.record == nil || !x.record.Request.Same(request) || !slices.Equal(x.record.Files, x.listed(x.ours))) {
		if x.image != nil && len(steps) > 0 {
			if x.image.labels, err = selinuxLabels(root, paths(steps)); err != nil {
				say("%v, what is new has none of its own", err)
			}
		}
		if err := x.apply(ctx, w, request); err != nil {
			return err
		}
		steps = x.steps
	}
	for _, step := range steps {
		text := "would " + step.String()
		if !dryRun {
			verb, what, _ := strings.Cut(step.String(), " ")
			text = verb + "d " + what
		}
		fmt.Println(text)
	}
	for _, note := range x.notes {
		say("%s", note)
	}
	if i := slices.IndexFunc(steps, func(step exportStep) bool { return below(step.path, unitPlaces...) }); i >= 0 && !dryRun {
		say("%s is systemd's, which knows of it after: systemctl daemon-reload", units.Printable(steps[i].path))
	}
	return nil
}

// unitPlaces are where systemd reads units that stay.
var unitPlaces = []string{"/etc/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd"}

func paths(steps []exportStep) (list []string) {
	for _, step := range steps {
		if step.kind == stepMake || step.kind == stepReplace {
			list = append(list, step.path)
		}
	}
	return list
}

// wantedFiles reads what a request wants of its image, or of the directory that the unit has instead.
func wantedFiles(root, name string, request store.ExportRequest) (*imageFiles, error) {
	rootfs := filepath.Join(root, request.Rootfs)
	if request.Rootfs == "" {
		image, err := imageByDigest(root, request.Image)
		if err != nil {
			return nil, err
		}
		rootfs = image.Rootfs()
	}
	dir, err := os.OpenRoot(rootfs)
	if err != nil {
		return nil, fmt.Errorf("open the image: %w", err)
	}
	i := &imageFiles{root: dir, link: request.Rootfs == ""}
	exports, err := atomic.Read(dir)
	if err == nil && exports == nil {
		exports = &atomic.Exports{Manifest: new(atomic.Manifest)}
	}
	if err == nil {
		i.link = i.link && !exports.Manifest.NoLinks
		values := placeOf(root, name, request.Reference, request.Image, request.Runtime).Values(request.Set, exports.Manifest)
		i.HostFiles, err = atomic.ReadHostFiles(dir, exports.Manifest, values, request.Export)
	}
	if err != nil {
		dir.Close()
		if missing := (*atomic.MissingError)(nil); errors.As(err, &missing) {
			err = fmt.Errorf("%w\nhint: Set=%s=… in [Container]", err, missing.Names[0])
		}
		return nil, err
	}
	return i, nil
}

// imageByDigest finds an image of either store. The reference by which a start found it may have moved since.
func imageByDigest(root, digest string) (store.Image, error) {
	if digits, ok := store.IsDigest(digest); ok && len(digits) == 64 {
		for _, dir := range []string{store.Dir, store.VendorDir} {
			image := store.Image{Digest: digits, Dir: filepath.Join("/", root, dir, "images", digits)}
			if _, err := os.Stat(image.Rootfs()); err == nil {
				return image, nil
			}
		}
	}
	return store.Image{}, fmt.Errorf("image sha256:%s is not in the store", digest)
}
