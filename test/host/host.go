// SPDX-License-Identifier: Apache-2.0

// Package host boots throw-away systemd hosts: the machine's own root below an overlay on tmpfs, with the staged build
// and the files of a test laid over it, started by systemd-nspawn. A shell script is the last unit; the host ends when
// it ends. Boot to power-off takes about half a second.
//
// Nothing stays behind: mounts live in a namespace that dies with the host, the host dies with the test, and its cgroup
// is removed. The machine itself need not run systemd. What a host writes is lost, except on a Disk with an Image.
//
// Inside, the cgroup tree is v2. Where the machine's controllers sit on v1 hierarchies it has none of them, so that
// MemoryMax= cannot bite; package vm boots a machine for that.
package host

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

//go:embed boot.sh
var bootScript string

//go:embed unit.sh
var unitScript string

// Options says what a host looks like. The zero value with a Script is a host with the staged build, without network.
type Options struct {
	// Script is run by bash with errexit and xtrace as the last unit. Its status is Result.Exit.
	Script string
	// Files are written before boot: absolute path to content. What begins with "#!" is executable.
	Files map[string]string
	// Binds are read-only in the host: path in the host to path here.
	Binds map[string]string
	// Root is the directory tree to boot, "/" when empty.
	Root string
	// Disks are ext4 file systems of their own.
	Disks []Disk
	// Network lets the host use the machine's network. Without it, it has a loopback interface only.
	Network bool
	// Shutdown stops all units in order at the end; otherwise the host just exits.
	Shutdown bool
	// Reboots lets the host boot again when it reboots, with what it wrote outside /run and without what was mounted: Script
	// then runs from its beginning. Else a reboot is the end.
	Reboots bool
	// Timeout ends a host that hangs; 3 minutes when zero.
	Timeout time.Duration
	// Bare leaves out the staged build.
	Bare bool
}

// Disk is an ext4 file system mounted in the host.
type Disk struct {
	Target string // absolute path in the host
	Size   string // as truncate(1) reads it, such as "64M"
	// Image is the file that holds it, made when missing and kept; empty: one that goes with the host.
	Image string
	// Options are mount options, such as "ro".
	Options string
}

// Result is what a host left.
type Result struct {
	Exit    int    // status of the script, -1 when it did not end
	Stdout  string // of the script
	Trace   string // its stderr, with every command run
	Journal string // the whole journal of the boot
	Console string
}

// String is everything a person needs to see why a script failed.
func (r Result) String() string {
	return fmt.Sprintf("exit status %d\n--- stdout\n%s--- trace\n%s--- journal (end)\n%s--- console\n%s",
		r.Exit, r.Stdout, tail(r.Trace, 60), tail(sinceScript(r.Journal), 80), tail(r.Console, 20))
}

// sinceScript leaves out what every boot says.
func sinceScript(journal string) string {
	if i := strings.Index(journal, "Starting host-script.service"); i >= 0 {
		return journal[i:]
	}
	return journal
}

func tail(s string, lines int) string {
	all := strings.SplitAfter(s, "\n")
	if len(all) > lines {
		all = append([]string{"…\n"}, all[len(all)-lines:]...)
	}
	return strings.Join(all, "")
}

var hosts atomic.Int32

