// Command render starts containers for the services that syscontainer-generator
// writes. Each service calls it twice: as ExecStart= it finds the image and writes
// the bundle (prepare), lets an OCI runtime put the payload into the unit's cgroup
// and tells systemd the payload's process number (start), and after the stop it
// removes what is left (clean). A service that wants something in between, or that
// is a oneshot, prepares in ExecStartPre=. It stays only for a Type=oneshot
// service, until the payload ends.
//
// On the path where the image is in the store it executes nothing but the
// runtime, touches no network, and links nothing that could.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"syscontainer/pull/store"
)

// Replaced by -ldflags "-X main.version=…".
var (
	version     = "devel"
	commandPath = "/usr/bin/syscontainer" // what fetches a missing image
)

const usage = `usage: render [--root DIR] --unit=FILE [--signal=SIGNAL] NAME
       render --start [--unit=FILE] --runtime=RUNTIME [--signal=SIGNAL]
              [--notify] [--wait [--image-signal]] [--id=ID] NAME
       render --reload --unit=FILE NAME
       render --stop [--signal=SIGNAL] NAME
       render --clean --runtime=RUNTIME [--id=ID] NAME
       render --fail --unit=FILE NAME

Starts the container of the systemd service NAME.service; the services that
syscontainer-generator writes call it.

Without --start, --reload, --stop, --clean or --fail: find the image, fetching
it with "syscontainer pull" if need be, and write /run/syscontainer/NAME.

  --start          run the container in the unit's cgroup, tell systemd, exit;
                   with --unit, do all the above first
  --notify         with --start: the payload itself sends READY=1
  --wait           with --start: stay until the payload ends, exit as it does
  --image-signal   with --wait: make the image's StopSignal of SIGTERM
  --id=ID          the runtime's name of the container
  --caller=DIR     tell the program that listens in DIR what happens
  --attach         with --start: the payload's streams are that program's
  --terminal       the payload has a terminal, which that program holds
  --remove         with --clean: what the container keeps on disk, too
  --reload         send ReloadSignal= or run ReloadCmd= in the container
  --stop           let a start finish; send the image's StopSignal and wait
  --signal=SIGNAL  the unit's own, which systemd sends for a stop
  --clean          remove what a stopped container left behind
  --fail           print the errors in [X-Error] of the unit, exit with 78
  --unit=FILE      the generated service, with the section [X-Container]
  --runtime=NAME   the OCI runtime: runc, crun or an absolute path
  --root=DIR       the store and /run are below DIR
  -h, --help       print this help
  --version        print the version
`

// Exit statuses, beside 0.
const (
	exitFailure  = 1
	exitUsage    = 2
	exitConfig   = 78  // EX_CONFIG: the .syscontainer file has errors
	exitNotFound = 127 // the runtime is not installed
)

// options are the command line.
type options struct {
	root, unit, runtime, id, caller  string
	signal                           string
	start, reload, stop, clean, fail bool
	notify, wait, imageSignal        bool
	attach, terminal, remove         bool   // these, and caller: "syscontainer run"
	name                             string // of the service, without ".service"
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	o, done, err := parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "render: %v\n", err)
		return exitUsage
	}
	if done != "" {
		os.Stdout.WriteString(done)
		return 0
	}
	switch {
	case o.fail:
		return fail(o)
	case o.start:
		err = start(o)
	case o.reload:
		err = reload(o)
	case o.stop:
		err = stop(o)
	case o.clean:
		err = clean(o)
	default:
		err = prepare(o)
	}
	if err == nil {
		return 0
	}
	var status exitStatus
	if errors.As(err, &status) && status.error == nil {
		return status.code
	}
	if o.clean || o.reload || o.stop {
		report(priorityError, o.name, err)
	} else {
		reportFailure(o, err)
		tellCaller(o, store.FailedMessage(err.Error()))
		notify("STATUS=" + firstLine(err.Error()))
	}
	if status.code != 0 {
		return status.code
	}
	return exitFailure
}

