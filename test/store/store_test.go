// SPDX-License-Identifier: Apache-2.0

// Package store tries to break the store: kills, power cuts, full disks, damage, and many commands at the same time.
//
// It knows the installed syscontainer as a user does, from its manual: syscontainer(1) and syscontainer-store(5). Each test
// has an ext4 file system of its own. What images must look like says umoci, what the repository must look like ostree.
package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"syscontainer/test/host"
)

// TestMain moves all tests into a mount namespace: a process elsewhere that copies the machine's would keep a dead file
// system, and mounting the disk again would find that.
func TestMain(m *testing.M) {
	const inside = "SYSCONTAINER_TEST_NAMESPACE"
	if os.Getenv(inside) == "" && os.Geteuid() == 0 {
		if err := enter(append(os.Environ(), inside+"=1")); err != nil {
			fmt.Fprintf(os.Stderr, "enter a mount namespace: %v\n", err)
			os.Exit(1)
		}
	}
	status := m.Run()
	shared.close()
	os.Exit(status)
}

// enter runs this program anew, as the same process.
func enter(env []string) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", os.Args, env)
}

func program() string { return filepath.Join(host.Stage(), "usr/bin/syscontainer") }

// must is for steps that are no assertion.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tool runs a program of the machine and returns what it prints.
func tool(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// result is what a command left.
type result struct {
	args           []string
	stdout, stderr string
	code           int // -1: killed
}

func (r result) String() string {
	return fmt.Sprintf("syscontainer %s: status %d\n%s%s", strings.Join(r.args, " "), r.code, r.stdout, r.stderr)
}

// machine is a root directory for --root.
type machine struct {
	t    testing.TB
	root string
}

// command is a process group of its own.
func (m *machine) command(args ...string) *exec.Cmd {
	cmd := exec.Command(program(), append([]string{"--root", m.root}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// run waits two minutes: a command that hangs is killed, and says where.
func (m *machine) run(args ...string) result {
	m.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := m.command(args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	must(m.t, cmd.Start())
	late := time.AfterFunc(2*time.Minute, func() { cmd.Process.Signal(syscall.SIGQUIT) })
	cmd.Wait()
	late.Stop()
	return result{args, stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// ok is run for what must succeed; it returns stdout.
func (m *machine) ok(args ...string) string {
	m.t.Helper()
	r := m.run(args...)
	if r.code != 0 || r.stderr != "" {
		m.t.Fatal(r)
	}
	return r.stdout
}

// fails is run for what must fail with a status and these words on stderr.
func (m *machine) fails(code int, words []string, args ...string) result {
	m.t.Helper()
	r := m.run(args...)
	if r.code != code {
		m.t.Errorf("%vwant status %d", r, code)
	}
	for _, w := range words {
		if !strings.Contains(r.stderr, w) {
			m.t.Errorf("%vwant %q on stderr", r, w)
		}
	}
	return r
}

func (m *machine) path(names ...string) string {
	return filepath.Join(append([]string{m.root}, names...)...)
}

func (m *machine) store(names ...string) string {
	return m.path(append([]string{"var/lib/syscontainer"}, names...)...)
}

// write puts a file below the root.
func (m *machine) write(name, content string) {
	m.t.Helper()
	must(m.t, os.MkdirAll(filepath.Dir(m.path(name)), 0o755))
	must(m.t, os.WriteFile(m.path(name), []byte(content), 0o644))
}

// trust lets the machine pull from registries on the loopback interface.
func (m *machine) trust(addresses ...string) {
	m.t.Helper()
	var registries strings.Builder
	for _, a := range addresses {
		fmt.Fprintf(&registries, "[[registry]]\nlocation = %q\ninsecure = true\n", a)
	}
	m.write("etc/containers/policy.json", `{"default": [{"type": "insecureAcceptAnything"}]}`)
	m.write("etc/containers/registries.conf", registries.String())
}

const unitDir = "etc/containers/systemd"

// unit writes a unit that needs an image.
func (m *machine) unit(name, reference string) {
	m.t.Helper()
	m.write(unitDir+"/"+name+".syscontainer", "[Container]\nImage="+reference+"\n")
}

func removeAll(t testing.TB, path string) {
	t.Helper()
	must(t, os.RemoveAll(path))
}

// random is a source for one test; SYSCONTAINER_TEST_SEED makes it what it was in another run.
func random(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SYSCONTAINER_TEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		must(t, err)
	}
	t.Logf("SYSCONTAINER_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
