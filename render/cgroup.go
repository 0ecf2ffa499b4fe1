package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	cgroupRoot    = "/sys/fs/cgroup"
	runtimeCgroup = "runtime" // in the unit's
)

var errNoCgroup = errors.New("this machine has no unified cgroup hierarchy (cgroup v2)\n" +
	"hint: boot with systemd.unified_cgroup_hierarchy=1")

// cgroupOf is the cgroup of a process ("self" for this one) in the unified
// hierarchy, as an absolute path from its root.
func cgroupOf(process string) (string, error) {
	data, err := os.ReadFile("/proc/" + process + "/cgroup")
	if err != nil {
		return "", err
	}
	for line := range bytes.Lines(data) {
		if name, ok := bytes.CutPrefix(line, []byte("0::")); ok {
			return strings.TrimSuffix(string(name), "\n"), nil
		}
	}
	return "", errNoCgroup
}

// unitCgroup is the cgroup of the unit that runs this program. Slice= may put it
// anywhere, so it is read, not guessed. With Delegate=yes systemd starts some of
// a unit's commands in a sub-cgroup.
func unitCgroup() (string, error) {
	own, err := cgroupOf("self")
	if err != nil {
		return "", err
	}
	switch path.Base(own) {
	case ".control", runtimeCgroup:
		own = path.Dir(own)
	}
	return own, nil
}

// leaveUnitCgroup moves this program into a sub-cgroup. The runtime it will
// execute enables controllers in the unit's cgroup for the payload; a process in
// there would make the kernel turn it "threaded", and systemd could neither stop
// the unit nor start its further commands.
func leaveUnitCgroup(unit string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(cgroupRoot, &fs); err != nil || fs.Type != unix.CGROUP2_SUPER_MAGIC {
		return errNoCgroup
	}
	if unit == "/" {
		return errors.New("--start must be run by systemd, in a cgroup of its own")
	}
	dir := filepath.Join(cgroupRoot, unit, runtimeCgroup)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return withHint(fmt.Errorf("make a cgroup for the runtime: %w", err), "the service needs Delegate=yes")
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0); err != nil {
		return fmt.Errorf("move to the runtime's cgroup: %w", err)
	}
	return nil
}

// endRuntime ends a runtime that outlived the start which executed it: a stop ends this
// program alone, and the runtime would go on making what is just being removed. Where the
// kernel cannot (before 5.14), or it takes longer than a moment, nothing is waited for.
func endRuntime(unit string) {
	dir := filepath.Join(cgroupRoot, unit, runtimeCgroup)
	for range 100 {
		events, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
		if err != nil || !bytes.Contains(events, []byte("populated 1")) {
			return
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0); err != nil {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// below tells whether a cgroup is another or inside it.
func below(name, parent string) bool {
	return name == parent || strings.HasPrefix(name, strings.TrimSuffix(parent, "/")+"/")
}

// startTime is when a living process was started (proc_pid_stat(5), field 22).
// ok is false for none and for a zombie.
func startTime(pid int) (ticks uint64, ok bool) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	// The name in parentheses may hold anything; what follows its end counts.
	words := bufio.NewScanner(bytes.NewReader(data[bytes.LastIndexByte(data, ')')+1:]))
	words.Split(bufio.ScanWords)
	for field := 3; words.Scan(); field++ {
		switch {
		case field == 3 && (words.Text() == "Z" || words.Text() == "X"):
			return 0, false
		case field == 22:
			ticks, err = strconv.ParseUint(words.Text(), 10, 64)
			return ticks, err == nil
		}
	}
	return 0, false
}
