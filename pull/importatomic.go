package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"syscontainer/pull/atomic"
	"syscontainer/pull/store"
	"syscontainer/units"
)

// takeovers is what `import --atomic` was told.
type takeovers struct{ atomic, dryRun, yes, switches bool }

func (o *takeovers) flags(flags *flag.FlagSet) {
	flags.BoolVar(&o.atomic, "atomic", false, "")
	flags.BoolVar(&o.dryRun, "dry-run", false, "")
	flags.BoolVar(&o.yes, "yes", false, "")
	flags.BoolVar(&o.switches, "switch", false, "")
}

func (o *takeovers) wanted() bool { return *o != takeovers{} }

// run takes over installations, all if none is named. What one of them lacks does not keep the others.
func (o *takeovers) run(ctx context.Context, root string, names []string) error {
	if o.dryRun && o.switches {
		return usagef("import: --dry-run changes nothing, --switch does")
	}
	for _, name := range names { // before a file is looked for by it
		if strings.HasPrefix(name, "-") {
			return usagef("import: options stand before names: %s", name)
		}
		if _, err := units.ParseName(name); err != nil {
			return usagef("import: %w", err)
		}
	}
	checkouts, repository, err := atomicLayout(root)
	if err != nil {
		return err
	}
	there, err := atomicNames(filepath.Join(root, checkouts))
	if err != nil {
		return fmt.Errorf("look for installations of Atomic: %w", err)
	}
	if len(there) == 0 {
		return fmt.Errorf("no installation of Atomic in %s\nhint: $ATOMIC_OSTREE_CHECKOUT_PATH, or checkout_path in %s, says where they are", checkouts, atomicConf)
	}
	if len(names) == 0 {
		names = there
	}
	var errs []error
	var all []*takeover
	for _, name := range names {
		if !slices.Contains(there, name) {
			message := fmt.Sprintf("import %s: no such installation in %s", name, checkouts)
			if near := units.Nearest(name, there); near != "" {
				message += "\nhint: did you mean " + near + "?"
			}
			errs = append(errs, errors.New(message))
			continue
		}
		t := &takeover{takeovers: *o, root: root}
		if t.old, err = readAtomicContainer(root, checkouts, name); err == nil {
			err = errors.Join(t.lookAtService(), t.lookAtNote())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("import %s: %w", name, err))
			continue
		}
		all = append(all, t)
	}
	var repo *atomicRepo
	for _, t := range all {
		if t.old.remote != "" {
			continue
		}
		if repo, err = openAtomicRepo(root, repository); err != nil {
			return err
		}
		defer repo.repo.Close()
		break
	}
	for _, t := range all {
		if err := t.take(ctx, repo); err != nil {
			errs = append(errs, fmt.Errorf("import %s: %w", t.old.name, err))
		}
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
	}
	return errors.Join(errs...)
}

// takeover is one installation on its way. A nil one adjusts nothing.
type takeover struct {
	takeovers
	root     string
	old      *atomicContainer
	service  string   // Atomic's unit file, below root; "": there is none
	links    []string // which enable it, below root
	disabled bool     // it has an [Install], and no link
	begun    string   // the note of a switch that was interrupted; "": none was
}

// take imports the image, writes the unit, and switches if that is wanted.
func (t *takeover) take(ctx context.Context, repo *atomicRepo) error {
	in, said, err := t.prepare(ctx, repo)
	if err != nil {
		return err
	}
	text, more, err := in.compose()
	if err != nil {
		return err
	}
	said = append(said, more...)
	if t.begun != "" {
		fmt.Fprintf(os.Stderr, "syscontainer: %s: a switch was interrupted, which this %s\n", t.old.name, map[bool]string{true: "would end", false: "ends"}[t.dryRun])
	}
	for i := range said {
		said[i] = t.old.name + ": " + said[i]
	}
	if t.dryRun {
		sayAll(said)
		_, err := os.Stdout.WriteString(text)
		return err
	}
	changed := !in.exists || in.old != text
	if in.exists && changed {
		io.WriteString(os.Stdout, unified(in.file, in.file, in.old, text))
		if !t.yes {
			return fmt.Errorf("%s is there already, and differs from what would be written\nhint: --yes replaces it; what is your own belongs into %s.d/NAME.conf", in.file, in.file)
		}
	}
	if changed {
		sayAll(said)
		if err := writeUnitFile(t.root, in.file, text, in.mode); err != nil {
			return fmt.Errorf("write %s: %w", in.file, err)
		}
		fmt.Printf("%s: %s\n", t.old.name, in.file)
		if err := reloadSystemd(t.root); err != nil {
			return err
		}
	}
	if t.switches || t.begun != "" {
		return t.switchOver(ctx, in, changed)
	}
	switch moves, err := t.moves(); {
	case err != nil:
		return err
	case len(moves) > 0:
		fmt.Printf("%s: still as Atomic installed it\n    syscontainer import --atomic --switch %s\n", t.old.name, t.old.name)
	case !changed:
		fmt.Printf("%s: nothing to do, it is taken over\n", t.old.name)
	}
	return nil
}