// parse returns the options, or a text to print instead of doing anything.
func parse(args []string) (o options, done string, err error) {
	value := func(name string) (string, bool) {
		if v, ok := strings.CutPrefix(args[0], name+"="); ok {
			return v, true
		}
		if args[0] == name && len(args) > 1 {
			args = args[1:]
			return args[0], true
		}
		return "", false
	}
	var names []string
	hasID := false
	for ; len(args) > 0; args = args[1:] {
		if v, ok := value("--root"); ok {
			o.root = v
		} else if v, ok := value("--unit"); ok {
			o.unit = v
		} else if v, ok := value("--runtime"); ok {
			o.runtime = v
		} else if v, ok := value("--signal"); ok {
			o.signal = v
		} else if v, ok := value("--caller"); ok {
			o.caller = v
		} else if v, ok := value("--id"); ok {
			o.id, hasID = v, true
		} else {
			switch args[0] {
			case "--start":
				o.start = true
			case "--reload":
				o.reload = true
			case "--stop":
				o.stop = true
			case "--wait":
				o.wait = true
			case "--image-signal":
				o.imageSignal = true
			case "--clean":
				o.clean = true
			case "--fail":
				o.fail = true
			case "--notify":
				o.notify = true
			case "--attach":
				o.attach = true
			case "--terminal":
				o.terminal = true
			case "--remove":
				o.remove = true
			case "-h", "--help":
				return o, usage, nil
			case "--version":
				return o, "render " + version + "\n", nil
			default:
				if strings.HasPrefix(args[0], "-") {
					return o, "", fmt.Errorf("unknown or incomplete option %s", args[0])
				}
				names = append(names, args[0])
			}
		}
	}
	switch moments := btoi(o.start) + btoi(o.reload) + btoi(o.stop) + btoi(o.clean) + btoi(o.fail); {
	case moments > 1:
		return o, "", errors.New("--start, --reload, --stop, --clean and --fail exclude each other")
	case len(names) != 1:
		return o, "", fmt.Errorf("one service name expected, %d given", len(names))
	case !validName(names[0]):
		return o, "", fmt.Errorf("%q is no unit name", names[0])
	case (o.start || o.clean) && !validRuntime(o.runtime):
		return o, "", fmt.Errorf("--runtime=%s: a name or an absolute path expected", o.runtime)
	case !o.start && !o.stop && !o.clean && o.unit == "":
		return o, "", errors.New("--unit=FILE is missing")
	case (o.notify || o.wait) && !o.start:
		return o, "", errors.New("--notify and --wait go with --start")
	case o.wait && o.unit != "":
		return o, "", errors.New("--wait goes without --unit")
	case o.signal != "" && (o.wait || o.reload || o.clean || o.fail):
		return o, "", errors.New("--signal goes with a start or a stop")
	case o.imageSignal && !o.wait:
		return o, "", errors.New("--image-signal goes with --wait")
	case o.caller != "" && !validCaller(o):
		return o, "", fmt.Errorf("--caller=%s: a directory of syscontainer run expected", o.caller)
	case (o.attach || o.terminal) && (o.caller == "" || o.attach && !o.start || o.clean):
		return o, "", errors.New("--attach and --terminal go with --caller and a start")
	case o.remove && !o.clean:
		return o, "", errors.New("--remove goes with --clean")
	case hasID && (!o.start && !o.clean || !validID(o.id)):
		return o, "", fmt.Errorf("--id=%s: a container's name, with --start or --clean, expected", o.id)
	}
	o.name = names[0]
	return o, "", nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// validName accepts what systemd allows in a unit name: no slash among it, so
// that it is one component of a path.
func validName(s string) bool {
	if s == "" || s == "." || s == ".." || s[0] == '-' || len(s) > 255 {
		return false
	}
	for _, b := range []byte(s) {
		switch {
		case b >= '0' && b <= '9', b >= 'A' && b <= 'Z', b >= 'a' && b <= 'z':
		case strings.IndexByte(`:-_.\@`, b) >= 0:
		default:
			return false
		}
	}
	return true
}

// validID accepts what every runtime takes as a container's name.
func validID(s string) bool {
	for i, b := range []byte(s) {
		switch {
		case b >= '0' && b <= '9', b >= 'A' && b <= 'Z', b >= 'a' && b <= 'z':
		case i > 0 && strings.IndexByte("_.-+,", b) >= 0:
		default:
			return false
		}
	}
	return s != "" && len(s) <= 255
}

func validRuntime(s string) bool {
	for _, b := range []byte(s) {
		switch {
		case b >= '0' && b <= '9', b >= 'A' && b <= 'Z', b >= 'a' && b <= 'z':
		case strings.IndexByte("._+/-", b) >= 0:
		default:
			return false
		}
	}
	return s != "" && s[0] != '-' && (s[0] == '/' || strings.IndexByte(s, '/') < 0)
}
