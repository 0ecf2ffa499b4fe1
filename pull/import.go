package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"syscontainer/generator/convert"
	"syscontainer/units"
)

const importHelp = `Usage: syscontainer import [-o FILE|DIR] [--force] FILE.container…
       syscontainer import --atomic [--dry-run] [--yes] [--switch] [NAME…]

Makes .syscontainer files of Quadlet's. What cannot be kept stays as a comment,
and is told on standard error. Or takes over what Project Atomic's command has
installed, all or those named: writes a unit for each, and takes its image from
Atomic's repository.

  -o FILE|DIR             write there; default is standard output
      --force             replace files that exist
      --atomic            take over installations of Project Atomic
      --dry-run           print the units, write nothing
      --yes               replace units that differ
      --switch            then let the old services go, and start the new ones
  -h, --help              print this text
`

func runImport(ctx context.Context, root string, args []string) error {
	flags := newFlags("syscontainer import", func(w io.Writer) { io.WriteString(w, importHelp) })
	output := flags.String("o", "", "")
	force := flags.Bool("force", false, "")
	var old takeovers
	old.flags(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	if old.wanted() {
		if !old.atomic || *output != "" || *force {
			return usagef("import: --dry-run, --yes and --switch go with --atomic, -o and --force without")
		}
		return old.run(ctx, root, flags.Args())
	}
	if flags.NArg() == 0 {
		return usagef("import: a file is missing, see syscontainer import --help")
	}
	imports := make([]*imported, flags.NArg())
	taken := map[string]string{}
	for i, file := range flags.Args() { // all are read before one is written
		to, err := destination(file, *output, flags.NArg())
		if err != nil {
			return err
		}
		if other := taken[to]; other != "" {
			return usagef("import: %s and %s become one file", other, file)
		}
		taken[to] = file
		if imports[i], err = importFile(file, to); err != nil {
			return err
		}
	}
	if *output == "" {
		if _, err := os.Stdout.WriteString(imports[0].text); err != nil {
			return err
		}
	}
	for _, im := range imports {
		if *output != "" {
			if err := im.write(*force); err != nil {
				return err
			}
		}
		for _, m := range im.said {
			fmt.Fprint(os.Stderr, m)
		}
	}
	if n := sayErrors(os.Stderr, root, imports); n > 0 {
		return fmt.Errorf("the result would still fail, errors to mend: %d", n)
	}
	return nil
}

// destination is where the unit of a file goes, or would if it went anywhere.
func destination(file, output string, files int) (string, error) {
	name, ok := strings.CutSuffix(filepath.Base(file), ".container")
	if !ok {
		return "", usagef("import: %q is no .container file", file)
	}
	if _, err := units.ParseName(name); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	name += ".syscontainer"
	info, err := os.Stat(output)
	isDir := err == nil && info.IsDir()
	switch {
	case output == "" && files > 1:
		return "", usagef("import: several files need a directory to go to: -o DIR")
	case output == "":
		return name, nil
	case isDir:
		return filepath.Join(output, name), nil
	case strings.HasSuffix(output, "/") || files > 1:
		return "", fmt.Errorf("%s is no directory", output)
	case !strings.HasSuffix(output, ".syscontainer"):
		return "", usagef("import: %q is no directory, and no name of a .syscontainer file", output)
	}
	if _, err := units.ParseName(strings.TrimSuffix(filepath.Base(output), ".syscontainer")); err != nil {
		return "", fmt.Errorf("%s: %w", output, err)
	}
	return output, nil
}

// write makes the file, whole or not at all.
func (im *imported) write(force bool) error {
	mode := os.FileMode(0o644)
	if im.private {
		mode = 0o600
	}
	f, err := os.CreateTemp(filepath.Dir(im.to), ".syscontainer-import-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, bytes.NewReader([]byte(im.text)))
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	switch {
	case err != nil:
	case force:
		err = os.Rename(f.Name(), im.to)
	default:
		err = os.Link(f.Name(), im.to)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s exists already\nhint: --force replaces it", im.to)
		}
	}
	return err
}

// sayErrors judges all results together, as the generator would in their place. The
// files they were made of do not count: they are to go.
func sayErrors(w io.Writer, root string, imports []*imported) (errs int) {
	var extras []units.Extra
	at := map[string]*imported{}
	for _, im := range imports {
		path, err := filepath.Abs(im.to)
		if err != nil {
			path = filepath.Join("/", im.to)
		}
		at[path] = im
		extras = append(extras, units.Extra{Path: path, Text: im.text, Given: true})
	}
	set := units.Load(root, units.SearchPath(), extras...)
	for _, u := range set.Units {
		if at[u.Path] == nil {
			continue
		}
		for _, name := range []string{u.Name.Full, u.Stem.Full} {
			if file, both := set.Quadlet[name]; both {
				fmt.Fprintf(w, "%s: becomes %s, too: remove it before the next daemon-reload\n", units.Printable(file), u.Name.Service())
				delete(set.Quadlet, name)
			}
		}
	}
	plan := convert.Convert(set, convert.Options{Root: root, Render: renderPath})
	for i := range plan.Services {
		s := &plan.Services[i]
		im := at[s.Unit.Path]
		if im == nil {
			continue
		}
		for _, p := range s.Errors {
			file := p.File
			if file == s.Unit.Path {
				file = im.to
			}
			errs++
			fmt.Fprint(w, place(file, p.Line, p.Column)+"error: "+units.Printable(p.Msg)+"\n")
			hint := p.Hint
			if _, name, ok := strings.Cut(p.Msg, "there is no "); ok && hint == "" {
				name, _, _ = strings.Cut(name, ".syscontainer")
				if other := filepath.Join(filepath.Dir(im.file), name+".container"); name == filepath.Base(name) && isFile(other) {
					hint = "import " + other + ", too"
				}
			}
			if hint != "" {
				fmt.Fprint(w, "    hint: "+units.Printable(hint)+"\n")
			}
		}
	}
	return errs
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