// prepare gets the image, and what the person chose.
func (t *takeover) prepare(ctx context.Context, repo *atomicRepo) (in *installation, said []string, err error) {
	in = &installation{root: t.root, mode: 0o644, dryRun: t.dryRun, yes: t.yes, takeover: t}
	if in.name, err = units.ParseName(t.old.name); err != nil {
		return nil, nil, err
	}
	if in.name.Template {
		return nil, nil, fmt.Errorf("%s is the name of a template here", t.old.name)
	}
	in.file = path.Join(adminUnits, in.name.Full+".syscontainer")
	if err := in.lookAtUnits(); err != nil { // before anything is stored
		return nil, nil, err
	}
	if t.old.remote != "" {
		in.rootfs = t.old.remote
		if err := in.chooseRootfs(); err != nil {
			return nil, nil, errors.New("The container's rootfs is set to remote, but the remote rootfs does not exist: " + t.old.remote)
		}
		in.exports, err = exportsOf(filepath.Join(t.root, in.rootfs))
	} else {
		said, err = t.getImage(ctx, repo, in)
	}
	if err != nil {
		return nil, nil, err
	}
	if in.set, err = atomic.Choices(t.old.values, t.old.name, in.manifest()); err != nil {
		return nil, nil, fmt.Errorf("read %s/info: %w", t.old.slot, err)
	}
	if t.old.rpm != "" {
		said = append(said, "its files for the host belong to the package of "+t.old.rpm+", and stay until that is removed")
	}
	return in, append(said, t.sayOfService()...), nil
}

// getImage takes the image out of the repository, or for a look only what Atomic has checked out of it.
func (t *takeover) getImage(ctx context.Context, repo *atomicRepo, in *installation) (said []string, err error) {
	image, err := repo.find(t.old)
	if err != nil {
		return nil, err
	}
	if image.madeUp {
		image.said = append(image.said, "the image's configuration is not in "+repo.path+": what the manifest knows of it is used\nhint: syscontainer pull --repair "+image.reference)
	}
	in.reference = image.reference
	if t.dryRun {
		in.image = store.Image{Digest: image.digest, Reference: image.reference, Dir: filepath.Join(t.root, t.old.slot)}
		if stored, err := store.Lookup(t.root, image.reference); err == nil {
			in.image = stored
		} else if !isDir(in.image.Rootfs()) {
			return nil, fmt.Errorf("%s has no checkout of its image, so what its unit will be is not known before it is imported", t.old.slot)
		}
	} else if in.image, err = repo.bring(ctx, image); err != nil {
		return nil, fmt.Errorf("take image %s: %w", image.reference, err)
	}
	in.exports, err = exportsOf(in.image.Rootfs())
	return image.said, err
}

// systemdUnits is where Atomic wrote its services; they win over generated ones.
const systemdUnits = "/etc/systemd/system"

// lookAtService finds the unit that Atomic wrote, and whether it is enabled.
func (t *takeover) lookAtService() error {
	base := t.old.name + ".service"
	file := path.Join(systemdUnits, base)
	if err := t.findLinks(base); err != nil {
		return err
	}
	if !isFile(filepath.Join(t.root, t.old.slot, base)) { // what is there now is somebody else's
		return nil
	}
	text, err := readPlain(filepath.Join(t.root, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	t.service = file
	t.disabled = len(t.links) == 0 && strings.Contains(string(text), "\n[Install]")
	return nil
}

// findLinks finds what enabled the service; a switch that was killed may have left them.
func (t *takeover) findLinks(base string) error {
	dirs, err := os.ReadDir(filepath.Join(t.root, systemdUnits))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, dir := range dirs {
		if ext := path.Ext(dir.Name()); ext != ".wants" && ext != ".requires" {
			continue
		}
		link := path.Join(systemdUnits, dir.Name(), base)
		target, err := os.Readlink(filepath.Join(t.root, link))
		if err == nil && path.Join("/", path.Join(path.Dir(link), target)) == path.Join(systemdUnits, base) || target == path.Join(systemdUnits, base) {
			t.links = append(t.links, link)
		}
	}
	return nil
}

// sayOfService tells what of the old service is not in the new unit.
func (t *takeover) sayOfService() (said []string) {
	if t.service == "" {
		return nil
	}
	now, err := readPlain(filepath.Join(t.root, t.service))
	was, wasErr := readPlain(filepath.Join(t.root, t.old.slot, path.Base(t.service)))
	if err == nil && wasErr == nil && string(now) != string(was) {
		said = append(said, t.service+" was changed since it was installed: the unit has what the image says\nhint: diff "+path.Join(t.old.slot, path.Base(t.service))+" "+t.service)
	}
	if dropins := t.service + ".d"; isDir(filepath.Join(t.root, dropins)) {
		said = append(said, dropins+" will be in force for the new service, too: see that it fits")
	}
	return said
}

// adjust leaves a service alone that was not enabled.
func (t *takeover) adjust(lines []atomic.ServiceLine) []atomic.ServiceLine {
	if t == nil || !t.disabled {
		return lines
	}
	for i := range lines {
		if l := &lines[i]; l.Section == "Install" && l.Why == "" {
			l.Why = "the service was disabled"
		}
	}
	return slices.DeleteFunc(lines, func(l atomic.ServiceLine) bool { return l.Section == "Install" && l.Line == 0 })
}

// refuse is why a file is not exported; "": it was, by Atomic.
func (t *takeover) refuse(file string) string {
	if t == nil || t.old.rpm != "" {
		return ""
	}
	if _, was := t.old.files[file]; was {
		return ""
	}
	return "Atomic had not put it there"
}

// judged is the root whose services must not have the new one's name: the old one does until it goes.
func (t *takeover) judged(root string) string {
	if t == nil || t.service == "" {
		return root
	}
	return "/nonexistent"
}

// runtime is what the unit names, unless it is the usual one or not there.
func (t *takeover) runtime() string {
	if t == nil || path.Base(t.old.runtime) == "runc" || !path.IsAbs(t.old.runtime) || !isFile(filepath.Join(t.root, t.old.runtime)) {
		return ""
	}
	return t.old.runtime
}