// Boot runs one host to its end. An error means that the script did not run to its end; the Result then holds what there is.
// At most two hosts run at the same time on a machine, over all processes; Boot waits its turn.
func Boot(ctx context.Context, o Options) (Result, error) {
	release, err := slot(ctx)
	if err != nil {
		return Result{Exit: -1}, err
	}
	defer release()

	dir, err := TempDir("host")
	if err != nil {
		return Result{Exit: -1}, err
	}
	defer os.RemoveAll(dir)
	work, result := filepath.Join(dir, "work"), filepath.Join(dir, "result")
	if err := errors.Join(os.Mkdir(work, 0o755), os.Mkdir(result, 0o755), o.write(result)); err != nil {
		return Result{Exit: -1}, err
	}

	machine := fmt.Sprintf("syscontainer-%d-%d", os.Getpid(), hosts.Add(1))
	cgroup := ownCgroup(machine)
	stage := Stage()
	if o.Bare {
		stage = ""
	}
	root := o.Root
	if root == "" {
		root = "/"
	}
	timeout := o.Timeout
	if timeout == 0 {
		timeout = 3 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	console, err := os.Create(filepath.Join(result, "console"))
	if err != nil {
		return Result{Exit: -1}, err
	}
	defer console.Close()
	var args []string
	if !o.Network {
		args = append(args, "--private-network")
	}
	for target, source := range o.Binds {
		args = append(args, "--bind-ro="+source+":"+target)
	}
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", bootScript, "boot.sh"}, args...)...)
	cmd.Env = append(os.Environ(), "work="+work, "result="+result, "lower="+root, "stage="+stage, "parts="+Parts(),
		"machine="+machine, "cgroup="+cgroup, "disks="+o.disks(), "reboots="+strconv.FormatBool(o.Reboots))
	cmd.Stdout, cmd.Stderr = console, console
	// The signal comes when the starting thread ends: it must not, before the host does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	runErr := cmd.Run()
	removeCgroup(cgroup)

	res := Result{
		Exit:    -1,
		Stdout:  read(result, "stdout"),
		Trace:   read(result, "stderr"),
		Journal: read(result, "journal"),
		Console: read(result, "console"),
	}
	if status, err := strconv.Atoi(strings.TrimSpace(read(result, "status"))); err == nil {
		res.Exit = status
		return res, nil
	}
	if ctx.Err() != nil {
		return res, fmt.Errorf("the script did not end within %v", timeout)
	}
	return res, fmt.Errorf("the host ended before its script: %v", runErr)
}

// write lays out what boot.sh puts into the host: the script, the units that run it, the files of the test.
func (o Options) write(result string) error {
	// The last thing a host does is to wait that long for processes that ignore SIGTERM.
	end, patience := "exit-force", "1s"
	if o.Shutdown {
		end, patience = "exit", "10s"
	}
	files := map[string]string{
		"/etc/systemd/system.conf.d/50-host.conf": "[Manager]\nDefaultTimeoutStopSec=" + patience + "\n",
		"/etc/systemd/system/host-script.target":  "[Unit]\nRequires=host-script.service basic.target\nAfter=basic.target\nAllowIsolate=yes\n",
		"/etc/systemd/system/host-script.service": "[Unit]\nAfter=basic.target dbus.socket\nWants=dbus.socket\n" +
			"SuccessAction=" + end + "\nFailureAction=" + end + "\n" +
			"[Service]\nType=oneshot\nExecStart=/bin/bash /host/unit.sh\nSyslogIdentifier=script\nEnvironment=HOME=/root\n",
	}
	for name, content := range o.Files {
		files[name] = content
	}
	var errs []error
	put := func(path, content string) {
		mode := os.FileMode(0o644)
		if strings.HasPrefix(content, "#!") {
			mode = 0o755
		}
		errs = append(errs, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), mode))
	}
	for name, content := range files {
		if !filepath.IsAbs(name) {
			return fmt.Errorf("file %q of a host: not an absolute path", name)
		}
		put(filepath.Join(result, "files", name), content)
	}
	put(filepath.Join(result, "unit.sh"), unitScript)
	put(filepath.Join(result, "script"), o.Script)
	return errors.Join(errs...)
}

func (o Options) disks() string {
	var b strings.Builder
	for _, d := range o.Disks {
		image, options := d.Image, d.Options
		if image == "" {
			image = "-"
		}
		if options == "" {
			options = "rw"
		}
		fmt.Fprintf(&b, "%s %s %s %s\n", d.Target, d.Size, image, options)
	}
	return b.String()
}

func read(dir, name string) string {
	b, _ := os.ReadFile(filepath.Join(dir, name))
	return string(b)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
