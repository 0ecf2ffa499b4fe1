package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
)

const execHelp = `Usage: syscontainer exec [OPTION…] NAME COMMAND [ARGUMENT…]

Runs a command in the running container of a unit. The exit status is the
command's.

  -t, --tty               with a terminal of its own
  -u, --user USER[:GROUP] as another user; names are those of the container
  -w, --workdir DIR       in another directory of the container
  -e, --env NAME=VALUE    with a variable; may be given several times
  -h, --help              print this text
`

// execOptions are what the command line says of the process.
type execOptions struct {
	tty       bool
	detach    bool // the runtime does not wait for the command
	user, dir string
	env       []string
	args      []string
	term      string // $TERM of the caller, "" if there is none
}

// runExec replaces this program by the runtime, which knows how to pass terminal,
// signals and exit status, but for what accompany does. The runtime stays in the caller's
// cgroup; it puts the command into the payload's.
func runExec(_ context.Context, root string, args []string) error {
	var o execOptions
	flags := newFlags("syscontainer exec", func(w io.Writer) { io.WriteString(w, execHelp) })
	ignored := false
	for _, name := range []string{"t", "tty", "it", "ti"} {
		flags.BoolVar(&o.tty, name, false, "")
	}
	flags.BoolVar(&ignored, "i", false, "") // what hands have learned elsewhere
	for _, name := range []string{"u", "user"} {
		flags.StringVar(&o.user, name, "", "")
	}
	for _, name := range []string{"w", "workdir"} {
		flags.StringVar(&o.dir, name, "", "")
	}
	addEnv := func(s string) error { o.env = append(o.env, s); return nil }
	flags.Func("e", "", addEnv)
	flags.Func("env", "", addEnv)
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() < 2 {
		return usagef("exec: the name of a unit and a command are needed, see syscontainer exec --help")
	}
	o.args, o.term = flags.Args()[1:], os.Getenv("TERM")
	if err := o.check(); err != nil {
		return err
	}
	if o.tty && !onTerminal() {
		return errors.New("exec: -t needs a terminal, and standard input is none\nhint: leave out -t")
	}

	return o.in(root, flags.Arg(0))
}

// in executes the runtime, for the container of a unit.
func (o *execOptions) in(root, word string) error {
	service, err := serviceOf(root, word)
	if err != nil {
		return err
	}
	if strings.HasSuffix(service, "@") {
		return fmt.Errorf("%s is a template, of which only instances run\nhint: name one, as %s1", service, service)
	}
	c, err := findRunning(root, service)
	if err != nil {
		return err
	}
	process, err := o.process(c)
	if err != nil {
		return err
	}
	file, err := processFile(process)
	if err != nil {
		return err
	}
	program, err := findProgram(c.launch.Runtime)
	if err != nil {
		return err
	}
	words := []string{"exec", "--process", file, c.launch.ID}
	if o.detach {
		words = slices.Insert(words, 1, "--detach")
	}
	argv := append([]string{program}, c.launch.Command(root, words...)...)
	env := runtimeEnvironment(os.Environ())
	if o.tty && store.StateKind(program) == "crun" {
		return accompany(program, argv, env)
	}
	return fmt.Errorf("execute %s: %w", program, unix.Exec(program, argv, env))
}

func (o *execOptions) check() error {
	if o.dir != "" && !path.IsAbs(o.dir) {
		return usagef("exec: --workdir %s is no absolute path", o.dir)
	}
	for _, v := range o.env {
		if strings.IndexByte(v, '=') < 1 {
			return usagef("exec: --env %s has not the form NAME=VALUE", v)
		}
	}
	for _, text := range append(append([]string{o.user, o.dir}, o.env...), o.args...) {
		if strings.ToValidUTF8(text, "") != text {
			return usagef("exec: %q is not UTF-8, and nothing else can be handed to a container", text)
		}
	}
	if o.args[0] == "" {
		return usagef("exec: the command is empty")
	}
	return nil
}

// running is a container that runs, as its bundle and the kernel know it.
type running struct {
	launch store.Launch
	spec   rspec.Spec
	root   string // the container's root as its first process sees it
}

// notRunning is the error for a service whose container is not there.
type notRunning string

func (s notRunning) Error() string {
	return fmt.Sprintf("%[1]s does not run\nhint: systemctl start %[1]s", string(s))
}

// findRunning looks for the container of a service. A bundle alone is not enough: it
// stays when everything was killed and systemd has not cleaned up yet.
func findRunning(root, service string) (*running, error) {
	stopped := notRunning(service)
	bundle := store.Bundle(root, service)
	c := new(running)
	var err error
	if c.launch, err = store.ReadLaunch(bundle); errors.Is(err, fs.ErrNotExist) {
		return nil, stopped
	} else if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w\nhint: containers are only root's to look into", err)
	} else if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, stopped // it is being started, or stopped
	}
	if err == nil {
		err = json.Unmarshal(data, &c.spec)
	}
	if err == nil && (c.spec.Process == nil || c.spec.Linux == nil || c.spec.Linux.CgroupsPath == "") {
		err = errors.New("there is no process in it")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s/config.json: %w", bundle, err)
	}
	text, err := os.ReadFile(filepath.Join(bundle, "pid"))
	pid, bad := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || bad != nil || pid <= 1 || !inCgroup(pid, c.spec.Linux.CgroupsPath) {
		return nil, stopped
	}
	c.root = "/proc/" + strconv.Itoa(pid) + "/root"
	return c, nil
}

// inCgroup tells whether a process lives in a cgroup or below it. The number of one
// that ended may be another's now.
func inCgroup(pid int, cgroup string) bool {
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	for line := range strings.Lines(string(data)) {
		if own, unified := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); unified {
			return own == cgroup || strings.HasPrefix(own, cgroup+"/")
		}
	}
	return false
}

// processFile is a path at which the runtime reads the process. There is no file
// that could stay behind: it is memory, which the runtime inherits.
func processFile(process *rspec.Process) (string, error) {
	data, err := json.Marshal(process)
	if err != nil {
		return "", err
	}
	fd, err := unix.MemfdCreate("process.json", 0)
	if err != nil {
		return "", fmt.Errorf("make process.json: %w", err)
	}
	if _, err := unix.Write(fd, data); err != nil {
		return "", fmt.Errorf("write process.json: %w", err)
	}
	return "/proc/self/fd/" + strconv.Itoa(fd), nil
}

// findProgram looks where systemd's $PATH would lead, too: su(1) leaves out sbin.
func findProgram(name string) (string, error) {
	for _, dir := range []string{"", "/usr/local/sbin/", "/usr/sbin/"} {
		if strings.Contains(name, "/") && dir != "" {
			break
		}
		if file, err := exec.LookPath(dir + name); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", name)
}

// runtimeEnvironment leaves out what would make a runtime act for the service that
// calls it, or look for containers elsewhere.
func runtimeEnvironment(environ []string) (env []string) {
	for _, v := range environ {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "NOTIFY_SOCKET", "XDG_RUNTIME_DIR", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES":
		default:
			env = append(env, v)
		}
	}
	return env
}
