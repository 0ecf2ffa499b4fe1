package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"

	"syscontainer/pull/generation"
	"syscontainer/pull/store"
	"syscontainer/units"
)

const uninstallHelp = `Usage: syscontainer uninstall [OPTION…] NAME…

Stops the service of a unit, removes the unit's file, and takes back what its
image has put on the host. Says what stays: data, the image, drop-ins.

      --data              remove the data of the container, too
      --root DIR          work below DIR instead of /
  -h, --help              print this text
`

// appliedTmpfiles is the file in a container's directory with the lines of tmpfiles.d(5) that its image had applied.
const appliedTmpfiles = "tmpfiles.conf"

// removal is a unit on its way out.
type removal struct {
	root     string
	data     bool
	name     units.Name
	unit     *units.Unit // nil: there is no file, only what is left of one
	services []string    // without suffix, of which something may be left; of a template those of its instances
}

func runUninstall(ctx context.Context, root string, args []string) error {
	flags := newFlags("syscontainer uninstall", func(w io.Writer) { io.WriteString(w, uninstallHelp) })
	data := flags.Bool("data", false, "")
	below := flags.String("root", root, "")
	var words []string
	for {
		if err := parse(flags, args); err != nil {
			return err
		}
		if flags.NArg() == 0 {
			break
		}
		words, args = append(words, flags.Arg(0)), flags.Args()[1:]
	}
	if len(words) == 0 {
		return usagef("uninstall: the name of a unit is missing, see syscontainer uninstall --help")
	}
	root, err := filepath.Abs(*below)
	if err != nil {
		return err
	}
	var removals []*removal
	for _, word := range words { // all are found before one goes
		r, err := findRemoval(root, word)
		if err != nil {
			return fmt.Errorf("uninstall %s: %w", word, err)
		}
		r.data = *data
		removals = append(removals, r)
	}
	for _, r := range removals {
		if err := r.remove(ctx); err != nil {
			return fmt.Errorf("uninstall %s: %w", r.name.Full, err)
		}
	}
	return nil
}

func findRemoval(root, word string) (*removal, error) {
	name, err := units.ParseName(strings.TrimSuffix(strings.TrimSuffix(path.Base(word), ".syscontainer"), ".service"))
	if err != nil {
		return nil, err
	}
	r := &removal{root: root, name: name, services: []string{name.Full}}
	set := units.Load(root, units.SearchPath())
	for _, u := range set.Units {
		if u.Stem.Full == name.Full && !u.Derived {
			r.unit, r.services = u, []string{u.Name.Full}
		}
	}
	if u := r.unit; u != nil && below(u.Path, vendorUnits, "/usr") {
		return nil, fmt.Errorf("%s belongs to the operating system\nhint: to take it away here: ln -s /dev/null %s/%s", u.Path, adminUnits, path.Base(u.Path))
	}
	if service := r.services[0]; strings.HasSuffix(service, "@") {
		r.services = r.instances(service)
	}
	left := slices.ContainsFunc(r.services, func(s string) bool {
		return isDir(r.directory(s)) || isDir(store.Bundle(root, s))
	})
	if r.unit == nil && !left {
		_, err := findUnit(root, set, word) // knows names that are near
		if err == nil {
			err = errors.New("it is an instance of a template, and has no file of its own")
		}
		return nil, err
	}
	return r, nil
}

// directory is where a container keeps what outlives it.
func (r *removal) directory(service string) string {
	return filepath.Join("/", r.root, store.Dir, "containers", service)
}

func (r *removal) instances(template string) (services []string) {
	entries, _ := os.ReadDir(r.directory(""))
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), template) {
			services = append(services, e.Name())
		}
	}
	return services
}

func (r *removal) remove(ctx context.Context) error {
	locked, updated, err := r.lockGenerations(ctx)
	if err != nil {
		return err
	}
	if locked != nil {
		defer locked.Release()
	}
	stop := r.services
	if r.unit != nil {
		stop = []string{r.unit.Name.Full}
	}
	if systemdRuns(r.root) {
		for _, service := range stop {
			if err := stopService(service); err != nil {
				return err
			}
		}
	}
	for _, service := range r.services {
		if _, err := store.ReadLaunch(store.Bundle(r.root, service)); err == nil {
			return fmt.Errorf("its container is not cleaned up: %s is there", store.Bundle(r.root, service))
		}
	}
	if r.unit != nil {
		if err := removeUnitFile(r.root, r.unit.Path); err != nil {
			return err
		}
		fmt.Println("removed", r.unit.Path)
	}
	err = reloadSystemd(r.root) // what failed before is not kept in mind
	if systemdRuns(r.root) {
		for _, service := range stop {
			withSystemdFor(reloadTime, func(ctx context.Context, conn *dbus.Conn) error {
				return conn.ResetFailedUnitContext(ctx, service+".service")
			})
		}
	}
	for _, service := range updated {
		if forgetErr := locked.Forget(service); forgetErr != nil {
			return errors.Join(err, forgetErr)
		}
	}
	for _, service := range r.services {
		err = errors.Join(err, r.takeBack(ctx, service))
	}
	if err != nil {
		return err
	}
	r.sayWhatStays()
	return nil
}

