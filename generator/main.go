// Command syscontainer-generator is a systemd.generator(7): at boot and at each
// daemon-reload it makes a service of every .syscontainer file.
//
// It reads unit files below /run, /etc and /usr and writes into the directory it is
// given; nothing else. Same files, same bytes. A file with errors becomes a service
// that fails with the messages, so that systemctl status shows them.
package main

import (
	"os"
	"runtime/debug"
	"strings"
	"syscall"

	"syscontainer/generator/convert"
	"syscontainer/units"
)

// Replaced by -ldflags "-X main.version=…".
var (
	version    = "devel"
	renderPath = "/usr/libexec/syscontainer/render"
)

const usage = `usage: syscontainer-generator [--root=DIR] NORMAL-DIR [EARLY-DIR LATE-DIR]
       syscontainer-generator [--root=DIR] --dry-run

Makes a service of every .syscontainer file; systemd runs it at boot and at each
daemon-reload.

  --dry-run     print what would be written
  --root=DIR    read unit files below DIR
  -h, --help    print this help
  --version     print the version

$SYSCONTAINER_UNIT_DIRS, separated by colons, replaces the directories to read.
Exits with 1 when a file has errors; the others are converted all the same.
`

// Exit statuses, beside 0.
const (
	exitErrors = 1
	exitUsage  = 2
)

type options struct {
	root   string
	dryRun bool
	dirs   []string
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	o, text, problem := parse(args)
	switch {
	case problem != "":
		os.Stderr.WriteString("syscontainer-generator: " + problem + "\n")
		return exitUsage
	case text != "":
		os.Stdout.WriteString(text)
		return 0
	case os.Getenv("SYSTEMD_IN_INITRD") == "1":
		return 0 // the containers are the real root's
	}
	debug.SetGCPercent(-1) // gone before there is anything to collect
	debug.SetMemoryLimit(256 << 20)
	syscall.Umask(0o022)

	log := openLog(o.dryRun)
	set := units.Load(o.root, units.SearchPath())
	plan := convert.Convert(set, convert.Options{Root: o.root, Render: renderPath})
	log.plan(plan)
	if o.dryRun {
		os.Stdout.WriteString(show(plan))
	} else {
		write(plan, o.dirs[0], log)
	}
	if log.failed {
		return exitErrors
	}
	return 0
}

// parse returns the options, or a text to print instead of doing anything, or what
// is wrong with the command line.
func parse(args []string) (o options, text, problem string) {
	for _, arg := range args {
		root, isRoot := strings.CutPrefix(arg, "--root=")
		switch {
		case arg == "-h" || arg == "--help":
			return o, usage, ""
		case arg == "--version":
			return o, "syscontainer-generator " + version + "\n", ""
		case arg == "--dry-run":
			o.dryRun = true
		case isRoot:
			o.root = root
		case strings.HasPrefix(arg, "-"):
			return o, "", "unknown option " + arg
		default:
			o.dirs = append(o.dirs, arg)
		}
	}
	if n := len(o.dirs); n != 1 && n != 3 && !(o.dryRun && n == 0) {
		return o, "", "one or three directories expected, see --help"
	}
	return o, "", ""
}
