package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"syscontainer/pull/registry"
	"syscontainer/pull/store"
	"syscontainer/units"
)

const runHelp = `Usage: syscontainer run [OPTION…] IMAGE [COMMAND [ARGUMENT…]]
       syscontainer run [-d] [-t] NAME [COMMAND [ARGUMENT…]]

Runs a container now, as a systemd service without a unit file. Its streams are
the caller's. The exit status is the payload's; 125 says that there was none.
With the NAME of a unit it starts that, or runs COMMAND in its container.

  -d, --detach            in the background; prints the name of the service
  -t, --tty               with a terminal of its own
      --name NAME         of the service; defaults to run- and random digits
      --rm                keep nothing: neither data nor a failed service
      --set NAME=VALUE    a value for the image's templates
  -e, --env NAME[=VALUE]  set a variable, or hand on the caller's
  -v, --volume SOURCE:TARGET[:OPTION,…]
  -u, --user USER[:GROUP]
  -w, --workdir DIR
      --entrypoint PROGRAM
      --network NETWORK
  -k, --key KEY=VALUE     a line of [Container], see syscontainer.unit(5)
  -p, --property KEY=VALUE
                          a line of [Service], see systemd.service(5)
  -h, --help              print this text

--set, -e, -v, -k and -p may be given several times.
`

// exitNoPayload is the exit status of run where there was no payload to have one.
const exitNoPayload = 125

// exitStatus is an error with a status of its own. Without an error in it there is nothing
// to say.
type exitStatus struct {
	error
	code int
}

func (e exitStatus) Unwrap() error { return e.error }

// runOptions are what the command line says of a container.
type runOptions struct {
	tty, detach, remove bool
	once                bool   // the image says that it is for one run, so remove is true
	name                string // of the service, without ".service"
	image               string // canonical
	command             []string
	lines               []unitLine
	unit                string   // to be started, or to run the command in, instead of an image
	warnings            []string // of the generator
}

func runRun(ctx context.Context, root string, args []string) error {
	o, err := parseRun(root, args)
	switch {
	case err != nil:
	case o.unit != "":
		err = o.runUnit(root)
	default:
		err = o.run(ctx, root)
	}
	var status exitStatus
	if err == nil || errors.Is(err, flag.ErrHelp) || errors.As(err, &status) {
		return err
	}
	return exitStatus{err, exitNoPayload}
}

func parseRun(root string, args []string) (*runOptions, error) {
	o := new(runOptions)
	flags := newFlags("syscontainer run", func(w io.Writer) { io.WriteString(w, runHelp) })
	ignored := false
	for _, name := range []string{"t", "tty", "it", "ti"} {
		flags.BoolVar(&o.tty, name, false, "")
	}
	for _, name := range []string{"i", "interactive"} { // what hands have learned elsewhere
		flags.BoolVar(&ignored, name, false, "")
	}
	for _, name := range []string{"d", "detach"} {
		flags.BoolVar(&o.detach, name, false, "")
	}
	flags.BoolVar(&o.remove, "rm", false, "")
	flags.StringVar(&o.name, "name", "", "")
	o.lineFlags(flags)
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	if root != "/" {
		return nil, usagef("run: with --root there is no systemd to run it")
	}
	if flags.NArg() == 0 {
		return nil, usagef("run: an image is missing, see syscontainer run --help")
	}
	o.command = flags.Args()[1:]
	if o.tty && o.detach {
		return nil, usagef("run: -t and -d exclude each other: nobody would hold the terminal")
	}
	if o.unit = unitNamed(root, flags.Arg(0)); o.unit != "" {
		return o, o.checkForUnit()
	}
	if err := o.checkLines(); err != nil {
		return nil, err
	}
	if o.name = strings.TrimSuffix(o.name, ".service"); o.name == "" {
		o.name = "run-" + random()
	}
	if n, err := units.ParseName(o.name); err != nil {
		return nil, usagef("run: --name: %w", err)
	} else if n.Template || n.Instance != "" {
		return nil, usagef("run: --name: %q is a name for instances of templates", o.name)
	}
	var err error
	if o.image, err = canonical(root, flags.Arg(0)); err != nil {
		return nil, usagef("run: %w", err)
	}
	if o.tty && !onTerminal() {
		return nil, errors.New("run: -t needs a terminal, and standard input is none\nhint: leave out -t")
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("run: only root can start services")
	}
	return o, nil
}

// onTerminal tells whether standard input is one.
func onTerminal() bool { return isTerminal(0) }

func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

func (o *runOptions) run(ctx context.Context, root string) error {
	home := newHome()
	text, c, err := o.service(root, home)
	if err != nil {
		return err
	}
	if err := o.fetch(ctx, root, c); err != nil {
		return err
	}
	once, err := o.lookAtImage(root, c)
	if err != nil {
		return err
	}
	if once && !o.remove {
		o.remove, o.once = true, true
		if text, c, err = o.service(root, home); err != nil {
			return err
		}
	}
	for _, w := range o.warnings {
		fmt.Fprintf(os.Stderr, "syscontainer: warning: %s\n", w)
	}
	s, err := o.begin(home, text)
	if err != nil {
		return fmt.Errorf("run: start %s: %w", o.name, err)
	}
	defer s.close()
	return s.follow()
}

// fetch gets a missing image: here, where a person sees how far it is, and not in the
// service, which would have to finish within its start timeout.
func (o *runOptions) fetch(ctx context.Context, root string, c *units.Container) error {
	if _, err := store.Lookup(root, c.Image); c.Pull != "missing" || !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	progress, err := newProgress(-1)
	if err != nil {
		return err
	}
	settings, err := loadSettings(root)
	if err != nil {
		return err
	}
	f := fetcher{root: root, reference: c.Image, options: registry.Options{Root: root, RateLimit: settings.rateLimit},
		settings: settings, progress: progress}
	_, err = f.fetch(ctx)
	progress.done()
	if err != nil && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil {
		return fmt.Errorf("pull %s: %w", c.Image, err)
	}
	return nil
}

func random() string {
	var b [4]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