// takeBack undoes what the image of a container did on the host, then removes its data if that is wanted.
func (r *removal) takeBack(ctx context.Context, service string) error {
	dir := r.directory(service)
	err := errors.Join(removeTmpfiles(ctx, r.root, filepath.Join(dir, appliedTmpfiles)), undoExports(ctx, r.root, service))
	if err != nil || !isDir(dir) {
		return err
	}
	if os.Remove(dir) == nil || !r.data { // it is empty, or stays
		return nil
	}
	if mounted, err := mountBelow(dir); err != nil {
		return err
	} else if mounted != "" {
		return fmt.Errorf("its data stays: %s is mounted in it", mounted)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove its data: %w", err)
	}
	fmt.Println("removed", strings.TrimPrefix(dir, strings.TrimSuffix(r.root, "/")))
	return nil
}

// lockGenerations keeps updates away from those containers that ever had one. It waits for one that is going on. Nil: there
// are none.
func (r *removal) lockGenerations(ctx context.Context) (*generation.Locked, []string, error) {
	var names []string
	for _, service := range r.services {
		if generation.Recorded(r.root, service) {
			names = append(names, service)
		}
	}
	if len(names) == 0 {
		return nil, nil, nil
	}
	told := false
	locked, err := generation.Lock(ctx, r.root, func() {
		if !told {
			fmt.Fprintf(os.Stderr, "%ssyscontainer: waiting for an update that is going on\n", priority("6"))
		}
		told = true
	}, names...)
	return locked, names, err
}

// removeTmpfiles lets systemd-tmpfiles remove what lines in a file say, and then the file.
func removeTmpfiles(ctx context.Context, root, file string) error {
	lines, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	program, err := findProgram("systemd-tmpfiles")
	if err != nil {
		return fmt.Errorf("remove what %s says: %w", file, err)
	}
	args := []string{"--remove", "-"}
	if root != "/" {
		args = append([]string{"--root=" + root}, args...)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = bytes.NewReader(lines)
	if out, err := cmd.CombinedOutput(); err != nil { // what it cannot remove stays
		fmt.Fprintf(os.Stderr, "%ssyscontainer: %s --remove, with the lines of the image: %v: %s\n", priority("4"), program, err, units.Printable(string(bytes.TrimSpace(out))))
	}
	return os.Remove(file)
}

// mountBelow is what is mounted at a directory or below it, "" if nothing is.
func mountBelow(dir string) (string, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	octal := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > 4 && below(octal.Replace(fields[4]), real) {
			return octal.Replace(fields[4]), nil
		}
	}
	return "", nil
}

// sayWhatStays tells what a person may want to remove, and how.
func (r *removal) sayWhatStays() {
	stays := func(what, why, how string) {
		fmt.Printf("stays %s: %s\n", units.Printable(what), why)
		if how != "" {
			fmt.Printf("    %s\n", units.Printable(how))
		}
	}
	set := units.Load(r.root, units.SearchPath())
	for _, u := range set.Units {
		if u.Stem.Full == r.name.Full {
			stays(u.Path, "it was hidden until now, and is in force", "")
		}
	}
	if r.unit != nil {
		for _, dir := range units.SearchPath() {
			if dir := path.Join(dir, r.name.Full+".syscontainer.d"); isDir(filepath.Join(r.root, dir)) {
				stays(dir, "drop-ins", "rm -r "+dir)
			}
		}
	}
	for _, service := range r.services {
		if dir := r.directory(service); isDir(dir) {
			stays(strings.TrimPrefix(dir, strings.TrimSuffix(r.root, "/")), "data of the container", "syscontainer uninstall --data "+service)
		}
	}
	if r.unit == nil {
		return
	}
	c, _, _ := r.unit.Container()
	var told []string
	tell := func(dir, why string) {
		if _, err := os.Stat(filepath.Join(r.root, dir)); err == nil && !slices.Contains(told, dir) && below(path.Dir(dir), "/var", "/srv", "/home", "/opt", "/mnt") {
			told = append(told, dir)
			stays(dir, why, "")
		}
	}
	for _, v := range c.Volumes {
		if v.From == "" {
			tell(v.Source, "a volume")
		}
	}
	for _, source := range r.written(c) {
		tell(source, "data, where the image's configuration wants it")
	}
	if c.Image == "" {
		return
	}
	if image, err := store.Lookup(r.root, c.Image); err == nil {
		users := usersOf(r.root)
		how := "syscontainer rmi " + c.Image
		if why := users.need(&store.Stored{Image: image, References: []string{c.Image}}); why != "" {
			stays(c.Image, "the image, "+why, "")
			return
		}
		stays(c.Image, "the image", how)
	}
}

// written are directories of the machine that the image's own configuration lets its payload write to.
func (r *removal) written(c *units.Container) (sources []string) {
	check := checkOfUnit(r.root, r.unit)
	if check == nil || check.rootfs == "" {
		return nil
	}
	e, err := exportsOf(check.rootfs)
	if err != nil || e == nil {
		return nil
	}
	values := placeOf(r.root, check.name, check.reference, check.digest, c.Runtime).Values(c.Set, e.Manifest)
	spec, _, err := e.Configuration(values, machineOf(r.root))
	if err != nil || spec == nil {
		return nil
	}
	for _, m := range spec.Mounts {
		if path.IsAbs(m.Source) && m.Type == "bind" && !slices.Contains(m.Options, "ro") {
			sources = append(sources, path.Clean(m.Source))
		}
	}
	return sources
}

// undoExports takes away files that a container's image has put on the host.
func undoExports(ctx context.Context, root, service string) error {
	record, err := store.ReadExports(root, service)
	if err != nil || record == nil {
		return err
	}
	return export(ctx, root, service, store.ExportRequest{}, false, false)
}
