// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Strict says that a missing tool fails a test instead of skipping it.
func Strict() bool { return os.Getenv("SYSCONTAINER_TEST_STRICT") == "1" }

// Long says that slow tests and large counts are wanted.
func Long() bool { return os.Getenv("SYSCONTAINER_TEST_LONG") == "1" }

// Stage is the directory into which meson installed the build that hosts get.
func Stage() string {
	if dir := os.Getenv("SYSCONTAINER_TEST_STAGE"); dir != "" {
		return dir
	}
	return filepath.Join(moduleRoot(), "build", "stage")
}

// Cache is where test/setup.sh keeps what it fetched.
func Cache() string {
	if dir := os.Getenv("SYSCONTAINER_TEST_CACHE"); dir != "" {
		return dir
	}
	return "/var/cache/syscontainer-test"
}

// Parts is a tree with busybox, etcd, etcdctl and docker-registry in usr/bin. Every host has it.
func Parts() string { return filepath.Join(Cache(), "parts") }

// Part is the path of one program of Parts on this machine.
func Part(name string) string { return filepath.Join(Parts(), "usr/bin", name) }

func moduleRoot() string {
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if exists(filepath.Join(dir, "go.mod")) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return "/"
}

// Need skips the test, or fails it when Strict, unless all tools are there: names of commands, or absolute paths.
// It always asks for root.
func Need(t testing.TB, tools ...string) {
	t.Helper()
	absent := func(format string, args ...any) {
		t.Helper()
		if Strict() {
			t.Fatalf("needs "+format, args...)
		}
		t.Skipf("needs "+format+" (test/run --setup)", args...)
	}
	if os.Geteuid() != 0 {
		absent("root")
	}
	for _, tool := range tools {
		if filepath.IsAbs(tool) {
			if !exists(tool) {
				absent("%s", tool)
			}
		} else if _, err := exec.LookPath(tool); err != nil {
			absent("%s", tool)
		}
	}
}

// Run boots a host and returns what it left. The test fails only if the script did not run to its end.
func Run(t testing.TB, o Options) Result {
	t.Helper()
	Need(t, "systemd-nspawn", "/lib/systemd/systemd", "/sbin/init")
	if !o.Bare {
		Need(t, filepath.Join(Stage(), "usr/bin/syscontainer"))
	}
	res, err := Boot(t.Context(), o)
	if err != nil {
		t.Fatalf("%v: %v", err, res)
	}
	return res
}

// Check is Run for a script that must succeed.
func Check(t testing.TB, o Options) Result {
	t.Helper()
	res := Run(t, o)
	if res.Exit != 0 {
		t.Fatal(res)
	}
	return res
}

// TempDir makes a directory for the caller to remove, and removes those of its kind that dead processes left.
func TempDir(kind string) (string, error) {
	prefix := filepath.Join(os.TempDir(), "syscontainer-"+kind+"-")
	stale, _ := filepath.Glob(prefix + "*")
	for _, dir := range stale {
		var pid, n int
		if _, err := fmt.Sscanf(strings.TrimPrefix(dir, prefix), "%d-%d", &pid, &n); err == nil && !exists(fmt.Sprintf("/proc/%d", pid)) {
			os.RemoveAll(dir)
		}
	}
	return os.MkdirTemp("", fmt.Sprintf("syscontainer-%s-%d-", kind, os.Getpid()))
}

// slot waits until fewer than two hosts run on this machine. The locks are the kernel's: they end with their holder.
func slot(ctx context.Context) (release func(), err error) {
	for {
		for i := range 2 {
			f, err := os.OpenFile(filepath.Join(os.TempDir(), fmt.Sprintf("syscontainer-host.lock%d", i)), os.O_CREATE|os.O_RDWR, 0o600)
			if err != nil {
				return nil, err
			}
			if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
				return func() { f.Close() }, nil
			}
			f.Close()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ownCgroup names a new cgroup below this process's, "" where the machine has no v2 hierarchy. It removes those that
// dead processes left.
func ownCgroup(machine string) string {
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	var top string
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		for i, f := range fields {
			if f == "-" && i+1 < len(fields) && fields[i+1] == "cgroup2" && top == "" {
				top = fields[4]
			}
		}
	}
	own, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(own)) {
		path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		if !ok || top == "" {
			continue
		}
		dir := filepath.Join(top, path)
		stale, _ := filepath.Glob(filepath.Join(dir, "syscontainer-*-*"))
		for _, s := range stale {
			var pid, n int
			if _, err := fmt.Sscanf(filepath.Base(s), "syscontainer-%d-%d", &pid, &n); err == nil && !exists(fmt.Sprintf("/proc/%d", pid)) {
				removeCgroup(s)
			}
		}
		return filepath.Join(dir, machine)
	}
	return ""
}

// removeCgroup kills what is left in a cgroup and removes it with those below it.
func removeCgroup(dir string) {
	if dir == "" {
		return
	}
	os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
	for range 50 {
		var dirs []string
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for i := len(dirs) - 1; i >= 0; i-- {
			syscall.Rmdir(dirs[i])
		}
		if err := syscall.Rmdir(dir); err == nil || errors.Is(err, syscall.ENOENT) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
