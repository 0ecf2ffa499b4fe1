// Program syscontainer is the operator's command, and what the start path runs
// when an image has to be fetched first. See syscontainer(1).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

var version = "devel" // set by the linker

// verb is one word of the command line.
type verb struct {
	name    string
	args    string
	summary string
	run     func(ctx context.Context, root string, args []string) error
}

var verbs = []verb{
	{"check", "[FILE…]", "tell what is wrong with units", runCheck},
	{"cat", "NAME…", "print units as they are in force", runCat},
	{"run", "IMAGE [COMMAND…]", "run a container without a unit file", runRun},
	{"exec", "NAME COMMAND…", "run a command in a container", runExec},
	{"logs", "NAME", "show what a container said", runLogs},
	{"import", "FILE.container…", "make units of Quadlet's files", runImport},
	{"install", "IMAGE", "make a unit of an image and what it brings", runInstall},
	{"export", "NAME…", "put files of images on the machine", runExport},
	{"uninstall", "NAME…", "remove units, and what they did on the machine", runUninstall},
	{"list", "", "list containers, what they run and how that is", runList},
	{"status", "NAME…", "show containers in more detail", runStatus},
	{"history", "NAME…", "show what containers ran and run", runHistory},
	{"hold", "NAME…", "keep containers from being updated", runHold},
	{"unhold", "NAME…", "undo that", runUnhold},
	{"update", "[NAME…]", "give containers newer images, or the old ones back", runUpdate},
	{"rollback", "NAME", "go back to the image before", runRollback},
	{"pull", "IMAGE…", "fetch images into the store", runPull},
	{"images", "", "list what is stored", runImages},
	{"verify", "[IMAGE…]", "compare images with their checksums", runVerify},
	{"prune", "", "remove images that nothing needs", runPrune},
	{"rmi", "IMAGE…", "remove images", runRmi},
	{"tag", "IMAGE NAME", "give an image another name", runTag},
	{"pin", "IMAGE…", "keep images from being pruned", runPin},
	{"unpin", "IMAGE…", "undo that", runUnpin},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), heeded([]os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP})...)
	defer stop()
	os.Exit(report(run(ctx, os.Args[1:])))
}

// heeded leaves out the signals that the caller wants to be ignored, as nohup(1) does and
// shells do in the background.
func heeded(signals []os.Signal) []os.Signal {
	return slices.DeleteFunc(slices.Clone(signals), func(s os.Signal) bool {
		return s != syscall.SIGTERM && signal.Ignored(s) // one must stay: none would mean all
	})
}

// usageError is a command line that was not understood: exit status 2.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func report(err error) int {
	var usage usageError
	var status exitStatus
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &status):
		if status.error != nil {
			fmt.Fprintf(os.Stderr, "syscontainer: %v\n", status.error)
		}
		return status.code
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "syscontainer: %v\n", err)
		return 2
	}
	fmt.Fprintf(os.Stderr, "%ssyscontainer: %v\n", priority("3"), err)
	return 1
}

// priority marks a line's level for the journal, see sd-daemon(3); people at a
// terminal are spared it, whose shell may be a service's, too.
func priority(level string) string {
	if os.Getenv("JOURNAL_STREAM") == "" && os.Getenv("INVOCATION_ID") == "" || isTerminal(2) {
		return ""
	}
	return "<" + level + ">"
}

func run(ctx context.Context, args []string) error {
	flags := newFlags("syscontainer", help)
	root := flags.String("root", "/", "")
	showVersion := flags.Bool("version", false, "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *showVersion {
		fmt.Println("syscontainer", version)
		return nil
	}
	dir, err := filepath.Abs(*root)
	if err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return usagef("a verb is missing, see syscontainer --help")
	}
	for _, v := range slices.Concat(verbs, hidden) {
		if v.name == flags.Arg(0) {
			return v.run(ctx, dir, flags.Args()[1:])
		}
	}
	return usagef("unknown verb %q, see syscontainer --help", flags.Arg(0))
}

func help(w io.Writer) {
	fmt.Fprint(w, "Usage: syscontainer [--root DIR] VERB [ARGUMENT…]\n\n")
	for _, v := range verbs {
		fmt.Fprintf(w, "  %-24s%s\n", v.name+" "+v.args, v.summary)
	}
	fmt.Fprint(w, `
      --root DIR          work below DIR instead of /
      --version           print the version
  -h, --help              print this text; VERB --help for one verb

See syscontainer(1) and syscontainer.unit(5).
`)
}

// newFlags is a flag set that speaks our way: one line for a wrong flag, help
// on stdout.
func newFlags(name string, help func(io.Writer)) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	flags.BoolFunc("h", "", func(string) error { help(os.Stdout); return flag.ErrHelp })
	flags.BoolFunc("help", "", func(string) error { help(os.Stdout); return flag.ErrHelp })
	return flags
}

func parse(flags *flag.FlagSet, args []string) error {
	err := flags.Parse(args)
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), flag.ErrHelp.Error()): // flag does not wrap what a function returns
		return flag.ErrHelp
	}
	message := strings.Replace(err.Error(), "flag provided but not defined: -", "unknown option --", 1)
	message = strings.Replace(message, "flag needs an argument: -", "no value for option --", 1)
	return usagef("%s, see %s --help", message, flags.Name())
}

// words is the command line of a verb that takes images and no options.
func words(name, help string, args []string, least, most int) ([]string, error) {
	flags := newFlags("syscontainer "+name, func(w io.Writer) { io.WriteString(w, help) })
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	if n := flags.NArg(); n < least || most > 0 && n > most {
		return nil, usagef("%s: %d arguments are too %s, see syscontainer %s --help", name, n, map[bool]string{true: "few", false: "many"}[n < least], name)
	}
	return flags.Args(), nil
}
